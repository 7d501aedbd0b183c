"""Joining and counting messages with the official package."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from livekit import rtc

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@asynccontextmanager
async def join(url: str, token: str) -> AsyncGenerator[list[int]]:
    """A room whose messages are counted in the list that this yields."""
    count = [0]
    room = rtc.Room()

    @room.on("data_received")  # pyright: ignore[reportUnknownMemberType, reportUntypedFunctionDecorator]
    def on_data(_packet: rtc.DataPacket) -> None:
        count[0] += 1

    await room.connect(url, token)
    try:
        yield count
    finally:
        await room.disconnect()


def count(rooms: list[list[int]]) -> int:
    """Messages received so far."""
    return sum(room[0] for room in rooms)
