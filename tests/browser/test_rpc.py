"""Remote procedure calls to and from livekit-client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from livekit_trio import rtc

if TYPE_CHECKING:
    from tests.peers.driver import Peer

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.usefixtures("nothing_left")]

CALLS = 200


def turn_round(call: rtc.RpcInvocationData) -> str:
    if call.payload.startswith("fail:"):
        raise rtc.RpcError(4321, call.payload[5:], "facts")
    return call.payload[::-1]


async def call_browser(room: rtc.Room, payload: str) -> str:
    return await room.local_participant.perform_rpc(
        destination_identity="browser", method="turn round", payload=payload
    )


async def test_both_ways(meeting: tuple[rtc.Room, Peer]) -> None:
    room, browser = meeting
    me = room.local_participant
    await browser.ask("serve_rpc", method="turn round")
    with me.rpc_method("turn round", turn_round):
        for payload in ("", "x", "aä€😀" * 1000, "y" * 15_360, "z" * 15_361, "m" * (1 << 19)):
            wanted = payload[::-1]
            assert await call_browser(room, payload) == wanted
            back = await browser.ask("perform_rpc", to="ours", method="turn round", payload=payload)
            assert back == {"response": wanted}
        with pytest.raises(rtc.RpcError) as caught:
            await call_browser(room, "fail:no")
        assert (caught.value.code, caught.value.message, caught.value.data) == (1234, "no", "facts")
        refusal = await browser.ask("perform_rpc", to="ours", method="turn round", payload="fail:no")
        assert refusal == {"code": 4321, "message": "no", "data": "facts"}
        unknown = await browser.ask("perform_rpc", to="ours", method="no such", payload="")
        assert unknown["code"] == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD


async def test_many_at_once(meeting: tuple[rtc.Room, Peer]) -> None:
    room, browser = meeting
    await browser.ask("serve_rpc", method="turn round")
    answers: dict[int, str] = {}

    async def call(number: int) -> None:
        answers[number] = await call_browser(room, f"{number:03}")

    with anyio.fail_after(60):
        async with anyio.create_task_group() as callers:
            for number in range(CALLS):
                callers.start_soon(call, number)
    assert answers == {number: f"{number:03}"[::-1] for number in range(CALLS)}
