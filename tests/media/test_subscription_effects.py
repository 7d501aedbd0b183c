"""What becomes of the frames when a receiver asks for less, or a publisher takes its permission back; on a real server."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import anyio
import numpy as np
import pytest

from livekit_trio import rtc
from livekit_trio.testing import colour_bars, loudness, read_counter
from tests.media.rooms import joined, playing, remote_audio, remote_video, showing
from tests.peers.media import wait_for_media, wait_for_more_media, wait_for_silence

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

on_trio = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)

PATIENCE: Final = 60.0
"""Seconds. From a small layer to a larger one it took up to 16 (measured, on a machine under load)."""

LAYERS: Final = rtc.TrackPublishOptions(
    source=rtc.TrackSource.SOURCE_CAMERA,
    degradation_preference=rtc.DegradationPreference.MAINTAIN_RESOLUTION,  # a slow machine makes fewer pictures, not smaller ones
)
"""Of 1280 × 720 pixels the native library sends 320 × 180 and 640 × 360 too."""

SMALL: Final = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=False)


FPS: Final = 10
NOISE: Final = 8


def noisy_bars(counter: int, width: int, height: int) -> rtc.VideoFrame:
    """Colour bars that take several packets each: of layers with fewer than 10 packets a second the server believes that they are gone."""
    frame = colour_bars(counter, width, height)
    luma: Any = frame.planes[0].to_ndarray()
    above = luma[: height * 3 // 4]
    above += np.roll(grain(*above.shape), counter * 37)
    return frame


@functools.cache
def grain(height: int, width: int) -> Any:
    return np.random.default_rng(1).integers(0, NOISE, (height, width), np.uint8)


def publication_of(room: rtc.Room, track: rtc.RemoteTrack) -> rtc.RemoteTrackPublication:
    """What *track* belongs to."""
    everybodys = (
        publication for who in room.remote_participants.values() for publication in who.track_publications.values()
    )
    return next(publication for publication in everybodys if publication.track is track)


async def see(frames: rtc.VideoStream, width: int = 0) -> tuple[int, int]:
    """The size of the next frame whose number can be read, and that is as wide as is wanted."""
    with anyio.fail_after(PATIENCE):
        async for frame in frames:
            if width in (0, frame.width) and read_counter(frame) is not None:
                return frame.width, frame.height
    raise AssertionError("the track has ended")


@pytest.mark.long
@on_trio
async def test_quality_and_dimensions(server: DevServer, room_name: str) -> None:
    async with joined(server, room_name, "ann", "bob") as (ann, bob):
        async with showing(ann, fps=FPS, size=(1280, 720), options=LAYERS, paint=noisy_bars):
            track = await remote_video(bob)
            publication = publication_of(bob, track)
            with track.open_stream() as frames:
                assert await see(frames, 1280) == (1280, 720)
                for quality, width in (("LOW", 320), ("HIGH", 1280), ("MEDIUM", 640), ("LOW", 320), ("HIGH", 1280)):
                    publication.set_video_quality(rtc.VideoQuality[f"VIDEO_QUALITY_{quality}"])
                    assert await see(frames, width) == (width, width * 9 // 16)
                for asked, width in ((100, 320), (1280, 1280), (640, 640), (320, 320)):
                    publication.set_video_dimensions(asked, asked * 9 // 16)
                    assert await see(frames, width) == (width, width * 9 // 16)


@pytest.mark.long
@on_trio
async def test_an_adaptive_stream_is_small_until_it_is_said_how_large_it_is_shown(
    server: DevServer, room_name: str
) -> None:
    adaptive = rtc.RoomOptions(adaptive_stream=True)
    async with (
        joined(server, room_name, "ann") as (ann,),
        showing(ann, fps=FPS, size=(1280, 720), options=LAYERS, paint=noisy_bars),
    ):
        async with rtc.open_room(server.url, server.token("bob", room_name), options=adaptive) as bob:
            track = await remote_video(bob)
            with track.open_stream(capacity=30) as frames:
                assert {await see(frames) for _ in range(30)} == {(320, 180)}
                publication_of(bob, track).set_video_dimensions(1280, 720)
                assert await see(frames, 1280) == (1280, 720)


@on_trio
async def test_a_disabled_publication_is_not_sent(server: DevServer, room_name: str) -> None:
    async with joined(server, room_name, "ann", "bob") as (ann, bob), showing(ann, size=(320, 180), options=SMALL):
        track = await remote_video(bob)
        publication = publication_of(bob, track)
        with track.open_stream() as frames:
            await see(frames)
            publication.set_enabled(False)
            await wait_for_silence(bob, track)
            discard(frames)
            assert (publication.subscribed, track.ended) == (True, False)
            publication.set_enabled(True)
            await see(frames)


@on_trio
async def test_a_disabled_track_arrives_and_is_not_delivered(server: DevServer, room_name: str) -> None:
    async with (
        joined(server, room_name, "ann", "bob") as (ann, bob),
        showing(ann, size=(320, 180), options=SMALL),
        playing(ann),
    ):
        pictures, sound = await remote_video(bob), await remote_audio(bob)
        with pictures.open_stream() as seen, sound.open_stream() as heard:
            await see(seen)
            await hear(heard)
            for track, stream in ((pictures, seen), (sound, heard)):
                track.set_enabled(False)
                discard(stream)
                await wait_for_more_media(bob, track)
                with pytest.raises(rtc.WouldBlock):
                    stream.receive_nowait()
                track.set_enabled(True)
            await see(seen)
            await hear(heard)


@on_trio
async def test_a_permission_that_is_taken_back_ends_what_is_sent(server: DevServer, room_name: str) -> None:
    async with joined(server, room_name, "ann", "bob") as (ann, bob), showing(ann, size=(320, 180), options=SMALL):
        track = await remote_video(bob)
        me = ann.local_participant
        with track.open_stream(capacity=30) as frames, bob.open_events(rtc.TrackSubscribed) as events:
            await see(frames)
            me.set_track_subscription_permissions(allow_all_participants=False)
            await wait_for_media(bob, track, lambda now: not now.bytes_received)  # there is no receiver any more
            discard(frames)
            assert not track.ended  # nobody has told us
            me.set_track_subscription_permissions(allow_all_participants=True)
            again = (await events.receive()).track
            assert isinstance(again, rtc.RemoteVideoTrack)
            assert track.ended
            late = [frame async for frame in frames if read_counter(frame) is not None]
            assert len(late) <= 1  # that which was being decoded
        with again.open_stream() as frames:
            await see(frames)


def discard(stream: rtc.AudioStream | rtc.VideoStream) -> None:
    """Forget what has come."""
    while stream.statistics().buffered:
        stream.receive_nowait()


async def hear(frames: rtc.AudioStream) -> None:
    """Return once it sounds."""
    with anyio.fail_after(PATIENCE):
        while loudness([await frames.receive()]) < 0.1:
            pass
