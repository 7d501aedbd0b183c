"""Text and byte streams with an old peer: of client protocol 0, which knows neither one-packet streams nor compression."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import anyio
import pytest

from livekit_trio import rtc
from tests.data.conftest import tell_of
from tests.peers.driver import open_official_peer

if TYPE_CHECKING:
    from pathlib import Path

    from livekit_trio.testing import DevServer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

OLD_VERSION: Final = "1.0.12"
CHUNK: Final = 15_000
SIZES: Final = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 100_000)


@pytest.fixture(scope="module")
def old_official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an old official SDK, without what it depends on."""
    folder = tmp_path_factory.mktemp("official")
    uv = shutil.which("uv")
    assert uv is not None, "the suite is run by uv"
    # Elsewhere, or uv would hold it to this project's pins.
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, "--target", "."]
    subprocess.run([*install, f"livekit=={OLD_VERSION}"], cwd=folder, check=True)
    return folder


async def test_both_ways(server: DevServer, room_name: str, old_official: Path) -> None:
    async with (
        open_official_peer(old_official) as peer,
        rtc.open_room(server.url, server.token("ann", room_name)) as ann,
    ):
        await peer.ask("join", url=server.url, token=server.token("old", room_name))
        await peer.ask("accept_streams", topic="down")
        me = ann.local_participant
        with (
            anyio.fail_after(60),
            ann.accept_text_streams("up") as texts,
            ann.accept_byte_streams("up") as files,
        ):
            await tell_of(server, room_name, "old")
            old = await ann.wait_for_participant("old")
            await old.wait_until_active()
            assert old.client_protocol == 0
            for size in SIZES:
                text = ("a€" * size)[:size]
                sent = await me.send_text(text, topic="down")
                seen = await peer.wait_for("text", topic="down", id=sent.stream_id)
                assert (seen["size"], seen["digest"]) == (len(text.encode()), sha256(text.encode()).hexdigest())
                await peer.ask("send_text", text=text, topic="up")
                assert await (await texts.receive()).read_all() == text

                data = random.Random(size).randbytes(size)
                digest = sha256(data).hexdigest()
                sent = await me.send_bytes(data, topic="down")
                assert (await peer.wait_for("bytes", id=sent.stream_id))["digest"] == digest
                assert await peer.ask("stream_bytes", size=size, topic="up", name="n") == digest
                assert await (await files.receive()).read_all() == data
