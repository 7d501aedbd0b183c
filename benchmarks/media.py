"""``python -m benchmarks.media [--quick]``: what received and captured frames cost, beside the official SDK and the floor."""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anyio.from_thread import start_blocking_portal

from livekit_trio.testing import open_server

from .__main__ import machine, table
from .measure import Bench, Subject, python, running, snapshot, subjects

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

TRACKS: Final = (1, 20, 60, 80)
SOURCES: Final = 10
SETTLING: Final = 3.0


def listening(bench: Bench, subject: Subject, kind: str, count: int, seconds: float) -> tuple[float, float]:
    """How many frames a second came of each track, and the CPU microseconds of each frame."""
    room = f"{kind} {count}"
    player = python("players", bench.server.url, str(bench.tokens("player", [room])), kind, str(count))
    with running(player), running(bench.arguments(subject, "listen", [room])) as listener:
        time.sleep(SETTLING)
        return per_frame(listener, seconds, count)


def capturing(subject: Subject, seconds: float) -> tuple[float, float]:
    with running([*subject.command, "capture", str(SOURCES)]) as process:
        time.sleep(SETTLING)
        return per_frame(process, seconds, SOURCES)


def per_frame(process: subprocess.Popen[str], seconds: float, count: int) -> tuple[float, float]:
    before, start = snapshot(process), time.monotonic()
    time.sleep(seconds)
    after, end = snapshot(process), time.monotonic()
    frames = after[0] - before[0]
    return frames / (end - start) / count, (after[1] - before[1]) / max(1, frames) * 1e6


def measured(bench: Bench, subject: Subject, seconds: float) -> Iterator[tuple[str, float]]:
    for count in TRACKS:
        rate, cpu = listening(bench, subject, "audio", count, seconds)
        yield f"{count} audio tracks: frames/s of each", rate
        yield f"{count} audio tracks: CPU us a frame", cpu
    rate, cpu = listening(bench, subject, "video", 1, seconds)
    yield "720p video: frames/s", rate
    yield "720p video: CPU us a frame", cpu
    _, cpu = capturing(subject, seconds)
    yield "capture_frame: CPU us a frame", cpu


def media_subjects(folder: Path) -> list[Subject]:
    """The subjects of `measure`, with their media programs."""
    floor = [subject for subject in subjects(folder) if subject.name == "floor"]
    return [
        *floor,
        Subject("ours, Trio", python("ours_media", "trio")),
        Subject("ours, asyncio", python("ours_media", "asyncio")),
        Subject("official", python("official_media")),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.media", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one short round, some 4 minutes, instead of three long ones"
    )
    parser.add_argument("--only", default="", help="measure only subjects whose name contains this")
    arguments = parser.parse_args()
    rounds, seconds = (1, 4.0) if arguments.quick else (3, 10.0)
    results: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with (
        tempfile.TemporaryDirectory() as folder,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_server()) as server,
    ):
        bench = Bench(server, Path(folder))
        under_test = [subject for subject in media_subjects(bench.folder) if arguments.only in subject.name]
        for number in range(rounds):
            for subject in under_test:
                print(f"round {number + 1} of {rounds}: {subject.name}", flush=True)
                for what, value in measured(bench, subject, seconds):
                    results[what][subject.name].append(value)
    print(f"\n{dt.datetime.now(dt.UTC):%Y-%m-%d}, {machine()}\n")
    print(table([subject.name for subject in under_test], results))


if __name__ == "__main__":
    main()
