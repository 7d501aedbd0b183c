"""Media streams on the fake library: order, bounds, ends, misuse, and what becomes of the memory."""

from __future__ import annotations

import gc
import itertools
import threading
from typing import Any

import anyio
import anyio.abc
import pytest
import trio

from livekit_trio import rtc
from tests.cancelling import cancel_at, ways
from tests.media.fakes import AUDIO, VIDEO, Stage, number_of, open_participant_stream, open_stream, send, staged

pytestmark = pytest.mark.anyio

KINDS = (AUDIO, VIDEO)

MADE_WRONGLY: list[tuple[str, dict[str, Any]]] = [
    (AUDIO, {"sample_rate": 0}),
    (AUDIO, {"sample_rate": -16_000}),
    (AUDIO, {"sample_rate": 16_000.0}),
    (AUDIO, {"sample_rate": 2**32}),
    (AUDIO, {"num_channels": 0}),
    (AUDIO, {"num_channels": 3}),
    (AUDIO, {"num_channels": True}),
    (AUDIO, {"frame_size_ms": 0}),
    (AUDIO, {"frame_size_ms": 10_000}),
    (AUDIO, {"capacity": 0}),
    (AUDIO, {"capacity": 5000}),
    (AUDIO, {"overflow": "explode"}),
    (VIDEO, {"capacity": 0}),
    (VIDEO, {"capacity": "1"}),
    (VIDEO, {"format": 99}),
    (VIDEO, {"overflow": None}),
]


async def read(stream: rtc.AudioStream | rtc.VideoStream) -> list[int]:
    return [number_of(frame) async for frame in stream]


# ---- what comes


@pytest.mark.parametrize("kind", KINDS)
async def test_frames_come_in_order_and_end_with_the_track(stage: Stage, kind: str) -> None:
    with open_stream(await stage.subscribe(kind), capacity=5) as stream:
        stage.send(3)
        assert [number_of(await stream.receive()) for _ in range(3)] == [1, 2, 3]
        stage.send(2)
        stage.native.unsubscribe("bob", f"TR_{kind}")
        assert await read(stream) == [4, 5]
        with pytest.raises(rtc.EndOfStream):
            await stream.receive()
        assert stream.statistics() == rtc.StreamStatistics(5, 0, 0, 5)


async def test_an_audio_frame_is_what_arrived_in_the_format_that_was_asked_for(stage: Stage) -> None:
    track = await stage.subscribe(AUDIO)
    assert isinstance(track, rtc.RemoteAudioTrack)
    with track.open_stream(sample_rate=8_000, num_channels=2, frame_size_ms=20) as stream:
        request = stage.stream().request
        assert (request.sample_rate, request.num_channels, request.frame_size_ms) == (8_000, 2, 20)
        stage.stream().send_audio(bytes(range(8)))
        frame = await stream.receive()
        assert (frame.sample_rate, frame.num_channels, frame.samples_per_channel) == (8_000, 2, 2)
        assert bytes(frame.data) == bytes(range(8))
        assert frame.received_at is not None
        assert frame.data.readonly
        assert stream.statistics().capacity == 10


async def test_a_video_frame_is_what_arrived(stage: Stage) -> None:
    track = await stage.subscribe(VIDEO)
    assert isinstance(track, rtc.RemoteVideoTrack)
    with track.open_stream(format=rtc.VideoBufferType.I420) as stream:
        assert stage.stream().request.format == rtc.VideoBufferType.I420
        pixels = bytes(range(3 * 5)) + b"uuuuuuvvvvvv"
        metadata = {"user_timestamp": 7, "frame_id": 8, "user_data": b"9"}
        stage.stream().send_video(pixels, 5, 3, timestamp_us=11, rotation=1, metadata=metadata)
        frame = await stream.receive()
        assert (frame.width, frame.height, frame.type) == (5, 3, rtc.VideoBufferType.I420)
        assert bytes(frame.data) == pixels
        assert (frame.timestamp_us, frame.rotation) == (11, rtc.VideoRotation.VIDEO_ROTATION_90)
        assert frame.metadata == rtc.FrameMetadata(user_timestamp=7, frame_id=8, user_data=b"9")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("capacity", [1, 4])
async def test_a_slow_reader_gets_the_newest_and_every_loss_is_counted(stage: Stage, kind: str, capacity: int) -> None:
    with open_stream(await stage.subscribe(kind), capacity=capacity) as stream:
        stage.send(100)
        await anyio.wait_all_tasks_blocked()
        first = await stream.receive()
        assert (number_of(first), first.dropped_before) == (101 - capacity, 100 - capacity)
        stage.native.unsubscribe("bob", f"TR_{kind}")
        rest = await read(stream)
        assert rest == list(range(102 - capacity, 101))
        statistics = stream.statistics()
        assert (statistics.delivered, statistics.dropped) == (capacity, 100 - capacity)
        assert statistics.delivered + statistics.dropped == stage.sent


@pytest.mark.parametrize("kind", KINDS)
async def test_a_frame_that_a_cancelled_reader_left_makes_room_for_a_newer_one(stage: Stage, kind: str) -> None:
    with open_stream(await stage.subscribe(kind), capacity=1) as stream:
        stage.send(1)
        await anyio.wait_all_tasks_blocked()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await stream.receive()
        stage.send(3)
        frame = await stream.receive()
        assert (number_of(frame), frame.dropped_before) == (4, 3)
        assert stream.statistics() == rtc.StreamStatistics(1, 3, 0, 1)
    track = stage.track(kind)
    with open_stream(track, capacity=1, overflow="fail") as recorder:
        stage.send(1)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await recorder.receive()
        stage.send(1)
        assert [number_of(await recorder.receive()) for _ in range(2)] == [5, 6]


@pytest.mark.parametrize("kind", KINDS)
async def test_frames_that_wait_in_two_places_keep_to_the_capacity(stage: Stage, kind: str) -> None:
    """What is left of a track that has ended goes before the frames of the next one."""
    capacity = 3
    for left, new in itertools.product(range(capacity + 2), repeat=2):
        stage.sent = 0
        with open_participant_stream(stage.bob, kind, capacity=capacity) as stream:
            await stage.subscribe(kind)
            stage.send(left)
            stage.native.unsubscribe("bob", f"TR_{kind}")
            await stage.subscribe(kind)
            stage.send(new)
            kept = min(left + new, capacity)
            frames = [stream.receive_nowait() for _ in range(kept)]
            assert [number_of(frame) for frame in frames] == list(range(left + new - kept + 1, left + new + 1))
            assert sum(frame.dropped_before for frame in frames) == left + new - kept
            assert stream.statistics() == rtc.StreamStatistics(kept, left + new - kept, 0, capacity)
            stage.native.unsubscribe("bob", f"TR_{kind}")
            await anyio.wait_all_tasks_blocked()


async def test_the_end_of_a_native_stream_is_no_frame_that_could_be_dropped(stage: Stage) -> None:
    with open_participant_stream(stage.bob, VIDEO, capacity=1) as stream:
        await stage.subscribe(VIDEO)
        stage.stream().send_end()
        await anyio.wait_all_tasks_blocked()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await stream.receive()  # leaves it where it was
        await stage.subscribe(VIDEO)
        stage.send(1)
        frame = await stream.receive()
        assert (number_of(frame), frame.dropped_before) == (1, 0)
        assert stream.statistics() == rtc.StreamStatistics(1, 0, 0, 1)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_recorder_is_told_that_it_was_too_slow(stage: Stage, kind: str) -> None:
    with open_stream(await stage.subscribe(kind), capacity=3, overflow="fail") as stream:
        stage.send(3)
        assert [number_of(await stream.receive()) for _ in range(3)] == [1, 2, 3]
        stage.send(4)
        for _ in range(2):
            with pytest.raises(rtc.StreamLaggedError) as caught:
                await stream.receive()
            assert caught.value.dropped == 4
        assert not stage.stream().open
        assert stream.statistics() == rtc.StreamStatistics(3, 4, 0, 3)


async def test_without_waiting(stage: Stage) -> None:
    with open_stream(await stage.subscribe(AUDIO)) as stream:
        with pytest.raises(trio.WouldBlock):
            stream.receive_nowait()
        stage.send(2)
        assert [number_of(stream.receive_nowait()) for _ in range(2)] == [1, 2]
        with pytest.raises(anyio.WouldBlock):
            stream.receive_nowait()
        stage.native.unsubscribe("bob", "TR_audio")
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(rtc.EndOfStream):
            stream.receive_nowait()


# ---- participants


@pytest.mark.parametrize("kind", KINDS)
async def test_a_participant_stream_goes_on_from_track_to_track(stage: Stage, kind: str) -> None:
    with open_participant_stream(stage.bob, kind, capacity=4) as stream:
        for _ in range(3):
            await stage.subscribe(kind)
            stage.send(2)
            stage.native.unsubscribe("bob", f"TR_{kind}")
        await anyio.wait_all_tasks_blocked()
        assert [number_of(stream.receive_nowait()) for _ in range(4)] == [3, 4, 5, 6]
        assert stream.statistics() == rtc.StreamStatistics(4, 2, 0, 4)
        await stage.subscribe(kind)
        stage.send(1)
        stage.native.leave("bob")
        assert await read(stream) == [7]
        assert len(stage.fake.media.streams) == 4


async def test_a_participant_stream_takes_one_track_of_its_source_at_a_time(stage: Stage) -> None:
    await stage.subscribe(AUDIO)
    await stage.subscribe(VIDEO)
    with stage.bob.open_audio_stream(sample_rate=16_000) as stream:
        first = stage.stream()
        await stage.subscribe(VIDEO)
        assert stage.fake.media.streams == [first]
        stage.send(1)
        assert number_of(await stream.receive()) == 1
    with stage.bob.open_audio_stream(source=rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO) as nothing:
        assert stage.stream() is first
        with pytest.raises(anyio.WouldBlock):
            nothing.receive_nowait()
    with pytest.raises(ValueError, match="no source of sound"):
        stage.bob.open_audio_stream(source=rtc.TrackSource.SOURCE_CAMERA)
    with pytest.raises(ValueError, match="no source of pictures"):
        stage.bob.open_video_stream(source=rtc.TrackSource.SOURCE_MICROPHONE)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_streams_of_a_disabled_track_wait(stage: Stage, kind: str) -> None:
    track = await stage.subscribe(kind)
    with open_stream(track, capacity=4) as stream, open_participant_stream(stage.bob, kind, capacity=4) as other:
        both = (stream, other)
        handle = stage.stream().request.track_handle

        def send_to_all() -> None:
            stage.sent += 1
            for native in stage.fake.media.of_track(handle):
                send(native, stage.sent)

        async with anyio.create_task_group() as group:
            got: list[int] = []

            async def read_one() -> None:
                got.append(number_of(await stream.receive()))

            group.start_soon(read_one)
            await anyio.wait_all_tasks_blocked()
            send_to_all()
            track.set_enabled(False)  # what has come can still be read
            await anyio.wait_all_tasks_blocked()
            assert got == [1]
            assert number_of(other.receive_nowait()) == 1
            assert stage.fake.media.of_track(handle) == []
            group.start_soon(read_one)
            with open_stream(track) as late:
                await anyio.wait_all_tasks_blocked()
                with pytest.raises(anyio.WouldBlock):
                    late.receive_nowait()
                track.set_enabled(True)
                track.set_enabled(True)
                assert len(stage.fake.media.of_track(handle)) == 3
                send_to_all()
                assert number_of(await late.receive()) == 2
            await anyio.wait_all_tasks_blocked()
            assert got == [1, 2]
        track.set_enabled(False)
        stage.native.unsubscribe("bob", f"TR_{kind}")
        await stage.subscribe(kind)  # another one, which is enabled
        stage.send(1)
        assert [number_of(await other.receive()) for _ in range(2)] == [2, 3]
        assert await read(stream) == []
        assert [one.statistics().dropped for one in both] == [0, 0]
    with pytest.raises(rtc.OperationError, match="ended"):
        track.set_enabled(True)
    sent = [request.message.enabled for request in stage.fake.requested("enable_remote_track")]
    assert sent == [False, True, True, False]


# ---- misuse


@pytest.mark.parametrize(("kind", "options"), MADE_WRONGLY)
async def test_wrong_options_are_refused_before_anything_is_opened(
    stage: Stage, kind: str, options: dict[str, Any]
) -> None:
    track: Any = await stage.subscribe(kind)
    with pytest.raises((ValueError, TypeError)):
        track.open_stream(**options)
    assert stage.fake.media.streams == []


async def test_a_stream_is_used_within_its_block_once_and_by_one_task(stage: Stage) -> None:
    stream = open_stream(await stage.subscribe(AUDIO))
    with pytest.raises(rtc.StreamClosedError, match="entered"):
        await stream.receive()
    async with anyio.create_task_group() as group:
        with stream:
            group.start_soon(expect_closed, stream)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(rtc.StreamBusyError):
                await stream.receive()
            with pytest.raises(rtc.StreamBusyError):
                stream.receive_nowait()
    assert not stage.stream().open
    for use in (stream.receive, stream.__aenter__):
        if use == stream.receive:
            with pytest.raises(rtc.StreamClosedError):
                await use()
    with pytest.raises(rtc.StreamClosedError), stream:
        pass
    await stream.aclose()
    assert "closed" in repr(stream)


async def expect_closed(stream: rtc.AudioStream | rtc.VideoStream) -> None:
    with pytest.raises(rtc.StreamClosedError):
        await stream.receive()


async def test_a_stream_belongs_to_its_loop(stage: Stage) -> None:
    track = await stage.subscribe(AUDIO)
    with open_stream(track) as stream:

        def elsewhere() -> None:
            async def use() -> None:
                with pytest.raises(rtc.WrongLoopError):
                    await stream.receive()
                with pytest.raises(rtc.WrongLoopError), open_stream(track):
                    pass

            trio.run(use)

        await anyio.to_thread.run_sync(elsewhere)


async def test_a_track_that_has_ended_gives_a_stream_that_ends_at_once(stage: Stage) -> None:
    track = await stage.subscribe(AUDIO)
    stage.native.unsubscribe("bob", "TR_audio")
    await anyio.wait_all_tasks_blocked()
    with open_stream(track) as stream:
        assert await read(stream) == []
    stage.native.leave("bob")
    await anyio.wait_all_tasks_blocked()
    with open_participant_stream(stage.bob, AUDIO) as stream:
        assert await read(stream) == []


@pytest.mark.virtual_time
async def test_a_refusal_waits_for_its_reason_and_is_raised_if_there_is_none(stage: Stage) -> None:
    track = await stage.subscribe(AUDIO)
    stage.fake.refuse("new_audio_stream")
    with open_stream(track) as stream, pytest.raises(rtc.NativeRefusalError):
        await stream.receive()
    with open_stream(track) as stream:
        stage.native.unsubscribe("bob", "TR_audio")  # which the native side knew already
        assert await read(stream) == []


# ---- both families of streams


async def test_it_is_a_stream_of_trio_and_of_anyio(stage: Stage) -> None:
    stream = open_stream(await stage.subscribe(AUDIO))
    assert isinstance(stream, (trio.abc.ReceiveChannel, anyio.abc.ObjectReceiveStream))
    async with stream as entered:
        stage.send(1)
        assert number_of(await entered.receive()) == 1
        stage.native.unsubscribe("bob", "TR_audio")
        with pytest.raises(trio.EndOfChannel):
            await entered.receive()
        with pytest.raises(anyio.EndOfStream):
            await entered.receive()


# ---- cancelling


@pytest.mark.parametrize("kind", KINDS)
async def test_a_cancelled_read_loses_nothing(anyio_backend_name: str, kind: str) -> None:
    for way in ways(anyio_backend_name):
        for at in itertools.count(1):
            async with staged() as stage:
                track = await stage.subscribe(kind)
                got: list[int] = []
                with open_stream(track, capacity=8) as stream:

                    async def read_three(got: list[int] = got, stream: Any = stream, stage: Stage = stage) -> None:
                        stage.send(2)
                        for _ in range(2):
                            got.append(number_of(await stream.receive()))  # noqa: PERF401 - a cancelled one keeps what came
                        async with anyio.create_task_group() as group:
                            group.start_soon(send_one, stage)
                            got.append(number_of(await stream.receive()))

                    reached = await cancel_at(read_three, at, way)
                    stage.native.unsubscribe("bob", f"TR_{kind}")
                    assert got + await read(stream) == list(range(1, stage.sent + 1))
            if not reached:
                assert got == [1, 2, 3]
                assert at > 2
                break


async def send_one(stage: Stage) -> None:
    await anyio.lowlevel.checkpoint()
    stage.send(1)


# ---- memory


@pytest.mark.parametrize("kind", KINDS)
async def test_frames_outlive_their_stream_and_room_and_free_their_memory_in_any_thread(
    stage: Stage, kind: str
) -> None:
    with open_stream(await stage.subscribe(kind)) as stream:
        stage.send(1)
        frame = await stream.receive()
        stage.send(1)
        unread = set(stage.fake.live_handles)
    assert stage.fake.live_handles < unread  # the unread frame went with the stream
    view = frame.data[:4]
    del frame, stream
    gc.collect()
    assert len(view) == 4
    assert view[0] == 1
    before = len(stage.fake.live_handles)
    holder = [view]
    del view
    thread = threading.Thread(target=holder.clear)
    thread.start()
    thread.join()
    assert len(stage.fake.live_handles) == before - 1


async def test_a_panic_is_raised_by_every_stream() -> None:
    async with staged() as stage:
        with open_stream(await stage.subscribe(AUDIO)) as stream, open_participant_stream(stage.bob, VIDEO) as idle:
            stage.fake.panic("index out of bounds")
            with pytest.raises(rtc.NativePanicError):
                await stream.receive()
            with pytest.raises(rtc.NativePanicError):
                await idle.receive()
            with pytest.raises(rtc.NativePanicError) as again:
                await idle.receive()
            assert len(again.traceback) == 2  # of this call alone
