"""What the body registers before its first checkpoint answers the call of a peer that calls the moment it sees us join.

The native library does not keep calls back until the body has begun, as it does with events: until a method is registered it
answers by itself that there is none. So a call can be early, if the machine is busy; but none that comes later is missed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import pytest

from livekit_trio import rtc
from tests.data.conftest import few_or_many

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from tests.peers.driver import OfficialPeer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


@few_or_many
async def test_a_first_call_is_never_missed(
    server: DevServer, room_name: str, peer: OfficialPeer, *, many: bool
) -> None:
    await peer.ask("join", url=server.url, token=server.token("bob", room_name), call="greet", tell=False)
    key = {"url": server.http_url, "key": server.api_key, "secret": server.api_secret, "room": room_name}
    joins = 100 if many else 10
    missed = early = 0
    with anyio.fail_after(200):
        for number in range(joins):
            identity = f"ann-{number}"
            await peer.ask("announce", **key, identity=identity)
            async with rtc.open_room(server.url, server.token(identity, room_name)) as room:
                room.local_participant.register_rpc_method("greet", lambda _: "welcome")
                registered = time.monotonic()
                outcome = await peer.wait_for("called", identity=identity)
            if "response" not in outcome:
                assert outcome["code"] == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD
                missed += outcome["at"] > registered
                early += outcome["at"] <= registered
    assert missed == 0
    if many:
        assert early <= joins // 10
