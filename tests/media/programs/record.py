"""Record our own tracks to a file until something ends us; ``record.py PATH``. Says when three seconds are in it."""

from __future__ import annotations

import itertools
import sys

import trio

from livekit_trio import rtc
from livekit_trio.testing import colour_bars, tone_frames


async def main(path: str) -> None:
    source, camera = rtc.AudioSource(48_000, 1), rtc.VideoSource(320, 180)
    sound = rtc.LocalAudioTrack.create_audio_track("tone", source)
    picture = rtc.LocalVideoTrack.create_video_track("bars", camera)

    async def play() -> None:
        for frame in tone_frames(440):
            await source.capture_frame(frame)

    async def show() -> None:
        for counter in itertools.count():
            camera.capture_frame(colour_bars(counter, 320, 180))
            await trio.sleep(0.05)

    async with (
        rtc.TrackRecorder(path, [sound, picture], video_size=(320, 180)) as recorder,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(play)
        nursery.start_soon(show)
        while min(track.duration for track in recorder.statistics()) < 3:
            await trio.sleep(0.05)
        sys.stdout.write("3 seconds\n")
        sys.stdout.flush()
        await trio.sleep_forever()


trio.run(main, sys.argv[1])
