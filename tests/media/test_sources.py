"""Sources: what reaches the native side, who may write when, and what cancelling and closing leave behind."""

from __future__ import annotations

import gc
import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
import trio

from livekit_trio import rtc
from livekit_trio.testing._fake_library import FakeLibrary, FakeRequest, Hold
from tests.cancelling import cancel_at, ways

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

RATE = 16_000


@pytest.fixture
def fake() -> Iterator[FakeLibrary]:
    fake = FakeLibrary()
    with fake.installed():
        yield fake
        gc.collect()
    fake.check()


def frame(first: int = 1, ms: int = 10) -> rtc.AudioFrame:
    samples = RATE * ms // 1000
    return rtc.AudioFrame(first.to_bytes(2, "little") * samples, RATE, 1, samples)


# ---- audio


async def test_a_frame_arrives_as_it_is(fake: FakeLibrary) -> None:
    source = rtc.AudioSource(RATE, 2, 50, echo_cancellation=True)
    made = fake.requested("new_audio_source")[0].message
    assert (made.sample_rate, made.num_channels, made.queue_size_ms) == (RATE, 2, 50)
    assert (made.options.echo_cancellation, made.options.noise_suppression) == (True, False)
    data = bytes(range(16))
    await source.capture_frame(rtc.AudioFrame(data, RATE, 2, 4))
    [sent] = fake.requested("capture_audio_frame")
    assert sent.data == data
    assert (sent.message.buffer.sample_rate, sent.message.buffer.num_channels) == (RATE, 2)
    assert "queued_duration" in repr(source)
    await assert_nothing_pending()


async def test_one_task_writes_at_a_time(fake: FakeLibrary) -> None:
    source = rtc.AudioSource(RATE, 1)
    held = fake.hold("capture_audio_frame")
    async with anyio.create_task_group() as group:
        group.start_soon(source.capture_frame, frame())
        await anyio.wait_all_tasks_blocked()
        for family in (trio.BusyResourceError, anyio.BusyResourceError):
            with pytest.raises(family):
                await source.capture_frame(frame())
        held.release()
    await source.capture_frame(frame())
    assert len(fake.requested("capture_audio_frame")) == 2


async def test_a_cancelled_frame_keeps_its_place_and_the_next_one_waits_for_it(
    fake: FakeLibrary, anyio_backend_name: str
) -> None:
    for way in ways(anyio_backend_name):
        for at in itertools.count(1):
            if not await cancel_capture(fake, at, way):
                assert at > 1
                break
    await assert_nothing_pending()


async def cancel_capture(fake: FakeLibrary, at: int, way: str) -> bool:
    source = rtc.AudioSource(RATE, 1)
    held, before = fake.hold("capture_audio_frame"), len(fake.requested("capture_audio_frame"))
    reached = False

    async def capture_two() -> None:
        async with anyio.create_task_group() as helpers:
            helpers.start_soon(release_first, held)
            await source.capture_frame(frame(1))
            await source.capture_frame(frame(1))

    async with anyio.create_task_group() as group:
        reached = await cancel_at(capture_two, at, way)
        sent = len(fake.requested("capture_audio_frame")) - before
        group.start_soon(source.capture_frame, frame(2))
        await anyio.wait_all_tasks_blocked()
        if held.requests and reached:
            waiting = len(fake.requested("capture_audio_frame")) - before - sent
            assert len(held.requests) == 1  # natively one at a time
            assert waiting == (held.requests[0].data[0] == 2)
        held.release()
    assert fake.requested("capture_audio_frame")[-1].data[0] == 2
    return reached


async def release_first(held: Hold) -> None:
    await anyio.wait_all_tasks_blocked()
    held.release()


async def test_a_cancelled_caller_sends_nothing(fake: FakeLibrary) -> None:
    source = rtc.AudioSource(RATE, 1)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await source.capture_frame(frame())
    assert scope.cancelled_caught
    assert fake.requested("capture_audio_frame") == []


async def test_closing_ends_a_capture_that_waits_also_from_another_thread(fake: FakeLibrary) -> None:
    for close_in_thread in (False, True):
        source = rtc.AudioSource(RATE, 1)
        held = fake.hold("capture_audio_frame")
        async with anyio.create_task_group() as group:
            ended = anyio.Event()

            async def capture(source: rtc.AudioSource = source, ended: anyio.Event = ended) -> None:
                with pytest.raises(rtc.SourceClosedError):
                    await source.capture_frame(frame())
                ended.set()

            group.start_soon(capture)
            await anyio.wait_all_tasks_blocked()
            if close_in_thread:
                thread = threading.Thread(target=source.close)
                thread.start()
                await anyio.to_thread.run_sync(thread.join)
            else:
                source.close()
            with anyio.fail_after(5):
                await ended.wait()
        held.release()
        assert source.closed
        for use in (source.capture_frame(frame()), source.wait_for_playout(), source.aclose()):
            if use.__name__ == "capture_frame":
                with pytest.raises(trio.ClosedResourceError):
                    await use
            else:
                await use
        with pytest.raises(anyio.ClosedResourceError):
            source.clear_queue()


async def test_what_the_native_side_says_against_a_frame_is_raised(fake: FakeLibrary) -> None:
    source = rtc.AudioSource(RATE, 1)
    fake.fail("capture_audio_frame", "failed to capture frame")
    with pytest.raises(rtc.CaptureError, match="failed to capture frame"):
        await source.capture_frame(frame())
    fake.refuse("capture_audio_frame")
    with pytest.raises(rtc.NativeRefusalError):
        await source.capture_frame(frame())
    await assert_nothing_pending()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((0, 1), ValueError),
        ((RATE, 0), ValueError),
        ((-RATE, 1), ValueError),
        ((RATE, 1, 25), ValueError),
        ((RATE, 1, -10), ValueError),
        ((RATE, 1, 10**9), ValueError),
        ((2**33, 1), ValueError),
        ((16e3, 1), TypeError),
        ((RATE, "1"), TypeError),
        ((RATE, True), TypeError),
    ],
)
async def test_wrong_arguments_never_reach_the_native_side(
    fake: FakeLibrary, arguments: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        rtc.AudioSource(*arguments)
    assert fake.requests == []


async def test_wrong_frames_never_reach_the_native_side(fake: FakeLibrary) -> None:
    source, direct = rtc.AudioSource(RATE, 1), rtc.AudioSource(RATE, 1, 0)
    closed = frame()
    closed.close()
    for wrong in (rtc.AudioFrame.create(8_000, 1, 80), rtc.AudioFrame.create(RATE, 2, 160), closed):
        with pytest.raises(ValueError, match=r"source takes|closed"):
            await source.capture_frame(wrong)
    with pytest.raises(ValueError, match="must last 10 ms"):
        await direct.capture_frame(frame(ms=20))
    await direct.capture_frame(frame())
    assert len(fake.requested("capture_audio_frame")) == 1


async def test_how_much_waits_is_known_and_can_be_waited_for_and_cleared(fake: FakeLibrary) -> None:
    source = rtc.AudioSource(RATE, 1)
    assert source.queued_duration == 0
    await source.wait_for_playout()
    start = time.monotonic()
    await source.capture_frame(frame(ms=50))
    await source.capture_frame(frame(ms=50))
    assert 0 < source.queued_duration <= 0.1
    await source.wait_for_playout()
    assert time.monotonic() - start >= 0.1
    await source.capture_frame(frame(ms=60_000))
    async with anyio.create_task_group() as group:
        group.start_soon(source.wait_for_playout)
        await anyio.wait_all_tasks_blocked()
        source.clear_queue()
    assert source.queued_duration == 0
    assert len(fake.requested("clear_audio_buffer")) == 1


async def test_a_source_serves_one_loop_after_the_other(fake: FakeLibrary) -> None:
    source = rtc.AudioSource(RATE, 1)
    await source.capture_frame(frame(1))
    fake.hold("capture_audio_frame")

    async def cancelled() -> None:
        with trio.move_on_after(0.01):
            await source.capture_frame(frame(2))

    # Not AnyIO's thread, which keeps what it ran for a moment after it has said that it is done.
    other = threading.Thread(target=trio.run, args=(cancelled,))
    other.start()
    other.join()  # its loop has ended, and the reply came never
    fake.on("capture_audio_frame", FakeRequest.reply)
    with anyio.fail_after(5):
        await source.capture_frame(frame(3))
    assert [request.data[0] for request in fake.requested("capture_audio_frame")] == [1, 2, 3]


async def test_the_last_reference_lets_go(fake: FakeLibrary) -> None:
    source = rtc.AudioSource(RATE, 1)
    track = rtc.LocalAudioTrack.create_audio_track("tone", source)
    assert len(fake.live_handles) == 2
    assert rtc.runtime_statistics().live_handles >= 2
    async with source:
        with source:
            pass
    assert len(fake.live_handles) == 1
    with pytest.raises(rtc.SourceClosedError):
        rtc.LocalAudioTrack.create_audio_track("tone", source)
    del source, track
    gc.collect()
    assert fake.live_handles == set()


# ---- video


async def test_a_picture_arrives_as_it_is(fake: FakeLibrary) -> None:
    source = rtc.VideoSource(64, 48, is_screencast=True)
    made = fake.requested("new_video_source")[0].message
    assert (made.resolution.width, made.resolution.height, made.is_screencast) == (64, 48, True)
    metadata = rtc.FrameMetadata(user_timestamp=5, frame_id=6, user_data=b"7")
    picture = rtc.VideoFrame(5, 3, rtc.VideoBufferType.I420, bytes(27), timestamp_us=9, metadata=metadata)
    source.capture_frame(picture)
    source.capture_frame(picture, timestamp_us=1, rotation=rtc.VideoRotation.VIDEO_ROTATION_180)
    first, second = [request.message for request in fake.requested("capture_video_frame")]
    assert (first.timestamp_us, first.rotation) == (9, 0)
    assert (first.metadata.user_timestamp, first.metadata.frame_id, first.metadata.user_data) == (5, 6, b"7")
    assert [(plane.stride, plane.size) for plane in first.buffer.components] == [(5, 15), (3, 6), (3, 6)]
    assert (second.timestamp_us, second.rotation) == (1, 2)
    with pytest.raises(ValueError, match="64 bits"):
        source.capture_frame(picture, timestamp_us=2**63)
    picture.close()
    with pytest.raises(ValueError, match="closed"):
        source.capture_frame(picture)
    source.close()
    with pytest.raises(rtc.SourceClosedError):
        source.capture_frame(rtc.VideoFrame.create(2, 2, rtc.VideoBufferType.I420))


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (-1, 1), (1, 10**6), (1.0, 1), ("1", 1)])
@pytest.mark.parametrize("kind", [rtc.VideoSource, rtc.EncodedVideoSource])
async def test_sizes_are_checked(fake: FakeLibrary, kind: Any, size: tuple[Any, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        kind(*size)
    assert fake.requests == []


async def test_a_track_can_be_closed_from_another_thread_while_it_is_read(fake: FakeLibrary) -> None:
    """As it belongs to no event loop, another one may have it."""
    with rtc.VideoSource(16, 16) as source:
        track = rtc.LocalVideoTrack.create_video_track("bars", source)
        with track.open_stream() as frames, anyio.fail_after(20):
            async with anyio.create_task_group() as group:

                async def read() -> None:
                    with pytest.raises(rtc.EndOfStream):
                        await frames.receive()

                group.start_soon(read)
                await anyio.wait_all_tasks_blocked()
                await anyio.to_thread.run_sync(track.close)
        assert track.ended
    assert not fake.live_handles


async def test_tracks_take_sources_of_their_kind(fake: FakeLibrary) -> None:
    audio, video = rtc.AudioSource(RATE, 1), rtc.VideoSource(4, 4)
    for make, wrong in (
        (rtc.LocalAudioTrack.create_audio_track, video),
        (rtc.LocalVideoTrack.create_video_track, audio),
        (rtc.LocalVideoTrack.create_video_track, None),
    ):
        maker: Any = make
        with pytest.raises(TypeError):
            maker("name", wrong)
    name: Any = 5
    with pytest.raises(TypeError):
        rtc.LocalAudioTrack.create_audio_track(name, audio)
    track = rtc.LocalVideoTrack.create_video_track("cam", rtc.EncodedVideoSource(4, 4))
    assert (track.kind, track.name, track.sid) == (rtc.TrackKind.KIND_VIDEO, "cam", "TR_unknown")
    track.close()
    with pytest.raises(rtc.SourceClosedError):
        track.mute()
    assert fake.bad_drops == []


@pytest.mark.virtual_time
async def test_what_receivers_want_of_an_encoder(fake: FakeLibrary) -> None:
    wishes: list[dict[str, Any]] = [
        {"keyframe_requested": False},
        {"keyframe_requested": True, "rate_control": {"target_bitrate_bps": 500_000, "framerate_fps": 25}},
    ]

    def take(request: FakeRequest) -> None:
        request.respond(**(wishes.pop(0) if wishes else {"keyframe_requested": False}))

    fake.on("take_encoded_video_source_feedback", take)
    source = rtc.EncodedVideoSource(64, 48)
    with source.open_feedback() as feedback:
        with anyio.move_on_after(0):
            await feedback.receive()
        assert await feedback.receive() == rtc.KeyFrameRequested()
        assert await feedback.receive() == rtc.TargetRateChanged(target_bitrate=500_000, framerate=25)
        async with anyio.create_task_group() as group:
            group.start_soon(expect_end, feedback)
            await anyio.sleep(1)
            with pytest.raises(rtc.StreamBusyError):
                await feedback.receive()
            source.close()
    with pytest.raises(rtc.StreamClosedError):
        await feedback.receive()
    await feedback.aclose()


async def expect_end(feedback: rtc.EncoderFeedbackStream) -> None:
    assert [wish async for wish in feedback] == []


async def test_compressed_frames_are_passed_on(fake: FakeLibrary) -> None:
    source = rtc.EncodedVideoSource(64, 48)
    fake.on("capture_encoded_video_frame", lambda request: request.respond(accepted=request.message.frame_type == 0))
    key = rtc.EncodedVideoFrame(
        data=b"abc", width=64, height=48, codec=rtc.VideoCodec.H264, frame_type=rtc.EncodedFrameType.ENCODED_FRAME_KEY
    )
    assert source.capture_frame(key)
    [sent] = fake.requested("capture_encoded_video_frame")
    assert (sent.message.buffer.data_len, sent.message.codec) == (3, rtc.VideoCodec.H264)
    wrong: list[dict[str, Any]] = [
        {"data": b""},
        {"data": "abc"},
        {"width": 0},
        {"height": 10**6},
        {"codec": 99},
        {"timestamp_us": 2**63},
    ]
    for change in wrong:
        fields: dict[str, Any] = {
            name: getattr(key, name) for name in ("data", "width", "height", "codec", "frame_type")
        }
        with pytest.raises((ValueError, TypeError)):
            rtc.EncodedVideoFrame(**(fields | change))


async def assert_nothing_pending() -> None:
    statistics = rtc.runtime_statistics()
    assert (statistics.pending_calls, statistics.loops) == (0, 0)
    await anyio.lowlevel.checkpoint()
