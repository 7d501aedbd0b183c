"""Packets over a real server: sizes, order, targets, senders; with the official SDK."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from livekit_trio import api, rtc
from livekit_trio.rtc._packet_size import packet_size
from tests.data.conftest import few_or_many, later_on_asyncio, tell_of

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from tests.data.conftest import Pair
    from tests.peers.driver import OfficialPeer
from tests.peers.reachable import until_reachable

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


def room_for(me: rtc.LocalParticipant, *, topic: str = "", reliable: bool = True) -> int:
    """The largest payload."""
    around = packet_size(60_000, topic, (), reliable=reliable, sender_identity=me.identity, sender_sid=me.sid) - 60_000
    return 64_000 - around


async def test_every_size_up_to_the_limit(pair: Pair) -> None:
    async with pair() as (ann, bob):
        me = ann.local_participant
        with bob.open_events(rtc.DataReceived) as packets, anyio.fail_after(60):
            for reliable in (True, False):
                limit = room_for(me, topic="t", reliable=reliable)
                for size in (0, 1, 15_000, limit - 1, limit):
                    payload = bytes(index % 251 for index in range(size))
                    await me.publish_data(payload, topic="t", reliable=reliable)
                    packet = await packets.receive()
                    assert (packet.data, packet.topic, packet.sender) == (
                        payload,
                        "t",
                        bob.remote_participants["ann"],
                    )
                    assert packet.kind == int(reliable)
                with pytest.raises(rtc.PublishDataError, match=r"64001 bytes.*64000"):
                    await me.publish_data(bytes(limit + 1), topic="t", reliable=reliable)


@pytest.mark.parametrize(
    "fields",
    [
        {"reliable": False},
        {"reliable": True},
        {"reliable": False, "topic": "x" * 300},
        {"reliable": True, "destination_identities": ["bob", "c" * 200], "topic": "ä"},
    ],
    ids=["lossy", "reliable", "with a topic", "with targets"],
)
async def test_the_library_counts_as_we_do(server: DevServer, room_name: str, fields: dict[str, Any]) -> None:
    async with rtc.open_room(server.url, server.token("ann", room_name)) as ann:
        me = ann.local_participant
        # Past our own check: the library's refusal says what it has counted.
        reply = await ann._session.call(
            "publish_data", local_participant_handle=me._local.handle, data=bytes(70_000), **fields
        )
        counted = re.search(r"size \((\d+) bytes\).* size \((\d+) bytes\)", reply.error)
        assert counted is not None
        ours = packet_size(
            70_000,
            fields.get("topic", ""),
            fields.get("destination_identities", ()),
            reliable=fields["reliable"],
            sender_identity="ann",
            sender_sid=me.sid,
        )
        spare = 4 if fields["reliable"] else 0  # the first packets have short numbers
        assert (int(counted[1]), int(counted[2])) == (ours - spare, 64_000)


@later_on_asyncio
async def test_with_the_official_sdk_both_ways(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    await peer.ask("join", url=server.url, token=server.token("bob", room_name))
    async with rtc.open_room(server.url, server.token("ann", room_name)) as ann:
        me = ann.local_participant
        with anyio.fail_after(60), ann.open_events(rtc.DataReceived, rtc.SipDtmfReceived) as events:
            bob = await ann.wait_for_participant("bob")
            await bob.wait_until_active()
            await tell_of(server, room_name, "ann")
            await peer.wait_for("participant_active", identity="ann")
            for reliable in (True, False):
                for size in (0, 1, room_for(me, topic="t", reliable=reliable)):
                    text = "y" * size
                    await me.publish_data(text, topic="t", reliable=reliable, destination_identities=())
                    heard = await peer.wait_for("data_received", kind=int(reliable))
                    assert (heard["data"], heard["topic"], heard["sender"]) == (text, "t", "ann")
                    await peer.ask("send_data", data=text, topic="t", reliable=reliable)
                    event = await events.receive()
                    assert isinstance(event, rtc.DataReceived)
                    assert (event.data.decode(), event.topic, event.sender) == (text, "t", bob)
            await me.publish_dtmf(digit="#", destination_identities=["bob"])
            assert (await peer.wait_for("dtmf"))["digit"] == "#"
            await peer.ask("send_dtmf", code=5, digit="5")
            assert await events.receive() == rtc.SipDtmfReceived(code=5, digit="5", sender=bob)


@few_or_many
async def test_packets_come_in_order_and_once(pair: Pair, *, many: bool) -> None:
    """At a reader that is quick, and at one that falls behind."""
    count = 10_000 if many else 1000
    async with pair() as (ann, bob):

        async def read(packets: rtc.EventStream[rtc.DataReceived], rest: float) -> None:
            for number in range(count):
                assert (await packets.receive()).data == str(number).encode()
                if number % 20 == 0:
                    await anyio.sleep(rest)
            with pytest.raises(rtc.WouldBlock):
                packets.receive_nowait()

        with (
            bob.open_events(rtc.DataReceived) as quick,
            bob.open_events(rtc.DataReceived, capacity=count) as slow,
            anyio.fail_after(200),
        ):
            async with anyio.create_task_group() as group:
                group.start_soon(read, quick, 0)
                group.start_soon(read, slow, 0.03)
                for number in range(count):
                    await ann.local_participant.publish_data(str(number))


async def test_a_targeted_packet_reaches_its_targets_only(server: DevServer, room_name: str, pair: Pair) -> None:
    async with pair() as (ann, bob), rtc.open_room(server.url, server.token("eve", room_name)) as eve:
        with (
            anyio.fail_after(60),
            bob.open_events(rtc.DataReceived) as to_bob,
            eve.open_events(rtc.DataReceived) as to_eve,
        ):
            await tell_of(server, room_name, "eve")
            await (await ann.wait_for_participant("eve")).wait_until_active()
            for number in range(20):
                await ann.local_participant.publish_data(f"secret {number}", destination_identities=["bob", "nobody"])
            await ann.local_participant.publish_data("to all")
            received = [(await to_bob.receive()).data.decode() for _ in range(21)]
            assert received == [*(f"secret {number}" for number in range(20)), "to all"]
            assert (await to_eve.receive()).data == b"to all"


async def test_the_server_sends_too(server: DevServer, room_name: str) -> None:
    async with rtc.open_room(server.url, server.token("ann", room_name)) as ann:
        with ann.open_events(rtc.DataReceived) as packets, anyio.fail_after(60):
            await until_reachable(server, room_name, "ann")
            request = {"room": room_name, "data": b64encode(b"from above").decode(), "topic": "news"}
            await server.call_room_service("SendData", request)
            packet = await packets.receive()
            assert (packet.data, packet.topic, packet.sender) == (b"from above", "news", rtc.ServerSender())


async def test_the_mark_takes_effect(server: DevServer, room_name: str) -> None:
    async with rtc.open_room(server.url, server.token("ann", room_name)) as ann:
        with ann.open_events(rtc.DataChannelLowThresholdChanged) as events, anyio.fail_after(60):
            for kind in (rtc.DataPacketKind.KIND_RELIABLE, rtc.DataPacketKind.KIND_LOSSY):
                ann.local_participant.set_data_channel_low_threshold(kind, 4096)
                assert await events.receive() == rtc.DataChannelLowThresholdChanged(kind=kind, threshold=4096)


async def test_chat_and_edits(pair: Pair) -> None:
    async with pair() as (ann, bob):
        with bob.open_events(rtc.ChatMessageReceived) as messages, anyio.fail_after(60):
            sent = await ann.local_participant.send_chat_message("helo")
            assert (await messages.receive()).message == sent
            edited = await ann.local_participant.edit_chat_message(sent, "hello", destination_identities=["bob"])
            assert (edited.id, edited.message, edited.edit_timestamp is not None) == (sent.id, "hello", True)
            event = await messages.receive()
            assert (event.message, event.sender) == (edited, bob.remote_participants["ann"])


async def test_an_agents_transcription(server: DevServer, room_name: str) -> None:
    agent = server.access_token().with_identity("agent").with_kind("agent")
    token = agent.with_grants(api.VideoGrants(room_join=True, room=room_name)).to_jwt()
    segment = rtc.TranscriptionSegment(id="SG_1", text="hello", start_time=1, end_time=2, language="en")
    transcription = rtc.Transcription(participant_identity="bob", track_sid="TR_1", segments=[segment])
    async with (
        rtc.open_room(server.url, token) as ann,
        rtc.open_room(server.url, server.token("bob", room_name)) as bob,
    ):
        with bob.open_events(rtc.TranscriptionReceived) as events, anyio.fail_after(60):
            await tell_of(server, room_name, "bob")
            await (await ann.wait_for_participant("bob")).wait_until_active()
            await ann.local_participant.publish_transcription(transcription)
            event = await events.receive()
            assert event.segments == (segment,)
            assert event.participant is bob.local_participant
        with pytest.raises(rtc.PublishTranscriptionError, match="agents only"):
            await bob.local_participant.publish_transcription(transcription)
