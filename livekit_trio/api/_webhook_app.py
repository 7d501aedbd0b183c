"""The web application that receives webhooks: plain ASGI, for any server and any framework that can mount it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import anyio
import trio

from .._errors import WebhookError, WebhookErrorKind
from ._webhook import too_large

if TYPE_CHECKING:
    from livekit.protocol.webhook import WebhookEvent

    from ._webhook import WebhookReceiver

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
WebhookApp: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]
"""An ASGI application."""

_STATUS: Final = {
    WebhookErrorKind.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    WebhookErrorKind.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    WebhookErrorKind.TOO_OLD: HTTPStatus.UNAUTHORIZED,
    WebhookErrorKind.REPLAYED: HTTPStatus.CONFLICT,
    WebhookErrorKind.MALFORMED: HTTPStatus.BAD_REQUEST,
}
"""All below 500, which the server does not repeat."""

_NO_ROOM: Final = (trio.WouldBlock, anyio.WouldBlock)
_NO_READER: Final = (
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
)

logger = logging.getLogger("livekit_trio")


class WebhookSink(Protocol):
    """Where events go: the sending end of one of Trio's or AnyIO's memory channels."""

    def send_nowait(self, event: WebhookEvent, /) -> None:
        """Take *event*, or raise the channel's error."""


def webhook_app(receiver: WebhookReceiver, send_channel: WebhookSink) -> WebhookApp:
    """Make an ASGI application that receives webhooks and hands verified events to a memory channel.

    Mount it in Starlette or FastAPI: ``Mount("/webhooks", webhook_app(receiver, send))``; somebody reads the other end with
    ``async for event in receive``. It answers every POST request at once. The server repeats what is answered with 500 or
    above: up to five attempts in 15 seconds. Meanwhile it holds back the later events of that room, and loses those that
    have waited for 30 seconds.

    Args:
        receiver: checks the requests. One that it refuses is answered with 4xx, logged as a warning, and not repeated.
        send_channel: the sending end of a memory channel. While it is full, or nobody is left to read it, requests are
            answered with 503. It stays open: close it yourself when the web application ends.

    Raises:
        RuntimeError: by the application, if it is asked to handle anything but HTTP.
    """

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the webhook application handles http, not {scope['type']}")
        status = await _answer(receiver, send_channel, scope, receive)
        if status is not None:
            await _respond(send, status)

    return app


async def _answer(
    receiver: WebhookReceiver, send_channel: WebhookSink, scope: Message, receive: Receive
) -> HTTPStatus | None:
    """The status to answer with; None if nobody waits for an answer any more."""
    if scope["method"] != "POST":
        return HTTPStatus.METHOD_NOT_ALLOWED  # noqa: ASYNC910 - answering is one
    headers: dict[bytes, bytes] = dict(scope["headers"])
    try:
        body = await _read_body(receive, headers.get(b"content-length", b""), receiver.max_size)
        if body is None:
            return None
        event = receiver.receive(body, headers.get(b"authorization", b"").decode("latin-1"))
    except WebhookError as error:
        logger.warning("refused a webhook: %s", error)
        return _STATUS[error.kind]  # noqa: ASYNC910 - as above
    try:
        send_channel.send_nowait(event)
    except (*_NO_ROOM, *_NO_READER) as error:
        receiver.forget(event)
        logger.warning("put off a webhook of the event %s: %s", event.event, type(error).__name__)
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.OK


async def _read_body(receive: Receive, content_length: bytes, max_size: int) -> bytes | None:
    """The request's body; None if the client went away in the middle of it.

    Raises:
        WebhookError: it is too large, as it says itself or as more than *max_size* bytes of it have come.
    """
    if content_length.isdigit() and int(content_length) > max_size:
        raise too_large(max_size)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > max_size:
            raise too_large(max_size)
        if not message.get("more_body", False):
            return bytes(body)


async def _respond(send: Send, status: HTTPStatus) -> None:
    body = status.phrase.encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
