"""Calls that we make: what is asked, what comes back, and what is left when nobody waits for it any more."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import attrs
import pytest
from typing_extensions import override

from livekit_trio import rtc
from livekit_trio.testing import assert_idle
from livekit_trio.testing._fake_library import FakeLibrary
from tests.cancelling import ways
from tests.data.conftest import meanwhile_or_late
from tests.data.test_rpc_serving import joined
from tests.rtc.test_cancel import Delays, cancel_once

if TYPE_CHECKING:
    from livekit_trio.rtc._rpc_types import OutgoingNext
    from livekit_trio.testing._fake_room import FakeRoom

pytestmark = pytest.mark.anyio

Code = rtc.RpcError.ErrorCode


def call(me: rtc.LocalParticipant, **changes: Any) -> Any:
    arguments: dict[str, Any] = {"destination_identity": "bob", "method": "m", "payload": "p", **changes}
    return me.perform_rpc(**arguments)


async def test_what_is_asked() -> None:
    async with joined() as (native, me):
        fake = native._fake
        fake.on("perform_rpc", lambda request: request.reply(payload="answer"))
        assert await call(me) == "answer"
        assert await call(me, response_timeout=2.5, max_round_trip_latency=0.5) == "answer"
        first, second = (request.message for request in fake.requested("perform_rpc"))
        assert (first.destination_identity, first.method, first.payload) == ("bob", "m", "p")
        assert (first.response_timeout_ms, first.max_round_trip_latency_ms) == (15_000, 7_000)
        assert (second.response_timeout_ms, second.max_round_trip_latency_ms) == (2500, 500)


@pytest.mark.parametrize(("code", "data"), [(1502, None), (42, ""), (42, "facts")])
async def test_an_error_comes_as_it_is(code: int, data: str | None) -> None:
    async with joined() as (native, me):
        error: dict[str, Any] = {"code": code, "message": "text"}
        if data is not None:
            error["data"] = data
        native._fake.on("perform_rpc", lambda request: request.reply(error=error))
        with pytest.raises(rtc.RpcError) as caught:
            await call(me)
        assert (caught.value.code, caught.value.message, caught.value.data) == (code, "text", data)
        assert str(caught.value) == f"text ({code})"


@pytest.mark.parametrize(
    "wrong",
    [
        {"destination_identity": ""},
        {"method": ""},
        {"response_timeout": 0},
        {"response_timeout": -1},
        {"response_timeout": float("nan")},
        {"max_round_trip_latency": 0},
    ],
    ids=str,
)
async def test_wrong_arguments(wrong: dict[str, Any]) -> None:
    async with joined() as (native, me):
        with pytest.raises(ValueError, match="must"):
            await call(me, **wrong)
        assert native._fake.requested("perform_rpc") == []


async def test_without_permission() -> None:
    async with joined() as (native, me):
        permission = {
            "can_subscribe": True,
            "can_publish": True,
            "can_publish_data": False,
            "hidden": False,
            "can_update_metadata": True,
            "can_subscribe_metrics": False,
            "can_manage_agent_session": False,
        }
        native.emit(participant_permission_changed={"participant_identity": "me", "permission": permission})
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(rtc.RpcError, match="no permission") as caught:
            await call(me)
        assert caught.value.code == Code.SEND_FAILED


class Shouting(rtc.RpcInterceptor):
    def __init__(self) -> None:
        self.errors: list[int] = []

    @override
    async def intercept_outgoing(self, call: rtc.RpcCallInfo, next: OutgoingNext) -> str:
        try:
            answer = await next(attrs.evolve(call, payload=call.payload.upper()))
        except rtc.RpcError as error:
            self.errors.append(error.code)
            raise
        return answer + "!"


async def test_interceptors() -> None:
    async with joined() as (native, me):
        shouting = Shouting()
        me.add_rpc_interceptor(rtc.RpcInterceptor())
        me.add_rpc_interceptor(shouting)
        native._fake.on("perform_rpc", lambda request: request.reply(payload=request.message.payload))
        assert await call(me) == "P!"
        native._fake.on("perform_rpc", lambda request: request.reply(error={"code": 42, "message": "no"}))
        with pytest.raises(rtc.RpcError):
            await call(me)
        assert shouting.errors == [42]


@meanwhile_or_late
async def test_cancelled_at_every_suspension(anyio_backend_name: str, *, late: bool) -> None:
    """A call of ours, and a handler of the same room: nothing is left, and the native side is answered."""
    for way in ways(anyio_backend_name):
        for at in itertools.count(1):
            fake = FakeLibrary()
            native = fake.room()
            numbers: list[int] = []

            async def visit(native: FakeRoom = native, numbers: list[int] = numbers) -> None:
                async with rtc.open_room("ws://fake", "token", leave_timeout=0.1) as room:
                    with room.local_participant.rpc_method("slow", slow):
                        numbers.append(native.invoke("slow"))
                        await call(room.local_participant)
                        await anyio.wait_all_tasks_blocked()

            with fake.installed():
                reached = await cancel_once(Delays(fake, "perform_rpc"), way, at, late=late, program=visit)
                await assert_idle()
            fake.check()
            assert all(native.answer_to(number) in ("done", Code.RECIPIENT_DISCONNECTED) for number in numbers)
            if not reached:
                assert at > 5
                break


async def slow(_: rtc.RpcInvocationData) -> str:
    await anyio.lowlevel.checkpoint()
    await anyio.lowlevel.checkpoint()
    return "done"
