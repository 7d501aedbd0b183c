"""The other end of ``listen``: publishes COUNT tracks of one source into a room, until its input ends.

Arguments: URL, TOKENS, KIND (audio or video), COUNT. Prints ``ready`` when all are published. Video is 720p, 30 frames a second.
"""

from __future__ import annotations

import itertools
import sys
from contextlib import AsyncExitStack

import anyio
import anyio.to_thread
import numpy as np

from livekit_trio import rtc

from . import read_line, say, tokens

RATE = 48_000
WIDTH, HEIGHT = 1280, 720


async def play_tone(source: rtc.AudioSource) -> None:
    wave = (12_000 * np.sin(np.arange(RATE) * 2 * np.pi * 440 / RATE)).astype(np.int16)
    frames = [rtc.AudioFrame.from_ndarray(part, RATE) for part in np.split(wave, 10)]
    for frame in itertools.cycle(frames):
        await source.capture_frame(frame)


async def show_noise(source: rtc.VideoSource) -> None:
    size = WIDTH * HEIGHT * 3 // 2
    pictures = [bytes([10 * number]) * size for number in range(10)]
    frames = [rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.I420, picture) for picture in pictures]
    due = anyio.current_time()
    for frame in itertools.cycle(frames):
        await anyio.sleep_until(due)
        due += 1 / 30
        source.capture_frame(frame)


async def main(url: str, file: str, kind: str, count: int) -> None:
    [token] = tokens(file)
    async with AsyncExitStack() as stack:
        room = await stack.enter_async_context(rtc.open_room(url, token))
        group = await stack.enter_async_context(anyio.create_task_group())
        if kind == "audio":
            sound = rtc.AudioSource(RATE, 1)
            group.start_soon(play_tone, sound)
        else:
            pictures = rtc.VideoSource(WIDTH, HEIGHT)
            group.start_soon(show_noise, pictures)
        options = rtc.TrackPublishOptions(simulcast=False)
        for number in range(count):
            track = (
                rtc.LocalAudioTrack.create_audio_track(f"{number}", sound)
                if kind == "audio"
                else rtc.LocalVideoTrack.create_video_track(f"{number}", pictures)
            )
            await room.local_participant.publish_track(track, options)
        say("ready")
        await anyio.to_thread.run_sync(read_line)
        group.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), backend="trio")
