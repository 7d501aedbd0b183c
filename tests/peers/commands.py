"""`livekit-trio` in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from contextlib import asynccontextmanager
from subprocess import PIPE, STDOUT
from typing import TYPE_CHECKING, Final

import anyio
from anyio.streams.text import TextReceiveStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.abc import Process

    from livekit_trio.testing import DevServer

WITHIN: Final = 60.0


class Command:
    """A running command."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        self.process = process
        self._output = TextReceiveStream(process.stdout)
        self.said = ""

    async def wait_for(self, pattern: str) -> re.Match[str]:
        with anyio.fail_after(WITHIN):
            while not (found := re.search(pattern, self.said)):
                self.said += await self._output.receive()
        return found

    async def interrupt(self) -> float:
        """Press Ctrl-C, and return how many seconds it took to end."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        async for text in self._output:
            self.said += text
        with anyio.fail_after(WITHIN):
            assert await self.process.wait() == 130, self.said
        return time.monotonic() - begin


@asynccontextmanager
async def running(server: DevServer, *arguments: str) -> AsyncGenerator[Command]:
    environment = os.environ | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    command = [sys.executable, "-m", "livekit_trio._cli", *arguments]
    async with await anyio.open_process(command, stdin=None, stdout=PIPE, stderr=STDOUT, env=environment) as process:
        try:
            yield Command(process)
        finally:
            if process.returncode is None:
                process.kill()
