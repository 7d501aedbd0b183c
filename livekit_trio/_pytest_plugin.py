"""The pytest plug-in: a real server for a test run, and a joined room for a test.

pytest loads it by its entry point wherever this package is installed, so that it imports nothing before a fixture is used.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from .rtc import Room
    from .testing import DevServer

IDENTITY: Final = "me"
MAX_NAME: Final = 100
"""Characters of a test's name in that of its room; the server allows 256 in all."""


@pytest.fixture(scope="session")
def livekit_server() -> Generator[DevServer]:
    """A real livekit-server on loopback for the whole test run: a `livekit_trio.testing.DevServer`, see `open_server` there."""
    from anyio.from_thread import start_blocking_portal

    from .testing import open_server

    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(open_server()) as server:
        yield server


@pytest.fixture
async def livekit_room(livekit_server: DevServer, request: pytest.FixtureRequest) -> AsyncGenerator[Room]:
    """A room of this test's own, joined as "me": a `livekit_trio.rtc.Room`, left when the test has ended.

    For async tests run by AnyIO's plug-in (``@pytest.mark.anyio``, on Trio and asyncio) or by pytest-trio. Others join it with
    ``livekit_server.token("somebody", livekit_room.name)``.
    """
    from .rtc import open_room

    test = re.sub(r"[^\w-]+", "-", request.node.name)[:MAX_NAME]
    name = f"{test}-{secrets.token_hex(4)}"
    async with open_room(livekit_server.url, livekit_server.token(IDENTITY, name)) as room:
        yield room
