"""Media between the official SDK and ours, both ways: the sound's frequency, the pictures' numbers, the codec that was received."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.rtc import stats
from livekit_trio.testing import colour_bars, read_counter, tone_frequency
from tests.media.rooms import joined, playing, remote_audio, remote_video, showing

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from tests.peers.driver import OfficialPeer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

CODECS: Final = ("VP8", "H264", "VP9", "AV1")
CASES: Final = [("trio", codec, simulcast) for codec in CODECS for simulcast in (False, True)] + [
    ("asyncio", "VP8", True)
]
"""A codec does not know of the event loop: on asyncio one stands for all."""

PICTURES: Final = 12
SETTLING: Final = 50
"""Frames of sound before one believes it: the decoder begins with silence."""


async def hear(track: rtc.RemoteAudioTrack, frequency: float) -> None:
    """Wait for a second of sound that has this frequency, in Hz: a machine that is busy makes gaps."""
    frames: list[rtc.AudioFrame] = []
    heard: list[float] = []
    with track.open_stream() as stream:
        async for frame in stream:
            frames.append(frame)
            if len(frames) == SETTLING + 100:
                heard.append(tone_frequency(frames[SETTLING:]))
                if heard[-1] == pytest.approx(frequency, rel=0.01):
                    return
                frames.clear()
            assert len(heard) < 10, heard
    raise AssertionError("the track has ended")


async def see(track: rtc.RemoteVideoTrack, count: int = PICTURES) -> tuple[list[int], rtc.VideoFrame]:
    """The numbers in some pictures, and the last of these."""
    numbers: list[int] = []
    with track.open_stream(format=rtc.VideoBufferType.I420) as stream:
        async for frame in stream:
            number = read_counter(frame)
            if number is not None:
                numbers.append(number)
            if len(numbers) == count:
                return numbers, frame
    raise AssertionError("the track has ended")


def assert_rising(numbers: list[int]) -> None:
    # A late or repeated picture is no fault of an SDK; a number that jumps back is none of a decoder.
    assert len(numbers) == PICTURES
    assert all(before <= after for before, after in pairwise(numbers)), numbers
    assert numbers[-1] - numbers[0] >= PICTURES // 2


async def codec_of(track: rtc.RemoteVideoTrack) -> str:
    """As the receiver's own statistics name it."""
    return next(entry.mime_type for entry in await track.get_stats() if isinstance(entry, stats.CodecStats))


async def test_sound_both_ways(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    await peer.ask("join", url=server.url, token=server.token("official", room_name))
    async with joined(server, room_name, "ours") as (room,), playing(room, frequency=600):
        await peer.ask("publish_tone", hz=440)
        with anyio.fail_after(60):
            await hear(await remote_audio(room), 440)
            await peer.wait_for("track_subscribed", identity="ours")
            assert (await peer.ask("hear", identity="ours"))["hz"] == pytest.approx(600, rel=0.01)


@pytest.mark.parametrize(("anyio_backend", "codec", "simulcast"), CASES, indirect=["anyio_backend"])
async def test_pictures_both_ways(
    server: DevServer, room_name: str, peer: OfficialPeer, codec: str, simulcast: bool
) -> None:
    await peer.ask("join", url=server.url, token=server.token("official", room_name))
    wanted = rtc.VideoCodec[codec]
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, video_codec=wanted, simulcast=simulcast)
    with anyio.fail_after(60):
        async with joined(server, room_name, "ours") as (room,):
            sid = await peer.ask("publish_bars", codec=int(wanted), simulcast=simulcast)
            track = await remote_video(room)
            assert_rising((await see(track))[0])
            assert await codec_of(track) == f"video/{codec}"
            await peer.ask("unpublish", sid=sid)
            async with showing(room, options=options):
                await peer.wait_for("track_subscribed", identity="ours")
                numbers: list[int] = []
                seen: dict[str, Any] = {}
                while len(numbers) < PICTURES:  # a decoder starts with a key frame, which may be a while
                    seen = await peer.ask("see", identity="ours", seconds=1)
                    numbers = [number for number in seen["counters"] if number is not None]
                assert_rising(numbers[:PICTURES])
                assert seen["mime_type"] == f"video/{codec}"


async def test_what_the_wire_makes_of_rotation_time_and_metadata(server: DevServer, room_name: str) -> None:
    features = (rtc.FrameMetadataFeature.FMF_USER_TIMESTAMP, rtc.FrameMetadataFeature.FMF_FRAME_ID)
    options = rtc.TrackPublishOptions(frame_metadata_features=features, simulcast=False)
    with anyio.fail_after(60):
        async with (
            joined(server, room_name, "ann", "bob") as (ann, bob),
            anyio.create_task_group() as group,
        ):
            source = rtc.VideoSource(640, 360)
            track = rtc.LocalVideoTrack.create_video_track("turned", source)

            async def show_turned() -> None:
                for number in range(100_000):
                    source.capture_frame(
                        colour_bars(number),
                        rotation=rtc.VideoRotation.VIDEO_ROTATION_90,
                        metadata=rtc.FrameMetadata(user_timestamp=1000 + number, frame_id=number),
                    )
                    await anyio.sleep(1 / 30)

            group.start_soon(show_turned)
            async with bob.local_participant.published_track(track, options) as publication:
                assert set(publication.frame_metadata_features) == set(features)
                with (await remote_video(ann)).open_stream() as stream:
                    frame = await stream.receive()
                    while frame.metadata is None:
                        frame = await stream.receive()
                assert (frame.width, frame.height) == (360, 640)
                assert frame.rotation == rtc.VideoRotation.VIDEO_ROTATION_0
                assert frame.metadata is not None
                assert frame.metadata.frame_id is not None
                assert frame.metadata.user_timestamp == 1000 + frame.metadata.frame_id
                assert frame.timestamp_us > 0
            group.cancel_scope.cancel()
