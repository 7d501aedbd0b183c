"""One measurement of one subject each: start its process, let it work, read off what it took."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from livekit_trio._ffi._messages import encode_request
from livekit_trio.rtc._convert import room_options
from livekit_trio.rtc._options import RoomOptions

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from livekit_trio.testing import DevServer

ROOT: Final = Path(__file__).resolve().parents[1]
LIBRARY: Final = ROOT / "livekit_trio" / "_ffi" / "_native" / "liblivekit_ffi.so"


@attrs.frozen
class Subject:
    """What is measured."""

    name: str
    command: tuple[str, ...]
    imports: tuple[str, str] = ("", "")
    """What a program on it has imported anyway, and what it imports then."""


def python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"benchmarks.subjects.{module}", *arguments)


def subjects(folder: Path) -> list[Subject]:
    """All of them; the floor only where there is a C compiler."""
    found = [
        Subject("ours, Trio", python("ours", "trio"), ("trio, anyio", "livekit_trio.rtc")),
        Subject("ours, asyncio", python("ours", "asyncio"), ("asyncio, anyio", "livekit_trio.rtc")),
        Subject("official", python("official"), ("asyncio", "livekit.rtc")),
    ]
    compiler = os.environ.get("CC", "cc").split()
    if shutil.which(compiler[0]) is not None:
        floor = str(folder / "floor")
        source, headers = ROOT / "benchmarks" / "floor.c", ROOT / "native" / "bridge"
        flags = ("-O2", "-std=c11", f"-I{headers}")
        subprocess.run([*compiler, *flags, str(source), "-o", floor, "-ldl", "-pthread"], check=True)
        found.insert(0, Subject("floor", (floor, str(LIBRARY))))
    return found


@attrs.frozen
class Bench:
    """A server, and a folder for what the processes read."""

    server: DevServer
    folder: Path

    def connect(self, subject: Subject, count: int) -> list[float]:
        """Join and leave an empty room *count* times, and once before: the seconds of each join."""
        arguments = self.arguments(subject, "connect", ["joining"])
        done = subprocess.run(
            [*arguments, str(count + 1)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
        return [float(line) for line in done.stdout.split()][1:]

    def receive(self, subject: Subject, rooms: int, rate: float, seconds: float) -> tuple[float, float]:
        """Let data packets come in: how many a second, and the CPU microseconds of each."""
        names = [f"receiving {rooms} {number}" for number in range(rooms)]
        with running(self.arguments(subject, "receive", names)) as receiver:
            sender = python("sender", self.server.url, str(self.tokens("sender", names)), str(rate))
            with running(sender):
                time.sleep(min(1.0, seconds))  # let it get going
                before, start = snapshot(receiver), time.monotonic()
                time.sleep(seconds)
                after, end = snapshot(receiver), time.monotonic()
        messages = after[0] - before[0]
        return messages / (end - start), (after[1] - before[1]) / messages * 1e6

    def resources_of_a_room(self, subject: Subject, rooms: int, settling: float) -> tuple[float, float, float]:
        """What a further room takes: file descriptors, threads, and MB of memory."""
        one = self._held(subject, 1, settling)
        many = self._held(subject, 1 + rooms, settling)
        return tuple((more - less) / rooms for more, less in zip(many, one, strict=True))  # type: ignore[return-value]

    def _held(self, subject: Subject, rooms: int, settling: float) -> tuple[int, int, float]:
        names = [f"idle {number}" for number in range(rooms)]
        with running(self.arguments(subject, "receive", names)) as process:
            time.sleep(settling)
            proc = Path("/proc", str(process.pid))
            resident = int((proc / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            return len(list((proc / "fd").iterdir())), len(list((proc / "task").iterdir())), resident / 1e6

    def arguments(self, subject: Subject, what: str, rooms: Sequence[str], *identities: str) -> list[str]:
        identities = identities or ("receiver",)
        tokens = self.folder / f"{' '.join(identities)} tokens"
        tokens.write_text("\n".join(self.tokens(identity, rooms).read_text() for identity in identities))
        if subject.name != "floor":
            return [*subject.command, what, self.server.url, str(tokens)]
        requests = self.folder / f"{' '.join(identities)} requests"
        options = room_options(RoomOptions(), connect_timeout_ms=5000, join_retries=0)
        requests.write_text(
            "".join(
                encode_request("connect", {"url": self.server.url, "token": token, "options": options}).hex() + "\n"
                for token in tokens.read_text().split()
            )
        )
        return [*subject.command, what, str(requests)]

    def tokens(self, identity: str, rooms: Sequence[str]) -> Path:
        file = self.folder / f"{identity} tokens"
        file.write_text("\n".join(self.server.token(identity, room) for room in rooms))
        return file


@contextmanager
def running(command: Sequence[str]) -> Generator[subprocess.Popen[str]]:
    """A process that has said that it is ready; it ends with its input."""
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            if _readline(process) != "ready":
                raise RuntimeError(f"{command[:4]} has ended")
            yield process
            process.stdin.close()  # type: ignore[union-attr]
            process.wait(30)
        finally:
            process.kill()


def _readline(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline().rstrip()  # type: ignore[union-attr]


def snapshot(process: subprocess.Popen[str]) -> tuple[int, float]:
    process.stdin.write("\n")  # type: ignore[union-attr]
    process.stdin.flush()  # type: ignore[union-attr]
    return read_snapshot(process)


def read_snapshot(process: subprocess.Popen[str]) -> tuple[int, float]:
    messages, cpu = _readline(process).split()
    return int(messages), float(cpu)


IMPORT: Final = """
import time
beginning = time.perf_counter()
import {before}
start = time.perf_counter()
import {then}
end = time.perf_counter()
print(end - start, end - beginning)
"""


def import_time(subject: Subject) -> tuple[float, float]:
    """Import it in a fresh process: milliseconds for itself, and with what it stands on."""
    before, then = subject.imports
    program = IMPORT.format(before=before, then=then)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    own, total = map(float, done.stdout.split())
    return own * 1e3, total * 1e3


def percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
