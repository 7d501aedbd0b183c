"""The other end of ``receive``: sends data packets into each room, RATE in all of them together a second, until its input ends.

Arguments: JOINING, RATE. Prints ``ready`` when it has begun.
"""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack

import anyio
import anyio.to_thread

from livekit_trio import rtc

from . import joining, read_line, say

PAYLOAD = b"x" * 200


async def send(room: rtc.Room, interval: float, delay: float) -> None:
    due = anyio.current_time() + delay
    while True:
        await anyio.sleep_until(due)
        due += interval
        await room.local_participant.publish_data(PAYLOAD)


async def main(file: str, rate: float) -> None:
    url, tokens = joining(file)
    async with AsyncExitStack() as stack:
        rooms = [await stack.enter_async_context(rtc.open_room(url, token)) for token in tokens]
        async with anyio.create_task_group() as group:
            for number, room in enumerate(rooms):
                group.start_soon(send, room, len(rooms) / rate, number / rate)
            say("ready")
            await anyio.to_thread.run_sync(read_line)
            group.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], float(sys.argv[2]), backend="trio")
