"""Joining and counting messages with livekit_trio."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from livekit_trio import rtc

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@asynccontextmanager
async def join(url: str, token: str) -> AsyncGenerator[list[int]]:
    """A room whose messages are counted in the list that this yields."""
    count = [0]
    async with rtc.open_room(url, token) as room, trio.open_nursery() as nursery:
        nursery.start_soon(_count_messages, room, count)
        yield count
        nursery.cancel_scope.cancel()


async def _count_messages(room: rtc.Room, count: list[int]) -> None:
    with room.open_events(rtc.DataReceived) as events:
        async for _ in events:
            count[0] += 1


def count(rooms: list[list[int]]) -> int:
    """Messages received so far."""
    return sum(room[0] for room in rooms)
