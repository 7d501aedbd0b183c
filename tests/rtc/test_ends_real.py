"""Every way in which a real room ends, with calls pending: each of them ends with it, within a second, and says why."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.rtc import DisconnectReason
from livekit_trio.testing import open_server
from tests.peers.tracks import publish_silence
from tests.rtc.ending import Ending, lasting_calls

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from anyio.abc import TaskGroup

    from livekit_trio.testing import DevServer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

ROOM: Final = "ending"
PATIENCE: Final = 40.0
"""Seconds. The native library gives up on a server that is gone after 25 to 28."""


@asynccontextmanager
async def open_publisher(server: DevServer) -> AsyncGenerator[None]:
    """bob, who publishes a track and lets nobody subscribe to it."""
    async with rtc.open_room(server.url, server.token("bob", ROOM)) as bob:
        bob.local_participant.set_track_subscription_permissions(allow_all_participants=False)
        await publish_silence(bob)
        yield


def join(server: DevServer, *, leave_timeout: float = 5) -> AbstractAsyncContextManager[rtc.Room]:
    token = server.token("ann", ROOM, can_update_own_metadata=True)
    return rtc.open_room(server.url, token, leave_timeout=leave_timeout)


async def start_pending(room: rtc.Room, group: TaskGroup) -> tuple[Ending, set[str]]:
    """Start all calls that can be pending."""
    publication = (await room.wait_for(rtc.TrackPublished, include_existing=True)).publication
    room.local_participant.set_track_subscription_permissions(allow_all_participants=False)
    own = await publish_silence(room)
    calls = lasting_calls(room) | {
        "subscribe": publication.subscribe,
        "wait_for_subscription": own.wait_for_subscription,
    }
    ending = Ending(room)
    ending.watch()
    for name, call in calls.items():
        group.start_soon(ending.pend, name, call)
    group.start_soon(ending.pend, "reading events", ending.read_events)
    await anyio.wait_all_tasks_blocked()
    return ending, {*calls, "reading events"}


# ---- ends that take no time

Cause: TypeAlias = "Callable[[DevServer, rtc.Room], Awaitable[None]]"


async def by_ourselves(_server: DevServer, room: rtc.Room) -> None:
    await room.disconnect()


async def by_leaving_the_block(_server: DevServer, _room: rtc.Room) -> None:
    pass


async def by_deleting(server: DevServer, room: rtc.Room) -> None:
    await server.delete_room(ROOM)
    await room.wait_closed()


async def by_removing(server: DevServer, room: rtc.Room) -> None:
    await server.remove_participant(ROOM, "ann")
    await room.wait_closed()


async def by_a_duplicate(server: DevServer, room: rtc.Room) -> None:
    async with join(server):
        await room.wait_closed()


CAUSES: Final[dict[str, tuple[Cause, DisconnectReason]]] = {
    "disconnect": (by_ourselves, DisconnectReason.CLIENT_INITIATED),
    "exit": (by_leaving_the_block, DisconnectReason.CLIENT_INITIATED),
    "delete": (by_deleting, DisconnectReason.ROOM_DELETED),
    "remove": (by_removing, DisconnectReason.PARTICIPANT_REMOVED),
    "duplicate": (by_a_duplicate, DisconnectReason.DUPLICATE_IDENTITY),
}


@pytest.mark.parametrize("cause", CAUSES)
async def test_pending_calls_end_with_the_room(cause: str) -> None:
    end, reason = CAUSES[cause]
    async with open_server() as server, open_publisher(server), anyio.create_task_group() as group:
        async with join(server) as room:
            ending, names = await start_pending(room, group)
            if cause == "delete":  # bob, and what he publishes, goes at the same moment
                names.discard("subscribe")
            await end(server, room)
            if cause != "exit":
                await close_from_everywhere(room)
        await anyio.wait_all_tasks_blocked()
        ending.check(names, reason)


@pytest.mark.parametrize("cause", ["disconnect", "exit"])
async def test_leaving_while_the_server_stands_still(cause: str) -> None:
    """Nothing answers, so that updates of ourselves are pending too. The native library does not wait for a goodbye."""
    async with open_server() as server, open_publisher(server), anyio.create_task_group() as group:
        async with join(server, leave_timeout=2) as room:
            ending, names = await start_pending(room, group)
            server.process.suspend()
            me = room.local_participant
            updates = {
                "set_name": lambda: me.set_name("Ann"),
                "set_attributes": lambda: me.set_attributes({"a": "1"}),
            }
            for name, update in updates.items():
                group.start_soon(ending.pend, name, update)
            await anyio.wait_all_tasks_blocked()
            begin = anyio.current_time()
            if cause == "disconnect":
                await room.disconnect()
                await close_from_everywhere(room)
        assert anyio.current_time() - begin < 2.5
        await anyio.wait_all_tasks_blocked()
        ending.check(names | set(updates), DisconnectReason.CLIENT_INITIATED)
        server.process.resume()


async def close_from_everywhere(room: rtc.Room) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(room.disconnect)
    with pytest.raises(rtc.RoomClosedError):
        await room.wait_for_participant("nobody")


# ---- a server that goes away


async def terminate_twice(server: DevServer, room: rtc.Room) -> None:
    """The first SIGTERM only drains: the room goes on. The second one ends the server, often before it can say so."""
    server.process.terminate()
    with anyio.fail_after(5):
        await room.local_participant.set_name("draining")
    assert room.connection_state == rtc.ConnectionState.CONN_CONNECTED
    assert server.process.returncode is None
    server.process.terminate()


async def kill(server: DevServer, _room: rtc.Room) -> None:
    server.process.kill()


GOODBYES: Final[dict[str, Cause]] = {"terminated twice": terminate_twice, "killed": kill}


@pytest.mark.parametrize("goodbye", GOODBYES)
async def test_leaving_while_the_server_is_gone(goodbye: str) -> None:
    async with open_server() as server, anyio.create_task_group() as group:
        async with join(server, leave_timeout=2) as room:
            ending = Ending(room)
            ending.watch()
            group.start_soon(ending.pend, "wait_for_participant", room.wait_for_participant)
            await GOODBYES[goodbye](server, room)
            await server.process.wait()
            reconnecting = rtc.ConnectionState.CONN_RECONNECTING
            await room.wait_until(lambda: room.connection_state == reconnecting or not room.connected)
            if room.connected:
                assert ending.calls == {}
            group.start_soon(ending.pend, "set_name", lambda: room.local_participant.set_name("Ann"))
            await anyio.wait_all_tasks_blocked()
            begin = anyio.current_time()
        assert anyio.current_time() - begin < 2.5
        await anyio.wait_all_tasks_blocked()
        said = room.disconnect_reason == DisconnectReason.SERVER_SHUTDOWN and goodbye == "terminated twice"
        reason = DisconnectReason.SERVER_SHUTDOWN if said else DisconnectReason.CLIENT_INITIATED
        ending.check({"wait_for_participant", "set_name"}, reason)


@pytest.mark.long
async def test_a_server_that_stays_away_ends_the_room() -> None:
    async with open_server() as server, anyio.create_task_group() as group, join(server) as room:
        ending = Ending(room)
        ending.watch()
        calls = lasting_calls(room)
        for name, call in calls.items():
            group.start_soon(ending.pend, name, call)
        group.start_soon(ending.pend, "reading events", ending.read_events)
        await anyio.wait_all_tasks_blocked()
        server.process.kill()
        begin = anyio.current_time()
        with anyio.fail_after(PATIENCE):
            await room.wait_closed()
        assert anyio.current_time() - begin > 15
        await anyio.wait_all_tasks_blocked()
        ending.check({*calls, "reading events"}, DisconnectReason.UNKNOWN_REASON)
        await close_from_everywhere(room)
