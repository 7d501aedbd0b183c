# pyright: basic
"""What the official participant of `official.py` hears and sees, and media of its own that can be told again.

Our test media are imported by the first use, since most tests need none of this.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, Any, cast

from livekit import rtc

if TYPE_CHECKING:
    from collections.abc import Coroutine

RATE = 48_000


class Media:
    """A part of `official.OfficialPeer`."""

    room: rtc.Room
    tracks: dict[str, Any]

    @property
    def me(self) -> rtc.LocalParticipant:
        raise NotImplementedError

    def start(self, job: Coroutine[Any, Any, Any]) -> None:
        raise NotImplementedError

    async def do_publish_tone(self, hz: float = 440, name: str = "tone") -> str:
        """Publish a tone for as long as the room lasts. Returns the track's SID."""
        source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
        track = rtc.LocalAudioTrack.create_audio_track(name, source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        publication = await self.me.publish_track(track, options)
        self.tracks[publication.sid] = track
        self.start(self._sound(source, hz))
        return publication.sid

    async def _sound(self, source: rtc.AudioSource, hz: float) -> None:
        from livekit_trio.testing import tone_frames

        for frame in tone_frames(hz):
            await source.capture_frame(rtc.AudioFrame(bytes(frame.data), RATE, 1, frame.samples_per_channel))

    async def do_publish_bars(
        self, codec: int = 0, width: int = 640, height: int = 360, fps: int = 15, *, simulcast: bool = True
    ) -> str:
        """Publish numbered colour bars for as long as the room lasts. Returns the track's SID."""
        source = rtc.VideoSource(width, height)
        track = rtc.LocalVideoTrack.create_video_track("bars", source)
        options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_CAMERA, simulcast=simulcast, video_codec=cast("Any", codec)
        )
        publication = await self.me.publish_track(track, options)
        self.tracks[publication.sid] = track
        self.start(self._bars(source, width, height, fps))
        return publication.sid

    async def _bars(self, source: rtc.VideoSource, width: int, height: int, fps: int) -> None:
        from livekit_trio.testing import colour_bars

        for counter in itertools.count():
            pixels = bytes(colour_bars(counter, width, height).data)
            source.capture_frame(rtc.VideoFrame(width, height, rtc.VideoBufferType.I420, pixels))
            await asyncio.sleep(1 / fps)

    def _track_of(self, identity: str, kind: int) -> Any:
        publications = self.room.remote_participants[identity].track_publications.values()
        return next(found.track for found in publications if found.track is not None and found.track.kind == kind)

    async def do_hear(self, identity: str, seconds: float = 1.0) -> dict[str, Any]:
        """Listen to somebody: what is the strongest frequency, how loud is it, and how many frames came."""
        from livekit_trio.rtc import AudioFrame
        from livekit_trio.testing import loudness, tone_frequency

        stream = rtc.AudioStream(self._track_of(identity, rtc.TrackKind.KIND_AUDIO))
        frames: list[AudioFrame] = []
        until = time.monotonic() + seconds
        async for event in stream:
            frame = event.frame
            frames.append(AudioFrame(bytes(frame.data), frame.sample_rate, 1, frame.samples_per_channel))
            if time.monotonic() > until:
                break
        await stream.aclose()
        late = frames[len(frames) // 3 :]
        return {"hz": tone_frequency(late), "level": loudness(late), "frames": len(frames)}

    async def do_see(self, identity: str, seconds: float = 1.5) -> dict[str, Any]:
        """Look at somebody: the numbers in the pictures, None where there is none to read, and their last size and codec."""
        from livekit_trio.rtc import VideoBufferType, VideoFrame
        from livekit_trio.testing import read_counter

        track = self._track_of(identity, rtc.TrackKind.KIND_VIDEO)
        stream = rtc.VideoStream(track, format=rtc.VideoBufferType.I420)
        counters: list[int | None] = []
        size = [0, 0]

        async def look() -> None:
            async for event in stream:
                frame = event.frame
                size[:] = frame.width, frame.height
                picture = VideoFrame(frame.width, frame.height, VideoBufferType.I420, bytes(frame.data))
                counters.append(read_counter(picture))

        looking = asyncio.create_task(look())
        await asyncio.sleep(seconds)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await stream.aclose()
        stats = await track.get_stats()
        codecs = [each.codec.codec.mime_type for each in stats if each.WhichOneof("stats") == "codec"]
        decoded = [
            each.inbound_rtp.inbound.frames_decoded for each in stats if each.WhichOneof("stats") == "inbound_rtp"
        ]
        return {"counters": counters, "size": size, "mime_type": (codecs or [None])[0], "decoded": sum(decoded)}

    # ---- end-to-end encryption

    async def do_set_shared_key(self, key: str, index: int) -> None:
        keys = self.room.e2ee_manager.key_provider
        assert keys is not None
        keys.set_shared_key(key.encode(), index)

    async def do_use_key(self, index: int) -> None:
        """Encrypt what we send with the key at that place."""
        for cryptor in self.room.e2ee_manager.frame_cryptors():
            if cryptor.participant_identity == self.me.identity:
                cryptor.set_key_index(index)
