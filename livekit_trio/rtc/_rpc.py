"""Remote procedure calls: the part of `LocalParticipant` that makes them, and that says who answers them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, overload

from .._guard import MadeByTheRoom
from ._rpc_method import RpcMethod
from ._rpc_types import OutgoingNext, RpcCallInfo, RpcError, RpcErrorCode, RpcHandler, RpcInterceptor, built_in_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from ._local_participant import LocalFacts
    from ._rpc_method import RequestT, ResponseT
    from ._rpc_types import RpcInvocationData, RpcStatistics

HandlerT = TypeVar("HandlerT", bound=RpcHandler)

RESPONSE_TIMEOUT: Final = 15.0
"""The native library's default, in seconds."""

MAX_ROUND_TRIP: Final = 7.0
"""The native library's default, in seconds."""


class RpcCalls(metaclass=MadeByTheRoom):
    """What `LocalParticipant` can do with remote procedure calls."""

    _local: LocalFacts

    @overload
    async def perform_rpc(
        self,
        *,
        destination_identity: str,
        method: str,
        payload: str = "",
        response_timeout: float = RESPONSE_TIMEOUT,
        max_round_trip_latency: float = MAX_ROUND_TRIP,
    ) -> str: ...
    @overload
    async def perform_rpc(
        self,
        *,
        destination_identity: str,
        method: RpcMethod[RequestT, ResponseT],
        payload: RequestT,
        response_timeout: float = RESPONSE_TIMEOUT,
        max_round_trip_latency: float = MAX_ROUND_TRIP,
    ) -> ResponseT: ...
    async def perform_rpc(
        self,
        *,
        destination_identity: str,
        method: str | RpcMethod[Any, Any],
        payload: Any = "",
        response_timeout: float = RESPONSE_TIMEOUT,
        max_round_trip_latency: float = MAX_ROUND_TRIP,
    ) -> Any:
        """Call a method of another participant and return its answer.

        The two times are the native library's, and not what one might think; ``docs/rpc.md`` has a picture.

        Args:
            destination_identity: whom to call.
            method: the method's name, or an `RpcMethod`.
            payload: what it is told: text of any length, or of at most 15 360 bytes for somebody with an old SDK or of whom
                the server has not told us yet; or what the `RpcMethod` takes.
            response_timeout: seconds for the answer, from its acknowledgement on. The handler is given *response_timeout*
                less *max_round_trip_latency*, and at least one second.
            max_round_trip_latency: seconds until the recipient must have acknowledged the call.

        Returns:
            The answer: text, or what the `RpcMethod` returns.

        Raises:
            RpcError: the call failed, or its handler raised this. Its code says which.
            ValueError: a time is not above zero, a name is empty, or *payload* has no text.
            TypeError: *payload* is not what it should be.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            Leaves at once. The handler runs on, to its end or that of its time; nothing tells it.

        Source:
            PerformRpcRequest (livekit-ffi rpc.proto).
        """
        typed = method if isinstance(method, RpcMethod) else None
        text = payload if typed is None else typed.serializer.dumps(payload)
        if not isinstance(text, str):
            raise TypeError(f"payload must be text, not {type(text).__name__}, unless method is an RpcMethod")
        call = RpcCallInfo(
            destination_identity=destination_identity,
            method=_name(method),
            payload=text,
            response_timeout=response_timeout,
            max_round_trip_latency=max_round_trip_latency,
        )
        perform: OutgoingNext = self._perform
        for interceptor in reversed(self._local.rpc.interceptors):
            perform = _wrapped(interceptor, perform)
        answer = await perform(call)
        return answer if typed is None else typed.parse_answer(answer)

    @overload
    def register_rpc_method(self, method: str, handler: RpcHandler) -> RpcHandler: ...
    @overload
    def register_rpc_method(
        self,
        method: RpcMethod[RequestT, ResponseT],
        handler: Callable[[RpcInvocationData[RequestT]], Awaitable[ResponseT] | ResponseT],
    ) -> RpcHandler: ...
    @overload
    def register_rpc_method(self, method: str | RpcMethod[Any, Any]) -> Callable[[HandlerT], HandlerT]: ...
    def register_rpc_method(
        self, method: str | RpcMethod[Any, Any], handler: RpcHandler | None = None
    ) -> RpcHandler | Callable[[HandlerT], HandlerT]:
        """Let others call *handler*; without one, the returned decorator registers what it decorates.

        The handler gets an `RpcInvocationData` and returns text, or None for an empty answer. It is a function or an ``async``
        one, and runs in the room's own nursery, in the contextvars of this call, cancelled when the caller's time is over or
        the room ends. An `RpcError` that it raises is the caller's; anything else is logged, and the caller gets
        APPLICATION_ERROR. Neither ends the room. 64 handlers run at once, 1 024 further calls wait, each in its own time, and
        what is beyond that is refused with APPLICATION_ERROR.

        Args:
            method: the name to call it by; case matters. Or an `RpcMethod`, whose types the handler then takes and returns.
            handler: what answers.

        Returns:
            *handler*, or a decorator that returns what it decorates.

        Raises:
            ValueError: the name is registered already, or empty.
            TypeError: *handler* cannot be called.
            RoomClosedError: the room has ended.

        Source:
            RegisterRpcMethodRequest, RpcMethodInvocationResponseRequest (livekit-ffi rpc.proto).
        """
        if handler is None:

            def register(decorated: HandlerT) -> HandlerT:
                self.register_rpc_method(method, decorated)
                return decorated

            return register
        if not callable(cast("object", handler)):
            raise TypeError(f"an RPC handler must be callable, not {type(handler).__name__}")
        name, answer = (method.name, method.wrap(handler)) if isinstance(method, RpcMethod) else (method, handler)
        _check_name("the method's name", name)
        self._local.rpc.register(name, answer)
        return handler

    def unregister_rpc_method(self, method: str | RpcMethod[Any, Any]) -> None:
        """Let nobody call *method* any more; calls that are here already go on.

        Raises:
            KeyError: it is not registered.
            RoomClosedError: the room has ended.

        Source:
            UnregisterRpcMethodRequest (livekit-ffi rpc.proto).
        """
        self._local.rpc.unregister(_name(method))

    @contextmanager
    def rpc_method(self, method: str | RpcMethod[Any, Any], handler: RpcHandler) -> Generator[None]:
        """Let others call *handler* for the length of a ``with`` block; see `register_rpc_method`.

        ::

            with room.local_participant.rpc_method("add", add):
                ...

        Calls that are here when the block is left go on.

        Raises:
            ValueError: the name is registered already, or empty.
            TypeError: *handler* cannot be called.
            RoomClosedError: the room has ended.
        """
        self.register_rpc_method(method, handler)
        try:
            yield
        finally:
            self._local.rpc.forget(_name(method))

    def add_rpc_interceptor(self, interceptor: RpcInterceptor) -> None:
        """Let *interceptor* see every call from now on; the first one added is the outermost. Idempotent."""
        if not any(known is interceptor for known in self._local.rpc.interceptors):
            self._local.rpc.interceptors.append(interceptor)

    def remove_rpc_interceptor(self, interceptor: RpcInterceptor) -> None:
        """Let *interceptor* see no further call; those under way keep it. Idempotent."""
        interceptors = self._local.rpc.interceptors
        interceptors[:] = [known for known in interceptors if known is not interceptor]

    def rpc_statistics(self) -> RpcStatistics:
        """Return what became of the calls that others have made here."""
        return self._local.rpc.statistics()

    async def _perform(self, call: RpcCallInfo) -> str:
        _check_name("destination_identity", call.destination_identity)
        _check_name("the method's name", call.method)
        _check_time("response_timeout", call.response_timeout)
        _check_time("max_round_trip_latency", call.max_round_trip_latency)
        self._local.link.check_open()
        permissions = self._local.info.permissions
        if permissions is not None and not permissions.can_publish_data:
            # Natively it would be sent, dropped by the server, and time out.
            raise built_in_error(RpcErrorCode.SEND_FAILED, "no permission to publish data")
        reply = await self._local.link.call(
            "perform_rpc",
            local_participant_handle=self._local.handle,
            destination_identity=call.destination_identity,
            method=call.method,
            payload=call.payload,
            response_timeout_ms=round(call.response_timeout * 1000),
            max_round_trip_latency_ms=round(call.max_round_trip_latency * 1000),
        )
        if reply.HasField("error"):
            data = reply.error.data if reply.error.HasField("data") else None
            raise RpcError(reply.error.code, reply.error.message, data)
        return reply.payload


def _wrapped(interceptor: RpcInterceptor, inner: OutgoingNext) -> OutgoingNext:
    async def outer(call: RpcCallInfo) -> str:
        return await interceptor.intercept_outgoing(call, inner)

    return outer


def _name(method: str | RpcMethod[Any, Any]) -> str:
    return method.name if isinstance(method, RpcMethod) else method


def _check_name(what: str, name: str) -> None:
    if not name:
        raise ValueError(f"{what} must not be empty")


def _check_time(what: str, seconds: float) -> None:
    if not 0.001 <= seconds < 1e6:
        raise ValueError(f"{what} must be a number of seconds above 0, not {seconds!r}")
