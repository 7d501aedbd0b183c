"""Rooms in which somebody plays a tone and shows colour bars."""

from __future__ import annotations

import itertools
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import numpy as np

from livekit_trio import rtc
from livekit_trio.testing import colour_bars, tone_frames
from tests.peers.telling import tell_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from livekit_trio.testing import DevServer

TONE = 0.5
"""The peak of our tone; its loudness suffers where a busy machine leaves gaps in it."""


@asynccontextmanager
async def joined(
    server: DevServer, room_name: str, *identities: str, options: rtc.RoomOptions | None = None
) -> AsyncGenerator[list[rtc.Room]]:
    """Participants of one room, who have seen each other."""
    async with AsyncExitStack() as stack:
        rooms = [
            await stack.enter_async_context(
                rtc.open_room(server.url, server.token(identity, room_name), options=options)
            )
            for identity in identities
        ]
        for identity in identities[1:]:
            await tell_of(server, room_name, identity)
        for room, other in itertools.permutations(rooms, 2):
            await room.wait_for_participant(other.local_participant.identity)
        yield rooms


@asynccontextmanager
async def playing(
    room: rtc.Room, *, frequency: float = 440, options: rtc.TrackPublishOptions | None = None
) -> AsyncGenerator[rtc.LocalAudioTrack]:
    """A published tone."""
    source = rtc.AudioSource(48_000, 1)
    track = rtc.LocalAudioTrack.create_audio_track("tone", source)

    async def play() -> None:
        for frame in tone_frames(frequency):
            await source.capture_frame(frame)

    async with room.local_participant.published_track(track, options or rtc.TrackPublishOptions()):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play)
            yield track
            tasks.cancel_scope.cancel()
    source.close()


@asynccontextmanager
async def showing(
    room: rtc.Room,
    *,
    fps: int = 30,
    size: tuple[int, int] = (640, 360),
    options: rtc.TrackPublishOptions | None = None,
    paint: Callable[[int, int, int], rtc.VideoFrame] = colour_bars,
) -> AsyncGenerator[rtc.LocalVideoTrack]:
    """Published colour bars, numbered; or what *paint* makes of a number and the size."""
    source = rtc.VideoSource(*size)
    track = rtc.LocalVideoTrack.create_video_track("bars", source)

    async def show() -> None:
        for counter in itertools.count():
            source.capture_frame(paint(counter, *size))
            await anyio.sleep(1 / fps)

    async with room.local_participant.published_track(track, options or rtc.TrackPublishOptions()):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(show)
            yield track
            tasks.cancel_scope.cancel()
    source.close()


async def subscribed(room: rtc.Room, kind: rtc.TrackKind) -> rtc.RemoteAudioTrack | rtc.RemoteVideoTrack:
    """The first track of that kind that somebody else sends."""
    event = await room.wait_for(
        rtc.TrackSubscribed, where=lambda event: event.track.kind == kind, include_existing=True
    )
    return event.track


async def remote_audio(room: rtc.Room) -> rtc.RemoteAudioTrack:
    track = await subscribed(room, rtc.TrackKind.KIND_AUDIO)
    assert isinstance(track, rtc.RemoteAudioTrack)
    return track


async def remote_video(room: rtc.Room) -> rtc.RemoteVideoTrack:
    track = await subscribed(room, rtc.TrackKind.KIND_VIDEO)
    assert isinstance(track, rtc.RemoteVideoTrack)
    return track


def peak(frames: list[rtc.AudioFrame]) -> float:
    """The usual one: where a tone begins, the codec overshoots."""
    return float(np.median([np.abs(frame.to_ndarray().astype(float)).max() for frame in frames])) / 32768


async def listen(stream: rtc.AudioStream) -> list[rtc.AudioFrame]:
    """A fifth of a second of the tone without a gap, of which a busy machine makes many."""
    with stream as frames, anyio.fail_after(30):
        while True:
            heard = [await frames.receive() for _ in range(20)]
            if min(peak([frame]) for frame in heard) > 0.7 * peak(heard) > 0.01:
                return heard
