"""Bytes and files, between two of our own rooms on the real server."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import anyio
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from livekit_trio import rtc
    from tests.data.conftest import Pair

SIZE: Final = 1 << 20
"""`tests/process/test_transfer.py` has larger ones."""

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


class Steps(list[tuple[int, int | None]]):
    """What progress was told."""

    def take(self, done: int, total: int | None) -> None:
        self.append((done, total))


async def test_a_file_arrives_as_it_is(pair: Pair, tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    source.write_bytes(random.Random(1).randbytes(SIZE))
    target = tmp_path / "received"
    target.mkdir()
    sent, saved = Steps(), Steps()

    async def send(me: rtc.LocalParticipant) -> None:
        info = await me.send_file(source, topic="files", progress=sent.take)
        assert (info.name, info.mime_type, info.size) == ("photo.jpg", "image/jpeg", SIZE)

    async with pair() as (ann, bob), anyio.create_task_group() as group:
        with bob.accept_byte_streams("files") as incoming, anyio.fail_after(60):
            group.start_soon(send, ann.local_participant)
            reader = await incoming.receive()
            assert (reader.info.name, reader.info.mime_type, reader.info.size) == ("photo.jpg", "image/jpeg", SIZE)
            assert await reader.save_to(target, progress=saved.take) == target / "photo.jpg"
    assert (target / "photo.jpg").read_bytes() == source.read_bytes()
    for steps in (sent, saved):
        assert steps == sorted(steps)
        assert (steps[0], steps[-1]) == ((0, SIZE), (SIZE, SIZE))
        assert len(steps) > 2


async def test_bytes_arrive_as_they_were_sent(pair: Pair) -> None:
    async with pair() as (ann, bob):
        me = ann.local_participant
        with bob.accept_byte_streams("t") as incoming, anyio.fail_after(20):
            for data in (b"", b"\x00", bytes(range(256)) * 100, random.Random(1).randbytes(100_000)):
                for compress in (True, False):
                    info = await me.send_bytes(data, topic="t", name="n", attributes={"a": "b"}, compress=compress)
                    reader = await incoming.receive()
                    assert reader.info == info
                    assert await reader.read_all() == data
                async with me.stream_bytes("n", topic="t", total_size=len(data)) as writer:
                    await writer.write(data)
                reader = await incoming.receive()
                assert reader.info == writer.info
                assert await reader.read_all() == data
