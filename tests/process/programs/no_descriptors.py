"""Join rooms while the process has next to no file descriptors left; print what came of it as a JSON object.

Arguments: backend, URL, token.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from livekit_trio import rtc

if TYPE_CHECKING:
    from collections.abc import Generator

LEFT = (0, 1, 2, 5, 10, 15, 20, 40, 63)


@contextmanager
def descriptors_left(count: int) -> Generator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    fillers: list[int] = []
    while not fillers or fillers[-1] <= highest:
        fillers.append(os.dup(0))
    os.close(fillers.pop())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for filler in fillers:
            os.close(filler)


async def join(url: str, token: str) -> str:
    """Join, and say how that went."""
    try:
        async with rtc.open_room(url, token):
            return "joined"
    except rtc.ConnectError as error:
        return error.kind.value


async def join_with_few(url: str, token: str) -> list[str]:
    outcomes: list[str] = []
    for count in LEFT:
        with descriptors_left(count):
            outcomes.append(await join(url, token))
    return outcomes


async def main(url: str, token: str) -> None:
    before = await join_with_few(url, token)
    async with rtc.open_room(url, token) as room:
        await room.local_participant.publish_data(b"x")
        with descriptors_left(0):
            await room.local_participant.publish_data(b"x")
            within = await join(url, token)
            await room.disconnect()
            reason = await room.wait_closed()
    after = [*await join_with_few(url, token), await join(url, token)]
    json.dump({"before": before, "within": within, "after": after, "reason": reason.name}, sys.stdout)


if __name__ == "__main__":
    backend, url, token = sys.argv[1:]
    anyio.run(main, url, token, backend=backend)
