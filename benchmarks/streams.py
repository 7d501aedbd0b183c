"""``python -m benchmarks.streams [--quick]``: what a byte stream costs, beside the official SDK and the floor."""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
from anyio.from_thread import start_blocking_portal

from livekit_trio.testing import open_server

from .__main__ import machine, table
from .measure import Bench, Subject, read_snapshot, running, snapshot, subjects

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE: Final = 8 << 20
SETTLING: Final = 4.0
"""Seconds before the sender begins: it is told of somebody who publishes nothing after 3 s only."""


def carry(bench: Bench, subject: Subject, size: int, settling: float) -> tuple[float, float, float]:
    """Let two processes of the subject send and receive *size* bytes: seconds, and CPU seconds of the sender and the receiver."""
    room = f"stream {subject.name}"
    with running([*bench.arguments(subject, "sink", [room]), str(size)]) as sink:
        with running([*bench.arguments(subject, "source", [room], "sender"), str(size)]) as source:
            time.sleep(settling)
            _, sink_before = snapshot(sink)
            start = time.monotonic()
            _, source_before = snapshot(source)
            received, sink_after = read_snapshot(sink)
            end = time.monotonic()
            _, source_after = read_snapshot(source)
    if received != size:
        raise RuntimeError(f"{received} of {size} bytes came")
    return end - start, source_after - source_before, sink_after - sink_before


def measured(bench: Bench, subject: Subject) -> Iterator[tuple[str, float]]:
    seconds, sender, receiver = carry(bench, subject, SIZE, SETTLING)
    yield "8 MiB byte stream: MB/s", SIZE / seconds / 1e6
    yield "8 MiB byte stream: CPU s of the sender", sender
    yield "8 MiB byte stream: CPU s of the receiver", receiver


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round instead of three")
    rounds = 1 if parser.parse_args().quick else 3
    results: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with (
        tempfile.TemporaryDirectory() as folder,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_server()) as server,
    ):
        bench = Bench(server, Path(folder))
        under_test = [of_streams(subject) for subject in subjects(bench.folder)]
        for number in range(rounds):
            for subject in under_test:
                print(f"round {number + 1} of {rounds}: {subject.name}", flush=True)
                for what, value in measured(bench, subject):
                    results[what][subject.name].append(value)
    print(f"\n{dt.datetime.now(dt.UTC):%Y-%m-%d}, {machine()}\n")
    print(table([subject.name for subject in under_test], results))


def of_streams(subject: Subject) -> Subject:
    """The same subject, with the programs that know streams."""
    command = (f"{part}_streams" if part.startswith("benchmarks.subjects.") else part for part in subject.command)
    return attrs.evolve(subject, command=tuple(command))


if __name__ == "__main__":
    main()
