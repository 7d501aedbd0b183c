"""What tests of data share with those of rooms, and two rooms that see each other."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

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

later_on_asyncio: Final = pytest.mark.parametrize(
    "anyio_backend", ["trio", pytest.param("asyncio", marks=pytest.mark.long)], indirect=True
)
"""On asyncio with `long` only: what takes seconds, and asks of an event loop what quicker tests ask of both."""

few_or_many: Final = pytest.mark.parametrize(
    ("anyio_backend", "many"),
    [
        pytest.param("trio", False, id="trio-few"),
        pytest.param("trio", True, id="trio-many", marks=pytest.mark.long),
        pytest.param("asyncio", True, id="asyncio-many", marks=pytest.mark.long),
    ],
    indirect=["anyio_backend"],
)
"""What is repeated to be sure is repeated with `long`."""

meanwhile_or_late: Final = pytest.mark.parametrize(
    ("anyio_backend", "late"),
    [
        pytest.param("trio", False, id="trio-answered meanwhile"),
        pytest.param("trio", True, id="trio-answered after the end"),
        pytest.param("asyncio", False, id="asyncio-answered meanwhile"),
        pytest.param("asyncio", True, id="asyncio-answered after the end", marks=pytest.mark.long),
    ],
    indirect=["anyio_backend"],
)
"""When the native side answers who was cancelled; asyncio, with its three ways to cancel, waits long for the second."""


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
