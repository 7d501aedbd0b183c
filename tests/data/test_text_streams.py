"""Texts, between two of our own rooms on the real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from livekit_trio import api, rtc
from livekit_trio.rtc._incoming_streams import STREAM_BYTES
from tests.data.conftest import later_on_asyncio, tell_of

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from tests.data.conftest import Pair

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


async def test_texts_arrive_as_they_were_sent(pair: Pair) -> None:
    async with pair() as (ann, bob):
        with bob.accept_text_streams("chat") as incoming, anyio.fail_after(20):
            for text in ("", "hello", "é" * 20_000, "ab" + "€" * 30_000):
                info = await ann.local_participant.send_text(text, topic="chat", attributes={"mood": "good"})
                reader = await incoming.receive()
                assert reader.sender_identity == "ann"
                assert reader.info == info
                assert reader.info.attributes == {"mood": "good"}
                assert await reader.read_all() == text
                assert reader.received == reader.info.size == len(text.encode())


@later_on_asyncio
async def test_what_compresses_well_can_be_held(pair: Pair) -> None:
    """Of one packet, five million zeros would come out at once."""
    async with pair() as (ann, bob):
        me = ann.local_participant
        with bob.accept_byte_streams("t") as incoming, anyio.fail_after(30):
            for size in (STREAM_BYTES, STREAM_BYTES + 1_000_000):
                await me.send_bytes(bytes(size), topic="t")
                assert await (await incoming.receive()).read_all() == bytes(size)


async def test_a_text_says_what_it_is(pair: Pair) -> None:
    async with pair() as (ann, bob):
        me = ann.local_participant
        with bob.accept_text_streams("chat") as incoming, anyio.fail_after(20):
            await me.send_text("first", topic="chat", stream_id="a", generated=True)
            options: Any = {"reply_to_id": "a", "attachments": ("file",), "version": 3}
            async with me.stream_text(
                topic="chat", stream_id="b", operation=rtc.TextStreamOperation.UPDATE, **options
            ) as writer:
                await writer.write("second")
            first, second = await incoming.receive(), await incoming.receive()
            assert [await reader.read_all() for reader in (first, second)] == ["first", "second"]
            assert (first.info.stream_id, first.info.generated) == ("a", True)
            assert (first.info.operation, first.info.reply_to_id) == (rtc.TextStreamOperation.CREATE, None)
            assert second.info == writer.info
            assert (second.info.stream_id, second.info.operation) == ("b", rtc.TextStreamOperation.UPDATE)
            assert (second.info.reply_to_id, second.info.attachments, second.info.version) == ("a", ("file",), 3)


async def test_it_goes_to_whom_it_is_sent(server: DevServer, room_name: str) -> None:
    async with (
        rtc.open_room(server.url, server.token("ann", room_name)) as ann,
        rtc.open_room(server.url, server.token("bob", room_name)) as bob,
        rtc.open_room(server.url, server.token("carl", room_name)) as carl,
    ):
        with anyio.fail_after(20), bob.accept_text_streams("t") as to_bob, carl.accept_text_streams("t") as to_carl:
            for identity in ("bob", "carl"):
                await tell_of(server, room_name, identity)
                await (await ann.wait_for_participant(identity)).wait_until_active()
            await ann.local_participant.send_text("for bob", topic="t", destination_identities=["bob", "nobody"])
            await ann.local_participant.send_text("for all", topic="t")
            assert await (await to_carl.receive()).read_all() == "for all"
            assert await (await to_bob.receive()).read_all() == "for bob"
            assert await (await to_bob.receive()).read_all() == "for all"


async def test_only_an_agent_may_send_for_others(server: DevServer, room_name: str) -> None:
    grants = api.VideoGrants(room_join=True, room=room_name)
    token = server.access_token().with_identity("agent").with_kind("agent").with_grants(grants).to_jwt()
    async with (
        rtc.open_room(server.url, token) as agent,
        rtc.open_room(server.url, server.token("eve", room_name)) as eve,
        rtc.open_room(server.url, server.token("bob", room_name)) as bob,
    ):
        with anyio.fail_after(20), bob.accept_text_streams("t") as incoming:
            await tell_of(server, room_name, "bob")
            for room, seen_as in ((agent, "somebody"), (eve, "eve")):
                await (await room.wait_for_participant("bob")).wait_until_active()
                await room.local_participant.send_text("hello", topic="t", sender_identity="somebody")
                reader = await incoming.receive()
                assert await reader.read_all() == "hello"
                assert reader.sender_identity == seen_as


async def test_it_is_encrypted_with_the_room(server: DevServer, room_name: str) -> None:
    keys = rtc.KeyProviderOptions(shared_key=b"a passphrase")
    options = rtc.RoomOptions(encryption=rtc.E2EEOptions(key_provider_options=keys))
    async with (
        rtc.open_room(server.url, server.token("ann", room_name), options=options) as ann,
        rtc.open_room(server.url, server.token("bob", room_name), options=options) as bob,
    ):
        with anyio.fail_after(20), bob.accept_text_streams("t") as incoming:
            await tell_of(server, room_name, "bob")
            await (await ann.wait_for_participant("bob")).wait_until_active()
            text = "€" * 20_000
            for compress in (True, False):
                await ann.local_participant.send_text(text, topic="t", compress=compress)
                reader = await incoming.receive()
                assert await reader.read_all() == text
                assert reader.info.encryption_type == rtc.EncryptionType.GCM


async def test_the_room_bounds_what_it_takes(server: DevServer, room_name: str) -> None:
    options = rtc.RoomOptions(data_stream=rtc.DataStreamOptions(max_payload_byte_length=20_000))
    async with (
        rtc.open_room(server.url, server.token("ann", room_name)) as ann,
        rtc.open_room(server.url, server.token("bob", room_name), options=options) as bob,
    ):
        with anyio.fail_after(20), bob.accept_text_streams("t") as incoming:
            await tell_of(server, room_name, "bob")
            await (await ann.wait_for_participant("bob")).wait_until_active()
            await ann.local_participant.send_text("a" * 20_000, topic="t", compress=False)
            assert len(await (await incoming.receive()).read_all()) == 20_000
            for compress in (True, False):
                await ann.local_participant.send_text("a" * 20_001, topic="t", compress=compress)
                with pytest.raises(rtc.StreamTooLargeError):
                    await (await incoming.receive()).read_all()
            async with ann.local_participant.stream_text(topic="t") as writer:
                await writer.write("a" * 40_000)
            with pytest.raises(rtc.StreamTooLargeError):
                await (await incoming.receive()).read_all()
