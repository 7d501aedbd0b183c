# pyright: basic
"""The official SDK."""

from __future__ import annotations

import asyncio
import sys
import time

from livekit import rtc

from . import read_line, say, snapshot, tokens


async def connect(url: str, file: str, count: str) -> None:
    for token in tokens(file):
        for _ in range(int(count)):
            room = rtc.Room()
            start = time.monotonic()
            await room.connect(url, token)
            say(time.monotonic() - start)
            await room.disconnect()


async def receive(url: str, file: str) -> None:
    messages = 0

    def count(_: rtc.DataPacket) -> None:
        nonlocal messages
        messages += 1

    rooms: list[rtc.Room] = []
    for token in tokens(file):
        room = rtc.Room()
        room.on("data_received", count)
        await room.connect(url, token)
        rooms.append(room)
    say("ready")
    while await asyncio.to_thread(read_line):
        snapshot(messages)
    for room in rooms:
        await room.disconnect()


if __name__ == "__main__":
    asyncio.run({"connect": connect, "receive": receive}[sys.argv[1]](*sys.argv[2:]))
