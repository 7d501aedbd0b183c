"""Participants who each play a tone on some tracks, until standard input ends; ``choir.py URL TOKENS TRACKS``.

TOKENS is a file with a token in each line, TRACKS how many tracks each publishes. Says ``ready`` when all are published. There is
one source for all of them, fed 10 times a second, and nobody of them listens: what this costs is libwebrtc's.
"""

from __future__ import annotations

import itertools
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import trio

from livekit_trio import rtc
from livekit_trio.testing import tone_frames

DEAF = rtc.RoomOptions(auto_subscribe=False)


async def main(url: str, tokens: list[str], tracks: int) -> None:
    source = rtc.AudioSource(48_000, 1)
    second = list(itertools.islice(tone_frames(440, frame_ms=100), 10))

    async def play() -> None:
        for frame in itertools.cycle(second):
            await source.capture_frame(frame)

    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        nursery.start_soon(play)
        for token in tokens:
            room = await stack.enter_async_context(rtc.open_room(url, token, options=DEAF))
            for number in range(tracks):
                track = rtc.LocalAudioTrack.create_audio_track(f"tone {number}", source)
                await room.local_participant.publish_track(track)
        print("ready", flush=True)  # noqa: T201
        await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()


trio.run(main, sys.argv[1], Path(sys.argv[2]).read_text().split(), int(sys.argv[3]))
