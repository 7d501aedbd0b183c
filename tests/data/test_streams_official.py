"""Text and byte streams with the official SDK as the other end, both ways."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import anyio
import pytest

from livekit_trio import rtc
from tests.data.conftest import later_on_asyncio, tell_of

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from tests.peers.driver import OfficialPeer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

CHUNK: Final = 15_000
"""Bytes of a chunk, the largest that a packet carries."""

SIZES: Final = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 1 << 20)

TEXTS: Final = tuple(
    shift * "a" + character * (40_000 // size) for size, character in enumerate("xé€😀", 1) for shift in range(size)
)
"""With a character of each length across the border of chunks, at each of its bytes."""


@later_on_asyncio
async def test_texts_both_ways(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    await peer.ask("join", url=server.url, token=server.token("bob", room_name))
    await peer.ask("accept_streams", topic="down")
    async with rtc.open_room(server.url, server.token("ann", room_name)) as ann:
        with anyio.fail_after(60), ann.accept_text_streams("up") as incoming:
            await (await ann.wait_for_participant("bob")).wait_until_active()
            await tell_of(server, room_name, "ann")
            await peer.wait_for("participant_active", identity="ann")
            whole = [(text, False) for text in ("", "x", *TEXTS)]
            for text, compress in (*whole, ("", True), ("x", True), (TEXTS[-1], True)):
                sent = await ann.local_participant.send_text(text, topic="down", compress=compress)
                seen = await peer.wait_for("text", topic="down", sender="ann", id=sent.stream_id)
                assert (seen["size"], seen["digest"]) == (len(text.encode()), sha256(text.encode()).hexdigest())

                stream_id = await peer.ask("send_text", text=text, topic="up", compress=compress)
                reader = await incoming.receive()
                assert (reader.info.stream_id, reader.info.size) == (stream_id, len(text.encode()))
                assert await reader.read_all() == text


async def test_texts_piece_by_piece_both_ways(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    await peer.ask("join", url=server.url, token=server.token("bob", room_name))
    await peer.ask("accept_streams", topic="down")
    pieces = ["", "a€", *TEXTS[-4:], "b"]
    text = "".join(pieces)
    async with rtc.open_room(server.url, server.token("ann", room_name)) as ann:
        with anyio.fail_after(60), ann.accept_text_streams("up") as incoming:
            await (await ann.wait_for_participant("bob")).wait_until_active()
            async with ann.local_participant.stream_text(topic="down", attributes={"mood": "good"}) as writer:
                for piece in pieces:
                    await writer.write(piece)
                await writer.aclose(attributes={"end": "reached"})
            seen = await peer.wait_for("text", topic="down")
            assert (seen["size"], seen["digest"]) == (len(text.encode()), sha256(text.encode()).hexdigest())
            assert seen["attributes"] == {"mood": "good", "end": "reached"}

            await peer.ask("stream_text", pieces=pieces, topic="up", attributes={"mood": "bad"})
            reader = await incoming.receive()
            assert reader.info.size is None
            assert await reader.read_all() == text
            assert reader.info.attributes == {"mood": "bad", "end": "reached"}


@later_on_asyncio
async def test_bytes_both_ways(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    await peer.ask("join", url=server.url, token=server.token("bob", room_name))
    await peer.ask("accept_streams", topic="down")
    async with rtc.open_room(server.url, server.token("ann", room_name)) as ann:
        with anyio.fail_after(60), ann.accept_byte_streams("up") as incoming:
            await (await ann.wait_for_participant("bob")).wait_until_active()
            me = ann.local_participant
            for size in SIZES:
                data = random.Random(size).randbytes(size)
                digest = sha256(data).hexdigest()
                await me.send_bytes(data, topic="down", name="a.bin", mime_type="x/y")
                async with me.stream_bytes("a.bin", total_size=size, mime_type="x/y", topic="down") as writer:
                    await writer.write(data)
                for _ in range(2):
                    seen = await peer.wait_for("bytes", topic="down", sender="ann")
                    assert (seen["size"], seen["announced"], seen["digest"]) == (size, size, digest)
                    assert (seen["name"], seen["mime_type"]) == ("a.bin", "x/y")

                for way in ("send_bytes", "stream_bytes"):
                    assert await peer.ask(way, size=size, topic="up", name="b.bin", mime_type="z/y") == digest
                    reader = await incoming.receive()
                    assert (reader.info.name, reader.info.mime_type) == ("b.bin", "z/y")
                    assert await reader.read_all() == data


@pytest.mark.long
async def test_64_mebibytes_both_ways(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    await peer.ask("join", url=server.url, token=server.token("bob", room_name))
    await peer.ask("accept_streams", topic="down")
    size = 64 << 20
    async with rtc.open_room(server.url, server.token("ann", room_name)) as ann:
        with anyio.fail_after(250), ann.accept_byte_streams("up") as incoming:
            await (await ann.wait_for_participant("bob")).wait_until_active()
            digest = await peer.ask("begin_bytes", size=size, topic="up")
            data = await (await incoming.receive()).read_all(limit=size)
            assert sha256(data).hexdigest() == digest
            async with ann.local_participant.stream_bytes(topic="down", total_size=size) as writer:
                await writer.write(data)
            seen = await peer.wait_for("bytes", topic="down")
            assert (seen["size"], seen["digest"]) == (size, digest)
