"""Every program in the README, as it stands there."""

from __future__ import annotations

import os
import re
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.streams.text import TextReceiveStream

from livekit_trio import rtc
from tests.peers.driver import open_official_peer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit_trio.testing import DevServer

pytestmark = pytest.mark.anyio
once = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
"""The programs choose their event loop themselves."""

README = (Path(__file__).parent.parent / "README.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
EVENTS, TRACKS, GREETER = PROGRAMS  # a further program needs a test here


@asynccontextmanager
async def running(program: str, server: DevServer, directory: Path) -> AsyncGenerator[TextReceiveStream]:
    """The program's output while it runs. It has ended by itself, and well, when the block is left."""
    file = directory / "program.py"
    file.write_text(program)
    environment = os.environ | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    with anyio.fail_after(60):
        command = [sys.executable, "-u", "-W", "error", str(file)]
        async with await anyio.open_process(command, env=environment, stderr=None) as process:
            assert process.stdout is not None
            yield TextReceiveStream(process.stdout)
            assert await process.wait() == 0


async def text_until(output: TextReceiveStream, text: str) -> str:
    """What the program prints up to the first appearance of *text*."""
    seen = ""
    async for chunk in output:
        seen += chunk
        if text in seen:
            return seen
    raise AssertionError(f"the program ended without {text!r}:\n{seen}")


@once
async def test_two_participants_meet(server: DevServer, tmp_path: Path) -> None:
    async with running(EVENTS, server, tmp_path) as output:
        seen = "".join([chunk async for chunk in output])
    assert "bob is told: welcome, bob" in seen
    assert re.search(
        r"ParticipantConnected\(.*bob.*ParticipantActive\(.*bob.*ParticipantDisconnected\(.*bob", seen, re.DOTALL
    )


@once
async def test_tracks_are_announced_until_the_room_ends(server: DevServer, tmp_path: Path) -> None:
    async with open_official_peer() as peer, running(TRACKS, server, tmp_path) as output:
        await peer.ask("join", url=server.url, token=server.token("caller", "demo"))
        await peer.ask("publish_audio", name="voice")
        await text_until(output, "KIND_AUDIO track 'voice' arrives\n")
        await server.delete_room("demo")


@once
async def test_guest_is_greeted_on_asyncio(server: DevServer, tmp_path: Path) -> None:
    async with running(GREETER, server, tmp_path) as output:
        async with rtc.open_room(server.url, server.token("bot", "demo")):
            await text_until(output, "hello, bot\n")


def test_commands_stand_alone_on_their_lines() -> None:
    lines = README.splitlines()
    assert "pip install uv && uv run livekit-trio demo" in lines
    assert "pip install uv && uv run pytest" in lines
