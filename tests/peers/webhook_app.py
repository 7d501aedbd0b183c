"""A web application that receives webhooks and tells what it has received: what `test_webhook_app.py` has web servers serve.

The server's key and secret, and how many events may wait, come from the environment.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import sniffio
import trio
from google.protobuf.json_format import MessageToDict
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from livekit_trio import api

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, MutableMapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

receiver = api.WebhookReceiver(
    api.TokenVerifier(os.environ["WEBHOOK_KEY"], os.environ["WEBHOOK_SECRET"]), refuse_replays=True
)
statuses: list[int] = []
channels: dict[str, Any] = {}


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncGenerator[None]:
    """Use a channel of the event loop's own kind."""
    open_channel: Any = trio.open_memory_channel
    if sniffio.current_async_library() != "trio":
        open_channel = anyio.create_memory_object_stream
    send, receive = open_channel(int(os.environ["WEBHOOK_CAPACITY"]))
    async with send, receive:
        channels.update(app=api.webhook_app(receiver, send), receive=receive)
        yield


async def hooks(scope: Scope, receive: Receive, send: Send) -> None:
    """The application, with the statuses of its answers noted."""

    async def note(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
        await send(message)

    await channels["app"](scope, receive, note)


async def next_event(_: Request) -> Response:
    """The next event, as soon as there is one."""
    return JSONResponse(MessageToDict(await channels["receive"].receive()))


async def state(_: Request) -> Response:
    """The statuses of all answers, and how many events wait."""
    return JSONResponse({"answers": statuses, "waiting": channels["receive"].statistics().current_buffer_used})


app = Starlette(
    lifespan=lifespan,
    routes=[Mount("/hooks", hooks), Route("/next", next_event), Route("/state", state)],
)
