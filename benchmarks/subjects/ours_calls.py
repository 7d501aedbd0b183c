"""livekit_trio with packets and calls; the first argument is the event loop."""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING

import anyio

from livekit_trio import rtc

from . import joining, say

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

PAYLOAD = b"x" * 200


async def at_once(act: Callable[[], Coroutine[object, object, object]], times: int) -> float:
    start = time.perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(times):
            group.start_soon(act)
    return time.perf_counter() - start


async def calls(file: str) -> None:
    url, (of_ann, of_bob) = joining(file)
    async with rtc.open_room(url, of_ann) as ann, rtc.open_room(url, of_bob) as bob:
        me = ann.local_participant
        bob.local_participant.register_rpc_method("echo", lambda call: call.payload)
        await anyio.sleep(4)  # ann is told of bob after 3 s

        async def publish() -> None:
            await me.publish_data(PAYLOAD)

        async def call() -> None:
            await me.perform_rpc(destination_identity="bob", method="echo", payload="x")

        await publish()
        start = time.perf_counter()
        for _ in range(1000):
            await publish()
        say("serial", 1000 / (time.perf_counter() - start))
        say("at_once", 1000 / await at_once(publish, 1000))
        await call()
        milliseconds: list[float] = []
        for _ in range(200):
            start = time.perf_counter()
            await call()
            milliseconds.append((time.perf_counter() - start) * 1e3)
        say("rpc", statistics.median(milliseconds))
        say("rpcs", 200 / await at_once(call, 200))


if __name__ == "__main__":
    anyio.run(calls, sys.argv[3], backend=sys.argv[1])
