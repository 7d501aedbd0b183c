"""``python -m benchmarks.api [--quick]``: requests per second of the server API, one at a time and 100 at once, beside livekit-api.

All clients call `list_rooms` of the same server, in turns, with a room that is not there. Each runs on an event loop of its own
in this process; CPU is this process's, without the server's.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Final

import anyio
import livekit.api
from anyio.from_thread import start_blocking_portal
from livekit.protocol.room import ListRoomsRequest

from livekit_trio.api import LiveKitAPI, SyncLiveKitAPI
from livekit_trio.testing import open_server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit_trio.testing import DevServer

REQUEST: Final = ListRoomsRequest(names=["nobody"])
AT_ONCE: Final = 100


async def measure(call: Callable[[], Awaitable[object]], count: int) -> dict[str, float]:
    """Requests per second, and CPU for one of them in microseconds."""
    await call()
    figures: dict[str, float] = {}
    begin, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        await call()
    figures["one at a time: requests/s"] = count / (time.perf_counter() - begin)
    figures["one at a time: CPU microseconds"] = (time.process_time() - cpu) / count * 1e6

    async def call_in_turn() -> None:
        for _ in range(count // AT_ONCE):
            await call()

    begin, cpu = time.perf_counter(), time.process_time()
    async with anyio.create_task_group() as callers:
        for _ in range(AT_ONCE):
            callers.start_soon(call_in_turn)
    figures["100 at once: requests/s"] = count / (time.perf_counter() - begin)
    figures["100 at once: CPU microseconds"] = (time.process_time() - cpu) / count * 1e6
    return figures


async def ours(server: DevServer, count: int) -> dict[str, float]:
    async with LiveKitAPI(server.http_url, server.api_key, server.api_secret, timeout=60) as lkapi:
        return await measure(lambda: lkapi.room.list_rooms(REQUEST), count)


async def official(server: DevServer, count: int) -> dict[str, float]:
    async with livekit.api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as lkapi:
        return await measure(lambda: lkapi.room.list_rooms(REQUEST), count)


def in_thread(server: DevServer, count: int) -> dict[str, float]:
    with SyncLiveKitAPI(server.http_url, server.api_key, server.api_secret) as lkapi:
        lkapi.room.list_rooms(REQUEST)
        begin, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            lkapi.room.list_rooms(REQUEST)
        return {
            "one at a time: requests/s": count / (time.perf_counter() - begin),
            "one at a time: CPU microseconds": (time.process_time() - cpu) / count * 1e6,
        }


SUBJECTS: Final[dict[str, Callable[[DevServer, int], dict[str, float]]]] = {
    "ours on Trio": lambda server, count: anyio.run(ours, server, count, backend="trio"),
    "ours on asyncio": lambda server, count: anyio.run(ours, server, count),
    "ours, blocking": in_thread,
    "livekit-api": lambda server, count: asyncio.run(official(server, count)),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of 500 requests instead of five of 2 000")
    rounds, count = (1, 500) if parser.parse_args().quick else (5, 2000)
    results: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(open_server()) as server:
        for _ in range(rounds):
            for name, subject in SUBJECTS.items():
                for figure, value in subject(server, count).items():
                    results[figure][name].append(value)
    print(f"| {' | '.join(['', *SUBJECTS])} |")
    print(f"| {' | '.join(['---'] * (1 + len(SUBJECTS)))} |")
    for figure, values in results.items():
        cells = [f"{median(values[name]):.0f}" if name in values else "–" for name in SUBJECTS]
        print(f"| {figure} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
