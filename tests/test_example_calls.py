"""examples/calls.py in web servers, with a real LiveKit server and real guests."""

from __future__ import annotations

import json
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np
import pytest

from livekit_trio import rtc
from livekit_trio.testing import open_server
from tests.peers.web_servers import open_web_server
from tests.peers.web_socket import open_web_socket

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    import httpx

    from livekit_trio.testing import DevServer

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True),  # the event loops are those of the web servers
]
on_each = pytest.mark.parametrize("web_server", ["hypercorn-trio", "uvicorn-asyncio"])

KEY = "APIkey"
SECRET = "a-secret-that-nobody-may-ever-see-printed"
TIMEOUT = 120.0
RATE = 48_000


@asynccontextmanager
async def open_livekit() -> AsyncGenerator[tuple[DevServer, socket.socket]]:
    """A LiveKit server, and the listener of the web server to which it will report."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hooks = f"http://127.0.0.1:{listener.getsockname()[1]}/webhooks/"
        async with open_server(webhook_urls=[hooks], api_key=KEY, api_secret=SECRET) as server:
            yield server, listener


@asynccontextmanager
async def open_example(
    web_server: str, directory: Path, server: DevServer, listener: socket.socket
) -> AsyncGenerator[httpx.AsyncClient]:
    """The example in a web server. Nothing is left of it afterwards."""
    environment = {"LIVEKIT_URL": server.url, "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}
    printed = directory / "printed"
    with printed.open("wb") as stdout:
        app = "tests.peers.idle_calls:app"
        async with open_web_server(web_server, app, environment, stdout=stdout, listener=listener) as client:
            yield client
    assert printed.read_text().endswith("nothing is left\n"), printed.read_text()


async def begin(client: httpx.AsyncClient, identity: str) -> dict[str, str]:
    answer = await client.post("/calls", params={"identity": identity}, timeout=TIMEOUT)
    assert answer.status_code == 201
    return answer.json()


async def calls_of(client: httpx.AsyncClient) -> dict[str, Any]:
    return (await client.get("/calls")).json()


@asynccontextmanager
async def speaking(room: rtc.Room) -> AsyncGenerator[None]:
    """Publish a tone at half of the full scale."""
    with rtc.AudioSource(RATE, 1) as source:
        track = rtc.LocalAudioTrack.create_audio_track("voice", source)
        wave = np.sin(np.arange(RATE // 100) * 2 * np.pi * 400 / RATE) * 16_384
        frame = rtc.AudioFrame.from_ndarray(wave.astype(np.int16).reshape(-1, 1), RATE)

        async def play() -> None:
            while True:
                await source.capture_frame(frame)

        async with room.local_participant.published_track(track), anyio.create_task_group() as group:
            group.start_soon(play)
            yield
            group.cancel_scope.cancel()


class Guests:
    """Callers who begin a call each, speak once all are there, and leave when they were told how loud they are."""

    def __init__(self, client: httpx.AsyncClient, number: int) -> None:
        self._client = client
        self._missing = number
        self._all_there = anyio.Event()
        self._door = anyio.CapacityLimiter(4)
        """A join takes much of a processor, and is given 15 seconds."""

    async def call(self, identity: str) -> None:
        async with AsyncExitStack() as stack:
            async with self._door:
                call = await begin(self._client, identity)
                room = await stack.enter_async_context(rtc.open_room(call["url"], call["token"]))
            with room.open_events(rtc.DataReceived) as packets:
                await stack.enter_async_context(speaking(room))
                await self._wait_for_all()
                async for packet in packets:
                    said = json.loads(packet.data)
                    assert (packet.topic, said["identity"]) == ("level", identity)
                    if 0.3 < said["level"] < 0.4:  # a sine of amplitude 0.5
                        break
            assert identity in (await calls_of(self._client))[room.name]["guests"]

    async def _wait_for_all(self) -> None:
        self._missing -= 1
        if not self._missing:
            self._all_there.set()
        await self._all_there.wait()


@pytest.mark.parametrize(
    ("web_server", "number"),
    [
        ("hypercorn-trio", 3),
        pytest.param("hypercorn-trio", 20, marks=pytest.mark.long),
        pytest.param("uvicorn-asyncio", 20, marks=pytest.mark.long),
    ],
)
async def test_many_calls_at_once(web_server: str, number: int, tmp_path: Path) -> None:
    async with open_livekit() as (server, listener), open_example(web_server, tmp_path, server, listener) as client:
        with anyio.fail_after(TIMEOUT):
            guests = Guests(client, number)
            async with anyio.create_task_group() as group:
                for guest in range(number):
                    group.start_soon(guests.call, f"guest-{guest}")
            while await calls_of(client):  # each ends when its guest has left
                await anyio.sleep(0.05)
        assert (await server.call_room_service("ListRooms", {}))["rooms"] == []


@on_each
async def test_a_web_client_that_goes_away_hurts_nobody(web_server: str, tmp_path: Path) -> None:
    async with open_livekit() as (server, listener), open_example(web_server, tmp_path, server, listener) as client:
        call = await begin(client, "guest")
        url = str(client.base_url.join(f"/calls/{call['room']}"))
        with anyio.fail_after(TIMEOUT):
            async with rtc.open_room(call["url"], call["token"]) as room:
                with room.open_events(rtc.DataReceived) as packets:
                    async with open_web_socket(url) as lasting:
                        for _ in range(5):
                            async with open_web_socket(url) as passing:
                                await passing.send("hello")
                                assert (await packets.receive()).data == b"hello"
                        await room.local_participant.publish_data("still there?")
                        answer = await lasting.receive()
                        assert answer is not None
                        assert json.loads(answer)["text"] == "still there?"
                        await lasting.send("yes")
                        assert (await packets.receive()).data == b"yes"
                        await server.delete_room(call["room"])
                        assert await lasting.receive() is None
            while await calls_of(client):
                await anyio.sleep(0.05)


@on_each
async def test_it_ends_with_calls_open(web_server: str, tmp_path: Path) -> None:
    with anyio.fail_after(TIMEOUT):
        async with open_livekit() as (server, listener), AsyncExitStack() as guests:
            rooms: list[rtc.Room] = []
            async with open_example(web_server, tmp_path, server, listener) as client:
                for number in range(3):
                    call = await begin(client, f"guest-{number}")
                    room = await guests.enter_async_context(rtc.open_room(call["url"], call["token"]))
                    await guests.enter_async_context(speaking(room))
                    rooms.append(room)
                url = str(client.base_url.join(f"/calls/{rooms[0].name}"))
                await guests.enter_async_context(open_web_socket(url))
                await begin(client, "nobody")
                assert len(await calls_of(client)) == 4
            for number, room in enumerate(rooms):
                present = await server.list_participants(room.name)
                assert [who["identity"] for who in present] == [f"guest-{number}"]
