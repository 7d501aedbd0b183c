"""What we say of ourselves: it is in effect when the call returns, at both ends, or the call says that it is not."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.rtc._local_participant import UPDATE_TIMEOUT
from livekit_trio.testing._fake_library import FakeLibrary, Hold

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from livekit_trio.testing._fake_room import FakeRoom
    from tests.peers.driver import OfficialPeer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

Setter: TypeAlias = Callable[[rtc.LocalParticipant], Awaitable[None]]

REFUSED: Final[dict[str, tuple[str, Setter]]] = {
    "empty metadata": ("set_metadata", lambda me: me.set_metadata("")),
    "600 kB of metadata": ("set_metadata", lambda me: me.set_metadata("m" * 600_000)),
    "empty name": ("set_name", lambda me: me.set_name("")),
    "name of 257 characters": ("set_name", lambda me: me.set_name("n" * 257)),
    "70 kB of attributes": ("set_attributes", lambda me: me.set_attributes({"a": "v" * 70_000})),
}

ALL_SETTERS: Final[dict[str, Setter]] = {
    "set_metadata": lambda me: me.set_metadata("m"),
    "set_name": lambda me: me.set_name("n"),
    "set_attributes": lambda me: me.set_attributes({"a": "1"}),
    "clear_attributes": lambda me: me.clear_attributes(),
}


def join(server: DevServer, identity: str, room: str, **grants: Any) -> Any:
    return rtc.open_room(server.url, server.token(identity, room, **grants))


async def test_what_is_set_is_in_effect_at_both_ends(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    await peer.ask("join", url=server.url, token=server.token("bob", room_name))
    async with join(server, "ann", room_name, can_update_own_metadata=True) as room:
        me = room.local_participant
        await peer.wait_for("participant_active", identity="ann")
        await me.set_name("Ann")
        assert me.name == "Ann"
        await peer.wait_for("name_changed", identity="ann", old="", new="Ann")
        await me.set_metadata("m")
        assert me.metadata == "m"
        await peer.wait_for("metadata_changed", identity="ann", old="", new="m")
        await me.set_attributes({"a": "1", "b": "2"})
        assert me.attributes == {"a": "1", "b": "2"}
        await peer.wait_for("attributes_changed", identity="ann", attributes={"a": "1", "b": "2"})
        await me.set_attributes({"b": "", "c": "3"})
        assert me.attributes == {"a": "1", "c": "3"}
        await peer.wait_for("attributes_changed", identity="ann", changed={"b": "", "c": "3"})
        await me.clear_attributes()
        assert me.attributes == {}
        await peer.wait_for("attributes_changed", identity="ann", attributes={})
        listed = {who["identity"]: who for who in await server.list_participants(room_name)}
        assert (listed["ann"]["name"], listed["ann"]["metadata"], listed["ann"]["attributes"]) == ("Ann", "m", {})
        assert (await peer.ask("look"))["ann"] == {"name": "Ann", "metadata": "m", "attributes": {}, "tracks": {}}


async def test_setters_at_once_do_not_take_each_other_back(server: DevServer, room_name: str) -> None:
    async with join(server, "ann", room_name, can_update_own_metadata=True) as room:
        me = room.local_participant
        async with anyio.create_task_group() as group:
            group.start_soon(me.set_name, "Ann")
            group.start_soon(me.set_metadata, "m")
            for number in range(5):
                group.start_soon(me.set_attributes, {f"a{number}": str(number)})
        [listed] = await server.list_participants(room_name)
        attributes = {f"a{number}": str(number) for number in range(5)}
        assert (listed["name"], listed["metadata"], listed["attributes"]) == ("Ann", "m", attributes)
        assert (me.name, me.metadata, me.attributes) == ("Ann", "m", attributes)


@pytest.mark.parametrize("refused", REFUSED)
async def test_what_the_server_refuses_is_an_error(server: DevServer, room_name: str, refused: str) -> None:
    operation, setter = REFUSED[refused]
    async with join(server, "ann", room_name, can_update_own_metadata=True) as room:
        me = room.local_participant
        with anyio.fail_after(6):
            with pytest.raises(rtc.UpdateError) as caught:
                await setter(me)
        assert caught.value.operation == operation
        assert (me.name, me.metadata, me.attributes) == ("", "", {})
        # The room goes on.
        await me.set_name("Ann")
        [listed] = await server.list_participants(room_name)
        assert (listed["name"], listed["metadata"]) == ("Ann", "")


@pytest.mark.parametrize("setter", ALL_SETTERS)
async def test_without_permission(server: DevServer, room_name: str, setter: str) -> None:
    async with join(server, "ann", room_name, can_update_own_metadata=False) as room:
        with anyio.fail_after(6), pytest.raises(rtc.UpdateError, match="permission"):
            await ALL_SETTERS[setter](room.local_participant)
        await server.update_participant(
            room_name,
            "ann",
            permission={
                "can_subscribe": True,
                "can_publish": True,
                "can_publish_data": True,
                "can_update_metadata": True,
            },
        )
        await room.wait_until(lambda: room.local_participant.permissions.can_update_metadata)
        await ALL_SETTERS[setter](room.local_participant)


@pytest.mark.parametrize("setter", ALL_SETTERS)
async def test_that_the_room_has_ended_comes_first(server: DevServer, room_name: str, setter: str) -> None:
    async with join(server, "ann", room_name, can_update_own_metadata=False, can_publish_data=False) as room:
        await room.disconnect()
        with pytest.raises(rtc.RoomClosedError):
            await ALL_SETTERS[setter](room.local_participant)
        with pytest.raises(rtc.RoomClosedError):
            await room.local_participant.publish_data("x" * 100_000)
        with pytest.raises(rtc.RoomClosedError):
            room.local_participant.set_track_subscription_permissions(allow_all_participants=True)


@pytest.mark.parametrize("value", [None, 3, b"x"])
async def test_what_is_no_string_is_a_mistake(server: DevServer, room_name: str, value: Any) -> None:
    async with join(server, "ann", room_name) as room:
        me = room.local_participant
        for setter in (me.set_metadata, me.set_name):
            with pytest.raises(TypeError):
                await setter(value)
        for attributes in ({"a": value}, {value: "a"}):
            with pytest.raises(TypeError):
                await me.set_attributes(attributes)


async def test_a_cancelled_setter_leaves_the_next_one_its_turn(server: DevServer, room_name: str) -> None:
    async with join(server, "ann", room_name, can_update_own_metadata=True) as room:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await room.local_participant.set_name("Ann")
        with anyio.move_on_after(0.001):
            await room.local_participant.set_name("Anna")
        await room.local_participant.set_name("Hannah")
        [listed] = await server.list_participants(room_name)
        assert listed["name"] == room.local_participant.name == "Hannah"


@asynccontextmanager
async def cancelled_setter() -> AsyncGenerator[tuple[FakeRoom, Hold, rtc.Room]]:
    """A room where ``set_name("Anna")`` was cancelled before it was answered, and a second one as it waited for that."""
    fake = FakeLibrary()
    native = fake.room()
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            held = fake.hold("set_local_name")
            for name in ("Anna", "Hannah"):
                with anyio.move_on_after(0.01):
                    await room.local_participant.set_name(name)
            assert [request.message.name for request in held.requests] == ["Anna"]
            yield native, held, room
    fake.check()


@pytest.mark.parametrize("over", ["answered", "in effect"])
async def test_the_next_one_waits_until_a_cancelled_one_is_over(over: str) -> None:
    """Natively each is a task of its own: two that are under way at once reach the server in either order."""
    async with cancelled_setter() as (native, held, room), anyio.create_task_group() as group:
        group.start_soon(room.local_participant.set_name, "Hannah")
        await anyio.wait_all_tasks_blocked()
        assert len(held.requests) == 1
        if over == "in effect":
            native.emit(participant_name_changed={"participant_identity": "me", "name": "Anna"})
            await anyio.wait_all_tasks_blocked()
            assert [request.message.name for request in held.requests] == ["Anna", "Hannah"]
        held.release()


async def test_the_room_ends_while_a_setter_waits_for_a_cancelled_one() -> None:
    async with cancelled_setter() as (_, _, room), anyio.create_task_group() as group:
        group.start_soon(room.disconnect)
        with pytest.raises(rtc.RoomClosedError):
            await room.local_participant.set_name("Hannah")


@pytest.mark.virtual_time
async def test_a_cancelled_setter_that_is_never_over_is_not_waited_for_long() -> None:
    async with cancelled_setter() as (_, held, room):
        begin = anyio.current_time()
        with pytest.raises(rtc.UpdateError, match="did not take it over"):
            await room.local_participant.set_name("Hannah")
        assert anyio.current_time() - begin == pytest.approx(2 * UPDATE_TIMEOUT, rel=0.01)
        assert len(held.requests) == 2


async def test_the_effect_counts_and_not_the_answer() -> None:
    """The native library now and then times out on an update that is in effect, and answers others that are not."""
    fake = FakeLibrary()
    native = fake.room()
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room, anyio.create_task_group() as group:
            held = fake.hold("set_local_name")
            group.start_soon(room.local_participant.set_name, "Ann")
            await anyio.wait_all_tasks_blocked()
            native.emit(participant_name_changed={"participant_identity": "me", "name": "Ann"})
            with anyio.fail_after(1):
                await room.local_participant.set_metadata("m")
            [request] = held.requests
            request.reply(error="engine: signal failure: request timeout")
            held.lose()
            fake.fail("set_local_name", "no")
            with pytest.raises(rtc.UpdateError, match="no"):
                await room.local_participant.set_name("Anna")
            assert room.local_participant.name == "Ann"
    fake.check()


@pytest.mark.virtual_time
async def test_an_answer_without_effect_is_an_error() -> None:
    fake = FakeLibrary()
    fake.on("set_local_name", lambda request: request.reply())
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            begin = anyio.current_time()
            with pytest.raises(rtc.UpdateError, match="did not take it over"):
                await room.local_participant.set_name("Ann")
            assert anyio.current_time() - begin < 6
            fake.hold("set_local_name")
            with pytest.raises(rtc.UpdateError, match="did not take it over"):
                await room.local_participant.set_name("Ann")
    fake.check()
