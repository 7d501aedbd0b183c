"""Calls that others make here: who answers them, when, and in which task.

The pump brings an invocation, which is accepted or refused there and then. `RpcServer.run_handlers`, a service task of the room,
starts a task for each one accepted, in the contextvars of the handler's registration. That task waits for its turn and runs
the handler, both inside the caller's time, and answers whatever happens: natively an invocation that nobody answers waits for
ever. What the end of the room finds unanswered is answered by `RpcServer.end`, before the room is left.
"""

from __future__ import annotations

import contextvars
import inspect
import logging
import time
from collections import Counter, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast, final

import anyio
import attrs

from .._errors import RoomClosedError
from .._ffi._messages import event_class
from ._rpc_types import (
    IncomingNext,
    RpcError,
    RpcErrorCode,
    RpcHandler,
    RpcInterceptor,
    RpcInvocationData,
    RpcStatistics,
    built_in_error,
)

if TYPE_CHECKING:
    from ._link import RoomLink

_logger = logging.getLogger("livekit_trio")

INVOCATION: Final = 24
"""The kind of the native event, whose key is the local participant's handle."""

MAX_RUNNING: Final = 64
"""Handlers that run at once (DESIGN §7)."""

MAX_WAITING: Final = 1024
"""Calls that wait for their turn (DESIGN §7)."""


@attrs.frozen(eq=False)
class Registration:
    handler: RpcHandler
    context: contextvars.Context


@attrs.frozen(eq=False)
class Invocation:
    """One call that has been accepted."""

    id: int
    registration: Registration
    interceptors: tuple[RpcInterceptor, ...]
    arrived_ns: int
    event: Any
    turn: anyio.Event = attrs.field(factory=anyio.Event, init=False)
    """Set once the handler may run."""

    def data(self) -> RpcInvocationData:
        """What the handler is told, with its time as it is now."""
        budget = self.event.response_timeout_ms / 1000
        age = (time.monotonic_ns() - self.arrived_ns) / 1e9
        return RpcInvocationData(
            request_id=self.event.request_id,
            caller_identity=self.event.caller_identity,
            method=self.event.method,
            payload=self.event.payload,
            response_timeout=budget,
            deadline=anyio.current_time() + budget - age,
        )


@final
class RpcServer:
    """The methods that others may call, and their calls; a sink of the pump. See the module's text."""

    def __init__(self, link: RoomLink, handle: int) -> None:
        self.interceptors: list[RpcInterceptor] = []
        self._link = link
        self._handle = handle
        self._methods: dict[str, Registration] = {}
        self._unanswered: set[int] = set()
        self._accepted: deque[Invocation] = deque()
        self._arrived = anyio.Event()
        self._waiting: deque[Invocation] = deque()
        self._running = 0
        self._counts: Counter[str] = Counter()
        self._ended = False
        self._scope: anyio.CancelScope | None = None

    # ---- methods

    def register(self, method: str, handler: RpcHandler) -> None:
        self._link.check_open()
        if method in self._methods:
            raise ValueError(f"the RPC method {method!r} is registered already")
        self._link.request("register_rpc_method", local_participant_handle=self._handle, method=method)
        self._methods[method] = Registration(handler, contextvars.copy_context())

    def unregister(self, method: str) -> None:
        self._link.check_open()
        if method not in self._methods:
            raise KeyError(method)
        del self._methods[method]
        self._link.request("unregister_rpc_method", local_participant_handle=self._handle, method=method)

    def forget(self, method: str) -> None:
        """As `unregister` at the end of a scope: whatever has become of the method or the room meanwhile."""
        with suppress(KeyError, RoomClosedError):
            self.unregister(method)

    def statistics(self) -> RpcStatistics:
        return RpcStatistics(
            running=self._running,
            waiting=len(self._accepted) + len(self._waiting),
            answered=self._counts["answered"],
            failed=self._counts["failed"],
            timed_out=self._counts["timed_out"],
            refused=self._counts["refused"],
            disconnected=self._counts["disconnected"],
        )

    # ---- Sink: what the pump brings

    def deliver(self, kind: int, stamp_ns: int, payload: bytes, /) -> None:
        event = event_class("rpc_method_invocation").FromString(payload)
        registration = self._methods.get(event.method)
        self._unanswered.add(event.invocation_id)
        if self._ended:
            self._refuse(event.invocation_id, "disconnected", built_in_error(RpcErrorCode.RECIPIENT_DISCONNECTED))
        elif registration is None:  # unregistered while the call was on its way
            self._refuse(event.invocation_id, "refused", built_in_error(RpcErrorCode.UNSUPPORTED_METHOD))
        elif len(self._unanswered) > MAX_RUNNING + MAX_WAITING:
            text = f"{MAX_WAITING} calls are waiting already"
            self._refuse(event.invocation_id, "refused", built_in_error(RpcErrorCode.APPLICATION_ERROR, text))
        else:
            interceptors = tuple(self.interceptors)
            self._accepted.append(Invocation(event.invocation_id, registration, interceptors, stamp_ns, event))
            self._arrived.set()

    def fail(self, error: BaseException, /) -> None:
        self.end()

    def end(self) -> None:
        """The room ends: answer what is unanswered, and cancel the handlers. Idempotent."""
        self._ended = True
        self._accepted.clear()
        for invocation_id in list(self._unanswered):
            self._refuse(invocation_id, "disconnected", built_in_error(RpcErrorCode.RECIPIENT_DISCONNECTED))
        if self._scope is not None:
            self._scope.cancel()

    # ---- tasks

    async def run_handlers(self) -> None:  # noqa: ASYNC910 - it waits unless the room has ended
        """Service task: start a task for each call."""
        async with anyio.create_task_group() as handlers:
            self._scope = handlers.cancel_scope
            while not self._ended:
                while self._accepted:
                    invocation = self._accepted.popleft()
                    self._waiting.append(invocation)
                    invocation.registration.context.run(handlers.start_soon, self._serve_one, invocation)
                self._give_turns()
                self._arrived = anyio.Event()
                await self._arrived.wait()

    async def _serve_one(self, invocation: Invocation) -> None:  # noqa: ASYNC910 - it does what its handler does
        outcome = "disconnected"
        answer: str | RpcError = built_in_error(RpcErrorCode.RECIPIENT_DISCONNECTED)
        data = invocation.data()
        budget = anyio.CancelScope(deadline=data.deadline)
        try:
            with budget:
                if not invocation.turn.is_set():  # else it need not give way: a pass of the loop less in each answer
                    await invocation.turn.wait()
                answer = await _run_chain(invocation, data)
            outcome = "answered"
        except RpcError as error:
            outcome, answer = "answered", error
        except BaseException as error:  # noqa: ASYNC103 - a cancellation from outside goes on
            if not _is_failure(error):
                raise
            _logger.exception("the handler of the RPC method %r failed", data.method)
            outcome, answer = "failed", built_in_error(RpcErrorCode.APPLICATION_ERROR)
        finally:
            if budget.cancelled_caught:
                outcome, answer = "timed_out", built_in_error(RpcErrorCode.RESPONSE_TIMEOUT)
            self._answer(invocation.id, outcome, answer)
            self._leave(invocation)

    def _give_turns(self) -> None:
        # In the order of arrival: tasks that begin together begin in no order.
        while self._waiting and self._running < MAX_RUNNING:
            self._running += 1
            self._waiting.popleft().turn.set()

    def _leave(self, invocation: Invocation) -> None:
        if invocation.turn.is_set():
            self._running -= 1
            self._give_turns()
        else:
            self._waiting.remove(invocation)

    # ---- answers

    def _refuse(self, invocation_id: int, outcome: str, error: RpcError) -> None:
        self._answer(invocation_id, outcome, error)

    def _answer(self, invocation_id: int, outcome: str, answer: str | RpcError) -> None:
        if invocation_id not in self._unanswered:
            return  # by `end`
        self._unanswered.remove(invocation_id)
        try:
            self._tell(invocation_id, answer)
        except (TypeError, ValueError):  # such as half a surrogate pair, or a code that is no number
            _logger.exception("the answer to an RPC cannot be sent")
            outcome = "failed"
            self._tell(invocation_id, built_in_error(RpcErrorCode.APPLICATION_ERROR))
        self._counts[outcome] += 1

    def _tell(self, invocation_id: int, answer: str | RpcError) -> None:
        fields: dict[str, Any] = {"payload": answer}
        if isinstance(answer, RpcError):
            fields = {"error": {"code": int(answer.code), "message": answer.message, "data": answer.data}}
        self._link.tell(
            "rpc_method_invocation_response",
            local_participant_handle=self._handle,
            invocation_id=invocation_id,
            **fields,
        )


def _is_failure(error: BaseException | None) -> bool:
    """Whether it is the handler's own. So is, on asyncio, the cancellation of a task that it has waited for."""
    if isinstance(error, anyio.get_cancelled_exc_class()):
        return anyio.current_effective_deadline() > float("-inf")
    if isinstance(error, BaseExceptionGroup):
        # On Trio a cancellation may be among them: it has come to its end here, as the task does.
        group = cast("BaseExceptionGroup[BaseException]", error)
        _, error = group.split(anyio.get_cancelled_exc_class())
    return isinstance(error, Exception)


async def _run_chain(invocation: Invocation, data: RpcInvocationData) -> str:
    async def run(data: RpcInvocationData) -> str:
        answer = invocation.registration.handler(data)
        if inspect.isawaitable(answer):
            answer = await answer
        return _as_text(answer)  # noqa: ASYNC910 - a part of the call, which has waited for its turn

    chain: IncomingNext = run
    for interceptor in reversed(invocation.interceptors):
        chain = _wrapped(interceptor, chain)
    return _as_text(await chain(data))


def _wrapped(interceptor: RpcInterceptor, inner: IncomingNext) -> IncomingNext:
    async def outer(data: RpcInvocationData) -> str:
        return await interceptor.intercept_incoming(data, inner)

    return outer


def _as_text(answer: object) -> str:
    if answer is None:
        return ""
    if not isinstance(answer, str):
        raise TypeError(f"an RPC handler must return text or None, not {type(answer).__name__}")
    return answer
