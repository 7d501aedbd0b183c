"""Text and byte streams to and from livekit-client."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import TYPE_CHECKING

import anyio
import pytest

if TYPE_CHECKING:
    from livekit_trio import rtc
    from tests.peers.driver import Peer

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.usefixtures("nothing_left")]

CHUNK = 15_000
"""Bytes of a chunk: here a character lies across the border of two."""

TEXTS = ("", "x", "a" * (CHUNK - 1) + "€" + "b", "é€😀" * 20_000)
SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 1 << 20)


async def test_texts_both_ways(meeting: tuple[rtc.Room, Peer]) -> None:
    room, browser = meeting
    await browser.ask("accept_text", topic="down")
    with anyio.fail_after(60), room.accept_text_streams("up") as incoming:
        for text in TEXTS:
            await browser.ask("send_text", text=text, topic="up", attributes={"mood": "good"})
            reader = await incoming.receive()
            assert (reader.sender_identity, reader.info.attributes) == ("browser", {"mood": "good"})
            assert await reader.read_all() == text

            await room.local_participant.send_text(text, topic="down", attributes={"mood": "bad"})
            seen = await browser.wait_for("text", topic="down", sender="ours", attributes={"mood": "bad"})
            assert (seen["size"], seen["digest"]) == (len(text.encode()), sha256(text.encode()).hexdigest())


async def test_files_both_ways(meeting: tuple[rtc.Room, Peer]) -> None:
    room, browser = meeting
    await browser.ask("accept_bytes", topic="down")
    part = bytes(range(251))
    with anyio.fail_after(60), room.accept_byte_streams("up") as incoming:
        for size in SIZES:
            data = (part * (size // len(part) + 1))[:size]
            digest = sha256(data).hexdigest()
            encoded = base64.b64encode(part).decode()
            assert await browser.ask("send_bytes", data=encoded, size=size, topic="up", name="a.bin") == digest
            reader = await incoming.receive()
            assert (reader.sender_identity, reader.info.name, reader.info.size) == ("browser", "a.bin", size)
            assert await reader.read_all() == data

            await room.local_participant.send_bytes(data, topic="down", name="b.bin", mime_type="x/y")
            seen = await browser.wait_for("bytes", topic="down", sender="ours")
            assert (seen["size"], seen["digest"]) == (size, digest)
            assert (seen["name"], seen["mime_type"]) == ("b.bin", "x/y")
