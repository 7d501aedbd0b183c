"""Real web servers that serve an application of the tests, each in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import asynccontextmanager
from subprocess import DEVNULL
from typing import IO, TYPE_CHECKING, Final

import anyio
import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

HYPERCORN: Final = ("hypercorn", "--bind", "fd://{fd}", "--graceful-timeout", "1", "--worker-class")
UVICORN: Final = ("uvicorn", "--lifespan", "on", "--fd", "{fd}", "--loop")
WEB_SERVERS: Final = {
    "hypercorn-trio": (*HYPERCORN, "trio"),
    "hypercorn-asyncio": (*HYPERCORN, "asyncio"),
    "uvicorn-asyncio": (*UVICORN, "asyncio"),
    "uvicorn-uvloop": (*UVICORN, "uvloop"),
}
"""The commands, by server and event loop."""


@asynccontextmanager
async def open_web_server(
    name: str,
    app: str,
    environment: Mapping[str, str] | None = None,
    *,
    stdout: int | IO[bytes] = DEVNULL,
    listener: socket.socket | None = None,
) -> AsyncGenerator[httpx.AsyncClient]:
    """Serve the application ``module:name``; afterwards the server has ended as one that was asked to.

    The listener is closed here when the server has it; default: one on a free port.
    """
    with listener or socket.create_server(("127.0.0.1", 0)) as own:
        port, fd = own.getsockname()[1], own.fileno()
        command = [sys.executable, "-m", *(word.format(fd=fd) for word in WEB_SERVERS[name]), app]
        process = await anyio.open_process(
            command,
            stdin=DEVNULL,
            stdout=stdout,
            stderr=None,
            env=os.environ | (environment or {}),
            pass_fds=[fd],
            start_new_session=True,
        )
    async with process:
        try:
            # Connections wait in the listener until the application has started.
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=120) as client:
                yield client
            process.send_signal(signal.SIGINT)
            with anyio.fail_after(120):
                await process.wait()
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)  # with its workers
    assert process.returncode == 0
