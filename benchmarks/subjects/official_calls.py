# pyright: basic
"""The official SDK with packets and calls."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

from livekit import rtc

from . import end, joining, say

PAYLOAD = b"x" * 200


async def at_once(act, times: int) -> float:
    start = time.perf_counter()
    await asyncio.gather(*(act() for _ in range(times)))
    return time.perf_counter() - start


async def calls(file: str) -> None:
    url, (of_ann, of_bob) = joining(file)
    ann, bob = rtc.Room(), rtc.Room()
    await ann.connect(url, of_ann)
    await bob.connect(url, of_bob)
    me = ann.local_participant
    bob.local_participant.register_rpc_method("echo", lambda call: call.payload)
    await asyncio.sleep(4)  # ann is told of bob after 3 s

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
    milliseconds = []
    for _ in range(200):
        start = time.perf_counter()
        await call()
        milliseconds.append((time.perf_counter() - start) * 1e3)
    say("rpc", statistics.median(milliseconds))
    say("rpcs", 200 / await at_once(call, 200))
    await ann.disconnect()
    await bob.disconnect()


if __name__ == "__main__":
    asyncio.run(calls(*sys.argv[2:]))
    end()
