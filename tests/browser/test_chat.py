"""Chat and telephone keys, to and from livekit-client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from livekit_trio import rtc

if TYPE_CHECKING:
    from tests.peers.driver import Peer

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.usefixtures("nothing_left")]


async def test_both_protocols_both_ways(meeting: tuple[rtc.Room, Peer]) -> None:
    room, browser = meeting
    me, topic = room.local_participant, rtc.CHAT_TOPIC
    await browser.ask("accept_text", topic=topic)
    with anyio.fail_after(60):
        with room.open_events(rtc.ChatMessageReceived) as messages:
            await browser.ask("send_chat", text="from the browser")
            message = await messages.receive()
            assert message.message.message == "from the browser"
        with room.accept_text_streams(topic) as streams:
            await browser.ask("send_text", text="as a stream", topic=topic)
            assert await (await streams.receive()).read_all() == "as a stream"
        await me.send_chat("as a stream, too")
        assert (await browser.wait_for("text", topic=topic, sender="ours"))["text"] == "as a stream, too"
        await me.send_chat_message("from ours")
        assert (await browser.wait_for("chat", sender="ours"))["text"] == "from ours"


async def test_keys_both_ways(meeting: tuple[rtc.Room, Peer]) -> None:
    room, browser = meeting
    with anyio.fail_after(60), room.open_events(rtc.SipDtmfReceived) as tones:
        await browser.ask("send_dtmf", code=5, digit="5")
        tone = await tones.receive()
        assert (tone.code, tone.digit, tone.sender) == (5, "5", room.remote_participants["browser"])
        await room.local_participant.publish_dtmf(code=11, digit="#")
        assert await browser.wait_for("dtmf", code=11, digit="#", sender="ours")
