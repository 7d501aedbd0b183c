"""What tests of data share with those of rooms, and two rooms that see each other."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import anyio
import pytest

from livekit_trio import rtc
from tests.peers.telling import tell_of as tell_of
from tests.rtc.conftest import nothing_left as nothing_left, peer as peer, room_name as room_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager

    from livekit_trio.testing import DevServer

Pair: TypeAlias = "Callable[[], AbstractAsyncContextManager[tuple[rtc.Room, rtc.Room]]]"
"""Opens the rooms of ann and bob, each of whom can receive the other's data."""


@pytest.fixture
def pair(server: DevServer, room_name: str) -> Pair:
    @asynccontextmanager
    async def open_pair() -> AsyncGenerator[tuple[rtc.Room, rtc.Room]]:
        async with (
            rtc.open_room(server.url, server.token("ann", room_name)) as ann,
            rtc.open_room(server.url, server.token("bob", room_name)) as bob,
        ):
            with anyio.fail_after(20):
                await tell_of(server, room_name, "bob")
                await (await ann.wait_for_participant("bob")).wait_until_active()
                await (await bob.wait_for_participant("ann")).wait_until_active()
            yield ann, bob

    return open_pair
