"""livekit_trio with media; the first argument is the event loop. See the package's text for what it is told."""

from __future__ import annotations

import sys
import time
from functools import partial

import anyio
import anyio.to_thread

from livekit_trio import rtc
from livekit_trio._ffi._runtime import hold_runtime

from . import joining, read_line, say, snapshot

RATE = 48_000


class Counter:
    count = 0


async def answer(counter: Counter) -> None:
    say("ready")
    while await anyio.to_thread.run_sync(read_line):
        snapshot(counter.count)


async def listen(file: str) -> None:
    """Read every frame of every track, and look at its length."""
    counter = Counter()

    async def read(track: rtc.RemoteTrack) -> None:
        with track.open_stream() as frames:
            async for frame in frames:
                counter.count += len(frame.data) > 0

    async def follow(room: rtc.Room) -> None:
        with room.open_events(rtc.TrackSubscribed, include_existing=True) as events:
            async for event in events:
                group.start_soon(read, event.track)

    url, [token] = joining(file)
    async with rtc.open_room(url, token) as room, anyio.create_task_group() as group:
        group.start_soon(follow, room)
        await answer(counter)
        group.cancel_scope.cancel()


async def capture(sources: str) -> None:
    """Capture silence into some sources, 100 frames a second into each."""
    counter = Counter()
    frame = rtc.AudioFrame.create(RATE, 1, RATE // 100)

    async def play(source: rtc.AudioSource) -> None:
        while True:
            await source.capture_frame(frame)
            counter.count += 1

    # The pump is there all the time, as it is in a program that has joined a room.
    with hold_runtime():
        async with anyio.create_task_group() as group:
            for _ in range(int(sources)):
                group.start_soon(play, rtc.AudioSource(RATE, 1, 100))
            await answer(counter)
            group.cancel_scope.cancel()


async def publish(file: str, times: str) -> None:
    url, [token] = joining(file)
    async with rtc.open_room(url, token) as room:
        for _ in range(int(times)):
            track = rtc.LocalAudioTrack.create_audio_track("", rtc.AudioSource(RATE, 1))
            start = time.perf_counter()
            publication = await room.local_participant.publish_track(track)
            say((time.perf_counter() - start) * 1e3)
            await room.local_participant.unpublish_track(publication.sid)


if __name__ == "__main__":
    backend, what, *arguments = sys.argv[1:]
    anyio.run(partial({"listen": listen, "capture": capture, "publish": publish}[what], *arguments), backend=backend)
