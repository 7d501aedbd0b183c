"""Importing, joining, and packets in many rooms of one process."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from typing import TYPE_CHECKING, Final

from .measure import ROOT, Held, percentiles, running
from .report import Note, Row, at_most

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .measure import Bench, Subject
    from .report import Figure

IMPORTS: Final = {
    "official": ("asyncio", "livekit.rtc"),
    "ours, Trio": ("trio, anyio", "livekit_trio.rtc"),
    "ours, asyncio": ("asyncio, trio, anyio", "livekit_trio.rtc"),
}
PROGRAM: Final = """
import time
beginning = time.process_time()
import {}
start = time.process_time()
import {}
end = time.process_time()
print((end - start) * 1e3, (end - beginning) * 1e3)
"""
MANY: Final = 30
COUNTS: Final = (1, MANY, 100)
RATE: Final = 600
"""Packets a second, in all rooms together."""
FURTHER: Final = 10
SETTLED: Final = 15.0
"""Seconds after a join when its sockets for candidates are closed: libwebrtc keeps them for about 12."""

IMPORT_ROWS: Final = (
    Row("import", "ms of CPU", at_most(40), headline=True),
    Row("import, and that of the event loop", "ms of CPU", at_most(1, "official"), headline=True),
)
WAKE_ROWS: Final = (
    Row("nothing but an event loop: wake, 30 a second", "μs of CPU"),
    Row("nothing but an event loop: wake, 100 a second", "μs of CPU"),
)
JOIN_ROWS: Final = (
    Row("join p50", "ms", at_most(1, "official")),
    Row("join p95", "ms", at_most(1, "official")),
)
ROOM_ROWS: Final = (
    Row("1 room: packet received", "μs of CPU", at_most(1, "official")),
    Row("30 rooms: packet received", "μs of CPU", at_most(1.15, "floor"), headline=True),
    Row("100 rooms: packet received", "μs of CPU", at_most(1, "official")),
)
HOLDING_ROWS: Final = (
    Row("a further room: descriptors", "", at_most(1, "official"), headline=True),
    Row("a further room: threads", "", at_most(1, "official")),
    Row("a further room: memory", "MB", at_most(1, "official")),
)


def measure_import(bench: Bench) -> Iterator[Figure]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for subject in bench.subjects:
        if imports := IMPORTS.get(subject.name):
            command = [subject.executable, "-c", PROGRAM.format(*imports)]
            took: list[list[float]] = []
            for _ in range(5):
                done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
                took.append([float(word) for word in done.stdout.split()])
            own, total = map(statistics.median, zip(*took, strict=True))
            yield "import", subject.name, own
            yield "import, and that of the event loop", subject.name, total


def measure_wakes(bench: Bench) -> Iterator[Figure]:
    """An event loop without any SDK: what each frame of a single stream takes at least."""
    for rate in (30, 100):
        for subject in bench.subjects:
            if subject.backend:
                command = [subject.executable, "-m", "benchmarks.subjects.wakes", subject.backend]
                with subprocess.Popen(
                    command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                ) as process:
                    for _ in range(round(rate * (1 + bench.seconds))):
                        time.sleep(1 / rate)
                        print(file=process.stdin, flush=True)
                    took, _ = process.communicate()
                yield f"nothing but an event loop: wake, {rate} a second", subject.name, float(took)


def measure_join(bench: Bench) -> Iterator[Figure]:
    """Join and leave an empty room; the first time does not count."""
    for subject in bench.subjects:
        file = bench.joining(subject, ["joining"], "guest")
        joins = bench.run(subject, "rooms", "connect", file, str(bench.times + 1))
        yield from percentiles("join", subject, [float(line) for line in joins[1:]], 50, 95)


def measure_rooms(bench: Bench) -> Iterator[Figure | Note]:
    """Somebody sends into all rooms of a process."""
    for count in bench.counts(*COUNTS):
        row = f"{count} room{'s' * (count > 1)}: packet received"
        names = [f"receiving {count} {number}" for number in range(count)]
        with running(bench.other_end("sender", names, "sender", str(RATE))):
            for subject in bench.subjects:
                with running(subject.command("rooms", "receive", bench.joining(subject, names, "receiver"))) as process:
                    rate, cpu = bench.count(process)
                yield row, subject.name, cpu
                if subject is bench.subjects[0] and count > MANY and rate < RATE * 0.9:
                    yield Note(row, f"the machine ends here: {subject.name} gets {rate:.0f} of {RATE} packets/s")
                    return


def measure_holdings(bench: Bench) -> Iterator[Figure]:
    """What a process holds that is in many rooms, beside one that is in one, once what a join leaves behind is gone."""
    for subject in bench.subjects:
        few, many = (_held(bench, subject, count) for count in (1, 1 + FURTHER))
        yield "a further room: descriptors", subject.name, (many.descriptors - few.descriptors) / FURTHER
        yield "a further room: threads", subject.name, (many.threads - few.threads) / FURTHER
        yield "a further room: memory", subject.name, (many.megabytes - few.megabytes) / FURTHER


def _held(bench: Bench, subject: Subject, count: int) -> Held:
    names = [f"holding {count} {number}" for number in range(count)]
    with running(subject.command("rooms", "receive", bench.joining(subject, names, "holder"))) as process:
        time.sleep(SETTLED)
        return Held.by(process)
