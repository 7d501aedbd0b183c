"""Packets sent and RPCs made, both ends in one process; and how long a packet and a sound take from one end to the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .measure import percentiles
from .report import Row, at_least, at_most

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .measure import Bench
    from .report import Figure

NAMES: Final = {
    "serial": "publish_data, one after the other",
    "at_once": "publish_data, 1 000 at once",
    "rpc": "RPC round trip p50",
    "rpcs": "200 RPCs at once",
}
CALL_ROWS: Final = (
    Row(NAMES["at_once"], "packets/s", at_least(15, "official"), headline=True),
    Row(NAMES["serial"], "packets/s", at_least(2.2, "official"), headline=True),
    Row(NAMES["rpc"], "ms", at_most(1.1, "floor"), headline=True),
    Row(NAMES["rpcs"], "calls/s", at_least(3.5, "official"), headline=True),
)
PERCENTILES: Final = {"packet": (50, 95, 99), "sound": (50, 95)}
LATENCY_ROWS: Final = tuple(
    Row(f"{what}, end to end p{percent}", "ms", at_most(1, "official"))
    for what, percents in PERCENTILES.items()
    for percent in percents
)


def measure_calls(bench: Bench) -> Iterator[Figure]:
    for subject in bench.subjects:
        file = bench.joining(subject, [f"calls {subject.name}"], "ann", "bob")
        for line in bench.run(subject, "calls", "calls", file):
            name, number = line.split()
            yield NAMES[name], subject.name, float(number)


def measure_latency(bench: Bench) -> Iterator[Figure]:
    for what, percents in PERCENTILES.items():
        times = bench.times * (10 if what == "packet" else 1)
        for subject in bench.subjects:
            file = bench.joining(subject, [f"{what} {subject.name}"], "ann", "bob")
            took = bench.run(subject, "latency", what, file, str(times))
            yield from percentiles(f"{what}, end to end", subject, [float(line) for line in took], *percents)
