"""The other end of ``listen``: publishes COUNT tracks of one source into a room, until its input ends.

Arguments: JOINING, KIND (``audio``, or the size of pictures, 30 a second), COUNT. Prints ``ready`` when all are published.
"""

from __future__ import annotations

import itertools
import sys
from contextlib import AsyncExitStack

import anyio
import anyio.to_thread
import numpy as np

from livekit_trio import rtc

from . import joining, read_line, say

RATE = 48_000


async def play_tone(source: rtc.AudioSource) -> None:
    wave = (12_000 * np.sin(np.arange(RATE) * 2 * np.pi * 440 / RATE)).astype(np.int16)
    frames = [rtc.AudioFrame.from_ndarray(part, RATE) for part in np.split(wave, 10)]
    for frame in itertools.cycle(frames):
        await source.capture_frame(frame)


async def show_pictures(source: rtc.VideoSource) -> None:
    size = source.width * source.height * 3 // 2
    pictures = [bytes([10 * number]) * size for number in range(10)]
    frames = [rtc.VideoFrame(source.width, source.height, rtc.VideoBufferType.I420, picture) for picture in pictures]
    due = anyio.current_time()
    for frame in itertools.cycle(frames):
        await anyio.sleep_until(due)
        due += 1 / 30
        source.capture_frame(frame)


async def main(file: str, kind: str, count: int) -> None:
    url, [token] = joining(file)
    async with AsyncExitStack() as stack:
        room = await stack.enter_async_context(rtc.open_room(url, token))
        group = await stack.enter_async_context(anyio.create_task_group())
        source = rtc.AudioSource(RATE, 1) if kind == "audio" else rtc.VideoSource(*map(int, kind.split("x")))
        if isinstance(source, rtc.AudioSource):
            group.start_soon(play_tone, source)
        else:
            group.start_soon(show_pictures, source)
        options = rtc.TrackPublishOptions(simulcast=False)
        for number in range(count):
            track = (
                rtc.LocalAudioTrack.create_audio_track(f"{number}", source)
                if isinstance(source, rtc.AudioSource)
                else rtc.LocalVideoTrack.create_video_track(f"{number}", source)
            )
            await room.local_participant.publish_track(track, options)
        say("ready")
        await anyio.to_thread.run_sync(read_line)
        group.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], int(sys.argv[3]), backend="trio")
