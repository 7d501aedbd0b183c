"""A WebSocket client for tests of web applications."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Event, Message, Ping, Request, TextMessage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.abc import ByteStream


class WebSocketClient:
    """One open connection. For one task at a time."""

    def __init__(self, stream: ByteStream, protocol: WSConnection) -> None:
        self._stream = stream
        self._protocol = protocol

    async def send(self, text: str) -> None:
        await self._stream.send(self._protocol.send(TextMessage(text)))

    async def receive(self) -> str | None:
        """The next message; None if the server has closed the connection."""
        text = ""
        while True:
            match await self.next_event():
                case TextMessage(data=data, message_finished=finished):
                    text += data
                    if finished:
                        return text
                case Message():
                    raise AssertionError("bytes were not expected")
                case Ping() as ping:
                    await self._stream.send(self._protocol.send(ping.response()))
                case CloseConnection():
                    return None
                case _:
                    pass

    async def next_event(self) -> Event:
        while True:
            for event in self._protocol.events():
                return event
            try:
                self._protocol.receive_data(await self._stream.receive())
            except anyio.EndOfStream:
                self._protocol.receive_data(None)


@asynccontextmanager
async def open_web_socket(url: str) -> AsyncGenerator[WebSocketClient]:
    """Connect for the length of a block; at its end the connection breaks, without a goodbye."""
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    protocol = WSConnection(ConnectionType.CLIENT)
    async with await anyio.connect_tcp(address.hostname, address.port) as stream:
        client = WebSocketClient(stream, protocol)
        await stream.send(protocol.send(Request(host=address.netloc, target=address.path)))
        assert isinstance(await client.next_event(), AcceptConnection)
        yield client
