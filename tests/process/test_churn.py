"""Joining and leaving 200 times, as fast as the API lets one: nothing piles up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .resources import Resources
from .running import run_program

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

CYCLES = 200


def churn(server: DevServer, backend: str, what: str) -> tuple[Resources, Resources, Resources]:
    """What the process held after the first cycle, at most, and in the end."""
    token = server.token("ann", f"churn {backend} {what}")
    report: Any = run_program("churn", backend, CYCLES, what, server.url, token).report()
    assert len(report["held"]) == CYCLES
    base, settled = Resources(*report["base"]), Resources(*report["settled"])
    most = Resources(*map(max, zip(*report["held"], strict=True)))
    print(f"{what}: {report['seconds']:.1f} s; {base=}, {most=}, {settled=}, memory {report['grown'] / 1e6:+.1f} MB")  # noqa: T201
    assert report["grown"] < 7.5e6
    return base, most, settled


def test_with_a_data_packet(server: DevServer, anyio_backend_name: str) -> None:
    base, most, _ = churn(server, anyio_backend_name, "data")
    assert most.threads <= base.threads + 16
    assert most.descriptors <= base.descriptors + 16


# On asyncio only with `long`: it is the native part that may pile up here.
@pytest.mark.parametrize("backend", ["trio", pytest.param("asyncio", marks=pytest.mark.long)])
def test_with_a_published_track(server: DevServer, backend: str) -> None:
    base, most, settled = churn(server, backend, "track")
    assert most.threads <= base.threads + 16  # rooms share the threads of libwebrtc, see retire_room()
    assert most.descriptors <= base.descriptors + 16
    assert settled.threads <= base.threads
    assert settled.descriptors <= base.descriptors
