"""End-to-end encryption with livekit-client: the right key, and the wrong one; media and data."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.testing import loudness, read_counter, tone_frequency
from tests.media.rooms import playing, remote_audio, remote_video, showing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit_trio.testing import DevServer
    from tests.peers.driver import Peer

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.usefixtures("nothing_left")]

on_trio = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)

KEY: Final = "the right one"
OURS, THEIRS = 1000, 700


@asynccontextmanager
async def meeting(server: DevServer, room_name: str, browser: Peer, key: str) -> AsyncGenerator[rtc.Room]:
    """We with *key*, and the browser with the right one; both play a tone and show numbered pictures."""
    keys = rtc.KeyProviderOptions(shared_key=key.encode())
    options = rtc.RoomOptions(encryption=rtc.E2EEOptions(key_provider_options=keys))
    async with rtc.open_room(server.url, server.token("ours", room_name), options=options) as room:
        await browser.ask("join", url=server.url, token=server.token("browser", room_name), key=KEY)
        with anyio.fail_after(20):
            await (await room.wait_for_participant("browser")).wait_until_active()
            while await browser.ask("state_of", identity="ours") != "active":
                await anyio.sleep(0.05)
        await browser.ask("publish_audio", hz=THEIRS)
        await browser.ask("publish_video", simulcast=False)
        async with playing(room, frequency=OURS), showing(room, fps=15):
            for kind in ("audio", "video"):
                await browser.wait_for("track_subscribed", identity="ours", kind=kind)
            yield room


async def hear(room: rtc.Room) -> list[rtc.AudioFrame]:
    with (await remote_audio(room)).open_stream(capacity=200) as stream:
        return [await stream.receive() for _ in range(120)][40:]


async def see(room: rtc.Room, seconds: float = 1.5) -> list[int | None]:
    counters: list[int | None] = []
    with (await remote_video(room)).open_stream() as stream, anyio.move_on_after(seconds):
        async for frame in stream:
            counters.append(read_counter(frame))  # noqa: PERF401 - it is cut short
    return counters


async def exchange_data(room: rtc.Room, browser: Peer) -> tuple[list[bytes], list[Any]]:
    """What arrives of a packet each way; a second is given to what might not."""
    received: list[bytes] = []
    with room.open_events(rtc.DataReceived) as events:
        await browser.ask("send_data", data="ZnJvbSB0aGVpcnM=", reliable=True)
        await room.local_participant.publish_data(b"from ours")
        with anyio.move_on_after(1.5):
            received.append((await events.receive()).data)
    arrived: list[Any] = []
    with anyio.move_on_after(1.5):
        while not arrived:  # its worker decrypts in its own time
            await browser.ask("state_of", identity="ours")
            arrived = [event["data"] for event in browser.events if event["event"] == "data_received"]
            await anyio.sleep(0.05)
    return received, arrived


async def test_with_the_right_key_all_is_understood(server: DevServer, room_name: str, browser: Peer) -> None:
    async with meeting(server, room_name, browser, KEY) as room:
        assert tone_frequency(await hear(room)) == pytest.approx(THEIRS, rel=0.01)
        seen = [counter for counter in await see(room) if counter is not None]
        assert len(seen) > 5
        assert seen == sorted(seen)
        heard = await browser.ask("hear", identity="ours", seconds=1.5)
        assert heard["hz"] == pytest.approx(OURS, rel=0.01)
        assert len([number for number in (await browser.ask("see", identity="ours"))["counters"] if number]) > 5
        assert await exchange_data(room, browser) == ([b"from theirs"], ["ZnJvbSBvdXJz"])


@on_trio
async def test_with_the_wrong_key_nothing_is(server: DevServer, room_name: str, browser: Peer) -> None:
    async with meeting(server, room_name, browser, "wrong") as room:
        assert loudness(await hear(room)) < 0.001
        assert await see(room) == []
        heard = await browser.ask("hear", identity="ours", seconds=1)
        assert heard["level"] < 0.001
        seen = await browser.ask("see", identity="ours")
        assert [number for number in seen["counters"] if number is not None] == []
        assert seen["decoded"] == 0
        assert await exchange_data(room, browser) == ([], [])
