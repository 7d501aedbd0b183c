"""livekit_trio, from one end to the other; the first argument is the event loop. See the package's text for what it is told."""

from __future__ import annotations

import itertools
import sys
import time
from functools import partial

import anyio
import numpy as np

from livekit_trio import rtc

from . import BURST, EARLY, PERIOD, VOLUME, joining, say

RATE = 48_000


async def packet(file: str, times: str) -> None:
    took: list[float] = []
    url, (of_ann, of_bob) = joining(file)

    def note(begun: float) -> None:
        took.append((time.perf_counter() - begun) * 1e3)

    async def listen() -> None:
        with bob.open_events(rtc.DataReceived) as packets:
            async for packet in packets:
                note(float(packet.data))

    async with rtc.open_room(url, of_ann) as ann, rtc.open_room(url, of_bob) as bob, anyio.create_task_group() as group:
        group.start_soon(listen)
        await anyio.sleep(1)
        for _ in range(int(times)):
            await anyio.sleep(0.01)
            await ann.local_participant.publish_data(str(time.perf_counter()))
        await anyio.sleep(1)
        group.cancel_scope.cancel()
    say("\n".join(map(str, took)))


async def sound(file: str, times: str) -> None:
    took: list[float] = []
    begun = 0.0
    url, (of_ann, of_bob) = joining(file)
    tone = (VOLUME * np.sin(np.arange(RATE // 100) * 2 * np.pi * 1000 / RATE)).astype(np.int16)
    loud, quiet = rtc.AudioFrame.from_ndarray(tone, RATE), rtc.AudioFrame.create(RATE, 1, RATE // 100)

    async def play() -> None:
        nonlocal begun
        due = anyio.current_time()
        for number in itertools.count():
            due += 0.01
            await anyio.sleep_until(due)
            if number % PERIOD == 0:
                begun = time.perf_counter()
            await source.capture_frame(loud if number % PERIOD < BURST else quiet)

    async with rtc.open_room(url, of_ann) as ann, rtc.open_room(url, of_bob) as bob, anyio.create_task_group() as group:
        source = rtc.AudioSource(RATE, 1, 100)
        await ann.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("tones", source))
        subscribed = await bob.wait_for(rtc.TrackSubscribed, include_existing=True)
        group.start_soon(play)
        with subscribed.track.open_stream() as frames:
            async for frame in frames:
                if begun and np.abs(np.frombuffer(frame.data, np.int16)).max() > VOLUME // 3:
                    took.append((time.perf_counter() - begun) * 1e3)
                    begun = 0.0
                if len(took) == EARLY + int(times):
                    break
        group.cancel_scope.cancel()
    say("\n".join(map(str, took[EARLY:])))


if __name__ == "__main__":
    backend, what, *arguments = sys.argv[1:]
    anyio.run(partial({"packet": packet, "sound": sound}[what], *arguments), backend=backend)
