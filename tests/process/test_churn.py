"""Joining and leaving, as fast as the API lets one: nothing piles up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .resources import Resources
from .running import run_program

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

MANY = 200
FEW = 40
"""Threads and descriptors would pile up from the first cycle on; it is memory that takes more to tell."""


def churn(server: DevServer, backend: str, what: str, cycles: int) -> tuple[Resources, Resources, Resources]:
    """What the process held after the first cycle, at most, and in the end."""
    token = server.token("ann", f"churn {backend} {what}")
    report: Any = run_program("churn", backend, cycles, what, server.url, token).report()
    assert len(report["held"]) == cycles
    base, settled = Resources(*report["base"]), Resources(*report["settled"])
    most = Resources(*map(max, zip(*report["held"], strict=True)))
    print(f"{what}: {report['seconds']:.1f} s; {base=}, {most=}, {settled=}, memory {report['grown'] / 1e6:+.1f} MB")  # noqa: T201
    if cycles == MANY:
        assert report["grown"] < 7.5e6
    return base, most, settled


def test_with_a_data_packet(server: DevServer, anyio_backend_name: str) -> None:
    base, most, _ = churn(server, anyio_backend_name, "data", MANY)
    assert most.threads <= base.threads + 16
    assert most.descriptors <= base.descriptors + 16


@pytest.mark.parametrize(
    ("backend", "cycles"),
    [("trio", FEW), *(pytest.param(backend, MANY, marks=pytest.mark.long) for backend in ("trio", "asyncio"))],
)
def test_with_a_published_track(server: DevServer, backend: str, cycles: int) -> None:
    base, most, settled = churn(server, backend, "track", cycles)
    assert most.threads <= base.threads + 16  # rooms share the threads of libwebrtc, see retire_room()
    assert most.descriptors <= base.descriptors + 16
    assert settled.threads <= base.threads
    assert settled.descriptors <= base.descriptors
