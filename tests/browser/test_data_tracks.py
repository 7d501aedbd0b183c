"""Data tracks and chat, to and from livekit-client."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import anyio
import pytest

from livekit_trio import rtc

if TYPE_CHECKING:
    from tests.peers.driver import Peer

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.usefixtures("nothing_left")]

FRAMES = (b"\x00", bytes(range(256)), b"x" * 1_200, b"y" * 5_000)


async def test_frames_both_ways(meeting: tuple[rtc.Room, Peer]) -> None:
    room, browser = meeting
    with anyio.fail_after(60):
        with room.open_events(rtc.DataTrackPublished) as published:
            await browser.ask("publish_data_track", name="up")
            track = (await published.receive()).track
        assert (track.name, track.publisher_identity) == ("up", "browser")
        with track.subscribe() as stream:
            assert await _pushed_until_received(browser, stream) == FRAMES[0]
            for frame in FRAMES:
                await browser.ask("push_data_track", name="up", data=base64.b64encode(frame).decode())
                while (received := (await stream.receive()).payload) == FRAMES[0] != frame:
                    pass  # of those that waited for the subscription
                assert received == frame

        async with room.local_participant.published_data_track("down") as down:
            await browser.ask("watch_data_track", identity="ours", name="down")
            for frame in FRAMES:
                await _push_until_seen(down, browser, frame)
        await browser.wait_for("data_track_ended", name="down")


async def _pushed_until_received(browser: Peer, stream: rtc.DataTrackStream) -> bytes:
    """The first frame. What is pushed before the subscription is in effect is lost, and nobody says when that is."""
    while True:
        await browser.ask("push_data_track", name="up", data=base64.b64encode(FRAMES[0]).decode())
        with anyio.move_on_after(0.2):
            return bytes((await stream.receive()).payload)


async def _push_until_seen(track: rtc.LocalDataTrack, browser: Peer, frame: bytes) -> None:
    seen = {"data": ""}
    while base64.b64decode(seen["data"]) != frame:
        track.try_push(frame)
        with anyio.move_on_after(0.3):
            seen = await browser.wait_for("data_track_frame", name="down", data=base64.b64encode(frame).decode())
