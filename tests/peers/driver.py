"""Our end of `official.py` and `browser.py`: participants of another make, each in a process of its own."""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from contextlib import AbstractAsyncContextManager

    from anyio.abc import Process

OFFICIAL: Final = Path(__file__).with_name("official.py")
BROWSER: Final = Path(__file__).with_name("browser.py")
TIMEOUT: Final = 60.0
MAX_LINE: Final = 1 << 20


class PeerError(Exception):
    """What it was told to do failed."""


class Peer:
    """Tells the program what to do. For one task at a time."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin = process.stdin
        self._lines = BufferedByteReceiveStream(process.stdout)
        self.events: deque[dict[str, Any]] = deque()
        """What it has said and nobody has waited for."""

    async def ask(self, do: str, **arguments: Any) -> Any:
        """Let it do something, and return what came of it.

        Raises:
            PeerError: it failed.
        """
        with anyio.fail_after(TIMEOUT):
            await self._stdin.send(json.dumps({"do": do, **arguments}).encode() + b"\n")
            while "event" in (line := await self._receive()):
                self.events.append(line)
        if "error" in line:
            raise PeerError(line["error"])
        return line["result"]

    async def wait_for(self, event: str, **facts: Any) -> dict[str, Any]:
        """Return the next event of that name with these facts; others stay for later."""
        wanted = {"event": event, **facts}
        with anyio.fail_after(TIMEOUT):
            while True:
                for line in self.events:
                    if wanted.items() <= line.items():
                        self.events.remove(line)
                        return line
                self.events.append(await self._receive())

    async def _receive(self) -> dict[str, Any]:
        return json.loads(await self._lines.receive_until(b"\n", MAX_LINE))


@asynccontextmanager
async def open_peer(program: Path, *arguments: str, packages: Path | None = None) -> AsyncGenerator[Peer]:
    """Run the program for a block. It leaves its room and has ended afterwards, however the block is left.

    What is in the folder *packages* goes before what is installed.
    """
    command = [sys.executable, str(program), *arguments]
    environment = None if packages is None else {**os.environ, "PYTHONPATH": str(packages)}
    process = await anyio.open_process(command, stdin=PIPE, stdout=PIPE, stderr=None, env=environment)
    try:
        yield Peer(process)
    finally:
        with anyio.CancelScope(shield=True):
            assert process.stdin is not None
            await process.stdin.aclose()
            with anyio.move_on_after(5):
                await process.wait()
            if process.returncode is None:
                process.kill()
            await process.aclose()


def open_official_peer(packages: Path | None = None) -> AbstractAsyncContextManager[Peer]:
    """A participant on the official SDK, or on another version of it in the folder *packages*; it is in no room yet."""
    return open_peer(OFFICIAL, packages=packages)


OfficialPeer = Peer
