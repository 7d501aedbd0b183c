"""Remote procedure calls over a real server: between two of ours, and with the official SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from livekit_trio import rtc

if TYPE_CHECKING:
    from tests.data.conftest import Pair

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


async def test_a_call_is_answered(pair: Pair) -> None:
    async with pair() as (ann, bob):

        async def shout(call: rtc.RpcInvocationData) -> str:
            assert call.caller_identity == "ann"
            return call.payload.upper()

        bob.local_participant.register_rpc_method("shout", shout)
        answer = await ann.local_participant.perform_rpc(destination_identity="bob", method="shout", payload="hello ä")
        assert answer == "HELLO Ä"
