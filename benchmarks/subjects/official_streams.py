# pyright: basic
"""The official SDK with byte streams."""

from __future__ import annotations

import asyncio
import os
import sys

from livekit import rtc

from . import read_line, say, snapshot, tokens


async def sink(url: str, file: str, size: str) -> None:
    [token] = tokens(file)
    received = 0
    tasks = set()

    async def read(reader: rtc.ByteStreamReader) -> None:
        nonlocal received
        async for chunk in reader:
            received += len(chunk)
            if received == int(size):
                snapshot(received)

    room = rtc.Room()
    room.register_byte_stream_handler("bench", lambda reader, _: tasks.add(asyncio.create_task(read(reader))))
    await room.connect(url, token)
    say("ready")
    while await asyncio.to_thread(read_line):
        snapshot(received)
    await room.disconnect()


async def source(url: str, file: str, size: str) -> None:
    [token] = tokens(file)
    data, sent = os.urandom(int(size)), 0
    room = rtc.Room()
    await room.connect(url, token)
    say("ready")
    while await asyncio.to_thread(read_line):
        snapshot(sent)
        await room.local_participant.send_bytes(data, topic="bench", compress=False)
        sent += len(data)
        snapshot(sent)
    await room.disconnect()


if __name__ == "__main__":
    asyncio.run({"sink": sink, "source": source}[sys.argv[1]](*sys.argv[2:]))
