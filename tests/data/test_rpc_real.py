"""Remote procedure calls over a real server: between two of ours, and with the official SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from livekit_trio import rtc
from tests.data.conftest import tell_of

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from tests.data.conftest import Pair
    from tests.peers.driver import OfficialPeer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


async def test_a_call_is_answered(pair: Pair) -> None:
    async with pair() as (ann, bob):

        async def shout(call: rtc.RpcInvocationData) -> str:
            assert call.caller_identity == "ann"
            return call.payload.upper()

        bob.local_participant.register_rpc_method("shout", shout)
        answer = await ann.local_participant.perform_rpc(destination_identity="bob", method="shout", payload="hello ä")
        assert answer == "HELLO Ä"


async def test_with_the_official_sdk_both_ways(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    await peer.ask("join", url=server.url, token=server.token("bob", room_name))
    await peer.ask("serve_rpc", method="turn round")
    async with rtc.open_room(server.url, server.token("ann", room_name)) as ann:
        me = ann.local_participant

        def turn_round(call: rtc.RpcInvocationData) -> str:
            if call.payload == "fail":
                raise rtc.RpcError(4321, "as you like", "facts")
            return call.payload[::-1]

        with anyio.fail_after(20), me.rpc_method("turn round", turn_round):
            await (await ann.wait_for_participant("bob")).wait_until_active()
            await tell_of(server, room_name, "ann")
            await peer.wait_for("participant_active", identity="ann")  # until then it would use the old protocol
            for payload in ("", "x", "aä€😀" * 1000, "y" * 15_360, "z" * 15_361, "m" * (1 << 20)):
                answer = await me.perform_rpc(destination_identity="bob", method="turn round", payload=payload)
                assert answer == payload[::-1]
                if len(payload) < 1 << 20:  # more than one line of the driver's
                    back = await peer.ask("perform_rpc", to="ann", method="turn round", payload=payload)
                    assert back == {"response": payload[::-1]}
            with pytest.raises(rtc.RpcError) as caught:
                await me.perform_rpc(destination_identity="bob", method="turn round", payload="fail:no")
            assert (caught.value.code, caught.value.message, caught.value.data) == (1234, "no", "facts")
            refusal = await peer.ask("perform_rpc", to="ann", method="turn round", payload="fail")
            assert refusal == {"code": 4321, "message": "as you like", "data": "facts"}
