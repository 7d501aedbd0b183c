"""Data tracks without a server: what is asked of the native side, and every end that a stream can have."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trio

from livekit_trio import rtc
from livekit_trio.rtc._data_tracks import ANSWER_WITHIN, MAX_FRAME_SIZE, MOST_ATTEMPTS, PACE
from livekit_trio.testing import assert_idle
from livekit_trio.testing._fake_library import FakeLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit_trio.testing._fake_library import FakeRequest
    from livekit_trio.testing._fake_room import FakeRoom

pytestmark = pytest.mark.anyio

Kind = rtc.DataTrackErrorKind


class NativeStream:
    """The native side of one subscription: hands over a frame for each time that it is asked."""

    def __init__(self, fake: FakeLibrary) -> None:
        self.fake = fake
        self.handle = 0
        self.asked = 0
        fake.on("subscribe_data_track", self._subscribe)
        fake.on("data_track_stream_read", self._read)

    def _subscribe(self, request: FakeRequest) -> None:
        self.handle = self.fake.new_handle()
        request.respond(stream={"handle": {"id": self.handle}})

    def _read(self, _: FakeRequest) -> None:
        self.asked += 1

    def emit(self, **detail: Any) -> None:
        self.fake.emit(data_track_stream_event={"stream_handle": self.handle, **detail})

    def send(self, payload: bytes, timestamp: int | None = None) -> None:
        frame: dict[str, Any] = {"payload": payload}
        if timestamp is not None:
            frame["user_timestamp"] = timestamp
        self.emit(frame_received={"frame": frame})


@asynccontextmanager
async def watching() -> AsyncGenerator[tuple[FakeRoom, NativeStream, rtc.RemoteDataTrack, rtc.Room]]:
    """A room in which bob publishes a data track."""
    fake = FakeLibrary()
    native = fake.room()
    stream = NativeStream(fake)
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            info = {"sid": "DTR_1", "name": "position", "uses_e2ee": False}
            native.emit(data_track_published={"track": {"info": info, "publisher_identity": "bob"}})
            track = (await room.wait_for(rtc.DataTrackPublished, include_existing=True)).track
            yield native, stream, track, room
        await assert_idle()
    fake.check()


async def test_frames_come_one_by_one() -> None:
    async with watching() as (_, native, track, _room):
        async with track.subscribe() as frames:
            assert native.asked == 1
            native.send(b"one", 7)
            await anyio.wait_all_tasks_blocked()
            assert native.asked == 2
            native.send(b"two")
            assert await frames.receive() == rtc.DataTrackFrame(b"one", 7)
            assert await frames.receive() == rtc.DataTrackFrame(b"two", None)
            with pytest.raises(rtc.WouldBlock):
                frames.receive_nowait()
        assert native.handle not in native.fake.live_handles


async def test_the_newest_win() -> None:
    async with watching() as (_, native, track, _room):
        async with track.subscribe(capacity=2) as frames:
            for number in range(5):
                native.send(b"x", number)
            await anyio.wait_all_tasks_blocked()
            statistics = frames.statistics()
            assert (statistics.dropped, statistics.buffered, statistics.capacity) == (3, 2, 2)
            assert [(await frames.receive()).user_timestamp for _ in range(2)] == [3, 4]


async def test_the_newest_of_large_frames_win() -> None:
    """Ten of them are more than the 16 MiB that may wait."""
    async with watching() as (_, native, track, _room):
        async with track.subscribe() as frames:
            for number in range(10):
                native.send(bytes(2 << 20), number)
            await anyio.wait_all_tasks_blocked()
            assert frames.statistics().dropped == 2
            assert [(await frames.receive()).user_timestamp for _ in range(8)] == [2, 3, 4, 5, 6, 7, 8, 9]


async def test_streams_of_one_track_are_apart() -> None:
    async with watching() as (_, native, track, _room):
        async with track.subscribe() as first:
            handle = native.handle
            async with track.subscribe() as second:
                native.send(b"for the second")
                native.handle, handle = handle, native.handle
                native.send(b"for the first")
                assert (await first.receive()).payload == b"for the first"
                assert (await second.receive()).payload == b"for the second"


@pytest.mark.parametrize("how", ["unpublished", "its publisher leaves", "the room ends", "eos", "eos at once"])
async def test_what_waits_is_delivered_before_the_end(how: str) -> None:
    async with watching() as (room, native, track, _room):
        async with track.subscribe() as frames:
            native.send(b"last")
            if how == "eos at once":
                native.fake.on("data_track_stream_read", lambda request: request.respond(eos_event={}))
            await anyio.wait_all_tasks_blocked()
            if how == "unpublished":
                room.emit(data_track_unpublished={"sid": "DTR_1"})
            elif how == "the room ends":
                room.end(rtc.DisconnectReason.ROOM_DELETED)
            elif how == "eos":
                native.emit(eos={})
            elif how == "its publisher leaves":
                room.emit(data_track_unpublished={"sid": "DTR_1"})
            assert [frame.payload async for frame in frames] == [b"last"]
            with pytest.raises(rtc.EndOfStream):
                await frames.receive()
        assert track.is_published == how.startswith("eos")
        if not track.is_published:
            async with track.subscribe() as nothing:
                assert [frame async for frame in nothing] == []


async def test_a_subscription_that_fails_says_why() -> None:
    async with watching() as (_, native, track, _room):
        async with track.subscribe() as frames:
            native.emit(eos={"error": {"code": 3, "message": "no answer"}})
            with pytest.raises(rtc.SubscribeDataTrackError, match="no answer") as caught:
                await frames.receive()
            assert caught.value.kind is Kind.TIMEOUT


async def test_a_track_that_ends_before_its_subscription_is_there() -> None:
    received: list[rtc.DataTrackFrame] = []
    async with watching() as (room, native, track, _room), anyio.create_task_group() as group:

        async def read() -> None:
            async with track.subscribe() as frames:
                received.extend([frame async for frame in frames])

        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        native.emit(eos={"error": {"code": 4, "message": "disconnected"}})
        await anyio.wait_all_tasks_blocked()
        room.emit(data_track_unpublished={"sid": "DTR_1"})
    assert received == []


@pytest.mark.virtual_time
async def test_a_lost_subscription_of_a_track_that_goes_on_is_an_error() -> None:
    async with watching() as (_, native, track, _room):
        async with track.subscribe() as frames:
            native.emit(eos={"error": {"code": 4, "message": "disconnected"}})
            with pytest.raises(rtc.SubscribeDataTrackError) as caught:
                await frames.receive()
            assert caught.value.kind is Kind.DISCONNECTED


async def test_a_stream_is_entered_once_and_closed() -> None:
    async with watching() as (_, native, track, _room):
        frames = track.subscribe()
        with pytest.raises(rtc.StreamClosedError, match="entered"):
            await frames.receive()
        assert native.handle == 0
        with frames:
            native.send(b"x")
            with pytest.raises(rtc.StreamClosedError, match="once"):
                frames.__enter__()
        for error in (rtc.StreamClosedError, trio.ClosedResourceError, anyio.ClosedResourceError):
            with pytest.raises(error):
                await frames.receive()
        await frames.aclose()
        with pytest.raises(ValueError, match="capacity"):
            track.subscribe(capacity=0)


async def test_a_cancelled_receive_loses_nothing() -> None:
    async with watching() as (_, native, track, _room):
        async with track.subscribe() as frames:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await frames.receive()
            async with anyio.create_task_group() as group:
                group.start_soon(frames.receive)
                await anyio.wait_all_tasks_blocked()
                with pytest.raises(rtc.StreamBusyError):
                    await frames.receive()
                native.send(b"kept")
                group.cancel_scope.cancel()
            assert (await frames.receive()).payload == b"kept"


async def test_pipeline_options() -> None:
    async with watching() as (room, native, track, _room):
        track.set_pipeline_options(max_partial_frames=4)
        with pytest.raises(ValueError, match="max_partial_frames"):
            track.set_pipeline_options(max_partial_frames=0)
        [request] = native.fake.requested("remote_data_track_set_pipeline_options")
        assert request.message.options.max_partial_frames == 4
        room.emit(data_track_unpublished={"sid": "DTR_1"})
        await anyio.wait_all_tasks_blocked()
        track.set_pipeline_options(max_partial_frames=2)
        assert len(native.fake.requested("remote_data_track_set_pipeline_options")) == 1


# ---- our own


@asynccontextmanager
async def publishing() -> AsyncGenerator[tuple[FakeLibrary, rtc.LocalDataTrack]]:
    fake = FakeLibrary()
    fake.room()
    info = {"sid": "DTR_1", "name": "position", "uses_e2ee": False}
    fake.on("publish_data_track", lambda request: request.reply(track={"info": info}))
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            yield fake, await room.local_participant.publish_data_track("position")
        await assert_idle()
    fake.check()


QUEUE_FULL = {"code": 3, "message": "queue full"}


async def test_frames_and_bytes_can_be_pushed() -> None:
    async with publishing() as (fake, track):
        track.try_push(b"x")
        track.try_push(memoryview(b"y"))
        track.try_push(rtc.DataTrackFrame(b"z", 5))
        pushed = [request.message.frame for request in fake.requested("local_data_track_try_push")]
        assert [frame.payload for frame in pushed] == [b"x", b"y", b"z"]
        assert [frame.HasField("user_timestamp") for frame in pushed] == [False, False, True]
        with pytest.raises(TypeError):
            track.try_push("text")  # pyright: ignore[reportArgumentType]
        for size in (0, MAX_FRAME_SIZE + 1):
            with pytest.raises(rtc.PushFrameError, match=str(MAX_FRAME_SIZE)):
                track.try_push(bytes(size))
        track.try_push(bytes(MAX_FRAME_SIZE))


async def test_a_full_queue_is_an_error_of_try_push_and_waited_for_by_push() -> None:
    async with publishing() as (fake, track):
        attempts = 0

        def full_at_first(request: FakeRequest) -> None:
            nonlocal attempts
            attempts += 1
            if attempts < 5:
                request.respond(error=QUEUE_FULL)

        fake.on("local_data_track_try_push", full_at_first)
        with pytest.raises(rtc.PushFrameError) as caught:
            track.try_push(b"x")
        assert caught.value.kind is Kind.QUEUE_FULL
        await track.push(b"x")
        assert attempts == 5
        assert track.statistics() == rtc.DataTrackStatistics(pushed=1, refused=4)


@pytest.mark.virtual_time
async def test_push_keeps_frames_apart() -> None:
    async with publishing() as (fake, track):
        start = anyio.current_time()
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(track.push, b"x")
        assert anyio.current_time() - start == pytest.approx(9 * PACE, rel=0.1)
        assert len(fake.requested("local_data_track_try_push")) == 10


async def test_its_handle_goes_when_it_is_unpublished() -> None:
    async with publishing() as (fake, track):
        [request] = fake.requested("publish_data_track")
        assert request.message.options.name == "position"
        before = set(fake.live_handles)
        await track.unpublish()
        assert len(before - fake.live_handles) == 1
        await track.unpublish()
        assert len(fake.requested("local_data_track_unpublish")) == 1
        with pytest.raises(rtc.PushFrameError, match="not published"):
            await track.push(b"x")


async def test_a_block_unpublishes_whatever_happens() -> None:
    fake = FakeLibrary()
    fake.room()
    info = {"sid": "DTR_1", "name": "position", "uses_e2ee": False}
    fake.on("publish_data_track", lambda request: request.reply(track={"info": info}))
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            me = room.local_participant
            tracks: list[rtc.LocalDataTrack] = []
            with pytest.raises(ZeroDivisionError):
                async with me.published_data_track("position") as track:
                    tracks.append(track)
                    raise ZeroDivisionError
            with anyio.CancelScope() as scope:
                async with me.published_data_track("position") as track:
                    tracks.append(track)
                    scope.cancel()
                    await anyio.sleep_forever()
            assert [track.is_published for track in tracks] == [False, False]
            assert not me._local.data_tracks  # a room lasts for days
            async with me.published_data_track("position"):
                await room.disconnect()
        await assert_idle()
    fake.check()


# ---- schemas

SCHEMA = rtc.DataTrackSchema("point", rtc.DataTrackSchemaEncoding.JSON_SCHEMA)


@pytest.mark.virtual_time
async def test_the_server_is_asked_again_about_a_schema_if_the_answer_is_lost() -> None:
    """The native side loses an answer that is there before it is waited for."""
    fake = FakeLibrary()
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            me = room.local_participant
            for name, ask, fields in (
                ("define_schema", lambda: me.define_schema(SCHEMA, "{}"), {}),
                ("get_schema", lambda: me.get_schema(SCHEMA, "bob"), {"definition": "{}"}),
            ):
                lost = fake.hold(name)
                begin = anyio.current_time()
                async with anyio.create_task_group() as group:
                    group.start_soon(ask)
                    await anyio.sleep(ANSWER_WITHIN / 2)
                    assert len(lost.requests) == 1
                    fake.on(name, lambda request, fields=fields: request.reply(**fields))
                assert anyio.current_time() - begin == pytest.approx(ANSWER_WITHIN, rel=0.1)
                first, second = fake.requested(name)
                assert first.message.schema_id == second.message.schema_id

                fake.hold(name)
                with pytest.raises(rtc.OperationError, match="has not answered in 5 s"):
                    await ask()
                assert len(fake.requested(name)) == 2 + MOST_ATTEMPTS
    fake.check()


async def test_a_refusal_about_a_schema_is_final() -> None:
    fake = FakeLibrary()
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            fake.fail("get_schema", "not found")
            with pytest.raises(rtc.OperationError, match="not found"):
                await room.local_participant.get_schema(SCHEMA, "bob")
            assert len(fake.requested("get_schema")) == 1
    fake.check()
