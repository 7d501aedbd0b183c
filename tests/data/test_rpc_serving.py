"""Handlers: when they run, in what context, and that each call is answered once whatever happens."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import attrs
import pytest
from typing_extensions import override

from livekit_trio import rtc
from livekit_trio.rtc._rpc_serving import MAX_RUNNING, MAX_WAITING
from livekit_trio.testing import assert_idle
from livekit_trio.testing._fake_library import FakeLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from livekit_trio.rtc._rpc_types import IncomingNext
    from livekit_trio.testing._fake_room import FakeRoom

pytestmark = pytest.mark.anyio

Code = rtc.RpcError.ErrorCode
variable = contextvars.ContextVar("variable", default="default")


@asynccontextmanager
async def joined() -> AsyncGenerator[tuple[FakeRoom, rtc.LocalParticipant]]:
    fake = FakeLibrary()
    native = fake.room()
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            await anyio.wait_all_tasks_blocked()
            yield native, room.local_participant
        await assert_idle()
    fake.check()


# ---- what handlers may be, and may do


async def plain(call: rtc.RpcInvocationData) -> str:
    return call.payload * 2


class Callable:
    def __call__(self, call: rtc.RpcInvocationData) -> str:
        return call.payload * 2


class Future:
    """Something else that can be awaited."""

    def __init__(self, call: rtc.RpcInvocationData) -> None:
        self.call = call

    def __await__(self) -> Generator[Any, Any, str]:
        yield from anyio.lowlevel.checkpoint().__await__()
        return self.call.payload * 2


@pytest.mark.parametrize("handler", [plain, Callable(), Future, Callable().__call__])
async def test_anything_that_answers_is_a_handler(handler: rtc.RpcHandler) -> None:
    async with joined() as (native, me):
        me.register_rpc_method("double", handler)
        number = native.invoke("double", "ab")
        await anyio.wait_all_tasks_blocked()
        assert native.answer_to(number) == "abab"


def test_it_needs_no_loop_of_anyios() -> None:
    """The other tests have one, in which a callback may do what it may not do on plain asyncio: start a task."""

    async def visit() -> None:
        async with joined() as (native, me):
            me.register_rpc_method("double", plain)
            number = native.invoke("double", "ab")
            await anyio.wait_all_tasks_blocked()
            assert native.answer_to(number) == "abab"

    asyncio.run(visit())


async def test_nothing_is_an_empty_answer() -> None:
    async with joined() as (native, me):
        me.register_rpc_method("nothing", lambda _: None)
        number = native.invoke("nothing")
        await anyio.wait_all_tasks_blocked()
        assert native.answer_to(number) == ""


async def test_what_a_handler_is_told() -> None:
    seen: list[rtc.RpcInvocationData] = []
    left: list[float] = []

    @attrs.frozen
    class Handler:
        def __call__(self, call: rtc.RpcInvocationData) -> None:
            seen.append(call)
            left.append(call.remaining)

    async with joined() as (native, me):
        me.register_rpc_method("m", Handler())
        before = anyio.current_time()
        number = native.invoke("m", "p", "carol", timeout_ms=3000)
        await anyio.wait_all_tasks_blocked()
        [call] = seen
        assert (call.request_id, call.caller_identity) == (f"request {number}", "carol")
        assert (call.method, call.payload, call.response_timeout) == ("m", "p", 3.0)
        assert 0 < left[0] <= 3
        assert call.remaining <= call.deadline - before <= left[0] + anyio.current_time() - before


async def test_it_runs_in_the_context_of_its_registration() -> None:
    seen: list[str] = []

    async def look(_: rtc.RpcInvocationData) -> None:
        await anyio.lowlevel.checkpoint()
        seen.append(variable.get())
        variable.set("its own")

    async with joined() as (native, me):
        variable.set("at registration")
        me.register_rpc_method("look", look)
        variable.set("later")
        for _ in range(2):
            native.invoke("look")
            await anyio.wait_all_tasks_blocked()
        assert seen == ["at registration", "at registration"]
        assert variable.get() == "later"


@pytest.mark.parametrize("error", [ValueError("secret detail"), ExceptionGroup("several", [KeyError()])])
async def test_a_failing_handler_is_answered_logged_and_counted(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: rtc.RpcInvocationData) -> None:
        raise error

    async with joined() as (native, me):
        me.register_rpc_method("fail", fail)
        me.register_rpc_method("wrong", lambda _: 5)
        numbers = [native.invoke("fail"), native.invoke("wrong")]
        await anyio.wait_all_tasks_blocked()
        assert [native.answer_to(number) for number in numbers] == [Code.APPLICATION_ERROR] * 2
        assert me.rpc_statistics().failed == 2
        records = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert {record.exc_info and record.exc_info[0] for record in records} == {type(error), TypeError}
        assert len(records) == 2
        me.register_rpc_method("fine", lambda call: call.payload)
        number = native.invoke("fine", "still here")
        await anyio.wait_all_tasks_blocked()
        assert native.answer_to(number) == "still here"


@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
async def test_a_cancellation_of_the_handlers_own_is_its_failure() -> None:
    """On asyncio whoever waits for a task that somebody cancels is as good as cancelled."""

    async def fail(_: rtc.RpcInvocationData) -> None:
        task = asyncio.ensure_future(asyncio.sleep(60))
        asyncio.get_running_loop().call_soon(task.cancel)
        await task

    async def other(call: rtc.RpcInvocationData) -> str:
        await event.wait()
        return call.payload

    event = anyio.Event()
    async with joined() as (native, me):
        me.register_rpc_method("fail", fail)
        me.register_rpc_method("other", other)
        before = native.invoke("other", "before")
        number = native.invoke("fail")
        await anyio.wait_all_tasks_blocked()
        assert native.answer_to(number) == Code.APPLICATION_ERROR
        assert me.rpc_statistics().failed == 1
        event.set()
        after = native.invoke("other", "after")
        await anyio.wait_all_tasks_blocked()
        assert [native.answer_to(before), native.answer_to(after)] == ["before", "after"]


async def test_a_handler_that_fails_as_it_is_cancelled_with_its_room_hurts_nobody() -> None:
    """On Trio its failure comes in one group with the cancellation."""

    async def fail_in_the_end() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            raise ZeroDivisionError

    async def fail(_: rtc.RpcInvocationData) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(fail_in_the_end)
            await anyio.sleep_forever()

    async with joined() as (native, me):
        me.register_rpc_method("fail", fail)
        number = native.invoke("fail")
        await anyio.wait_all_tasks_blocked()
    assert native.answer_to(number) == Code.RECIPIENT_DISCONNECTED


@pytest.mark.parametrize(
    "answer",
    [
        "half a pair: \ud800",
        rtc.RpcError(-1, "no such code"),
        rtc.RpcError(1 << 32, "nor this"),
        rtc.RpcError(1, "\ud800"),
    ],
    ids=["text", "negative", "large", "message"],
)
async def test_an_answer_that_cannot_be_sent_is_the_handlers_failure(
    answer: str | rtc.RpcError, caplog: pytest.LogCaptureFixture
) -> None:
    async def respond(_: rtc.RpcInvocationData) -> str:
        if isinstance(answer, rtc.RpcError):
            raise answer
        return answer

    async with joined() as (native, me):
        me.register_rpc_method("respond", respond)
        number = native.invoke("respond")
        await anyio.wait_all_tasks_blocked()
        assert native.answer_to(number) == Code.APPLICATION_ERROR
        assert me.rpc_statistics().failed == 1
        assert "cannot be sent" in caplog.text


async def test_an_rpc_error_is_the_callers() -> None:
    async def refuse(_: rtc.RpcInvocationData) -> None:
        raise rtc.RpcError(42, "no", "facts")

    async with joined() as (native, me):
        me.register_rpc_method("refuse", refuse)
        assert native.answer_to(native.invoke("refuse")) is None
        await anyio.wait_all_tasks_blocked()
        [request] = native._fake.requested("rpc_method_invocation_response")
        error = request.message.error
        assert (error.code, error.message, error.data) == (42, "no", "facts")
        assert me.rpc_statistics().answered == 1


# ---- registration


async def test_names_are_registered_once() -> None:
    async with joined() as (native, me):
        me.register_rpc_method("m", plain)
        with pytest.raises(ValueError, match="registered already"):
            me.register_rpc_method("m", plain)
        me.unregister_rpc_method("m")
        with pytest.raises(KeyError):
            me.unregister_rpc_method("m")

        @me.register_rpc_method("m")
        async def decorated(call: rtc.RpcInvocationData) -> str:
            return call.payload

        assert await decorated(attrs.evolve(EXAMPLE, payload="direct")) == "direct"
        with me.rpc_method("scoped", plain), pytest.raises(ValueError, match="registered already"):
            me.register_rpc_method("scoped", plain)
        with pytest.raises(KeyError):
            me.unregister_rpc_method("scoped")
        with me.rpc_method("scoped", plain):
            me.unregister_rpc_method("scoped")
        with pytest.raises(ValueError, match="empty"):
            me.register_rpc_method("", plain)
        with pytest.raises(TypeError, match="callable"):
            me.register_rpc_method("n", 5)  # pyright: ignore[reportArgumentType, reportCallIssue]
        names = [request.message.method for request in native._fake.requested("register_rpc_method")]
        assert names == ["m", "m", "scoped", "scoped"]
    with pytest.raises(rtc.RoomClosedError):
        me.register_rpc_method("late", plain)
    with pytest.raises(rtc.RoomClosedError):
        me.unregister_rpc_method("m")


EXAMPLE = rtc.RpcInvocationData(
    request_id="1", caller_identity="bob", method="m", payload="", response_timeout=1, deadline=1
)


async def test_unregistering_leaves_calls_alone() -> None:
    async with joined() as (native, me):
        go_on = anyio.Event()

        async def slow(call: rtc.RpcInvocationData) -> str:
            await go_on.wait()
            return call.payload

        with me.rpc_method("slow", slow):
            running = native.invoke("slow", "running")
            await anyio.wait_all_tasks_blocked()
        late = native.invoke("slow", "late")  # on its way when it was unregistered
        go_on.set()
        await anyio.wait_all_tasks_blocked()
        assert native.answer_to(running) == "running"
        assert native.answer_to(late) == Code.UNSUPPORTED_METHOD


# ---- time


@pytest.mark.virtual_time
async def test_the_callers_time_is_the_handlers() -> None:
    async with joined() as (native, me):
        ended: list[float] = []

        async def slow(_: rtc.RpcInvocationData) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                ended.append(anyio.current_time())

        me.register_rpc_method("slow", slow)
        start = anyio.current_time()
        number = native.invoke("slow", timeout_ms=3000)
        await anyio.sleep(2.5)
        assert native.answer_to(number) is None
        await anyio.sleep(0.6)
        assert native.answer_to(number) == Code.RESPONSE_TIMEOUT
        assert ended[0] - start == pytest.approx(3, abs=0.1)
        assert me.rpc_statistics().timed_out == 1


@pytest.mark.virtual_time
async def test_its_own_timeout_is_an_error_like_any_other(caplog: pytest.LogCaptureFixture) -> None:
    async def impatient(_: rtc.RpcInvocationData) -> None:
        with anyio.fail_after(1):
            await anyio.sleep_forever()

    async with joined() as (native, me):
        me.register_rpc_method("impatient", impatient)
        number = native.invoke("impatient", timeout_ms=3000)
        await anyio.sleep(2)
        assert native.answer_to(number) == Code.APPLICATION_ERROR
        assert "TimeoutError" in caplog.text


@pytest.mark.virtual_time
async def test_an_answer_that_comes_while_it_is_cancelled_is_too_late() -> None:
    async def stubborn(_: rtc.RpcInvocationData) -> str:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(5)
        await anyio.lowlevel.checkpoint()
        return "late"

    async with joined() as (native, me):
        me.register_rpc_method("stubborn", stubborn)
        number = native.invoke("stubborn", timeout_ms=3000)
        await anyio.sleep(6)
        assert native.answer_to(number) == Code.RESPONSE_TIMEOUT


# ---- too many


async def test_calls_wait_for_their_turn_and_the_rest_is_refused() -> None:
    async with joined() as (native, me):
        go_on = anyio.Event()
        most = running = 0

        async def count(call: rtc.RpcInvocationData) -> str:
            nonlocal most, running
            running += 1
            most = max(most, running)
            await go_on.wait()
            running -= 1
            return call.payload

        me.register_rpc_method("count", count)
        numbers = [native.invoke("count", str(n), timeout_ms=60_000) for n in range(MAX_RUNNING + MAX_WAITING + 1)]
        await anyio.wait_all_tasks_blocked()
        statistics = me.rpc_statistics()
        assert (statistics.running, statistics.waiting, statistics.refused) == (MAX_RUNNING, MAX_WAITING, 1)
        assert native.answer_to(numbers[-1]) == Code.APPLICATION_ERROR
        assert native.answer_to(numbers[0]) is None
        go_on.set()
        await anyio.wait_all_tasks_blocked()
        answers = {request.message.payload for request in native._fake.requested("rpc_method_invocation_response")}
        assert answers >= {str(n) for n in range(MAX_RUNNING + MAX_WAITING)}
        assert most == MAX_RUNNING


@pytest.mark.virtual_time
async def test_who_waits_too_long_is_told_so() -> None:
    async with joined() as (native, me):
        started = 0

        async def hold(_: rtc.RpcInvocationData) -> None:
            nonlocal started
            started += 1
            await anyio.sleep(10)

        me.register_rpc_method("hold", hold)
        first = [native.invoke("hold", timeout_ms=20_000) for _ in range(MAX_RUNNING)]
        waiting = native.invoke("hold", timeout_ms=2000)
        await anyio.sleep(3)
        assert native.answer_to(waiting) == Code.RESPONSE_TIMEOUT
        await anyio.sleep(10)
        assert started == MAX_RUNNING
        assert [native.answer_to(number) for number in first] == [""] * MAX_RUNNING


# ---- the end of the room


@pytest.mark.parametrize("how", ["left", "body ends", "kicked", "panic"])
async def test_the_end_answers_every_call(how: str) -> None:
    fake = FakeLibrary()
    native = fake.room()
    cleaned_up = 0
    numbers: list[int] = []

    async def hang(_: rtc.RpcInvocationData) -> None:
        nonlocal cleaned_up
        try:
            await anyio.sleep_forever()
        finally:
            cleaned_up += 1

    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            await anyio.wait_all_tasks_blocked()
            me = room.local_participant
            me.register_rpc_method("hang", hang)
            numbers += [native.invoke("hang") for _ in range(MAX_RUNNING + 3)]
            await anyio.wait_all_tasks_blocked()
            numbers.append(native.invoke("hang"))  # whose task has not begun
            if how == "left":
                await room.disconnect()
            elif how == "kicked":
                native.end(rtc.DisconnectReason.PARTICIPANT_REMOVED)
                await room.wait_closed()
            elif how == "panic":
                fake.panic("index out of bounds")
                await room.wait_closed()
        assert cleaned_up == MAX_RUNNING
        assert [native.answer_to(number) for number in numbers] == [Code.RECIPIENT_DISCONNECTED] * len(numbers)
        names = [request.name for request in fake.requests]
        if "disconnect" in names:
            assert names.index("rpc_method_invocation_response") < names.index("disconnect")
        assert me.rpc_statistics().disconnected == len(numbers)
        await assert_idle()
    fake.check()


async def test_the_bodys_cancellation_reaches_handlers_too() -> None:
    fake = FakeLibrary()
    native = fake.room()

    async def hang(_: rtc.RpcInvocationData) -> None:
        await anyio.sleep_forever()

    number = 0
    with fake.installed(), anyio.CancelScope() as scope:
        async with rtc.open_room("ws://fake", "token") as room:
            await anyio.wait_all_tasks_blocked()
            room.local_participant.register_rpc_method("hang", hang)
            number = native.invoke("hang")
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await anyio.sleep_forever()
    assert native.answer_to(number) == Code.RECIPIENT_DISCONNECTED
    fake.check()


@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)  # asyncio's loop ends by itself
async def test_an_interrupted_handler_ends_the_room_bare() -> None:
    left = False

    async def interrupt(_: rtc.RpcInvocationData) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        async with joined() as (native, me):
            me.register_rpc_method("interrupt", interrupt)
            native.invoke("interrupt")
            try:
                await anyio.sleep_forever()
            finally:
                left = True
    assert left


# ---- interceptors


class Recorder(rtc.RpcInterceptor):
    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log

    @override
    async def intercept_incoming(self, invocation: rtc.RpcInvocationData, next: IncomingNext) -> str:
        self.log.append(f"{self.name} in")
        answer = await next(attrs.evolve(invocation, payload=invocation.payload + self.name))
        self.log.append(f"{self.name} out")
        return answer + self.name


async def test_the_first_interceptor_is_the_outermost() -> None:
    log: list[str] = []
    async with joined() as (native, me):
        first, second = Recorder("1", log), Recorder("2", log)
        me.add_rpc_interceptor(first)
        me.add_rpc_interceptor(second)
        me.add_rpc_interceptor(first)
        me.add_rpc_interceptor(rtc.RpcInterceptor())
        me.register_rpc_method("m", lambda call: call.payload + "!")
        number = native.invoke("m", "x")
        await anyio.wait_all_tasks_blocked()
        assert native.answer_to(number) == "x12!21"
        assert log == ["1 in", "2 in", "2 out", "1 out"]
        me.remove_rpc_interceptor(first)
        me.remove_rpc_interceptor(first)
        number = native.invoke("m", "x")
        await anyio.wait_all_tasks_blocked()
        assert native.answer_to(number) == "x2!2"
