"""livekit_trio with byte streams; the first argument is the event loop. See the package's text for what it is told."""

from __future__ import annotations

import os
import sys
from functools import partial

import anyio
import anyio.to_thread

from livekit_trio import rtc

from . import read_line, say, snapshot, tokens


async def sink(url: str, file: str, size: str) -> None:
    [token] = tokens(file)
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


async def source(url: str, file: str, size: str) -> None:
    [token] = tokens(file)
    data, sent = os.urandom(int(size)), 0
    async with rtc.open_room(url, token) as room:
        say("ready")
        while await anyio.to_thread.run_sync(read_line):
            snapshot(sent)
            await room.local_participant.send_bytes(data, topic="bench", compress=False)
            sent += len(data)
            snapshot(sent)


if __name__ == "__main__":
    backend, what, *arguments = sys.argv[1:]
    anyio.run(partial({"sink": sink, "source": source}[what], *arguments), backend=backend)
