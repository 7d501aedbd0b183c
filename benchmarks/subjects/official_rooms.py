# pyright: basic
"""The official SDK."""

from __future__ import annotations

import asyncio
import sys
import time

from livekit import rtc

from . import end, joining, read_line, say, snapshot


async def connect(file: str, times: str) -> None:
    url, [token] = joining(file)
    for _ in range(int(times)):
        room = rtc.Room()
        start = time.perf_counter()
        await room.connect(url, token)
        say((time.perf_counter() - start) * 1e3)
        await room.disconnect()


async def receive(file: str) -> None:
    messages = 0
    url, tokens = joining(file)

    def count(_: rtc.DataPacket) -> None:
        nonlocal messages
        messages += 1

    rooms: list[rtc.Room] = []
    for token in tokens:
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
    end()
