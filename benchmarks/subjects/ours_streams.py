"""livekit_trio with byte streams; the first argument is the event loop. See the package's text for what it is told."""

from __future__ import annotations

import os
import sys
from functools import partial

import anyio
import anyio.to_thread

from livekit_trio import rtc

from . import joining, read_line, say, snapshot


async def sink(file: str, size: str) -> None:
    url, [token] = joining(file)
    received = 0

    async def read(incoming: rtc.IncomingStreams[rtc.ByteStreamReader]) -> None:
        nonlocal received
        async for reader in incoming:
            async for chunk in reader:
                received += len(chunk)
                if received == int(size):
                    snapshot(received)

    async with rtc.open_room(url, token) as room:
        with room.accept_byte_streams("bench") as incoming:
            async with anyio.create_task_group() as group:
                group.start_soon(read, incoming)
                say("ready")
                while await anyio.to_thread.run_sync(read_line):
                    snapshot(received)
                group.cancel_scope.cancel()


async def source(file: str, size: str) -> None:
    url, [token] = joining(file)
    data, sent = os.urandom(int(size)), 0
    async with rtc.open_room(url, token) as room:
        say("ready")
        while await anyio.to_thread.run_sync(read_line):
            snapshot(sent)
            await room.local_participant.send_bytes(data, topic="bench", compress=False)
            sent += len(data)
            snapshot(sent)


async def keep(file: str, folder: str) -> None:
    url, [token] = joining(file)
    received = 0

    def progress(written: int, _: int | None) -> None:
        nonlocal received
        received = written

    async def save(incoming: rtc.IncomingStreams[rtc.ByteStreamReader]) -> None:
        await (await incoming.receive()).save_to(folder, progress=progress)

    async with rtc.open_room(url, token) as room:
        with room.accept_byte_streams("bench") as incoming:
            async with anyio.create_task_group() as group:
                group.start_soon(save, incoming)
                say("ready")
                while await anyio.to_thread.run_sync(read_line):
                    snapshot(received)
                group.cancel_scope.cancel()


async def send(file: str, path: str) -> None:
    url, [token] = joining(file)
    async with rtc.open_room(url, token) as room:
        say("ready")
        await anyio.to_thread.run_sync(read_line)
        snapshot(0)
        await room.local_participant.send_file(path, topic="bench")
        await anyio.to_thread.run_sync(read_line)


if __name__ == "__main__":
    backend, what, *arguments = sys.argv[1:]
    anyio.run(partial({"sink": sink, "source": source, "keep": keep, "send": send}[what], *arguments), backend=backend)
