"""What the body registers before its first checkpoint answers the call of a peer that calls the moment it sees us join."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from livekit_trio import rtc
from tests.rtc.test_first_checkpoint import Usher, open_usher

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from tests.peers.driver import OfficialPeer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

WAVES: Final = 20
AT_ONCE: Final = 5


async def test_a_first_call_is_never_missed(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    await peer.ask("join", url=server.url, token=server.token("bob", room_name), call="greet", tell=False)
    outcomes: list[dict[str, Any]] = []
    returned: defaultdict[str, anyio.Event] = defaultdict(anyio.Event)

    async def listen() -> None:
        while True:
            outcomes.append(await peer.wait_for("called"))
            returned[outcomes[-1]["identity"]].set()

    async def join(usher: Usher, identity: str) -> None:
        async with rtc.open_room(server.url, server.token(identity, room_name)) as room:
            room.local_participant.register_rpc_method("greet", lambda call: call.payload)
            with anyio.fail_after(20):
                await returned[identity].wait()
            usher.joining -= {identity}

    async with open_usher(server, room_name) as usher, anyio.create_task_group() as listening:
        listening.start_soon(listen)
        for wave in range(WAVES):
            usher.joining = frozenset(f"ann-{wave}-{number}" for number in range(AT_ONCE))
            async with anyio.create_task_group() as group:
                for identity in usher.joining:
                    group.start_soon(partial(join, usher, identity))
        listening.cancel_scope.cancel()
    assert len(outcomes) == WAVES * AT_ONCE
    assert [outcome for outcome in outcomes if "response" not in outcome] == []
