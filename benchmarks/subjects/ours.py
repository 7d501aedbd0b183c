"""livekit_trio; the first argument is the event loop."""

from __future__ import annotations

import sys
import time
from contextlib import AsyncExitStack
from functools import partial

import anyio
import anyio.to_thread

from livekit_trio import rtc

from . import read_line, say, snapshot, tokens


async def connect(url: str, file: str, count: str) -> None:
    for token in tokens(file):
        for _ in range(int(count)):
            start = time.monotonic()
            async with rtc.open_room(url, token):
                say(time.monotonic() - start)


async def receive(url: str, file: str) -> None:
    messages = 0

    async def listen(room: rtc.Room) -> None:
        nonlocal messages
        with room.open_events(rtc.DataReceived) as events:
            async for _ in events:
                messages += 1

    async with AsyncExitStack() as stack:
        rooms = [await stack.enter_async_context(rtc.open_room(url, token)) for token in tokens(file)]
        async with anyio.create_task_group() as group:
            for room in rooms:
                group.start_soon(listen, room)
            say("ready")
            while await anyio.to_thread.run_sync(read_line):
                snapshot(messages)
            group.cancel_scope.cancel()


if __name__ == "__main__":
    backend, what, *arguments = sys.argv[1:]
    if what == "connect":
        anyio.run(partial(connect, *arguments), backend=backend)
    else:
        anyio.run(partial(receive, *arguments), backend=backend)
