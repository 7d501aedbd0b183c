"""Requests of the server API: `list_rooms` for a room that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .measure import Bench
    from .report import Figure

NAMES: Final = {
    "serial": "API, one request after the other",
    "serial_cpu": "API, one request after the other: each",
    "at_once": "API, 100 requests at once",
    "at_once_cpu": "API, 100 requests at once: each",
}
API_ROWS: Final = tuple(Row(name, "μs of CPU" if key.endswith("cpu") else "requests/s") for key, name in NAMES.items())


def measure_api(bench: Bench) -> Iterator[Figure]:
    server = bench.server
    where = bench.folder / "server"
    where.write_text(f"{server.http_url} {server.api_key} {server.api_secret}")
    for subject in bench.subjects:
        if subject.name != "floor":  # which is no client of it
            for line in bench.run(subject, "api", "requests", str(where), str(50 * bench.times)):
                name, number = line.split()
                yield NAMES[name], subject.name, float(number)
