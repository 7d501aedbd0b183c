"""What tests of real rooms share."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from livekit_trio.testing import assert_idle
from tests.peers.driver import OfficialPeer, open_official_peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_numbers = itertools.count(1)


@pytest.fixture
def room_name(request: pytest.FixtureRequest) -> str:
    """A room of the test's own in the server of all."""
    return f"{request.node.name}-{next(_numbers)}"


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    """Fails the test if it leaves a room, a call, a handle or a runtime behind."""
    yield
    await assert_idle()


@pytest.fixture
async def peer() -> AsyncIterator[OfficialPeer]:
    """A program with the official SDK; it is in no room yet."""
    async with open_official_peer() as peer:
        yield peer
