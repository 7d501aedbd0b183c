"""What the body sets up before its first checkpoint misses nothing of what a peer sends at the first moment that it can."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from livekit_trio import rtc
from livekit_trio.testing import AdminCallError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit_trio.testing import DevServer
    from tests.peers.driver import OfficialPeer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

AT_ONCE: Final = 5
BLOCKED: Final = 0.05


class Usher:
    """Lets everybody know at once of who is joining.

    The server tells of somebody who publishes nothing every 3 s only, but of whom the server API has changed at once.
    """

    def __init__(self, server: DevServer, room: str) -> None:
        self.joining = frozenset[str]()
        self._server = server
        self._room = room

    async def announce_all(self) -> None:
        """In a loop and a thread of its own, since the test blocks its loop."""
        count = 0
        while True:
            anyio.from_thread.check_cancelled()
            for identity in self.joining:
                count += 1
                with suppress(AdminCallError):  # it is not in the room yet, or any more
                    await self._server.update_participant(self._room, identity, metadata=str(count))
            await anyio.sleep(0.005)


@asynccontextmanager
async def open_usher(server: DevServer, room: str) -> AsyncGenerator[Usher]:
    usher = Usher(server, room)
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, lambda: anyio.run(usher.announce_all))
        yield usher
        group.cancel_scope.cancel()


@pytest.mark.parametrize("waves", [pytest.param(4, id="20"), pytest.param(20, id="100", marks=pytest.mark.long)])
async def test_a_greeting_is_never_missed(server: DevServer, room_name: str, peer: OfficialPeer, waves: int) -> None:
    await peer.ask("join", url=server.url, token=server.token("bob", room_name), greet=True, tell=False)
    ahead = 0

    async def join(usher: Usher, identity: str, *, blocked: bool) -> None:
        nonlocal ahead
        async with rtc.open_room(server.url, server.token(identity, room_name)) as room:
            if blocked:
                time.sleep(BLOCKED)  # noqa: ASYNC251 - the greeting comes meanwhile, and nobody is there to take it
            begin = time.monotonic()
            with room.open_events(rtc.DataReceived) as events, anyio.fail_after(10):
                greeting = await events.receive()
            usher.joining -= {identity}
            assert greeting.topic == "greeting"
            ahead += float(greeting.data) < begin

    async with open_usher(server, room_name) as usher:
        for wave in range(waves):
            usher.joining = frozenset(f"ann-{wave}-{number}" for number in range(AT_ONCE))
            async with anyio.create_task_group() as group:
                for identity in usher.joining:
                    group.start_soon(partial(join, usher, identity, blocked=wave % 2 == 1))
    assert ahead > waves * AT_ONCE // 4, "too few greetings came before anybody could take them"
