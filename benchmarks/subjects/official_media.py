# pyright: basic
"""The official SDK with media. See the package's text for what it is told."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from livekit import rtc

from . import end, joining, read_line, say, snapshot

RATE = 48_000


class Counter:
    count = 0


async def answer(counter: Counter) -> None:
    say("ready")
    while await asyncio.to_thread(read_line):
        snapshot(counter.count)


async def listen(file: str) -> None:
    """Read every frame of every track, and look at its length."""
    counter = Counter()
    tasks: list[asyncio.Task[None]] = []

    async def read(stream: Any) -> None:
        async for event in stream:
            counter.count += len(event.frame.data) > 0

    def follow(track: rtc.Track, *_: object) -> None:
        stream = rtc.AudioStream(track) if track.kind == rtc.TrackKind.KIND_AUDIO else rtc.VideoStream(track)
        tasks.append(asyncio.create_task(read(stream)))

    room = rtc.Room()
    room.on("track_subscribed", follow)
    url, [token] = joining(file)
    await room.connect(url, token)
    await answer(counter)
    await room.disconnect()


async def capture(sources: str) -> None:
    """Capture silence into some sources, 100 frames a second into each."""
    counter = Counter()
    frame = rtc.AudioFrame.create(RATE, 1, RATE // 100)

    async def play(source: rtc.AudioSource) -> None:
        while True:
            await source.capture_frame(frame)
            counter.count += 1

    tasks = [asyncio.create_task(play(rtc.AudioSource(RATE, 1, 100))) for _ in range(int(sources))]
    await answer(counter)
    for task in tasks:
        task.cancel()


async def publish(file: str, times: str) -> None:
    url, [token] = joining(file)
    room = rtc.Room()
    await room.connect(url, token)
    for _ in range(int(times)):
        track = rtc.LocalAudioTrack.create_audio_track("", rtc.AudioSource(RATE, 1))
        start = time.perf_counter()
        publication = await room.local_participant.publish_track(track)
        say((time.perf_counter() - start) * 1e3)
        await room.local_participant.unpublish_track(publication.sid)
    await room.disconnect()


if __name__ == "__main__":
    asyncio.run({"listen": listen, "capture": capture, "publish": publish}[sys.argv[1]](*sys.argv[2:]))
    end()
