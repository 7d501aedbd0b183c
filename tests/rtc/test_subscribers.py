"""Subscribers of a room: nobody hurts anybody else, and what is lost is said."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from livekit_trio import rtc
from livekit_trio.testing import assert_idle
from livekit_trio.testing._fake_library import FakeLibrary
from livekit_trio.testing._fake_room import FakeParticipant, FakeRoom, FakeTrack

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def fake_room(*participants: FakeParticipant) -> AsyncGenerator[tuple[rtc.Room, FakeRoom, FakeLibrary]]:
    fake = FakeLibrary()
    native = fake.room(participants=participants)
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            yield room, native, fake
        await assert_idle()
    fake.check()


async def pass_the_loop() -> None:
    """Let the pump run once: a poke, then the drain."""
    for _ in range(3):
        await anyio.lowlevel.checkpoint()


async def test_a_subscriber_that_never_reads_raises_or_is_cancelled_hurts_nobody() -> None:
    count = 30
    async with fake_room() as (room, native, _), anyio.create_task_group() as group:
        await pass_the_loop()

        async def raise_in_between() -> None:
            with pytest.raises(ZeroDivisionError), room.open_events(rtc.RoomMetadataChanged) as events:
                async for _ in events:
                    raise ZeroDivisionError

        async def be_cancelled() -> None:
            with anyio.CancelScope() as scope, room.open_events(rtc.RoomMetadataChanged) as events:
                async for _ in events:
                    scope.cancel()

        with (
            room.open_events(rtc.RoomMetadataChanged, capacity=5) as never_read,
            room.open_events(rtc.RoomMetadataChanged) as well_read,
        ):
            group.start_soon(raise_in_between)
            group.start_soon(be_cancelled)
            await anyio.wait_all_tasks_blocked()
            for number in range(count):
                native.emit(room_metadata_changed={"metadata": str(number)})
            await pass_the_loop()
            # Everything is there within one pass of the loop: nothing has to be waited for.
            assert [well_read.receive_nowait().new_metadata for _ in range(count)] == [str(n) for n in range(count)]
            assert [(await never_read.receive()).new_metadata for _ in range(5)] == [str(n) for n in range(5)]
            with pytest.raises(rtc.StreamLaggedError) as caught:
                await never_read.receive()
            assert caught.value.dropped == count - 5
            native.emit(room_metadata_changed={"metadata": "still"})
            assert (await well_read.receive()).new_metadata == "still"


async def test_lossy_packets_lose_their_oldest_and_reliable_ones_lag() -> None:
    async with fake_room(FakeParticipant("bob")) as (room, native, _):
        await pass_the_loop()
        with room.open_events(rtc.DataReceived) as lossy, room.open_events(rtc.DataReceived, capacity=70) as both:
            for number in range(100):
                native.send_data(str(number).encode(), "bob", reliable=False)
            await pass_the_loop()
            for _ in range(10):
                native.send_data(b"r", "bob")
            await pass_the_loop()
            assert [lossy.receive_nowait().data for _ in range(64)] == [str(n).encode() for n in range(36, 100)]
            assert lossy.statistics().dropped == 36
            assert [both.receive_nowait().data for _ in range(70)][-6:] == [b"r"] * 6
            with pytest.raises(rtc.StreamLaggedError):
                both.receive_nowait()


async def test_where_and_types_choose() -> None:
    async with fake_room() as (room, native, _):
        with room.open_events(
            rtc.ParticipantConnected, where=lambda event: event.participant.identity.startswith("b")
        ) as events:
            for identity in ("ann", "bob", "carl", "bea"):
                native.join(FakeParticipant(identity))
            assert [(await events.receive()).participant.identity for _ in range(2)] == ["bob", "bea"]
        with pytest.raises(ValueError, match="capacity"):
            room.open_events(capacity=0)
        with pytest.raises(TypeError):
            room.open_events("participant_connected")  # type: ignore[call-overload]


async def test_what_is_there_is_replayed_before_the_first_live_event() -> None:
    track = FakeTrack("TR_1")
    async with fake_room(FakeParticipant("bob", (track,))) as (room, native, _):
        with room.open_events(
            rtc.ParticipantConnected, rtc.TrackPublished, include_existing=True, capacity=1
        ) as events:
            native.join(FakeParticipant("carl"))
            got = [await events.receive() for _ in range(3)]
        assert [type(event).__name__ for event in got] == [
            "ParticipantConnected",
            "TrackPublished",
            "ParticipantConnected",
        ]
        bob = room.remote_participants["bob"]
        assert [event.participant.identity for event in got] == ["bob", "bob", "carl"]
        assert got[0].participant is bob
        assert got[1] == rtc.TrackPublished(publication=bob.track_publications["TR_1"], participant=bob)


async def test_waiting_for_things() -> None:
    async with fake_room() as (room, native, _), anyio.create_task_group() as group:
        found: dict[str, object] = {}

        async def note(name: str, result: object) -> None:
            found[name] = await result  # type: ignore[misc]

        group.start_soon(note, "bob", room.wait_for_participant("bob"))
        group.start_soon(note, "agent", room.wait_for_participant(kind=rtc.ParticipantKind.PARTICIPANT_KIND_AGENT))
        group.start_soon(note, "event", room.wait_for(rtc.RoomMetadataChanged, lambda event: event.new_metadata == "2"))
        group.start_soon(note, "state", room.wait_until(lambda: room.metadata == "2"))
        await anyio.wait_all_tasks_blocked()
        native.emit(room_metadata_changed={"metadata": "1"})
        native.join(FakeParticipant("bob"))
        await anyio.wait_all_tasks_blocked()
        assert set(found) == {"bob"}
        native.emit(room_metadata_changed={"metadata": "2"})
        native.join(FakeParticipant("ada", info={"kind": 4}))
        await anyio.wait_all_tasks_blocked()
        assert found["bob"] is room.remote_participants["bob"]
        assert found["agent"] is room.remote_participants["ada"]
        assert await room.wait_for_participant("bob") is found["bob"]
        assert set(found) == {"bob", "agent", "event", "state"}


async def test_a_predicate_that_raises_hurts_only_its_own_task() -> None:
    async with fake_room() as (room, native, _):
        with pytest.raises(ZeroDivisionError):
            await room.wait_until(lambda: 1 / 0)
        native.join(FakeParticipant("bob"))
        await room.wait_for_participant("bob")


async def test_calls_on_a_closed_room_say_so() -> None:
    async with fake_room() as (room, native, _):
        native.end(rtc.DisconnectReason.ROOM_DELETED)
        assert await room.wait_closed() == rtc.DisconnectReason.ROOM_DELETED
        for attempt in (
            room.wait_for(rtc.ParticipantConnected),
            room.wait_for_participant(),
            room.wait_until(lambda: False),
            room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_SPEAKER),
            room.local_participant.publish_data(b"x"),
        ):
            with pytest.raises(rtc.RoomClosedError) as caught:
                await attempt
            assert caught.value.reason == rtc.DisconnectReason.ROOM_DELETED
        assert not room.connected
        assert room.connection_state == rtc.ConnectionState.CONN_DISCONNECTED


@pytest.mark.virtual_time
async def test_a_leaving_that_no_reconnect_takes_back_is_believed_after_a_quarter_of_a_second() -> None:
    async with fake_room(FakeParticipant("bob")) as (room, native, _):
        await pass_the_loop()
        with room.open_events(rtc.ParticipantDisconnected) as events:
            native.leave("bob", reason=0)
            await pass_the_loop()
            assert "bob" in room.remote_participants
            begin = anyio.current_time()
            assert (await events.receive()).participant.identity == "bob"
            assert anyio.current_time() - begin == pytest.approx(0.25)
            assert "bob" not in room.remote_participants
