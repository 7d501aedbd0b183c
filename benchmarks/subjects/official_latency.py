# pyright: basic
"""The official SDK, from one end to the other. See the package's text for what it is told."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time

import numpy as np
from livekit import rtc

from . import BURST, EARLY, PERIOD, VOLUME, end, joining, say

RATE = 48_000


async def packet(file: str, times: str) -> None:
    took = []
    url, (of_ann, of_bob) = joining(file)
    ann, bob = rtc.Room(), rtc.Room()
    bob.on("data_received", lambda packet: took.append((time.perf_counter() - float(packet.data)) * 1e3))
    await ann.connect(url, of_ann)
    await bob.connect(url, of_bob)
    await asyncio.sleep(1)
    for _ in range(int(times)):
        await asyncio.sleep(0.01)
        await ann.local_participant.publish_data(str(time.perf_counter()))
    await asyncio.sleep(1)
    await ann.disconnect()
    await bob.disconnect()
    say("\n".join(map(str, took)))


async def sound(file: str, times: str) -> None:
    took = []
    begun = 0.0
    url, (of_ann, of_bob) = joining(file)
    tone = (VOLUME * np.sin(np.arange(RATE // 100) * 2 * np.pi * 1000 / RATE)).astype(np.int16)
    loud = rtc.AudioFrame(tone.tobytes(), RATE, 1, RATE // 100)
    quiet = rtc.AudioFrame.create(RATE, 1, RATE // 100)

    async def play() -> None:
        nonlocal begun
        due = time.perf_counter()
        for number in itertools.count():
            due += 0.01
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if number % PERIOD == 0:
                begun = time.perf_counter()
            await source.capture_frame(loud if number % PERIOD < BURST else quiet)

    ann, bob = rtc.Room(), rtc.Room()
    subscribed = asyncio.get_running_loop().create_future()
    bob.on("track_subscribed", lambda track, *_: subscribed.set_result(track))
    await ann.connect(url, of_ann)
    await bob.connect(url, of_bob)
    source = rtc.AudioSource(RATE, 1, 100)
    await ann.local_participant.publish_track(rtc.LocalAudioTrack.create_audio_track("tones", source))
    stream = rtc.AudioStream(await subscribed)
    playing = asyncio.create_task(play())
    async for event in stream:
        if begun and np.abs(np.frombuffer(event.frame.data, np.int16)).max() > VOLUME // 3:
            took.append((time.perf_counter() - begun) * 1e3)
            begun = 0.0
        if len(took) == EARLY + int(times):
            break
    playing.cancel()
    await stream.aclose()
    await ann.disconnect()
    await bob.disconnect()
    say("\n".join(map(str, took[EARLY:])))


if __name__ == "__main__":
    asyncio.run({"packet": packet, "sound": sound}[sys.argv[1]](*sys.argv[2:]))
    end()
