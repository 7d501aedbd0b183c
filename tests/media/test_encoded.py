"""Pictures that are compressed already, through a real server: what arrives, and what the receivers want of the encoder."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import anyio
import av
import pytest
from av.video.frame import PictureType

from livekit_trio import rtc
from livekit_trio.testing import colour_bars, read_counter
from tests.media.rooms import joined, remote_video

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit_trio.testing import DevServer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

WIDTH, HEIGHT = 320, 180
FPS: Final = 20
PICTURES: Final = 10
PATIENCE: Final = 60.0

ENCODERS: Final = {
    "H264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}),
    "VP8": ("libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
}


class Encoder:
    """Numbered bars, compressed by PyAV, for a track."""

    def __init__(self, codec: str) -> None:
        name, options = ENCODERS[codec]
        context: Any = av.CodecContext.create(name, "w")
        context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        context.time_base, context.bit_rate = Fraction(1, FPS), 300_000
        context.gop_size = 1_000_000  # no key frame that nobody has asked for
        context.options = options
        self._context = context
        self.codec = rtc.VideoCodec[codec]
        self.source = rtc.EncodedVideoSource(WIDTH, HEIGHT)
        self.key_wanted = False
        self.wishes: list[rtc.EncoderFeedback] = []

    async def run(self) -> None:
        for counter in itertools.count():
            self.source.capture_frame(self._encode(counter))
            await anyio.sleep(1 / FPS)

    async def listen(self) -> None:
        with self.source.open_feedback() as feedback:
            async for wish in feedback:
                self.wishes.append(wish)
                self.key_wanted |= isinstance(wish, rtc.KeyFrameRequested)

    def _encode(self, counter: int) -> rtc.EncodedVideoFrame:
        picture = colour_bars(counter, WIDTH, HEIGHT).to_av()
        picture.pts, picture.time_base = counter, Fraction(1, FPS)
        picture.pict_type = PictureType.I if self.key_wanted else PictureType.NONE
        self.key_wanted = False
        [packet] = self._context.encode(picture)
        types = rtc.EncodedFrameType
        frame_type = types.ENCODED_FRAME_KEY if packet.is_keyframe else types.ENCODED_FRAME_DELTA
        return rtc.EncodedVideoFrame(
            data=bytes(packet), width=WIDTH, height=HEIGHT, codec=self.codec, frame_type=frame_type
        )


@asynccontextmanager
async def sending(room: rtc.Room, encoder: Encoder) -> AsyncGenerator[rtc.LocalTrackPublication]:
    options = rtc.TrackPublishOptions(
        video_codec=encoder.codec,
        video_encoder=rtc.VideoEncoderBackend.ENCODER_BACKEND_PRE_ENCODED,
        simulcast=False,
    )
    track = rtc.LocalVideoTrack.create_video_track("compressed", encoder.source)
    async with room.local_participant.published_track(track, options) as publication:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(encoder.run)
            tasks.start_soon(encoder.listen)
            yield publication
            tasks.cancel_scope.cancel()
    encoder.source.close()


async def see(room: rtc.Room) -> list[int]:
    """The numbers of the first pictures that somebody gets."""
    numbers: list[int] = []
    with (await remote_video(room)).open_stream() as frames:
        while len(numbers) < PICTURES:
            number = read_counter(await frames.receive())
            if number is not None:
                numbers.append(number)
    return numbers


@pytest.mark.parametrize("codec", ["H264", pytest.param("VP8", marks=pytest.mark.long)])
@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
async def test_what_is_compressed_arrives_as_it_is(server: DevServer, room_name: str, codec: str) -> None:
    encoder = Encoder(codec)
    with anyio.fail_after(PATIENCE):
        async with joined(server, room_name, "ann", "bob") as (ann, bob), sending(ann, encoder) as publication:
            first = await see(bob)
            assert first == sorted(set(first))
            assert await publication.wait_for_codec() == f"video/{codec}"
            rates = [wish for wish in encoder.wishes if isinstance(wish, rtc.TargetRateChanged)]
            assert rates
            assert all(rate.target_bitrate > 0 and rate.framerate > 0 for rate in rates)
            encoder.wishes.clear()
            async with rtc.open_room(server.url, server.token("carl", room_name)) as carl:
                later = await see(carl)  # which begins with the key frame that was asked for
                assert rtc.KeyFrameRequested() in encoder.wishes
                assert first[-1] < later[0]
                assert later == sorted(set(later))
