"""Hear every track of a room; ``audience.py URL TOKEN TRACKS SECONDS``, TOKEN being a file.

Once a frame of each of so many tracks has come it counts for so many seconds, and prints a JSON object: ``seconds``, how many they
were; ``frames`` and ``dropped``, by track; ``concealed``, which part of the sound libwebrtc has made up since the beginning, by track; ``resident``,
this process's memory in bytes, each second; ``cpu``, its seconds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import trio

from livekit_trio import rtc
from livekit_trio.rtc import stats

PATIENCE = 60


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def made_up(track: rtc.RemoteAudioTrack) -> float:
    """Which part of the track's samples so far."""
    try:
        streams = (await track.get_stats()).of(stats.InboundRtpStats)
    except rtc.OperationError:
        return 1  # it has ended
    return sum(each.concealed_samples for each in streams) / max(
        1, sum(each.total_samples_received for each in streams)
    )


async def main(url: str, token: str, wanted: int, length: float) -> None:
    streams: dict[str, tuple[rtc.RemoteAudioTrack, rtc.AudioStream]] = {}
    counts: dict[str, int] = {}
    all_heard = trio.Event()

    async def read(track: rtc.RemoteAudioTrack) -> None:
        with track.open_stream() as frames:
            streams[track.sid] = track, frames
            async for frame in frames:
                counts[track.sid] = counts.get(track.sid, 0) + (len(frame.data) > 0)
                if len(counts) == wanted:
                    all_heard.set()

    async def follow(room: rtc.Room) -> None:
        with room.open_events(rtc.TrackSubscribed, include_existing=True) as events:
            async for event in events:
                assert isinstance(event.track, rtc.RemoteAudioTrack)
                nursery.start_soon(read, event.track)

    async with rtc.open_room(url, token) as room, trio.open_nursery() as nursery:
        nursery.start_soon(follow, room)
        with trio.fail_after(PATIENCE):
            await all_heard.wait()
        memory: list[int] = []
        dropped = {sid: frames.statistics().dropped for sid, (_, frames) in streams.items()}
        before, cpu, start = dict(counts), time.process_time(), time.monotonic()
        while (passed := time.monotonic() - start) < length:
            memory.append(resident())
            await trio.sleep(1)
        report: dict[str, Any] = {
            "seconds": passed,
            "frames": [counts[sid] - count for sid, count in before.items()],
            "dropped": [frames.statistics().dropped - dropped[sid] for sid, (_, frames) in streams.items()],
            "cpu": time.process_time() - cpu,
            "resident": memory,
        }
        report["concealed"] = [await made_up(track) for track, _ in streams.values()]
        print(json.dumps(report), flush=True)  # noqa: T201
        nursery.cancel_scope.cancel()


trio.run(main, sys.argv[1], Path(sys.argv[2]).read_text(), int(sys.argv[3]), float(sys.argv[4]))
