# pyright: basic
"""The official SDK with byte streams."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from livekit import rtc

from . import end, joining, read_line, say, snapshot


async def sink(file: str, size: str) -> None:
    url, [token] = joining(file)
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


async def source(file: str, size: str) -> None:
    url, [token] = joining(file)
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


async def keep(file: str, folder: str) -> None:
    url, [token] = joining(file)
    received = 0
    tasks = set()
    kept = await asyncio.to_thread(Path(folder, "file").open, "wb")

    async def save(reader: rtc.ByteStreamReader) -> None:
        nonlocal received
        async for chunk in reader:
            await asyncio.to_thread(kept.write, chunk)
            received += len(chunk)

    room = rtc.Room()
    room.register_byte_stream_handler("bench", lambda reader, _: tasks.add(asyncio.create_task(save(reader))))
    await room.connect(url, token)
    say("ready")
    while await asyncio.to_thread(read_line):
        snapshot(received)
    await room.disconnect()
    kept.close()


async def send(file: str, path: str) -> None:
    url, [token] = joining(file)
    room = rtc.Room()
    await room.connect(url, token)
    say("ready")
    await asyncio.to_thread(read_line)
    snapshot(0)
    await room.local_participant.send_file(path, topic="bench")
    await asyncio.to_thread(read_line)
    await room.disconnect()


if __name__ == "__main__":
    asyncio.run({"sink": sink, "source": source, "keep": keep, "send": send}[sys.argv[1]](*sys.argv[2:]))
    end()
