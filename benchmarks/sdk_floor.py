"""The native library alone: rooms are joined, and the bridge drops every event in the native callback."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from livekit_trio._ffi._runtime import hold_runtime

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@asynccontextmanager
async def join(url: str, token: str) -> AsyncGenerator[Any]:
    """A room that nobody listens to; yields the library, which counts what it drops."""
    with hold_runtime() as runtime:
        reply = await runtime.call("connect", {"url": url, "token": token, "options": {}})
        room = {"room_handle": reply.result.room.handle.id}
        runtime.request("ready_for_room_event", **room)
        try:
            yield runtime.library
        finally:
            await runtime.call("disconnect", room)


def count(rooms: list[Any]) -> int:
    """Events dropped so far: the messages, and a few about the rooms themselves."""
    return rooms[0].statistics()["dropped_unrouted"]
