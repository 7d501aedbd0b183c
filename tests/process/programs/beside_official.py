"""Our SDK and the official one in one process, a room each, on one asyncio loop; they talk to each other.

Arguments: ``official`` or ``ours`` (which is imported and used first), a folder with another official SDK or "", URL, two tokens.
Prints a JSON object.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

PACKETS = 20


@asynccontextmanager
async def official_room(url: str, token: str) -> AsyncGenerator[Any]:
    from livekit import rtc

    logging.getLogger("livekit").disabled = True  # now and then it complains as it leaves; ours is still heard
    room = rtc.Room()
    await room.connect(url, token)
    try:
        yield room
    finally:
        await room.disconnect()


@asynccontextmanager
async def our_room(url: str, token: str) -> AsyncGenerator[Any]:
    from livekit_trio import rtc

    async with rtc.open_room(url, token) as room:
        yield room


async def main(first: str, url: str, ours: str, theirs: str) -> None:
    async with AsyncExitStack() as stack:
        if first == "ours":
            our = await stack.enter_async_context(our_room(url, ours))
            their = await stack.enter_async_context(official_room(url, theirs))
        else:
            their = await stack.enter_async_context(official_room(url, theirs))
            our = await stack.enter_async_context(our_room(url, ours))
        heard_there: asyncio.Queue[str] = asyncio.Queue()

        def hear(packet: Any) -> None:
            heard_there.put_nowait(packet.data.decode())

        their.on("data_received", hear)
        from livekit_trio.rtc import DataReceived

        await (await our.wait_for_participant("theirs")).wait_until_active()
        with our.open_events(DataReceived) as packets:
            for number in range(PACKETS):
                await our.local_participant.publish_data(f"ours {number}".encode())
                await their.local_participant.publish_data(f"theirs {number}".encode())
            here = [(await packets.receive()).data.decode() for _ in range(PACKETS)]
            there = [await heard_there.get() for _ in range(PACKETS)]
    import livekit.rtc

    json.dump({"here": here, "there": there, "official": livekit.rtc.__version__}, sys.stdout)


if __name__ == "__main__":
    first, folder, url, ours, theirs = sys.argv[1:]
    if folder:
        sys.path.insert(0, folder)
    asyncio.run(main(first, url, ours, theirs))
    sys.stdout.flush()
    # The official SDK's callback may enter a finalising interpreter, which aborts the process (seen once). How it ends is not ours to test.
    os._exit(0)
