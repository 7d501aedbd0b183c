"""Where the demo's webhooks arrive: one request a connection. A web server would be four packages more; h11 comes with httpx."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
import anyio.abc
import h11
from livekit.protocol.webhook import WebhookEvent

from ... import api

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
EVENTS: Final = 256
"""That may wait to be looked at; a call of the demo brings some twenty."""
TAKEN: Final = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def open_hooks(key: str, secret: str) -> AsyncGenerator[tuple[str, MemoryObjectReceiveStream[WebhookEvent]]]:
    """Receive webhooks for a block; yields the address for the server's configuration, and the events."""
    send, receive = anyio.create_memory_object_stream[WebhookEvent](EVENTS)
    receiver = api.WebhookReceiver(api.TokenVerifier(key, secret))
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - not Django's
    async with listener, send, receive, anyio.create_task_group() as serving:
        serving.start_soon(listener.serve, partial(_take, receiver, send))
        yield f"http://127.0.0.1:{port}/", receive
        serving.cancel_scope.cancel()


async def _take(
    receiver: api.WebhookReceiver, events: MemoryObjectSendStream[WebhookEvent], stream: anyio.abc.SocketStream
) -> None:
    """Take one event. From anybody but the server none comes, and the demo says which are missing."""
    connection = h11.Connection(h11.SERVER)
    authorization, body = "", b""
    async with stream:
        try:
            while not isinstance(part := connection.next_event(), h11.EndOfMessage):
                if part is h11.NEED_DATA:
                    connection.receive_data(await stream.receive())
                elif isinstance(part, h11.Request):
                    authorization = dict(part.headers).get(b"authorization", b"").decode("latin-1")
                elif isinstance(part, h11.Data):
                    body += part.data
            events.send_nowait(receiver.receive(body, authorization))
            await stream.send(TAKEN)
        except (h11.ProtocolError, anyio.EndOfStream, anyio.BrokenResourceError, api.WebhookError):
            return
