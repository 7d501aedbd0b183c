"""livekit_trio's client of the server API; the first argument is the event loop. See the package's text for what it is told."""

from __future__ import annotations

import sys
import time

import anyio
from livekit.protocol.room import ListRoomsRequest

from livekit_trio.api import LiveKitAPI

from . import joining, say

REQUEST = ListRoomsRequest(names=["nobody"])
AT_ONCE = 100


async def requests(file: str, times: str) -> None:
    url, [key, secret] = joining(file)
    count = int(times)
    async with LiveKitAPI(url, key, secret, timeout=60) as lkapi:

        async def some(number: int) -> None:
            for _ in range(number):
                await lkapi.room.list_rooms(REQUEST)

        await some(1)
        begin, cpu = time.perf_counter(), time.process_time()
        await some(count)
        say("serial", count / (time.perf_counter() - begin))
        say("serial_cpu", (time.process_time() - cpu) / count * 1e6)
        begin, cpu = time.perf_counter(), time.process_time()
        async with anyio.create_task_group() as group:
            for _ in range(AT_ONCE):
                group.start_soon(some, count // AT_ONCE)
        say("at_once", count / (time.perf_counter() - begin))
        say("at_once_cpu", (time.process_time() - cpu) / count * 1e6)


if __name__ == "__main__":
    anyio.run(requests, sys.argv[3], sys.argv[4], backend=sys.argv[1])
