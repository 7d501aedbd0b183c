"""Bytes and files, between two of our own rooms on the real server."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, Final

import anyio
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.data.conftest import Pair

SIZE: Final = 1 << 20
"""`tests/process/test_transfer.py` has larger ones."""

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


async def test_a_file_arrives_as_it_is(pair: Pair, tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    source.write_bytes(random.Random(1).randbytes(SIZE))
    target = tmp_path / "received"
    target.mkdir()
    done: list[tuple[int, int | None]] = []
    saved: list[tuple[int, int | None]] = []
    async with pair() as (ann, bob), anyio.create_task_group() as group:
        with bob.accept_byte_streams("files") as incoming, anyio.fail_after(60):
            group.start_soon(
                lambda: ann.local_participant.send_file(source, topic="files", progress=lambda *args: done.append(args))
            )
            reader = await incoming.receive()
            assert reader.info.name == "photo.jpg"
            assert reader.info.mime_type == "image/jpeg"
            path = await reader.save_to(target, progress=lambda *args: saved.append(args))
    assert path == target / "photo.jpg"
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()
    for steps in (done, saved):
        assert steps == sorted(steps)
        assert steps[0] == (0, SIZE)
        assert steps[-1] == (SIZE, SIZE)


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
