"""End-to-end encryption with livekit-client: the right key and the wrong one, for media and data."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.testing import loudness, read_counter, tone_frequency
from tests.media.rooms import playing, remote_audio, remote_video, showing

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from tests.peers.driver import Peer

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.usefixtures("nothing_left")]

KEY = "the right one"


@pytest.mark.parametrize("key", [KEY, "another"], ids=["right", "wrong"])
async def test_with_a_key(server: DevServer, room_name: str, browser: Peer, key: str) -> None:
    right = key == KEY
    options = rtc.RoomOptions(
        encryption=rtc.E2EEOptions(key_provider_options=rtc.KeyProviderOptions(shared_key=key.encode()))
    )
    with anyio.fail_after(60):
        async with rtc.open_room(server.url, server.token("ours", room_name), options=options) as room:
            await browser.ask("join", url=server.url, token=server.token("browser", room_name), key=KEY)
            await (await room.wait_for_participant("browser")).wait_until_active()
            await browser.ask("publish_audio", hz=700)
            await browser.ask("publish_video", simulcast=False)
            async with playing(room, frequency=1_000), showing(room, fps=15):
                for kind in ("audio", "video"):
                    await browser.wait_for("track_subscribed", identity="ours", kind=kind)
                with (await remote_audio(room)).open_stream() as frames:
                    sound = [(await frames.receive()).copy() for _ in range(100)][40:]
                counters: list[int | None] = []
                with (await remote_video(room)).open_stream() as pictures, anyio.move_on_after(3):
                    async for picture in pictures:
                        counters.append(read_counter(picture))  # noqa: PERF401 - it is cut short
                heard = await browser.ask("hear", identity="ours", seconds=1.5)
                seen = await browser.ask("see", identity="ours", seconds=2)
                await room.local_participant.publish_data(b"to the browser", topic="secret")
                with room.open_events(rtc.DataReceived) as packets, anyio.move_on_after(10 if right else 2):
                    await browser.ask("send_data", data=base64.b64encode(b"from the browser").decode())
                    packet = await packets.receive()
                    assert packet.data == b"from the browser"
                    assert right
            if right:
                assert tone_frequency(sound) == pytest.approx(700, rel=0.01)
                assert any(counters)
                assert heard["hz"] == pytest.approx(1_000, rel=0.01)
                assert any(seen["counters"])
                told = await browser.wait_for("data_received", topic="secret", sender="ours")
                assert base64.b64decode(told["data"]) == b"to the browser"
            else:
                assert loudness(sound) < 0.001
                assert counters == []
                assert heard["level"] < 0.001
                assert (seen["counters"], seen["decoded"]) == ([], 0)
                assert not [event for event in browser.events if event["event"] == "data_received"]
