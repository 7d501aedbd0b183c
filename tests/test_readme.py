"""Every program in the README, as it stands there."""

from __future__ import annotations

import os
import re
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.streams.text import TextReceiveStream

from livekit_trio import rtc
from tests.peers.driver import open_official_peer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from anyio.abc import Process

    from livekit_trio.testing import DevServer

pytestmark = pytest.mark.anyio
once = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
"""The programs choose their event loop themselves."""

README = (Path(__file__).parent.parent / "README.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
EVENTS, TRACKS, GREETER = PROGRAMS  # a further program needs a test here


def main_of(program: str) -> Callable[[], Awaitable[None]]:
    """What the program runs in its last line, for any event loop."""
    run = 'anyio.run(main, backend="trio")\n'
    assert program.endswith(run)
    names: dict[str, Any] = {}
    exec(program.removesuffix(run), names)
    return names["main"]


@asynccontextmanager
async def running(program: str, server: DevServer, directory: Path) -> AsyncGenerator[Process]:
    """The program while it runs. It has ended by itself, and well, when the block is left."""
    file = directory / "program.py"
    file.write_text(program)
    environment = os.environ | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    with anyio.fail_after(120):
        command = [sys.executable, "-u", "-W", "error", str(file)]
        async with await anyio.open_process(command, env=environment, stderr=None) as process:
            yield process
            assert await process.wait() == 0


async def text_until(process: Process, text: str = "") -> str:
    """What the program prints up to the first appearance of *text*; without one, to the end."""
    assert process.stdout is not None
    seen = ""
    async for chunk in TextReceiveStream(process.stdout):
        seen += chunk
        if text and text in seen:
            return seen
    assert not text, f"the program ended without {text!r}:\n{seen}"
    return seen


async def end_room(server: DevServer, name: str, process: Process) -> None:
    """Delete a room until the program in it has ended.

    Once is not always enough: if the signal connection closes before the native side has read the server's goodbye, it
    takes that for a failure, comes back and finds a new room of the same name.
    """
    while process.returncode is None:
        if await server.list_participants(name):
            await server.delete_room(name)
        with anyio.move_on_after(5):
            await process.wait()


@once
async def test_two_participants_meet(server: DevServer, tmp_path: Path) -> None:
    async with running(EVENTS, server, tmp_path) as program:
        seen = await text_until(program)
    assert "bob is told: welcome, bob" in seen
    assert re.search(
        r"ParticipantConnected\(.*bob.*ParticipantActive\(.*bob.*ParticipantDisconnected\(.*bob", seen, re.DOTALL
    )


@once
async def test_tracks_are_announced_until_the_room_ends(server: DevServer, tmp_path: Path) -> None:
    async with open_official_peer() as peer, running(TRACKS, server, tmp_path) as program:
        await peer.ask("join", url=server.url, token=server.token("caller", "demo"))
        await peer.ask("publish_audio", name="voice")
        await text_until(program, "KIND_AUDIO track 'voice' arrives\n")
        await end_room(server, "demo", program)


@once
async def test_guest_is_greeted_on_asyncio(server: DevServer, tmp_path: Path) -> None:
    async with running(GREETER, server, tmp_path) as program:
        async with rtc.open_room(server.url, server.token("bot", "demo")):
            await text_until(program, "hello, bot\n")


def test_commands_stand_alone_on_their_lines() -> None:
    lines = README.splitlines()
    assert "pip install uv && uv run livekit-trio demo" in lines
    assert "pip install uv && uv run pytest" in lines
