"""Texts, between two of our own rooms on the real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

if TYPE_CHECKING:
    from tests.data.conftest import Pair

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


@pytest.mark.parametrize("text", ["", "hello", "é" * 20_000, "ab" + "€" * 30_000], ids=len)
async def test_a_text_arrives_as_it_was_sent(pair: Pair, text: str) -> None:
    async with pair() as (ann, bob):
        with bob.accept_text_streams("chat") as incoming, anyio.fail_after(10):
            info = await ann.local_participant.send_text(text, topic="chat", attributes={"mood": "good"})
            reader = await incoming.receive()
            assert reader.sender_identity == "ann"
            assert reader.info == info
            assert reader.info.attributes == {"mood": "good"}
            assert await reader.read_all() == text
            assert reader.received == reader.info.size == len(text.encode())
