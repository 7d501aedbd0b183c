"""Every phase of a room × everything that can end it × every request that can be pending then."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio._ffi._messages import request_class
from livekit_trio._ffi._requests import REQUESTS, OnCancel
from livekit_trio.rtc import DisconnectReason
from livekit_trio.testing import assert_idle
from livekit_trio.testing._fake_library import FakeLibrary
from livekit_trio.testing._fake_messages import complete
from livekit_trio.testing._fake_room import FakeRoom

pytestmark = pytest.mark.anyio

CAN_BE_PENDING: Final = [
    name
    for name, row in REQUESTS.items()
    if row.reply and row.on_cancel is not OnCancel.NEVER and name not in ("connect", "disconnect")
]
"""Every request that is answered later, out of the table: a new one has its cells at once."""

Cause: TypeAlias = Callable[[FakeLibrary, FakeRoom, rtc.Room], Coroutine[Any, Any, None]]


def ends_with(reason: DisconnectReason) -> Cause:
    async def end(_fake: FakeLibrary, native: FakeRoom, _room: rtc.Room) -> None:
        native.end(reason)

    return end


async def leave(_fake: FakeLibrary, _native: FakeRoom, room: rtc.Room) -> None:
    await room.disconnect()


async def miss_ready(fake: FakeLibrary, native: FakeRoom, _room: rtc.Room) -> None:
    fake.panic(f"timed out waiting for ReadyForRoomEventRequest (room_handle={native.handle})")


async def panic(fake: FakeLibrary, _native: FakeRoom, _room: rtc.Room) -> None:
    fake.panic("index out of bounds")


CAUSES: Final[dict[str, tuple[Cause, DisconnectReason]]] = {
    "own disconnect": (leave, DisconnectReason.CLIENT_INITIATED),
    "kicked": (ends_with(DisconnectReason.PARTICIPANT_REMOVED), DisconnectReason.PARTICIPANT_REMOVED),
    "deleted": (ends_with(DisconnectReason.ROOM_DELETED), DisconnectReason.ROOM_DELETED),
    "duplicate": (ends_with(DisconnectReason.DUPLICATE_IDENTITY), DisconnectReason.DUPLICATE_IDENTITY),
    "shut down": (ends_with(DisconnectReason.SERVER_SHUTDOWN), DisconnectReason.SERVER_SHUTDOWN),
    "network": (ends_with(DisconnectReason.UNKNOWN_REASON), DisconnectReason.UNKNOWN_REASON),
    "missed ready": (miss_ready, DisconnectReason.UNKNOWN_REASON),
    "panic": (panic, DisconnectReason.UNKNOWN_REASON),
}

PHASES: Final = ("joined", "reconnecting", "leaving")


def minimal_fields(fake: FakeLibrary, native: FakeRoom, name: str) -> dict[str, Any]:
    message = request_class(name)()
    complete(message, fake.new_handle)
    for field in message.DESCRIPTOR.fields:
        if field.name.endswith("_handle") and field.is_required:
            known = {"room_handle": native.handle, "local_participant_handle": native.local_participant}
            setattr(message, field.name, known.get(field.name) or fake.new_handle())
    return {field.name: value for field, value in message.ListFields()}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("cause", CAUSES)
async def test_every_pending_call_ends_with_the_room(phase: str, cause: str) -> None:
    end, reason = CAUSES[cause]
    fake = FakeLibrary()
    native = fake.room()
    outcomes: dict[str, BaseException] = {}
    made_here: set[int] = set()
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room, anyio.create_task_group() as group:
            rooms_own = set(fake.live_handles)
            for name in CAN_BE_PENDING:
                fake.hold(name)
                group.start_soon(pend, room, name, minimal_fields(fake, native, name), outcomes)
            made_here = fake.live_handles - rooms_own
            await anyio.wait_all_tasks_blocked()
            assert outcomes == {}
            leaving = fake.hold("disconnect") if phase == "leaving" else None
            if leaving is not None:
                group.start_soon(room.disconnect)
                await anyio.wait_all_tasks_blocked()
                reason = DisconnectReason.CLIENT_INITIATED
            elif phase == "reconnecting":
                native.emit(connection_state_changed={"state": 2})
                native.emit(reconnecting={})
                await anyio.wait_all_tasks_blocked()
            if leaving is not None and end is leave:
                leaving.release()
            async with anyio.create_task_group() as ending:
                ending.start_soon(end, fake, native, room)
                with anyio.fail_after(1):
                    await anyio.wait_all_tasks_blocked()
                if leaving is not None and leaving.requests:
                    leaving.release()
            with anyio.fail_after(1):
                await room.wait_closed()
            assert set(outcomes) == set(CAN_BE_PENDING)
            for error in outcomes.values():
                if cause == "panic" and phase != "leaving":
                    assert isinstance(error, rtc.NativePanicError)
                else:
                    assert isinstance(error, rtc.RoomClosedError)
                    assert error.reason == reason
            async with anyio.create_task_group() as again:
                for _ in range(10):
                    again.start_soon(room.disconnect)
            with pytest.raises((rtc.RoomClosedError, rtc.NativePanicError)):
                await room.wait_for_participant()
        await assert_idle()
    fake.live_handles -= made_here
    fake.check()


async def pend(room: rtc.Room, name: str, fields: dict[str, Any], outcomes: dict[str, BaseException]) -> None:
    session = room._session
    try:
        await session.call(name, **fields)
    except (rtc.RoomClosedError, rtc.NativePanicError) as error:
        outcomes[name] = error


async def test_a_room_that_refuses_to_be_made_ready_has_ended() -> None:
    fake = FakeLibrary()
    fake.refuse("ready_for_room_event")
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            await room.disconnect()
            with pytest.raises(rtc.RoomClosedError) as caught:
                await room.wait_until(lambda: False)
            assert isinstance(caught.value.__cause__, rtc.NativeRefusalError)
        await assert_idle()
    fake.check()


@pytest.mark.parametrize("then_ends", [True, False], ids=["the room ends", "it does not"])
async def test_a_closed_engine_is_the_end_of_the_room(*, then_ends: bool) -> None:
    """The native side says it to a pending call first, and only then to the room."""
    fake = FakeLibrary()
    native = fake.room()
    fake.fail("publish_data", "engine: connection error: engine is closed")
    errors: list[rtc.LiveKitError] = []

    async def publish(room: rtc.Room) -> None:
        with pytest.raises(rtc.LiveKitError) as caught:
            await room.local_participant.publish_data(b"x")
        errors.append(caught.value)

    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room, anyio.create_task_group() as group:
            group.start_soon(publish, room)
            await anyio.wait_all_tasks_blocked()
            assert errors == []
            if then_ends:
                native.end(DisconnectReason.UNKNOWN_REASON)
        [error] = errors
        assert type(error) is (rtc.RoomClosedError if then_ends else rtc.PublishDataError)
        await assert_idle()
    fake.check()
