"""Packets to and from livekit-client."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from livekit_trio import rtc

if TYPE_CHECKING:
    from tests.peers.driver import Peer

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.usefixtures("nothing_left")]


async def test_both_ways(meeting: tuple[rtc.Room, Peer]) -> None:
    room, browser = meeting
    for reliable in (True, False):
        kind = rtc.DataPacketKind.KIND_RELIABLE if reliable else rtc.DataPacketKind.KIND_LOSSY
        for data in (b"\x00", bytes(range(256)) * 4):
            with room.open_events(rtc.DataReceived) as packets:
                await browser.ask("send_data", data=base64.b64encode(data).decode(), topic="up", reliable=reliable)
                packet = await packets.receive()
            assert packet == rtc.DataReceived(
                data=data, kind=kind, topic="up", sender=room.remote_participants["browser"]
            )
            await room.local_participant.publish_data(data, topic="down", reliable=reliable)
            seen = await browser.wait_for("data_received", topic="down", sender="ours", reliable=reliable)
            assert base64.b64decode(seen["data"]) == data
