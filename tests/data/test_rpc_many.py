"""Many calls at once, the ends that a call can have, and its times, over a real server."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.rtc._rpc_serving import MAX_RUNNING, MAX_WAITING
from tests.data.conftest import later_on_asyncio, tell_of

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from tests.data.conftest import Pair
    from tests.peers.driver import OfficialPeer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

Code = rtc.RpcError.ErrorCode
PATIENT: Final[dict[str, Any]] = {"response_timeout": 120.0, "max_round_trip_latency": 60.0}
"""For machines that do other things too."""


async def code_of(me: rtc.LocalParticipant, method: str, to: str = "bob", **times: Any) -> int:
    """The code of the error that the call ends with."""
    with pytest.raises(rtc.RpcError) as caught:
        await me.perform_rpc(destination_identity=to, method=method, **times)
    return caught.value.code


@later_on_asyncio
async def test_a_thousand_calls_at_once_all_answered(pair: Pair) -> None:
    order = random.Random(5)
    async with pair() as (ann, bob):

        async def echo(call: rtc.RpcInvocationData) -> str:
            await anyio.sleep(order.random() / 50)
            return call.payload

        answers: list[str] = []

        async def ask(number: int) -> None:
            answer = await ann.local_participant.perform_rpc(
                destination_identity="bob", method="echo", payload=str(number)
            )
            assert answer == str(number)
            answers.append(answer)

        with anyio.fail_after(120), bob.local_participant.rpc_method("echo", echo):
            async with anyio.create_task_group() as group:
                for number in range(1000):
                    group.start_soon(ask, number)
        assert len(answers) == 1000
        assert answers != sorted(answers, key=int)
        assert bob.local_participant.rpc_statistics().answered == 1000


@later_on_asyncio
async def test_two_hundred_calls_with_the_official_sdk(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    await peer.ask("join", url=server.url, token=server.token("bob", room_name))
    await peer.ask("serve_rpc", method="turn round")
    async with rtc.open_room(server.url, server.token("ann", room_name)) as ann:
        me = ann.local_participant
        me.register_rpc_method("turn round", lambda call: call.payload[::-1])

        async def ask(number: int) -> None:
            payload = f"number {number}"
            answer = await me.perform_rpc(destination_identity="bob", method="turn round", payload=payload)
            assert answer == payload[::-1]

        with anyio.fail_after(120):
            await tell_of(server, room_name, "ann")
            await (await ann.wait_for_participant("bob")).wait_until_active()
            await peer.wait_for("participant_active", identity="ann")
            async with anyio.create_task_group() as group:
                for number in range(200):
                    group.start_soon(ask, number)
            answers = await peer.ask("perform_rpcs", to="ann", method="turn round", count=200)
            assert answers == [{"response": str(number)[::-1]} for number in range(200)]


@later_on_asyncio
async def test_what_is_beyond_the_bounds_is_refused(pair: Pair) -> None:
    most = MAX_RUNNING + MAX_WAITING
    async with pair() as (ann, bob):
        go_on = anyio.Event()
        outcomes: Counter[str] = Counter()

        async def hold(call: rtc.RpcInvocationData) -> str:
            await go_on.wait()
            return call.payload

        async def ask() -> None:
            try:
                await ann.local_participant.perform_rpc(destination_identity="bob", method="hold", **PATIENT)
                outcomes["answered"] += 1
            except rtc.RpcError as error:
                outcomes[f"{error.code}"] += 1
                go_on.set()

        with anyio.fail_after(180), bob.local_participant.rpc_method("hold", hold):
            async with anyio.create_task_group() as group:
                for _ in range(most + 1):
                    group.start_soon(ask)
        assert outcomes == {"answered": most, f"{Code.APPLICATION_ERROR}": 1}
        statistics = bob.local_participant.rpc_statistics()
        assert (statistics.answered, statistics.refused) == (most, 1)


# ---- the old protocol: packets of at most 15 360 bytes


async def test_who_has_not_been_announced_is_called_by_the_old_protocol(server: DevServer, room_name: str) -> None:
    async with (
        rtc.open_room(server.url, server.token("ann", room_name)) as ann,
        rtc.open_room(server.url, server.token("bob", room_name)) as bob,
    ):
        bob.local_participant.register_rpc_method("repeat", lambda call: call.payload * 2)
        bob.local_participant.register_rpc_method("echo", lambda call: call.payload)

        def call(method: str, size: int) -> Any:
            return ann.local_participant.perform_rpc(destination_identity="bob", method=method, payload="x" * size)

        with anyio.fail_after(20):
            for size in (0, 1, 15_359, 15_360):
                assert await call("echo", size) == "x" * size
            with pytest.raises(rtc.RpcError) as request:
                await call("echo", 15_361)
            with pytest.raises(rtc.RpcError) as response:
                await call("repeat", 15_360 // 2 + 1)
        assert "bob" not in ann.remote_participants, "the server has announced him: was the machine asleep?"
        assert request.value.code == Code.REQUEST_PAYLOAD_TOO_LARGE
        assert response.value.code == Code.RESPONSE_PAYLOAD_TOO_LARGE


# ---- how a call can end


async def test_nobody_has_such_a_method_or_name(pair: Pair) -> None:
    async with pair() as (ann, _):
        me = ann.local_participant
        assert await code_of(me, "unknown") == Code.UNSUPPORTED_METHOD
        start = anyio.current_time()
        assert await code_of(me, "unknown", "nobody", max_round_trip_latency=0.5) == Code.CONNECTION_TIMEOUT
        assert 0.4 < anyio.current_time() - start < 6, "less than the default"


@later_on_asyncio
@pytest.mark.parametrize(
    "how", ["the recipient leaves", "the recipient's room is left by its body", "the caller leaves"]
)
async def test_the_end_of_a_room_is_the_end_of_the_call(server: DevServer, room_name: str, how: str) -> None:
    running = anyio.Event()
    cancelled = anyio.Event()
    codes: list[int] = []

    async def hang(_: rtc.RpcInvocationData) -> None:
        running.set()
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    async def ask(room: rtc.Room) -> None:
        try:
            codes.append(await code_of(room.local_participant, "hang"))
        except rtc.RoomClosedError:
            codes.append(0)

    async with rtc.open_room(server.url, server.token("ann", room_name)) as ann, anyio.create_task_group() as group:
        with anyio.fail_after(20):
            async with rtc.open_room(server.url, server.token("bob", room_name)) as bob:
                bob.local_participant.register_rpc_method("hang", hang)
                await tell_of(server, room_name, "bob")
                await (await ann.wait_for_participant("bob")).wait_until_active()
                group.start_soon(ask, ann)
                await running.wait()
                if how == "the recipient leaves":
                    await bob.disconnect()
                elif how == "the caller leaves":
                    await ann.disconnect()
                    await anyio.wait_all_tasks_blocked()
                    assert codes == [0]
                    assert not cancelled.is_set()
            await cancelled.wait()
            if how != "the caller leaves":
                while not codes:
                    await anyio.sleep(0.01)
                assert codes == [Code.RECIPIENT_DISCONNECTED]


async def test_a_handler_outlives_its_caller(pair: Pair) -> None:
    async with pair() as (ann, bob):
        running, ended = anyio.Event(), anyio.Event()

        async def work(_: rtc.RpcInvocationData) -> str:
            running.set()
            await go_on.wait()
            ended.set()
            return "for nobody"

        go_on = anyio.Event()
        bob.local_participant.register_rpc_method("work", work)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:

                async def ask() -> None:
                    await ann.local_participant.perform_rpc(destination_identity="bob", method="work")

                group.start_soon(ask)
                await running.wait()
                group.cancel_scope.cancel()
            go_on.set()
            await ended.wait()
            assert bob.local_participant.rpc_statistics().running <= 1
            while bob.local_participant.rpc_statistics().answered != 1:
                await anyio.sleep(0.01)


# ---- time: as docs/rpc.md has it


BUDGETS: Final = [
    (15.0, 7.0, 8.0),
    (10.0, 7.0, 3.0),
    (3.0, 1.0, 2.0),
    (3.0, 7.0, 1.0),
    (0.5, 0.2, 1.0),
    (100.0, 7.0, 93.0),
]


async def test_the_handlers_budget(pair: Pair) -> None:
    async with pair() as (ann, bob):

        async def look(call: rtc.RpcInvocationData) -> str:
            return f"{call.response_timeout} {call.remaining}"

        async def spent(response_timeout: float, max_round_trip_latency: float, budget: float) -> float:
            """The seconds that are gone as the handler begins."""
            answer = await ann.local_participant.perform_rpc(
                destination_identity="bob",
                method="look",
                response_timeout=response_timeout,
                max_round_trip_latency=max_round_trip_latency,
            )
            at_first, remaining = map(float, answer.split())
            assert at_first == pytest.approx(budget)
            assert remaining <= budget
            return budget - remaining

        bob.local_participant.register_rpc_method("look", look)
        with anyio.fail_after(60):
            for times in BUDGETS:
                while True:  # on a machine that does other things, too
                    with suppress(rtc.RpcError):
                        if await spent(*times) < 0.1:
                            break


@pytest.mark.long  # for a machine that has time; the handler's part is told in virtual time
async def test_who_hears_first_that_time_is_over(pair: Pair) -> None:
    async with pair() as (ann, bob):
        cut_short: list[float] = []

        async def hang(_: rtc.RpcInvocationData) -> None:
            start = anyio.current_time()
            try:
                await anyio.sleep_forever()
            finally:
                cut_short.append(anyio.current_time() - start)

        bob.local_participant.register_rpc_method("hang", hang)
        me = ann.local_participant
        start = anyio.current_time()
        assert await code_of(me, "hang", response_timeout=3.0, max_round_trip_latency=1.5) == Code.RESPONSE_TIMEOUT
        waited = anyio.current_time() - start
        assert cut_short == [pytest.approx(1.5, abs=0.1)]
        assert 1.4 < waited < 2.5, "the handler's end is answered, and ends the caller's wait"
