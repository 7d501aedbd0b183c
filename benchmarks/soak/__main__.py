"""Ten rooms for half an hour; what the process holds, minute by minute, and what was lost.

Each period has a fault of its own: the signal connections are reset for 3 s, all UDP is dropped for 5 s, every packet takes 50 ± 10 ms
and one of twenty is lost, the server is killed and started again; each fifth one has none.
"""

from __future__ import annotations

import argparse
import functools
import gc
import itertools
import logging
import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel
import attrs

from livekit_trio import rtc
from livekit_trio.testing import assert_idle, open_server

from . import network
from .accounts import UNDER_WAY, Diary, judge, read_diary
from .load import Pair, run_guests, run_media

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit_trio.testing import DevServer

ROOMS: Final = 10
QUIET_BEFORE: Final = 0.15
QUIET_AFTER: Final = 0.15
"""Of each period, until its fault, and between the last guest and the count of what is held."""
CUT_SIGNAL_FOR: Final = 3.0
DROP_UDP_FOR: Final = 5.0
LOSSY_FOR: Final = 0.3
"""Of each period."""
WITHIN: Final = 0.05
"""How much more may be held in the end than after the first sixth."""
KEPT: Final = 0.49
"""Megabytes that the native library keeps of each room in which others had published tracks when it was left (docs/architecture.md)."""


@attrs.frozen
class Held:
    """What the process holds.

    Attributes:
        seconds: since the beginning.
        megabytes: resident memory.
        threads: as the system counts them.
        descriptors: open files and sockets.
        handles: of the native library.
        cpu: seconds used so far, by all threads.
    """

    seconds: float
    megabytes: float
    threads: int
    descriptors: int
    handles: int
    cpu: float

    @classmethod
    def now(cls, begin: float) -> Held:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return cls(
            anyio.current_time() - begin,
            pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
            len(os.listdir("/proc/self/task")),
            len(os.listdir("/proc/self/fd")) - 1,
            rtc.runtime_statistics().live_handles,
            usage.ru_utime + usage.ru_stime,
        )


@attrs.frozen
class Soak:
    """One run."""

    server: DevServer
    diary: Diary
    period: float
    only: str

    async def run(self, minutes: float) -> list[Held]:
        held: list[Held] = []
        pairs = [Pair(number, self.server, self.diary) for number in range(ROOMS)]
        print("|    s | RSS, MB | threads | fds | handles | CPU, s | packets sent | arrived | joins | then")
        async with anyio.create_task_group() as group:
            for pair in pairs:
                group.start_soon(pair.run)
            for pair in pairs:
                await pair.heard.wait()
            begin = anyio.current_time()
            for number, (name, fault) in enumerate(itertools.cycle(self.faults().items())):
                if anyio.current_time() - begin > minutes * 60 - self.period / 2:
                    break
                end = begin + (number + 1) * self.period
                async with anyio.create_task_group() as coming_and_going:
                    coming_and_going.start_soon(run_guests, pairs)
                    for offset, kind in enumerate(("sound", "sound", "picture")):
                        coming_and_going.start_soon(run_media, pairs[(number + 3 * offset) % ROOMS], kind, number)
                    await anyio.sleep(self.period * QUIET_BEFORE)
                    await fault()
                    await anyio.sleep(end - self.period * QUIET_AFTER - anyio.current_time())
                    coming_and_going.cancel_scope.cancel()
                await anyio.sleep(end - anyio.current_time())
                held.append(Held.now(begin))
                self.tell(held[-1], name)
            for pair in pairs:
                pair.silent = True
            await anyio.sleep(UNDER_WAY)
            group.cancel_scope.cancel()
        return held

    def tell(self, held: Held, fault: str) -> None:
        counts = self.diary.counts
        print(
            f"| {held.seconds:4.0f} | {held.megabytes:7.1f} | {held.threads:7} | {held.descriptors:3} | {held.handles:7} |"
            f" {held.cpu:6.1f} | {counts['sent']:12} | {counts['arrived']:7} | {counts['guest']:5} | after: {fault}",
            flush=True,
        )

    def faults(self) -> dict[str, Callable[[], Awaitable[None]]]:
        faults = {
            "signal connections reset": self.cut_signal,
            "UDP dropped": self.drop_udp,
            "delay and loss": self.be_lossy,
            "server killed": self.kill_server,
            "nothing": anyio.lowlevel.checkpoint,
        }
        return {name: fault for name, fault in faults.items() if self.only in name}

    async def cut_signal(self) -> None:
        self.diary.note("cut", why="signal connections reset")
        port = self.server.url.rpartition(":")[2]
        with network.rule("-p", "tcp", "--dport", port, "-j", "REJECT", "--reject-with", "tcp-reset"):
            await anyio.sleep(CUT_SIGNAL_FOR)
        self.diary.note("mended")

    async def drop_udp(self) -> None:
        self.diary.note("cut", why="UDP dropped")
        with network.rule("-p", "udp", "-j", "DROP"):
            await anyio.sleep(DROP_UDP_FOR)
        self.diary.note("mended")

    async def be_lossy(self) -> None:
        """No cut: all that is reliable has to arrive."""
        with network.lossy():
            await anyio.sleep(self.period * LOSSY_FOR)

    async def kill_server(self) -> None:
        self.diary.note("cut", why="server killed")
        self.server.process.kill()
        await self.server.restart()
        self.diary.note("mended")


async def soak(minutes: float, period: float, only: str, path: Path) -> list[Held]:
    diary = Diary(path)
    try:
        async with open_server() as server:
            held = await Soak(server, diary, period, only).run(minutes)
    finally:
        diary.close()
    await assert_idle()
    return held


def growth(held: list[Held]) -> list[str]:
    """How what was held in the end differs from what was held after the first sixth; the lines that say too much end in '!'."""
    early, late = held[max(0, len(held) // 6 - 1)], held[-1]
    lines: list[str] = []
    for name in ("megabytes", "threads", "descriptors", "handles"):
        before, after = getattr(early, name), getattr(late, name)
        share = after / before - 1 if before else 0.0
        mark = " !" if share > WITHIN else ""
        lines.append(
            f"{name}: {before:g} after {early.seconds:.0f} s, {after:g} after {late.seconds:.0f} s: {share:+.1%}{mark}"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--period", type=float, default=60, help="seconds from one fault to the next")
    parser.add_argument("--only", default="", help="a word of the one fault that comes")
    parser.add_argument("--backend", choices=("trio", "asyncio"), default="trio")
    parser.add_argument("--diary", type=Path, default=Path("out"), help="the folder for what happened, line by line")
    arguments = parser.parse_args()
    network.move_into_own(sys.executable, "-m", "benchmarks.soak", *sys.argv[1:])
    logging.getLogger("livekit_trio").addHandler(logging.NullHandler())
    arguments.diary.mkdir(parents=True, exist_ok=True)
    path = arguments.diary / f"soak-{arguments.backend}.jsonl"
    run = functools.partial(soak, arguments.minutes, arguments.period, arguments.only, path)
    held = anyio.run(run, backend=arguments.backend)

    verdict = judge(read_diary(path))
    grown = growth(held)
    print("", *verdict.cuts, "", *(f"{what}: {count}" for what, count in sorted(verdict.counts.items())), "", sep="\n")
    leaves = verdict.counts["guests who leave tracks of others behind"]
    print(
        *grown,
        f"natively kept, in the whole run, of {leaves} guests who left tracks of others behind: some {leaves * KEPT:.0f} MB",
        "",
        *verdict.problems,
        sep="\n",
    )
    failed = verdict.problems or any(line.endswith("!") for line in grown)
    print("NOT all of it is as it should be" if failed else "all that was sent outside a cut arrived once and in order")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
