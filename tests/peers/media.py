"""What arrives of a remote track, by the native statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit_trio import rtc

INTERVAL = 0.1
TIMEOUT = 60.0


async def received(room: rtc.Room, track: rtc.RemoteTrack) -> Any:
    """InboundRtpStreamStats of *track*; empty before the first packet."""
    from livekit_trio._ffi._proto import InboundRtpStreamStats

    reply = await room._session.call("get_stats", track_handle=track._facts.handle)
    assert not reply.error, reply.error
    found = [entry.inbound_rtp.inbound for entry in reply.stats if entry.WhichOneof("stats") == "inbound_rtp"]
    return found[0] if found else InboundRtpStreamStats()


async def wait_for_media(room: rtc.Room, track: rtc.RemoteTrack, arrived: Callable[[Any], object]) -> None:
    """Return once the statistics are as *arrived* wants them. No event tells."""
    with anyio.fail_after(TIMEOUT):
        while not arrived(await received(room, track)):  # noqa: ASYNC110
            await anyio.sleep(INTERVAL)


async def wait_for_more_media(room: rtc.Room, track: rtc.RemoteTrack) -> None:
    """Return once a packet has come that is not there yet."""
    before = (await received(room, track)).bytes_received
    await wait_for_media(room, track, lambda now: now.bytes_received > before)


async def wait_for_silence(room: rtc.Room, track: rtc.RemoteTrack) -> None:
    """Return once nothing has come for ten packets' time."""
    last, quiet = -1, 0
    with anyio.fail_after(TIMEOUT):
        while quiet < 3:
            now = (await received(room, track)).bytes_received
            quiet = quiet + 1 if now == last else 0
            last = now
            await anyio.sleep(INTERVAL)
