"""Cancel joins at many moments, in every way there is, and let the same identity join again at once.

Arguments: backend, URL, API key, API secret, room. Says what it saw as a JSON object, 20 s after the last one; ends with its
input.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections import Counter

import anyio
import anyio.to_thread
import trio

from livekit_trio import api, rtc
from livekit_trio.testing import assert_idle
from tests.process.resources import resources, settle

MOMENTS = [number * 0.2 / 39 for number in range(40)]
"""Seconds; a join takes some 45 ms here."""

AT_ONCE = 4
"""So many are under way at a time: more would make the joins slower than the moments."""

NATIVE_PATIENCE = 20.0
"""Seconds. After 15 s the native side gives a join up that nobody took, and panics."""


class Cancelled:
    """Joins that are cancelled, and what became of them."""

    def __init__(self, url: str, key: str, secret: str, room: str) -> None:
        self.url = url
        self.key, self.secret, self.room = key, secret, room
        self.cancelled_in: Counter[str] = Counter()

    def token(self, identity: str) -> str:
        grants = api.VideoGrants(room_join=True, room=self.room)
        return api.AccessToken(self.key, self.secret).with_identity(identity).with_grants(grants).to_jwt()

    async def stay(self, identity: str) -> None:
        where = "join"
        try:
            async with rtc.open_room(self.url, self.token(identity)):
                where = "room"
                await anyio.sleep_forever()
        finally:
            self.cancelled_in[where] += 1

    async def join_again(self, identity: str) -> None:
        async with rtc.open_room(self.url, self.token(identity), connect_timeout=60) as room:
            await room.local_participant.publish_data(b"here again")
            # Nobody throws us out as the second of that name: what was cancelled has gone, or will go by itself.
            with anyio.move_on_after(0.1):
                raise AssertionError(await room.wait_closed())

    async def by_scope(self, identity: str, delay: float) -> None:
        with anyio.move_on_after(delay):
            await self.stay(identity)

    async def by_trio_scope(self, identity: str, delay: float) -> None:
        with trio.move_on_after(delay):
            await self.stay(identity)

    async def by_task_cancel(self, identity: str, delay: float) -> None:
        task = asyncio.create_task(self.stay(identity))
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.wait([task])

    async def by_timeout(self, identity: str, delay: float) -> None:
        try:
            async with asyncio.timeout(delay):
                await self.stay(identity)
        except TimeoutError:
            return


async def main(backend: str, url: str, key: str, secret: str, room: str) -> None:
    joins = Cancelled(url, key, secret, room)
    await joins.join_again("first")
    base = resources()
    limit = anyio.CapacityLimiter(AT_ONCE)
    ways = [joins.by_scope, joins.by_trio_scope]
    if backend == "asyncio":
        ways = [joins.by_scope, joins.by_task_cancel, joins.by_timeout]

    async def cancel_and_join_again(number: int, delay: float) -> None:
        for way in ways:
            identity = f"{way.__name__} {number}"
            async with limit:
                await way(identity, delay)
                await joins.join_again(identity)

    async with anyio.create_task_group() as group:
        for number, delay in enumerate(MOMENTS):
            group.start_soon(cancel_and_join_again, number, delay)
    await assert_idle()
    await anyio.sleep(NATIVE_PATIENCE)
    settled = await settle(base, 0)
    await assert_idle()
    report = {"base": base, "settled": settled, "cancelled in": joins.cancelled_in}
    sys.stdout.write(f"{json.dumps(report)}\n")
    sys.stdout.flush()
    await anyio.to_thread.run_sync(sys.stdin.read)


if __name__ == "__main__":
    # The native side complains of each room that was left before its data channels were open.
    logging.getLogger("livekit_trio").setLevel(logging.CRITICAL)
    backend, url, key, secret, room = sys.argv[1:]
    anyio.run(main, backend, url, key, secret, room, backend=backend)
