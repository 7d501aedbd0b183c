"""Streams and calls with an old peer: of client protocol 0, whose streams know neither one packet nor compression, and whose calls
are packets of at most 15 360 bytes."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import anyio
import pytest

from livekit_trio import rtc
from tests.data.conftest import later_on_asyncio, tell_of
from tests.peers.driver import OfficialPeer, open_official_peer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from livekit_trio.testing import DevServer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left"), later_on_asyncio]

Code = rtc.RpcError.ErrorCode
OLD_VERSION: Final = "1.0.12"
CHUNK: Final = 15_000
SIZES: Final = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 100_000)
LIMIT: Final = 15_360
"""Bytes of the payload of a call, and of its answer."""


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


@asynccontextmanager
async def beside_old(
    server: DevServer, room_name: str, old_official: Path
) -> AsyncGenerator[tuple[rtc.Room, OfficialPeer]]:
    """A room of ours, and the old peer in it, of whom we know."""
    async with (
        open_official_peer(old_official) as peer,
        rtc.open_room(server.url, server.token("ann", room_name)) as ann,
    ):
        await peer.ask("join", url=server.url, token=server.token("old", room_name))
        with anyio.fail_after(60):
            await tell_of(server, room_name, "old")
            old = await ann.wait_for_participant("old")
            await old.wait_until_active()
            assert old.client_protocol == 0
            yield ann, peer


async def test_streams_both_ways(server: DevServer, room_name: str, old_official: Path) -> None:
    async with beside_old(server, room_name, old_official) as (ann, peer):
        await peer.ask("accept_streams", topic="down")
        me = ann.local_participant
        with ann.accept_text_streams("up") as texts, ann.accept_byte_streams("up") as files:
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


async def test_calls_both_ways(server: DevServer, room_name: str, old_official: Path) -> None:
    async with beside_old(server, room_name, old_official) as (ann, peer):
        await peer.ask("serve_rpc", method="m")
        me = ann.local_participant
        me.register_rpc_method("m", lambda call: call.payload * 2 if call.payload[:1] == "2" else call.payload[::-1])

        async def call(payload: str) -> str:
            return await me.perform_rpc(destination_identity="old", method="m", payload=payload)

        for payload in ("", "x", "y" * (LIMIT - 1), "z" * LIMIT, "€" * (LIMIT // 3)):  # bytes count, not characters
            assert await call(payload) == payload[::-1]
            assert await peer.ask("perform_rpc", to="ann", method="m", payload=payload) == {"response": payload[::-1]}

        for payload in ("z" * (LIMIT + 1), "€" * (LIMIT // 3) + "x"):
            with pytest.raises(rtc.RpcError) as request:
                await call(payload)
            assert request.value.code == Code.REQUEST_PAYLOAD_TOO_LARGE
            refused = await peer.ask("perform_rpc", to="ann", method="m", payload=payload)
            assert refused["code"] == Code.REQUEST_PAYLOAD_TOO_LARGE

        with pytest.raises(rtc.RpcError) as answer:
            await call("twice:" + "x" * (LIMIT // 2 - 5))
        assert answer.value.code == Code.RESPONSE_PAYLOAD_TOO_LARGE
        assert await call("twice:" + "x" * (LIMIT // 2 - 6)) == 2 * ("twice:" + "x" * (LIMIT // 2 - 6))
        half = "2" * (LIMIT // 2)
        assert await peer.ask("perform_rpc", to="ann", method="m", payload=half) == {"response": half * 2}
        refused = await peer.ask("perform_rpc", to="ann", method="m", payload=half + "x")
        assert refused["code"] == Code.RESPONSE_PAYLOAD_TOO_LARGE

        with pytest.raises(rtc.RpcError) as failure:
            await call("fail:no")
        assert (failure.value.code, failure.value.message, failure.value.data) == (1234, "no", "facts")
        unknown = await peer.ask("perform_rpc", to="ann", method="unknown")
        assert unknown["code"] == Code.UNSUPPORTED_METHOD
