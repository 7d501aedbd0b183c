"""A web application that is in a room for as long as it runs: what `test_interop.py` has real web servers serve.

The room's URL and a token come from the environment.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import sniffio
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from livekit_trio import rtc

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncGenerator[None]:
    async with rtc.open_room(os.environ["ROOM_URL"], os.environ["ROOM_TOKEN"]) as room:
        app.state.room = room
        yield


def room_of(request: Request) -> rtc.Room:
    return request.app.state.room


async def participants(request: Request) -> Response:
    return JSONResponse(sorted(room_of(request).remote_participants))


async def say(request: Request) -> Response:
    await room_of(request).local_participant.publish_data(await request.body())
    return Response()


async def listen(request: Request) -> Response:
    packet = await room_of(request).wait_for(rtc.DataReceived)
    return Response(packet.data)


async def loop(_: Request) -> Response:
    """What runs this: trio, or the module of asyncio's loop."""
    library = sniffio.current_async_library()
    if library == "trio":
        return Response(library)
    import asyncio

    return Response(type(asyncio.get_running_loop()).__module__.partition(".")[0])


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/participants", participants),
        Route("/say", say, methods=["POST"]),
        Route("/listen", listen),
        Route("/loop", loop),
    ],
)
