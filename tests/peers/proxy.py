"""A TCP proxy for the signal connection, which a test can cut."""

from __future__ import annotations

import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, final
from urllib.parse import urlsplit

import anyio
from anyio.abc import SocketAttribute

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.abc import SocketStream

RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


@final
class SignalProxy:
    """Passes on what clients and the server say to each other. Media does not come through here: it stays up.

    Attributes:
        url: what a client joins instead of the server's URL.
    """

    def __init__(self, server_url: str) -> None:
        address = urlsplit(server_url)
        self._server = address.hostname or "", address.port or 0
        self._port = 0
        self._open = anyio.Event()
        self._line = anyio.CancelScope()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    async def run(self) -> None:
        while True:
            self._line = anyio.CancelScope()
            listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=self._port)
            self._port = listener.extra(SocketAttribute.local_port)
            with self._line:
                async with listener:
                    self._open.set()
                    await listener.serve(self._serve)
            self._open = anyio.Event()
            await self._mended.wait()

    @asynccontextmanager
    async def cut(self) -> AsyncGenerator[None]:
        """Reset all connections, and refuse others for the length of the block."""
        self._mended = anyio.Event()
        self._line.cancel()
        try:
            yield
        finally:
            self._mended.set()

    async def wait_open(self) -> None:
        await self._open.wait()

    async def _serve(self, client: SocketStream) -> None:
        async with client, await anyio.connect_tcp(*self._server) as server, anyio.create_task_group() as group:
            for stream in (client, server):
                raw = stream.extra(SocketAttribute.raw_socket)
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            group.start_soon(self._copy, client, server, group.cancel_scope)
            group.start_soon(self._copy, server, client, group.cancel_scope)

    async def _copy(self, source: SocketStream, target: SocketStream, line: anyio.CancelScope) -> None:
        try:
            async for data in source:
                await target.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # one end has gone; the other one follows
        line.cancel()

    _mended = anyio.Event()


@asynccontextmanager
async def open_proxy(server_url: str) -> AsyncGenerator[SignalProxy]:
    proxy = SignalProxy(server_url)
    async with anyio.create_task_group() as group:
        group.start_soon(proxy.run)
        await proxy.wait_open()
        yield proxy
        group.cancel_scope.cancel()
