# pyright: basic
"""livekit-api. See the package's text for what it is told."""

from __future__ import annotations

import asyncio
import sys
import time

from livekit.api import LiveKitAPI
from livekit.protocol.room import ListRoomsRequest

from . import joining, say

REQUEST = ListRoomsRequest(names=["nobody"])
AT_ONCE = 100


async def requests(file: str, times: str) -> None:
    url, [key, secret] = joining(file)
    count = int(times)
    async with LiveKitAPI(url, key, secret) as lkapi:

        async def some(number: int) -> None:
            for _ in range(number):
                await lkapi.room.list_rooms(REQUEST)

        await some(1)
        begin, cpu = time.perf_counter(), time.process_time()
        await some(count)
        say("serial", count / (time.perf_counter() - begin))
        say("serial_cpu", (time.process_time() - cpu) / count * 1e6)
        begin, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(some(count // AT_ONCE) for _ in range(AT_ONCE)))
        say("at_once", count / (time.perf_counter() - begin))
        say("at_once_cpu", (time.process_time() - cpu) / count * 1e6)


if __name__ == "__main__":
    asyncio.run(requests(sys.argv[2], sys.argv[3]))
