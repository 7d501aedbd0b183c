"""A web server for the demo's webhooks: one request a connection, which is all that it takes; h11 comes with httpx."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
import anyio.abc
import h11
from livekit.protocol.webhook import WebhookEvent

from ... import api

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, MutableMapping

    from anyio.streams.memory import MemoryObjectReceiveStream

    from ...api._webhook_app import WebhookApp
EVENTS: Final = 256
"""That may wait to be looked at; a call of the demo brings some twenty."""


@asynccontextmanager
async def open_hooks(key: str, secret: str) -> AsyncGenerator[tuple[str, MemoryObjectReceiveStream[WebhookEvent]]]:
    """Receive webhooks for a block; yields the address for the server's configuration, and the events."""
    send, receive = anyio.create_memory_object_stream[WebhookEvent](EVENTS)
    app = api.webhook_app(api.WebhookReceiver(api.TokenVerifier(key, secret)), send)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - not Django's
    async with listener, send, receive, anyio.create_task_group() as serving:
        serving.start_soon(listener.serve, partial(_answer, app))
        yield f"http://127.0.0.1:{port}/", receive
        serving.cancel_scope.cancel()


async def _answer(app: WebhookApp, stream: anyio.abc.SocketStream) -> None:
    connection = h11.Connection(h11.SERVER)

    async def receive_event() -> Any:
        while (event := connection.next_event()) is h11.NEED_DATA:
            try:
                connection.receive_data(await stream.receive())
            except anyio.EndOfStream:
                connection.receive_data(b"")
        return event  # noqa: ASYNC910 - what has come already need not be waited for

    async def receive() -> dict[str, Any]:
        event = await receive_event()
        if isinstance(event, h11.Data):
            return {"type": "http.request", "body": bytes(event.data), "more_body": True}
        return {"type": "http.request" if isinstance(event, h11.EndOfMessage) else "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = [*message["headers"], (b"connection", b"close")]
            event: Any = h11.Response(status_code=message["status"], headers=headers)
        else:
            event = h11.Data(data=message["body"])
        await put(event)

    async def put(event: Any) -> None:
        await stream.send(cast("bytes | None", connection.send(event)) or b"")

    async with stream:
        try:
            request = await receive_event()
            if isinstance(request, h11.Request):
                scope = {"type": "http", "method": request.method.decode(), "headers": list(request.headers)}
                await app(scope, receive, send)
                await put(h11.EndOfMessage())
        except (h11.ProtocolError, anyio.BrokenResourceError):
            return  # not a web client, or gone; the demo misses the event, and says so
