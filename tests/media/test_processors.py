"""What of the program's own works on frames between a track and its reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import numpy as np
import pytest
from typing_extensions import override

from livekit_trio import rtc
from livekit_trio.testing import read_counter
from tests.media.rooms import TONE, joined, listen, peak, playing, remote_audio, remote_video, showing

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

on_trio = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)


class Halving(rtc.FrameProcessor[rtc.AudioFrame]):
    @override
    def process(self, frame: rtc.AudioFrame) -> rtc.AudioFrame:
        return rtc.AudioFrame.from_ndarray((frame.to_ndarray() // 2).astype(np.int16), frame.sample_rate)


class UpsideDown(rtc.FrameProcessor[rtc.VideoFrame]):
    @override
    def process(self, frame: rtc.VideoFrame) -> rtc.VideoFrame:
        return frame.convert(frame.type, flip_y=True)


class Failing(rtc.FrameProcessor[rtc.AudioFrame]):
    @override
    def process(self, frame: rtc.AudioFrame) -> rtc.AudioFrame:
        raise OSError("out of order")


@pytest.mark.anyio
@pytest.mark.usefixtures("nothing_left")
async def test_code_of_the_program_s_own_works_on_frames(server: DevServer, room_name: str) -> None:
    half, turned = Halving(), UpsideDown()
    async with joined(server, room_name, "alice", "bob") as [alice, bob], playing(alice), showing(alice):
        track, picture = await remote_audio(bob), await remote_video(bob)
        assert peak(await listen(track.open_stream(noise_cancellation=half))) == pytest.approx(TONE / 2, rel=0.15)
        half.enabled = False
        assert peak(await listen(track.open_stream(noise_cancellation=half))) == pytest.approx(TONE, rel=0.15)
        with picture.open_stream(processor=turned, format=rtc.VideoBufferType.NV12) as frames:
            frame = await frames.receive()
            assert frame.type is rtc.VideoBufferType.NV12
            assert frame.received_at is not None
            assert read_counter(frame) is None
            assert read_counter(frame.convert(rtc.VideoBufferType.I420, flip_y=True)) is not None
        with track.open_stream(noise_cancellation=Failing()) as frames:
            for _ in range(2):
                with pytest.raises(OSError, match="out of order"):
                    await frames.receive()


# ---- audio and video together


@on_trio
@pytest.mark.anyio
@pytest.mark.usefixtures("nothing_left")
async def test_what_is_pushed_together_arrives_together(server: DevServer, room_name: str) -> None:
    from livekit_trio.testing import colour_bars, tone_frames

    sound, picture = rtc.AudioSource(48_000, 1), rtc.VideoSource(640, 360)
    async with joined(server, room_name, "alice", "bob") as [alice, bob]:
        await alice.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("sound", sound))
        await alice.local_participant.publish_track(rtc.LocalVideoTrack.create_video_track("picture", picture))
        seen: list[int] = []

        async def look() -> None:
            with (await remote_video(bob)).open_stream(capacity=10) as frames:
                async for frame in frames:
                    counter = read_counter(frame)
                    if counter is not None:
                        seen.append(counter)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            start = anyio.current_time()
            async with rtc.AVSynchronizer(audio_source=sound, video_source=picture, video_fps=25) as both:
                tones = tone_frames(440, frame_ms=40)
                for counter in range(50):
                    await both.push(colour_bars(counter), counter / 25)
                    await both.push(next(tones), (counter + 1) / 25)
                    if counter == 40:
                        # What waits is at most what the queues hold, so both are about as far.
                        assert both.last_video_time == pytest.approx(both.last_audio_time, abs=0.8)
                        assert 0 < both.actual_fps < 30
                await both.wait_for_playout()
                assert both.last_video_time == pytest.approx(49 / 25)
                assert both.last_audio_time == pytest.approx(2, abs=0.2)
                both.clear_queue()
            assert 1.5 < anyio.current_time() - start < 10
            with pytest.raises(rtc.StreamClosedError, match="closed"):
                await both.push(colour_bars(0))
            tasks.cancel_scope.cancel()
        assert len(seen) > 10
        sound.close()
        picture.close()


@pytest.mark.anyio
async def test_a_synchronizer_tells_of_a_closed_source() -> None:
    from livekit_trio.testing import colour_bars

    sound, picture = rtc.AudioSource(48_000, 1), rtc.VideoSource(640, 360)
    async with rtc.AVSynchronizer(audio_source=sound, video_source=picture, video_fps=25) as both:
        picture.close()
        await both.push(colour_bars(0))
        with pytest.raises(rtc.SourceClosedError):
            await both.wait_for_playout()
        sound.close()
        with pytest.raises(rtc.SourceClosedError):
            await both.push(rtc.AudioFrame.create(48_000, 1, 480))
    for wrong in ({"video_fps": 0}, {"video_fps": 25, "video_queue_size_ms": -1}):
        with pytest.raises(ValueError, match="must be above 0"):
            rtc.AVSynchronizer(audio_source=sound, video_source=picture, **wrong)
