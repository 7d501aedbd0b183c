"""Packets to and from livekit-client."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from livekit_trio import rtc

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from tests.peers.driver import Peer

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


@pytest.mark.parametrize("reliable", [True, False], ids=["reliable", "lossy"])
async def test_both_ways(server: DevServer, room_name: str, browser: Peer, reliable: bool) -> None:
    kind = rtc.DataPacketKind.KIND_RELIABLE if reliable else rtc.DataPacketKind.KIND_LOSSY
    async with rtc.open_room(server.url, server.token("ours", room_name)) as room:
        with room.open_events(rtc.DataReceived) as packets:
            await browser.ask("join", url=server.url, token=server.token("browser", room_name))
            await room.wait_for_participant("browser")
            data = bytes(range(256))
            await browser.ask("send_data", data=base64.b64encode(data).decode(), topic="up", reliable=reliable)
            packet = await packets.receive()
            assert packet == rtc.DataReceived(
                data=data, kind=kind, topic="up", sender=room.remote_participants["browser"]
            )
            await room.local_participant.publish_data(data, topic="down", reliable=reliable)
            seen = await browser.wait_for("data_received", topic="down", sender="ours", reliable=reliable)
            assert base64.b64decode(seen["data"]) == data
