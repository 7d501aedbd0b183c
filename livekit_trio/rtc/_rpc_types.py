"""What remote procedure calls are made of: errors, calls, invocations, interceptors."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeAlias

import anyio
import attrs
from typing_extensions import TypeVar, override

from .._errors import LiveKitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

PayloadT = TypeVar("PayloadT", default=str)


class RpcErrorCode(enum.IntEnum):
    """The codes that SDKs use; 1001 to 1999 are reserved for them. See `RpcError`."""

    UNSUPPORTED_METHOD = 1400
    """Nobody has registered the method there."""
    RECIPIENT_NOT_FOUND = 1401
    """Whom the call was for is not in the room. The native library never says so, see CONNECTION_TIMEOUT."""
    REQUEST_PAYLOAD_TOO_LARGE = 1402
    """More than 15 360 bytes for a recipient of an old SDK (`Participant.client_protocol` 0)."""
    UNSUPPORTED_SERVER = 1403
    """The server is older than 1.8.0."""
    UNSUPPORTED_VERSION = 1404
    """The recipient does not know this version of the protocol."""
    APPLICATION_ERROR = 1500
    """The handler failed, or so many calls are waiting there that this one was refused."""
    CONNECTION_TIMEOUT = 1501
    """The recipient has not acknowledged the call in time, for instance because it is not in the room."""
    RESPONSE_TIMEOUT = 1502
    """It has acknowledged the call, and not answered it in time."""
    RECIPIENT_DISCONNECTED = 1503
    """It left before it answered."""
    RESPONSE_PAYLOAD_TOO_LARGE = 1504
    """More than 15 360 bytes for a caller of an old SDK."""
    SEND_FAILED = 1505
    """The call could not be sent."""


_TEXTS: Final[Mapping[RpcErrorCode, str]] = {
    RpcErrorCode.UNSUPPORTED_METHOD: "Method not supported at destination",
    RpcErrorCode.RECIPIENT_NOT_FOUND: "Recipient not found",
    RpcErrorCode.REQUEST_PAYLOAD_TOO_LARGE: "Request payload too large",
    RpcErrorCode.UNSUPPORTED_SERVER: "RPC not supported by server",
    RpcErrorCode.UNSUPPORTED_VERSION: "Unsupported RPC version",
    RpcErrorCode.APPLICATION_ERROR: "Application error in method handler",
    RpcErrorCode.CONNECTION_TIMEOUT: "Connection timeout",
    RpcErrorCode.RESPONSE_TIMEOUT: "Response timeout",
    RpcErrorCode.RECIPIENT_DISCONNECTED: "Recipient disconnected",
    RpcErrorCode.RESPONSE_PAYLOAD_TOO_LARGE: "Response payload too large",
    RpcErrorCode.SEND_FAILED: "Failed to send",
}


class RpcError(LiveKitError):
    """A call failed; or, raised by a handler, this is to be the caller's error.

    Attributes:
        code: why: an `RpcError.ErrorCode`, or a number of the application's own outside 1001 to 1999.
        message: a text for people; the native library cuts it after 256 bytes.
        data: anything that the application adds, or None; it is cut after 15 360 bytes.
    """

    ErrorCode: ClassVar[type[RpcErrorCode]] = RpcErrorCode
    ErrorMessage: ClassVar[Mapping[RpcErrorCode, str]] = _TEXTS

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(code, message, data)
        self.code: int = RpcErrorCode(code) if code in _TEXTS else code
        self.message = message
        self.data = data

    @override
    def __str__(self) -> str:
        return f"{self.message} ({int(self.code)})"


def built_in_error(code: RpcErrorCode, text: str = "") -> RpcError:
    """The error that other SDKs raise for *code*, with a text of ours in its place if there is more to say."""
    return RpcError(code, text or _TEXTS[code])


@attrs.frozen(kw_only=True)
class RpcInvocationData(Generic[PayloadT]):
    """A call that a handler is to answer.

    Attributes:
        request_id: the call's name, the same at both ends.
        caller_identity: who calls.
        method: the method's name.
        payload: what the caller sent: text, or what an `RpcMethod` makes of it.
        response_timeout: the seconds that the caller gave this end when the call arrived; see ``docs/rpc.md``.
        deadline: when they are over, by `anyio.current_time`; the handler is cancelled then.
    """

    request_id: str
    caller_identity: str
    method: str
    payload: PayloadT
    response_timeout: float
    deadline: float

    @property
    def remaining(self) -> float:
        """The seconds that are left for the answer, now; to be asked in the room's event loop."""
        return self.deadline - anyio.current_time()


@attrs.frozen(kw_only=True)
class RpcCallInfo:
    """A call that is being made, as interceptors see it.

    Attributes:
        destination_identity: who is called.
        method: the method's name.
        payload: what is sent.
        response_timeout: see `LocalParticipant.perform_rpc`.
        max_round_trip_latency: see `LocalParticipant.perform_rpc`.
    """

    destination_identity: str
    method: str
    payload: str
    response_timeout: float
    max_round_trip_latency: float


@attrs.frozen(kw_only=True)
class RpcStatistics:
    """What became of the calls that others have made here.

    Attributes:
        running: handlers that run now.
        waiting: calls that wait for one of them to end.
        answered: calls whose handler returned, or raised an `RpcError`.
        failed: calls whose handler raised anything else; each was logged.
        timed_out: calls that were still running or waiting when their time was over.
        refused: calls that were refused because too many were waiting.
        disconnected: calls that the end of the room cut short.
    """

    running: int
    waiting: int
    answered: int
    failed: int
    timed_out: int
    refused: int
    disconnected: int


RpcHandler: TypeAlias = "Callable[[RpcInvocationData[Any]], Awaitable[Any] | Any]"
OutgoingNext: TypeAlias = "Callable[[RpcCallInfo], Awaitable[str]]"
IncomingNext: TypeAlias = "Callable[[RpcInvocationData], Awaitable[str]]"


class RpcInterceptor:
    """Sees every call that a participant makes or handles, and may change it; a base class for one's own.

    Each method gets the call and *next*, which goes on with it, and returns (or raises) what the caller is to get. The
    interceptor that was added first is the outermost. Those of incoming calls run as a part of the handler: in its time, in
    its context, and cancelled with it.
    """

    async def intercept_outgoing(self, call: RpcCallInfo, next: OutgoingNext) -> str:  # noqa: A002 - as in the official SDK
        """Make a call and return the answer; the default changes nothing.

        Args:
            call: the call, to be handed on as it is or evolved (`attrs.evolve`).
            next: makes it.

        Cancellation:
            As of `LocalParticipant.perform_rpc`, which this is a part of.
        """
        return await next(call)

    async def intercept_incoming(self, invocation: RpcInvocationData, next: IncomingNext) -> str:  # noqa: A002 - likewise
        """Handle a call and return the answer; the default changes nothing.

        Args:
            invocation: the call, to be handed on as it is or evolved (`attrs.evolve`).
            next: runs the handler.

        Cancellation:
            When the caller's time is over, or the room ends.
        """
        return await next(invocation)

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
