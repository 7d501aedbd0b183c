"""A room of the fake library with somebody in it who sends sound and pictures."""

from __future__ import annotations

import gc
from array import array
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio
import attrs

from livekit_trio import rtc
from livekit_trio.testing import assert_idle
from livekit_trio.testing._fake_library import FakeLibrary
from livekit_trio.testing._fake_room import FakeParticipant, FakeRoom, FakeTrack

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit_trio.testing._fake_media import FakeStream

AUDIO: Final = "audio"
VIDEO: Final = "video"
TRACKS: Final = {AUDIO: FakeTrack("TR_audio", "mic", 1, 2), VIDEO: FakeTrack("TR_video", "cam", 2, 1)}
SIZE: Final = 16
"""Of the pictures, in pixels."""


@attrs.define
class Stage:
    """What a test plays with.

    Attributes:
        fake: the library; the room in it; what the program sees of that; who sends.
    """

    fake: FakeLibrary
    native: FakeRoom
    room: rtc.Room
    bob: rtc.RemoteParticipant
    sent: int = 0

    async def subscribe(self, kind: str) -> rtc.RemoteTrack:
        """Let bob's track arrive; returns it."""
        self.native.subscribe("bob", TRACKS[kind].sid)
        await anyio.wait_all_tasks_blocked()
        return self.track(kind)

    def track(self, kind: str) -> rtc.RemoteTrack:
        track = self.bob.track_publications[TRACKS[kind].sid].track
        assert track is not None
        return track

    def stream(self) -> FakeStream:
        """The native stream that was opened last."""
        return self.fake.media.streams[-1]

    def send(self, count: int = 1) -> None:
        """Let frames arrive, numbered from 1 on."""
        for _ in range(count):
            self.sent += 1
            send(self.stream(), self.sent)


def send(stream: FakeStream, number: int) -> None:
    if "Audio" in stream.request.DESCRIPTOR.name:
        stream.send_audio(array("h", [number] * 160).tobytes())
    else:
        stream.send_video(bytes([number % 256]) * (SIZE * SIZE * 3 // 2), SIZE, SIZE)


def open_stream(track: rtc.RemoteTrack, **options: Any) -> rtc.AudioStream | rtc.VideoStream:
    """A stream of either kind; sound at 16 kHz."""
    if isinstance(track, rtc.RemoteAudioTrack):
        return track.open_stream(sample_rate=16_000, **options)
    return track.open_stream(**options)


def open_participant_stream(bob: rtc.RemoteParticipant, kind: str, **options: Any) -> rtc.AudioStream | rtc.VideoStream:
    if kind == AUDIO:
        return bob.open_audio_stream(sample_rate=16_000, **options)
    return bob.open_video_stream(**options)


def number_of(frame: rtc.AudioFrame | rtc.VideoFrame) -> int:
    """Which frame it is."""
    return frame.data[0]


@asynccontextmanager
async def staged() -> AsyncGenerator[Stage]:
    """Join; afterwards nothing is left, and every native handle was dropped once."""
    fake = FakeLibrary()
    native = fake.room(participants=[FakeParticipant("bob", tuple(TRACKS.values()))])
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            await anyio.wait_all_tasks_blocked()
            yield Stage(fake, native, room, room.remote_participants["bob"])
        await assert_idle()
    gc.collect()  # frames that tasks, or errors, had in their hands
    fake.check()
