"""``python -m benchmarks.calls [--quick]``: packets sent and RPCs made, both ends in one process, beside the official SDK and the floor."""

from __future__ import annotations

import argparse
import datetime as dt
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
from anyio.from_thread import start_blocking_portal

from livekit_trio.testing import open_server

from .__main__ import machine, table
from .measure import ROOT, Bench, Subject, subjects

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS: Final = {
    "serial": "publish_data, one after the other: packets/s",
    "at_once": "publish_data, 1 000 at once: packets/s",
    "rpc": "RPC round trip p50, ms",
    "rpcs": "200 RPCs at once: calls/s",
}


def measured(bench: Bench, subject: Subject) -> Iterator[tuple[str, float]]:
    command = bench.arguments(subject, "calls", [f"calls {subject.name}"], "ann", "bob")
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, timeout=300
    )
    for line in done.stdout.splitlines():
        name, number = line.split()
        yield ROWS[name], float(number)


def for_calls(subject: Subject) -> Subject:
    """The same subject's program for calls."""
    return attrs.evolve(
        subject, command=tuple(part if part not in MODULES else part + "_calls" for part in subject.command)
    )


MODULES: Final = {f"benchmarks.subjects.{name}" for name in ("ours", "official")}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round instead of three")
    rounds = 1 if parser.parse_args().quick else 3
    results: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with (
        tempfile.TemporaryDirectory() as folder,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_server()) as server,
    ):
        bench = Bench(server, Path(folder))
        under_test = [for_calls(subject) for subject in subjects(bench.folder)]
        for _ in range(rounds):
            for subject in under_test:
                for what, value in measured(bench, subject):
                    results[what][subject.name].append(value)
    print(f"\n{dt.datetime.now(dt.UTC):%Y-%m-%d}, {machine()}\n")
    print(table([subject.name for subject in under_test], results))


if __name__ == "__main__":
    main()
