"""The measured programs: one for each SDK, and the floor. Each is a process of its own, told what to do by its arguments.

*ours* is livekit_trio on Trio, *official* the package livekit on asyncio, *floor* the native library alone: rooms are joined
and no route leads anywhere, so the bridge drops every event in the callback, in C.

    python -m benchmarks.programs SDK connect COUNT          URL TOKEN…
    python -m benchmarks.programs SDK hold                   URL TOKEN…
    python -m benchmarks.programs SDK receive                URL TOKEN…
    python -m benchmarks.programs ours send RATE SECONDS     URL TOKEN…

Results are one JSON object on stdout. `hold` and `receive` print ``joined`` first and end with their standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


def cpu() -> float:
    """CPU seconds of this process so far, all threads, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def footprint() -> dict[str, float]:
    with open("/proc/self/status") as status:
        values = dict(line.split(":", 1) for line in status)
    return {
        "fds": len(os.listdir("/proc/self/fd")),
        "rss_mib": int(values["VmRSS"].split()[0]) / 1024,
        "threads": int(values["Threads"]),
    }


def say(**result: Any) -> None:
    print(json.dumps(result), flush=True)


async def measure(action: str, sdk: Any, arguments: Sequence[str], read_line: Callable[[], Awaitable[object]]) -> None:
    if action == "connect":
        count, url, tokens = int(arguments[0]), arguments[1], arguments[2:]
        seconds: list[float] = []
        for _ in range(count):
            begin = time.perf_counter()
            async with sdk.join(url, tokens[0]):
                seconds.append(time.perf_counter() - begin)
        say(seconds=seconds)
        return
    url, tokens = arguments[0], arguments[1:]
    async with AsyncExitStack() as rooms:
        async with sdk.join(url, tokens[0]):
            pass  # what the library makes once for a process is not a room's
        before = footprint()
        received = [await rooms.enter_async_context(sdk.join(url, token)) for token in tokens]
        after = footprint()
        print("joined", flush=True)
        begin = cpu()
        await read_line()
        say(
            cpu=cpu() - begin,
            messages=sdk.count(received),
            **{f"{name}_a_room": (after[name] - before[name]) / len(tokens) for name in before},
        )


def run_ours(sdk: Any, action: str, arguments: Sequence[str]) -> None:
    import anyio.to_thread
    import trio

    async def main() -> None:
        await measure(action, sdk, arguments, lambda: anyio.to_thread.run_sync(sys.stdin.readline))

    trio.run(main)


def run_official(sdk: Any, action: str, arguments: Sequence[str]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        await measure(action, sdk, arguments, lambda: loop.run_in_executor(None, sys.stdin.readline))

    asyncio.run(main())


if __name__ == "__main__":
    which, what, *rest = sys.argv[1:]
    if what == "send":
        from benchmarks import sender

        sender.run(*rest)
    elif which == "official":
        from benchmarks import sdk_official

        run_official(sdk_official, what, rest)
    else:
        from benchmarks import sdk_floor, sdk_ours

        run_ours(sdk_ours if which == "ours" else sdk_floor, what, rest)
