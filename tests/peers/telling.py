"""Hurrying the server, which tells of somebody who publishes nothing every 3 s only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer


async def tell_of(server: DevServer, room: str, identity: str) -> None:
    """Let everybody know of who has joined now: whom the server API has changed is told of at once."""
    await server.update_participant(room, identity, metadata="here")
