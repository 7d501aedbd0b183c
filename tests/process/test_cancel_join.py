"""Joins that are cancelled at some moment leave nothing behind."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import anyio

from .programs.cancel_join import MOMENTS
from .resources import Resources
from .running import running_program

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

WAYS = {"trio": 2, "asyncio": 3}

SERVER_PATIENCE = 30.0
"""Seconds. Once in some 2,000 leaves, on a busy machine, livekit-server 1.13.5 misses the leave request, right after which the native
library closes the connection; it lists the participant until 21 s without media connection are over (measured)."""


async def participants_left(server: DevServer, room: str) -> list[Any]:
    """Whom the server lists for good."""
    with anyio.move_on_after(SERVER_PATIENCE):
        while await server.list_participants(room):
            await anyio.sleep(0.5)
    return await server.list_participants(room)


def cancel_joins(server: DevServer, backend: str) -> tuple[Any, list[Any]]:
    """What the program saw, and whom the server still lists."""
    room = f"cancelled joins, {backend}"
    arguments = backend, server.url, server.api_key, server.api_secret, room
    with running_program("cancel_join", *arguments) as (ask, _):
        report = json.loads(ask())
        return report, anyio.run(participants_left, server, room)


def test_at_many_moments_in_every_way(server: DevServer) -> None:
    with ThreadPoolExecutor() as pool:
        for backend, (report, participants) in zip(
            WAYS, pool.map(cancel_joins, [server] * len(WAYS), WAYS), strict=True
        ):
            base, settled = Resources(*report["base"]), Resources(*report["settled"])
            print(f"{backend}: {base=}, {settled=}, {report['cancelled in']}")  # noqa: T201
            assert participants == []
            assert settled.threads <= base.threads + 8
            assert settled.descriptors <= base.descriptors + 8
            assert sum(report["cancelled in"].values()) == len(MOMENTS) * WAYS[backend]
            assert report["cancelled in"]["join"] > 0
