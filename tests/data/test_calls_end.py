"""Every call of packets, RPC and data tracks: cancelled at each suspension, pending when the room ends, made when it has, twice."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.testing import assert_idle
from livekit_trio.testing._fake_library import FakeLibrary
from tests.cancelling import ways
from tests.rtc.test_cancel import Delays, cancel_once

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit_trio.testing._fake_room import FakeRoom

pytestmark = pytest.mark.anyio

Call: TypeAlias = "Callable[[rtc.LocalParticipant], Awaitable[object]]"

SEGMENT: Final = rtc.TranscriptionSegment(id="SG_1", text="hello")
MESSAGE: Final = rtc.ChatMessage(id="1", timestamp=5, message="hello")
SCHEMA: Final = rtc.DataTrackSchema("point")

CALLS: Final[dict[str, Call]] = {
    "publish_data": lambda me: me.publish_data(b"x"),
    "publish_sip_dtmf": lambda me: me.publish_dtmf(digit="1"),
    "publish_transcription": lambda me: me.publish_transcription(
        rtc.Transcription(participant_identity="me", track_sid="TR_1", segments=(SEGMENT,))
    ),
    "send_chat_message": lambda me: me.send_chat_message("hello"),
    "edit_chat_message": lambda me: me.edit_chat_message(MESSAGE, "bye"),
    "perform_rpc": lambda me: me.perform_rpc(destination_identity="bob", method="m"),
    "publish_data_track": lambda me: me.publish_data_track("position"),
    "define_schema": lambda me: me.define_schema(SCHEMA, "{}"),
    "get_schema": lambda me: me.get_schema(SCHEMA, "bob"),
}
"""By the request that they send."""

REPLIES: Final[dict[str, dict[str, Any]]] = {
    "send_chat_message": {"chat_message": {"id": "1", "timestamp": 5, "message": "hello"}},
    "edit_chat_message": {"chat_message": {"id": "1", "timestamp": 5, "message": "bye"}},
    "perform_rpc": {"payload": "answer"},
    "publish_data_track": {"track": {"info": {"name": "position", "sid": "DTR_1", "uses_e2ee": False}}},
    "get_schema": {"definition": "{}"},
}
AGENT: Final = 4  # ParticipantKind


def prepare(fake: FakeLibrary) -> FakeRoom:
    for name, fields in REPLIES.items():
        fake.on(name, lambda request, fields=fields: request.reply(**fields))
    native = fake.room()
    native.local_info["kind"] = AGENT
    return native


@pytest.mark.parametrize("late", [False, True], ids=["answered meanwhile", "answered later"])
@pytest.mark.parametrize("name", CALLS)
async def test_cancelled_at_every_suspension(anyio_backend_name: str, name: str, *, late: bool) -> None:
    for way in ways(anyio_backend_name):
        fake = FakeLibrary()
        prepare(fake)
        with fake.installed():
            async with rtc.open_room("ws://fake", "token") as room:
                delays = Delays(fake, name)

                async def call(me: rtc.LocalParticipant = room.local_participant) -> None:
                    await CALLS[name](me)

                for at in itertools.count(1):
                    reached = await cancel_once(delays, way, at, late=late, program=call)
                    await anyio.wait_all_tasks_blocked()
                    if not reached:
                        assert at > 1
                        break
            await assert_idle()
        fake.check()


@pytest.mark.parametrize("name", CALLS)
async def test_pending_when_the_room_ends(name: str) -> None:
    fake = FakeLibrary()
    native = prepare(fake)
    errors: list[rtc.RoomClosedError] = []

    async def call(me: rtc.LocalParticipant) -> None:
        with pytest.raises(rtc.RoomClosedError) as caught:
            await CALLS[name](me)
        errors.append(caught.value)

    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room, anyio.create_task_group() as group:
            held = fake.hold(name)
            for _ in range(2):  # at once
                group.start_soon(call, room.local_participant)
            await anyio.wait_all_tasks_blocked()
            assert len(held.requests) == 2
            assert errors == []
            native.end(rtc.DisconnectReason.ROOM_DELETED)
            await room.wait_closed()
            await anyio.wait_all_tasks_blocked()
            assert [error.reason for error in errors] == [rtc.DisconnectReason.ROOM_DELETED] * 2
            assert errors[0] is not errors[1]
            held.release()
            await call(room.local_participant)
        await assert_idle()
    fake.check()


async def test_a_data_track_of_a_cancelled_publish_is_withdrawn() -> None:
    fake = FakeLibrary()
    prepare(fake)
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            held = fake.hold("publish_data_track")
            with anyio.move_on_after(0) as scope:
                await room.local_participant.publish_data_track("position")
            async with anyio.create_task_group() as group:
                group.start_soon(room.local_participant.publish_data_track, "position")
                await anyio.wait_all_tasks_blocked()
                group.cancel_scope.cancel()
            assert scope.cancelled_caught
            before = set(fake.live_handles)
            held.release()
            await anyio.wait_all_tasks_blocked()
            assert fake.live_handles <= before  # dropping its handle unpublishes it
            assert room.local_participant.data_tracks == {}
    fake.check()
