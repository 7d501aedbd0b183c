"""``python -m benchmarks [--quick]``: run all benchmarks against a local server and print a table."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from anyio.from_thread import start_blocking_portal

from livekit_trio.testing import open_server

from .measure import Bench, Subject, import_time, percentile, subjects

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.frozen
class Effort:
    """How long everything takes."""

    rounds: int
    joins: int
    seconds: float
    """Of each run with data packets."""
    rooms: int
    """For the cost of an idle room."""
    settling: float


FULL = Effort(rounds=3, joins=30, seconds=6, rooms=10, settling=8)
QUICK = Effort(rounds=1, joins=15, seconds=3, rooms=10, settling=3)


def measured(bench: Bench, subject: Subject, effort: Effort) -> Iterator[tuple[str, float]]:
    """One round of one subject: what was measured, in rows of the table."""
    if subject.imports[1]:
        own, total = import_time(subject)
        yield "import, ms", own
        yield "import with the event loop, ms", total
    joins = bench.connect(subject, effort.joins)
    yield "connect p50, ms", percentile(joins, 50) * 1e3
    yield "connect p95, ms", percentile(joins, 95) * 1e3
    for what, rooms, rate in (
        ("1 room, 500 packets/s", 1, 500),
        ("30 rooms, 600 packets/s", 30, 600),
        ("1 room, all that one task can send", 1, 50_000),
    ):
        per_second, cpu = bench.receive(subject, rooms, rate, effort.seconds)
        yield f"{what}: received/s", per_second
        yield f"{what}: CPU us each", cpu
    descriptors, threads, megabytes = bench.resources_of_a_room(subject, effort.rooms, effort.settling)
    yield "a further room: file descriptors", descriptors
    yield "a further room: threads", threads
    yield "a further room: memory, MB", megabytes


def table(names: list[str], results: dict[str, dict[str, list[float]]]) -> str:
    """The medians over the rounds, and in brackets the lowest and the highest if they are more than one."""

    def cell(values: list[float]) -> str:
        if not values:
            return ""
        text = f"{statistics.median(values):.3g}" if min(values) < 100 else f"{statistics.median(values):.0f}"
        return text if len(values) == 1 else f"{text} ({min(values):.3g}–{max(values):.3g})"

    rows = [["", *names]]
    rows += [[what, *(cell(by_subject[name]) for name in names)] for what, by_subject in results.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|-" + "-|-".join("-" * width for width in widths) + "-|")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one short round, some 3 minutes, instead of three long ones (10 minutes)"
    )
    effort = QUICK if parser.parse_args().quick else FULL
    results: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with (
        tempfile.TemporaryDirectory() as folder,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_server()) as server,
    ):
        bench = Bench(server, Path(folder))
        under_test = subjects(bench.folder)
        for number in range(effort.rounds):
            for subject in under_test:  # one after the other in each round: what else the machine does hits them all
                print(f"round {number + 1} of {effort.rounds}: {subject.name}", flush=True)
                for what, value in measured(bench, subject, effort):
                    results[what][subject.name].append(value)
    print(f"\n{dt.datetime.now(dt.UTC):%Y-%m-%d}, {machine()}\n")
    print(table([subject.name for subject in under_test], results))


def machine() -> str:
    models = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return f"{os.cpu_count()} × {models[0] if models else platform.machine()}, Python {platform.python_version()}, {platform.platform()}"


if __name__ == "__main__":
    main()
