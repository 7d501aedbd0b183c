"""Bytes and files, between two of our own rooms on the real server."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

import anyio
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.data.conftest import Pair

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


async def test_a_file_arrives_as_it_is(pair: Pair, tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    source.write_bytes(random.Random(1).randbytes(8 << 20))
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
        assert steps[0] == (0, 8 << 20)
        assert steps[-1] == (8 << 20, 8 << 20)
