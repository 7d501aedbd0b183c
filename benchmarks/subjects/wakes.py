"""An event loop and nothing else: what it takes to wake a task for each line that comes in.

Argument: ``trio`` or ``asyncio``. At the end of its input it prints the CPU microseconds of a line, without the first ones.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

import trio

from . import say

FIRST = 10


class Lines:
    count = 0
    start = 0.0

    def read(self) -> bool:
        """Whether there are more."""
        if not os.read(0, 100):
            say((time.process_time() - self.start) / (self.count - FIRST) * 1e6)
            return False
        self.count += 1
        if self.count == FIRST:
            self.start = time.process_time()
        return True


async def on_trio() -> None:
    lines = Lines()
    await trio.lowlevel.wait_readable(0)
    while lines.read():
        await trio.lowlevel.wait_readable(0)


async def on_asyncio() -> None:
    lines, loop, ended = Lines(), asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        if not lines.read():
            loop.remove_reader(0)
            ended.set()

    loop.add_reader(0, read)
    await ended.wait()


if __name__ == "__main__":
    if sys.argv[1] == "trio":
        trio.run(on_trio)
    else:
        asyncio.run(on_asyncio())
