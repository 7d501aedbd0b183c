"""Calls: a web application with a room for each call, in which it listens as long as the call lasts.

* ``POST /calls?identity=NAME`` begins a call: its room, and the address and token with which NAME joins it.
* ``GET /calls``: the calls that are going on, who is in them and how loud each is.
* WebSocket ``/calls/ROOM``: the data packets of that room; what the client sends is sent to the room.
* ``POST /webhooks/``: where the LiveKit server reports. A call ends when its last guest has left.

The guests are told ten times a second how loud each of them is: data packets with the topic "level".

LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET say which server. It runs on Trio and on asyncio::

    hypercorn --worker-class trio examples.calls:app
    uvicorn examples.calls:app
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio
import attrs
import numpy as np
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from livekit_trio import api, rtc

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.abc import TaskGroup, TaskStatus
    from anyio.streams.memory import MemoryObjectReceiveStream
    from livekit.protocol.webhook import WebhookEvent
    from starlette.requests import Request

ASSISTANT: Final = "assistant"
"""Our own identity in each room."""
FIRST_GUEST_WITHIN: Final = 60.0
"""Seconds. A call that nobody joins ends then."""
WAITING_EVENTS: Final = 1000

logger = logging.getLogger("calls")


@attrs.define
class Call:
    """One call as this application sees it."""

    room: rtc.Room
    levels: dict[str, float] = attrs.field(factory=dict[str, float])

    def describe(self) -> dict[str, Any]:
        return {"guests": sorted(self.room.remote_participants), "levels": self.levels}


class Switchboard:
    """The calls and the tasks that attend to them. All of them end with the task group."""

    def __init__(self, group: TaskGroup, lkapi: api.LiveKitAPI) -> None:
        self.calls: dict[str, Call] = {}
        self._group = group
        self._lkapi = lkapi

    async def begin(self) -> str:
        """Begin a call; return its room's name when we are in it."""
        name = f"call-{uuid.uuid4().hex}"
        await self._group.start(self._attend, name)
        return name

    async def watch(self, events: MemoryObjectReceiveStream[WebhookEvent]) -> None:
        """End each call whose last guest has left."""
        async with events:
            async for event in events:
                if event.event == "participant_left" and event.participant.identity != ASSISTANT:
                    self._group.start_soon(self._end_if_empty, event.room.name)

    async def _end_if_empty(self, name: str) -> None:
        with contextlib.suppress(api.ServerError):  # it has ended meanwhile
            present = await self._lkapi.room.list_participants(room=name)
            if {who.identity for who in present.participants} == {ASSISTANT}:
                await self._lkapi.room.delete_room(room=name)

    async def _attend(self, name: str, *, task_status: TaskStatus[None]) -> None:
        """Be in the room until it ends."""
        async with rtc.open_room(os.environ["LIVEKIT_URL"], token(ASSISTANT, name)) as room:
            self.calls[name] = call = Call(room)
            try:
                with room.open_events(rtc.TrackSubscribed) as subscriptions:
                    task_status.started()
                    async with anyio.create_task_group() as group:
                        group.start_soon(expect_guest, room)
                        async for event in subscriptions:
                            if isinstance(event.track, rtc.RemoteAudioTrack):
                                group.start_soon(listen, call, event.participant.identity, event.track)
            except* rtc.RoomClosedError:
                pass  # while we had something to say
            except* Exception:
                logger.exception("the call %s ends, the others go on", name)
            finally:
                del self.calls[name]


async def expect_guest(room: rtc.Room) -> None:
    """Leave if nobody comes."""
    with anyio.move_on_after(FIRST_GUEST_WITHIN):
        await room.wait_for_participant()
        return
    await room.disconnect()


async def listen(call: Call, identity: str, track: rtc.RemoteAudioTrack) -> None:
    """Say how loud a guest is until the track ends."""
    with track.open_stream(sample_rate=16_000, frame_size_ms=100) as frames:
        async for frame in frames:
            samples = frame.to_ndarray() / 32768
            call.levels[identity] = level = round(float(np.sqrt(np.mean(samples**2))), 3)
            said = json.dumps({"identity": identity, "level": level})
            with contextlib.suppress(rtc.PublishDataError):  # such as while reconnecting: there will be another level
                await call.room.local_participant.publish_data(said, topic="level", reliable=False)
    call.levels.pop(identity, None)


def token(identity: str, room: str) -> str:
    grants = api.VideoGrants(room_join=True, room=room)
    return api.AccessToken().with_identity(identity).with_grants(grants).to_jwt()


# ---- for web clients


async def begin_call(request: Request) -> Response:
    name = await request.app.state.switchboard.begin()
    identity = request.query_params.get("identity", "guest")
    said = {"room": name, "url": os.environ["LIVEKIT_URL"], "token": token(identity, name)}
    return JSONResponse(said, 201)


async def list_calls(request: Request) -> Response:
    calls: dict[str, Call] = request.app.state.switchboard.calls
    return JSONResponse({name: call.describe() for name, call in calls.items()})


async def join_conversation(websocket: WebSocket) -> None:
    call: Call | None = websocket.app.state.switchboard.calls.get(websocket.path_params["room"])
    if call is None:
        await websocket.close()
        return
    await websocket.accept()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(pass_on, call.room, websocket, group.cancel_scope)
            while True:
                await call.room.local_participant.publish_data(await websocket.receive_text())
    except* (WebSocketDisconnect, rtc.RoomClosedError):
        pass  # one side has gone; the other is told by the end of the connection, or notices nothing


async def pass_on(room: rtc.Room, websocket: WebSocket, scope: anyio.CancelScope) -> None:
    with room.open_events(rtc.DataReceived) as packets:
        async for packet in packets:
            identity = getattr(packet.sender, "identity", None)
            said = {"identity": identity, "topic": packet.topic, "text": packet.data.decode(errors="replace")}
            await websocket.send_json(said)
    await websocket.close()
    scope.cancel()


# ---- the application


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncGenerator[None]:
    """Everything that this application does in the background happens in here."""
    receiver = api.WebhookReceiver(api.TokenVerifier())
    send, events = anyio.create_memory_object_stream[Any](WAITING_EVENTS)
    async with api.LiveKitAPI() as lkapi, anyio.create_task_group() as group:
        app.state.switchboard = switchboard = Switchboard(group, lkapi)
        group.start_soon(switchboard.watch, events)
        with send:
            app.mount("/webhooks", api.webhook_app(receiver, send))
            yield
        group.cancel_scope.cancel()  # the calls that are still going on


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/calls", begin_call, methods=["POST"]),
        Route("/calls", list_calls),
        WebSocketRoute("/calls/{room}", join_conversation),
    ],
)
