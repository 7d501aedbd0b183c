"""Two servers and the Redis that they share."""

from __future__ import annotations

import shutil
import socket
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from livekit_trio.testing import DevServer, ServerProcess, open_server
from livekit_trio.testing._server import _free_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@asynccontextmanager
async def open_nodes() -> AsyncGenerator[tuple[DevServer, DevServer]]:
    """Run them on free loopback ports, with one key for both."""
    async with open_redis() as redis, open_server(redis=redis) as one:
        async with open_server(redis=redis, api_key=one.api_key, api_secret=one.api_secret) as other:
            yield one, other


@asynccontextmanager
async def open_redis() -> AsyncGenerator[str]:
    """Run a redis-server that keeps nothing; its address."""
    program = shutil.which("redis-server")
    assert program is not None, "the tier `redis` needs Debian's redis-server"
    port = _free_port(socket.SOCK_STREAM)
    with tempfile.TemporaryDirectory(prefix="livekit-redis-") as directory:
        command = (program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory)
        process = ServerProcess(command, Path(directory, "log"))
        process.start()
        try:
            with anyio.fail_after(60):
                await _wait_until_it_listens(process, port)
            yield f"127.0.0.1:{port}"
        finally:
            await process.stop()


async def _wait_until_it_listens(process: ServerProcess, port: int) -> None:
    while True:
        assert process.returncode is None, process.log_path.read_text()
        try:
            async with await anyio.connect_tcp("127.0.0.1", port):
                return
        except OSError:
            await anyio.sleep(0.01)
