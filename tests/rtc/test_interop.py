"""Among other people's code: functions written against Trio's or AnyIO's abstract streams, and web servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.abc
import pytest
import trio

from livekit_trio import rtc
from tests.peers.web_servers import open_web_server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit_trio.testing import DevServer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

T = TypeVar("T")


# ---- streams


async def read_as_trio_does(channel: trio.abc.ReceiveChannel[T]) -> list[T]:
    received: list[T] = []
    async with channel:
        received.append(await channel.receive())
        async for item in channel:
            received.append(item)  # noqa: PERF401 - that it can be iterated over is the point
        with pytest.raises(trio.EndOfChannel):
            await channel.receive()
    with pytest.raises(trio.ClosedResourceError):
        await channel.receive()
    return received


async def read_as_anyio_does(stream: anyio.abc.ObjectReceiveStream[T]) -> list[T]:
    received: list[T] = []
    async with stream:
        received.append(await stream.receive())
        async for item in stream:
            received.append(item)  # noqa: PERF401
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()
    with pytest.raises(anyio.ClosedResourceError):
        await stream.receive()
    return received


@pytest.mark.parametrize("read", [read_as_trio_does, read_as_anyio_does])
@pytest.mark.parametrize("entered", [True, False])
async def test_an_event_stream_is_what_both_libraries_know(
    server: DevServer,
    room_name: str,
    read: Callable[[rtc.EventStream[rtc.DataReceived]], Awaitable[list[rtc.DataReceived]]],
    entered: bool,
) -> None:
    async with (
        rtc.open_room(server.url, server.token("ann", room_name)) as ann,
        rtc.open_room(server.url, server.token("bob", room_name)) as bob,
        anyio.create_task_group() as group,
    ):
        read_by_it: list[rtc.DataReceived] = []

        async def read_in_background() -> None:
            stream = ann.open_events(rtc.DataReceived)
            if entered:
                with stream:
                    read_by_it.extend(await read(stream))
            else:
                read_by_it.extend(await read(stream))

        group.start_soon(read_in_background)
        await anyio.wait_all_tasks_blocked()
        with ann.open_events(rtc.DataReceived) as own:
            for number in range(3):
                await bob.local_participant.publish_data(str(number))
                assert (await own.receive()).data == str(number).encode()
        await ann.disconnect()
        with anyio.fail_after(5):
            while not read_by_it:
                await anyio.sleep(0.01)
        assert [packet.data for packet in read_by_it] == [b"0", b"1", b"2"]


async def test_a_cancelled_receive_loses_nothing(server: DevServer, room_name: str) -> None:
    async with (
        rtc.open_room(server.url, server.token("ann", room_name)) as ann,
        rtc.open_room(server.url, server.token("bob", room_name)) as bob,
    ):
        received: list[bytes] = []
        async with ann.open_events(rtc.DataReceived) as events, anyio.create_task_group() as group:

            async def send() -> None:
                for number in range(300):
                    await bob.local_participant.publish_data(str(number))

            group.start_soon(send)
            with anyio.fail_after(10):
                while len(received) < 300:
                    with anyio.move_on_after(0.001):
                        received.append((await events.receive()).data)
        assert received == [str(number).encode() for number in range(300)]


# ---- web servers

APP: Final = "tests.peers.web_app:app"
WEB_SERVERS: Final = {"trio": "hypercorn-trio", "asyncio": "uvicorn-asyncio", "uvloop": "uvicorn-uvloop"}


@pytest.mark.parametrize("loop", WEB_SERVERS)
async def test_a_web_application_uses_a_room(server: DevServer, room_name: str, loop: str) -> None:
    async with rtc.open_room(server.url, server.token("bob", room_name)) as bob:
        environment = {"ROOM_URL": server.url, "ROOM_TOKEN": server.token("web", room_name)}
        async with open_web_server(WEB_SERVERS[loop], APP, environment) as client:
            assert (await client.get("/loop")).text == loop
            assert (await client.get("/participants")).json() == ["bob"]
            with bob.open_events(rtc.DataReceived) as events, anyio.fail_after(10):
                assert (await client.post("/say", content="hello")).is_success
                assert (await events.receive()).data == b"hello"
            replies: list[str] = []

            async def ask() -> None:
                replies.append((await client.get("/listen")).text)

            with anyio.fail_after(10):
                async with anyio.create_task_group() as group:
                    for _ in range(5):
                        group.start_soon(ask)
                    # Requests that wait in the room do not keep others from it.
                    while len(replies) < 5:
                        assert (await client.get("/participants")).is_success
                        await bob.local_participant.publish_data("to all")
            assert replies == ["to all"] * 5
            assert {who["identity"] for who in await server.list_participants(room_name)} == {"bob", "web"}
        with anyio.fail_after(5):
            while len(await server.list_participants(room_name)) > 1:
                await anyio.sleep(0.01)
