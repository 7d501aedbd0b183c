"""A reader that sleeps while 1080p30 and sound arrive: memory stays flat, and what it reads then is new."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.testing import read_counter
from tests.media.rooms import joined, playing, remote_audio, remote_video, showing

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

SLEEP: Final = 10.0
MAX_GROWTH: Final = 32 << 20
OPTIONS: Final = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=False)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.long
async def test_a_reader_asleep(server: DevServer, room_name: str) -> None:
    async with (
        joined(server, room_name, "ann", "bob") as (ann, bob),
        playing(bob),
        showing(bob, size=(1920, 1080), options=OPTIONS),
    ):
        pictures, sound = await remote_video(ann), await remote_audio(ann)
        with pictures.open_stream() as seen, sound.open_stream() as heard, pictures.open_stream() as watched:
            newest = 0

            async def watch() -> None:
                """Another reader of the same track, who is awake: it knows which picture is the newest."""
                nonlocal newest
                async for frame in watched:
                    newest = read_counter(frame) or newest

            async with anyio.create_task_group() as group:
                group.start_soon(watch)
                for _ in range(30):
                    await seen.receive()
                    await heard.receive()
                before, dropped = resident(), seen.statistics().dropped
                first = read_counter(await seen.receive())
                await anyio.sleep(SLEEP)
                assert resident() - before < MAX_GROWTH
                statistics, frame = seen.statistics(), await seen.receive()
                number = read_counter(frame)
                assert number is not None
                assert first is not None
                assert newest - number <= 2
                assert statistics.buffered == 1
                assert statistics.dropped - dropped >= 2 * SLEEP  # a machine under load may show fewer than 30 a second
                assert frame.dropped_before + 1 <= number - first  # the rest the network, or the encoder, lost
                assert heard.statistics().buffered == heard.statistics().capacity == 20
                assert (await heard.receive()).dropped_before > 50 * SLEEP
                group.cancel_scope.cancel()
