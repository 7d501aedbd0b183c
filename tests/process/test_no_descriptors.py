"""Without file descriptors a join fails with a ConnectError that says so, and nothing else happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .programs.no_descriptors import LEFT
from .running import run_program

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer


def test_joining_without_descriptors(server: DevServer, anyio_backend_name: str) -> None:
    token = server.token("ann", f"no descriptors, {anyio_backend_name}")
    report = run_program("no_descriptors", anyio_backend_name, server.url, token).report()
    refused = ["descriptors"] * len(LEFT)
    assert report == {
        "before": refused,
        "within": "descriptors",
        "after": [*refused, "joined"],
        "reason": "CLIENT_INITIATED",
    }
