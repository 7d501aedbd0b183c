"""A web application with a room for as long as it runs.

python -m tests.interop.web_app hypercorn-trio|uvicorn-asyncio|uvicorn-uvloop PORT URL TOKEN
"""

from __future__ import annotations

import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from livekit_trio import rtc

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request


def make_app(url: str, token: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[dict[str, Any]]:
        async with rtc.open_room(url, token) as room:
            yield {"room": room}

    return Starlette(routes=[Route("/who", who), Route("/say/{text}", say, methods=["POST"])], lifespan=lifespan)


async def who(request: Request) -> JSONResponse:
    room: rtc.Room = request.state.room
    return JSONResponse(sorted(room.remote_participants))


async def say(request: Request) -> JSONResponse:
    room: rtc.Room = request.state.room
    await room.local_participant.publish_data(request.path_params["text"], topic="web")
    return JSONResponse(room.name)


def serve_on_trio(app: Any, port: int) -> None:
    import trio
    from hypercorn.config import Config
    from hypercorn.trio import serve  # pyright: ignore[reportUnknownVariableType]

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]

    async def main() -> None:
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_sigterm, stop)
            await serve(app, config, shutdown_trigger=stop.wait)
            nursery.cancel_scope.cancel()

    async def wait_for_sigterm(stop: trio.Event) -> None:
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                stop.set()

    trio.run(main)


def main(server: str, port: str, url: str, token: str) -> None:
    app = make_app(url, token)
    if server == "hypercorn-trio":
        serve_on_trio(app, int(port))
    else:
        import uvicorn

        uvicorn.run(app, host="127.0.0.1", port=int(port), loop="uvloop" if server == "uvicorn-uvloop" else "asyncio")


if __name__ == "__main__":
    main(*sys.argv[1:])
