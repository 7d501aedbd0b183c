"""Audio and video to and from livekit-client: what is heard, what is seen, and through which codec."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.testing import read_counter, tone_frequency
from tests.media.rooms import playing, showing

if TYPE_CHECKING:
    from tests.peers.driver import Peer

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.usefixtures("nothing_left")]

HZ_UP: Final = 700.0
HZ_DOWN: Final = 1_000.0
FRAMES_PER_SECOND: Final = 15


@pytest.fixture
def codecs(anyio_backend_name: str) -> tuple[str, ...]:
    """All of them on Trio; elsewhere that media flows there too."""
    return ("VP8", "H264", "VP9", "AV1") if anyio_backend_name == "trio" else ("VP8",)


@pytest.mark.parametrize("simulcast", [False, True], ids=["plain", "simulcast"])
async def test_from_the_browser(meeting: tuple[rtc.Room, Peer], codecs: tuple[str, ...], simulcast: bool) -> None:
    room, browser = meeting
    with anyio.fail_after(90), room.open_events(rtc.TrackSubscribed) as subscribed:
        await browser.ask("publish_audio", hz=HZ_UP)
        sound = (await subscribed.receive()).track
        assert isinstance(sound, rtc.RemoteAudioTrack)
        with sound.open_stream(sample_rate=48_000) as frames:
            heard = [await frames.receive() for _ in range(150)]
        assert tone_frequency(heard[50:]) == pytest.approx(HZ_UP, rel=0.01)

        for codec in codecs:
            sid = await browser.ask(
                "publish_video", codec=codec.lower(), simulcast=simulcast, fps=FRAMES_PER_SECOND, name=codec
            )
            event = await subscribed.receive()
            assert isinstance(event.track, rtc.RemoteVideoTrack)
            with event.track.open_stream() as pictures:
                counters = await _numbers(pictures, 15)
            assert all(earlier < later for earlier, later in pairwise(counters)), codec
            assert event.publication.mime_type.lower() == f"video/{codec.lower()}"
            if codec in ("VP8", "H264"):  # the others' layers are in one stream, and livekit-client then says simulcast
                assert event.publication.simulcasted is simulcast
            await browser.ask("unpublish", sid=sid)


async def _numbers(pictures: rtc.VideoStream, wanted: int) -> list[int]:
    """Of the next pictures that have one."""
    numbers: list[int] = []
    while len(numbers) < wanted:
        number = read_counter(await pictures.receive())
        if number is not None:
            numbers.append(number)
    return numbers


@pytest.mark.parametrize("simulcast", [False, True], ids=["plain", "simulcast"])
async def test_to_the_browser(meeting: tuple[rtc.Room, Peer], codecs: tuple[str, ...], simulcast: bool) -> None:
    room, browser = meeting
    microphone = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    with anyio.fail_after(90):
        async with playing(room, frequency=HZ_DOWN, options=microphone):
            await browser.wait_for("track_subscribed", identity="ours", kind="audio")
            heard = await browser.ask("hear", identity="ours", seconds=1.5)
            assert heard["hz"] == pytest.approx(HZ_DOWN, rel=0.01)
            assert heard["level"] > 0.1
        for codec in codecs:
            options = rtc.TrackPublishOptions(
                source=rtc.TrackSource.SOURCE_CAMERA, video_codec=rtc.VideoCodec[codec], simulcast=simulcast
            )
            async with showing(room, fps=FRAMES_PER_SECOND, options=options):
                await browser.wait_for("track_subscribed", identity="ours", kind="video")
                seen = await browser.ask("see", identity="ours", seconds=2.5)
            await browser.wait_for("track_unsubscribed", identity="ours", kind="video")
            counters = [number for number in seen["counters"] if number is not None]
            assert len(counters) > 10, codec
            assert all(earlier <= later for earlier, later in pairwise(counters)), codec
            assert seen["mime_type"].lower() == f"video/{codec.lower()}"
