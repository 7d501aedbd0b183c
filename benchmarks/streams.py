"""What a byte stream costs, and what a large file holds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from .measure import read_snapshot, resident, running, snapshot
from .report import Row, at_least, at_most

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from .measure import Bench
    from .report import Figure

SIZE: Final = 8 << 20
FILE_SIZE: Final = 64 << 20
SETTLING: Final = 4.0
"""Seconds before the sender begins: it is told of somebody who publishes nothing after 3 s only."""

STREAM_ROWS: Final = (
    Row("8 MiB byte stream", "MB/s", at_least(0.95, "floor"), headline=True),
    Row("8 MiB byte stream: sender and receiver", "s of CPU", at_most(1, "official")),
)
FILE_ROWS: Final = tuple(
    Row(f"64 MiB file, all but the first 8: growth of the {end}", "MB", at_most(8), headline=True)
    for end in ("sender", "receiver")
)


def measure_streams(bench: Bench) -> Iterator[Figure]:
    """Two processes send and receive bytes that do not compress."""
    for subject in bench.subjects:
        room = [f"stream {subject.name}"]
        sink = subject.command("streams", "sink", bench.joining(subject, room, "receiver"), str(SIZE))
        source = subject.command("streams", "source", bench.joining(subject, room, "sender"), str(SIZE))
        with running(sink) as receiver, running(source) as sender:
            time.sleep(SETTLING)
            _, receiver_before = snapshot(receiver)
            start = time.monotonic()
            _, sender_before = snapshot(sender)
            received, receiver_after = read_snapshot(receiver)
            end = time.monotonic()
            _, sender_after = read_snapshot(sender)
        if received != SIZE:
            raise RuntimeError(f"{received} of {SIZE} bytes came")
        yield "8 MiB byte stream", subject.name, SIZE / (end - start) / 1e6
        cpu = sender_after - sender_before + receiver_after - receiver_before
        yield "8 MiB byte stream: sender and receiver", subject.name, cpu


def measure_files(bench: Bench) -> Iterator[Figure]:
    """One process sends a file, the other one writes what comes to another."""
    file = bench.folder / "large"
    with file.open("wb") as large:
        large.truncate(FILE_SIZE)
    for subject in bench.subjects:
        if subject.name != "floor":  # which has no files
            room = [f"file {subject.name}"]
            folder = bench.folder / f"kept by {subject.name}"
            folder.mkdir()
            keep = subject.command("streams", "keep", bench.joining(subject, room, "receiver"), str(folder))
            send = subject.command("streams", "send", bench.joining(subject, room, "sender"), str(file))
            with running(keep) as receiver, running(send) as sender:
                time.sleep(SETTLING)
                snapshot(sender)  # now it sends
                for row, growth in zip(FILE_ROWS, _growth(sender, receiver), strict=True):
                    yield row.name, subject.name, growth


def _growth(sender: subprocess.Popen[str], receiver: subprocess.Popen[str]) -> list[float]:
    """By how many MB both grow once SIZE have come."""
    first, highest = [0.0, 0.0], [0.0, 0.0]
    while (received := snapshot(receiver)[0]) < FILE_SIZE:
        now = [resident(sender), resident(receiver)]
        if received < SIZE:
            first = now
        highest = [max(pair) for pair in zip(highest, now, strict=True)]
        time.sleep(0.2)
    return [most - begin for most, begin in zip(highest, first, strict=True)]
