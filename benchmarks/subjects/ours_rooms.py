"""livekit_trio; the first argument is the event loop."""

from __future__ import annotations

import sys
import time
from contextlib import AsyncExitStack
from functools import partial

import anyio
import anyio.to_thread

from livekit_trio import rtc

from . import joining, read_line, say, snapshot


async def connect(file: str, times: str) -> None:
    url, [token] = joining(file)
    for _ in range(int(times)):
        start = time.perf_counter()
        async with rtc.open_room(url, token):
            say((time.perf_counter() - start) * 1e3)


async def receive(file: str) -> None:
    messages = 0
    url, tokens = joining(file)

    async def listen(room: rtc.Room) -> None:
        nonlocal messages
        with room.open_events(rtc.DataReceived) as events:
            async for _ in events:
                messages += 1

    async with AsyncExitStack() as stack:
        rooms = [await stack.enter_async_context(rtc.open_room(url, token)) for token in tokens]
        async with anyio.create_task_group() as group:
            for room in rooms:
                group.start_soon(listen, room)
            say("ready")
            while await anyio.to_thread.run_sync(read_line):
                snapshot(messages)
            group.cancel_scope.cancel()


if __name__ == "__main__":
    backend, what, *arguments = sys.argv[1:]
    anyio.run(partial({"connect": connect, "receive": receive}[what], *arguments), backend=backend)
