"""A file from one process to another: the same bytes, in flat memory."""

from __future__ import annotations

import faulthandler
import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from .running import run_program

if TYPE_CHECKING:
    from pathlib import Path

    from livekit_trio.testing import DevServer

MEBI: Final = 1 << 20
BOUND: Final = 64 * MEBI
SLOWEST: Final = 0.5 * MEBI
"""Bytes a second; some 2 MB are usual between two processes of a machine with two processors."""


def make_file(path: Path, size: int) -> str:
    """Fill *path* with *size* bytes, no two mebibytes of which are the same; returns their digest."""
    digest = hashlib.sha256()
    block = random.Random(size).randbytes(MEBI - 8)
    with path.open("wb") as file:
        for number in range(size // MEBI):
            part = number.to_bytes(8, "big") + block
            digest.update(part)
            file.write(part)
    return digest.hexdigest()


@pytest.mark.parametrize(
    ("size", "backend"),
    [
        (8, "trio"),
        pytest.param(8, "asyncio", marks=pytest.mark.long),
        pytest.param(64, "trio", marks=pytest.mark.long),
        pytest.param(64, "asyncio", marks=pytest.mark.long),
        pytest.param(256, "trio", marks=pytest.mark.long),
        pytest.param(256, "asyncio", marks=pytest.mark.long),
        pytest.param(1024, "trio", marks=pytest.mark.long),
    ],
)
def test_a_file_arrives_in_flat_memory(server: DevServer, tmp_path: Path, size: int, backend: str) -> None:
    if size >= 1024:
        faulthandler.cancel_dump_traceback_later()  # eight minutes are no hang here
    source, target = tmp_path / "source", tmp_path / "target"
    target.mkdir()
    digest = make_file(source, size * MEBI)

    def run(role: str, path: Path) -> Any:
        token = server.token(role, f"transfer {size} {backend}")
        return run_program(
            "transfer", role, backend, server.url, token, path, timeout=60 + size * MEBI / SLOWEST
        ).report()

    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(run, ("receive", "send"), (target, source)))
    for report in reports:
        print(report)  # noqa: T201
        assert report["grown"] < BOUND
        assert report["in_order"]
        assert report["first"] == [0, size * MEBI]
        assert report["last"] == [size * MEBI, size * MEBI]
    received = target / "source"
    with received.open("rb") as file:
        arrived = hashlib.sha256()
        for part in iter(partial(file.read, MEBI), b""):
            arrived.update(part)
    assert arrived.hexdigest() == digest
