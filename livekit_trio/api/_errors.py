"""What a call of the server API raises.

`ServerError` and what is below it come from an answer: the server said no. `TransportError` says that no valid answer came.
Neither holds a token or a key, and both can be pickled and copied.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from .._errors import LiveKitError

if TYPE_CHECKING:
    from collections.abc import Mapping


class ServerErrorCode(enum.StrEnum):
    """Twirp's names for what went wrong. `ServerError.code` is one of these, or a string that a newer server has."""

    CANCELED = "canceled"
    """The call was given up."""
    UNKNOWN = "unknown"
    """The server knows no better, or its answer does not say."""
    INVALID_ARGUMENT = "invalid_argument"
    """The request makes no sense, whatever the state of the server."""
    MALFORMED = "malformed"
    """The request could not be decoded."""
    DEADLINE_EXCEEDED = "deadline_exceeded"
    """The server gave up; the call may have been carried out."""
    NOT_FOUND = "not_found"
    """The room, the participant, the egress … is not there."""
    BAD_ROUTE = "bad_route"
    """The server has no such method, or is no LiveKit server."""
    ALREADY_EXISTS = "already_exists"
    """It is there already."""
    PERMISSION_DENIED = "permission_denied"
    """The token is valid, but does not grant this."""
    UNAUTHENTICATED = "unauthenticated"
    """There is no valid token, or (in LiveKit's server) it does not grant this."""
    RESOURCE_EXHAUSTED = "resource_exhausted"
    """A quota or a limit."""
    FAILED_PRECONDITION = "failed_precondition"
    """The server is not in the state that this needs."""
    ABORTED = "aborted"
    """Something else happened at the same time."""
    OUT_OF_RANGE = "out_of_range"
    """Past the valid range."""
    UNIMPLEMENTED = "unimplemented"
    """The server cannot do this."""
    INTERNAL = "internal"
    """The server failed."""
    UNAVAILABLE = "unavailable"
    """Not now; later perhaps."""
    DATA_LOSS = "dataloss"
    """Data are lost or broken."""


class ServerError(LiveKitError):
    """The server refused a call or failed at it.

    Attributes:
        code: Twirp's name for it, a `ServerErrorCode`; if the answer came from something between here and the server, the one
            that fits its status.
        message: the server's text.
        status: the HTTP status.
        meta: what the server added, by name.
    """

    def __init__(self, code: str, message: str, status: int, meta: Mapping[str, str] | None = None) -> None:
        super().__init__(code, message, status, dict(meta or {}))
        self.code = code
        self.message = message
        self.status = status
        self.meta: dict[str, str] = dict(meta or {})

    @property
    def metadata(self) -> dict[str, str]:
        """The same as `meta`, by the name that it has in livekit-api."""
        return self.meta

    @override
    def __str__(self) -> str:
        added = f" {self.meta}" if self.meta else ""
        return f"{self.code} ({self.status}): {self.message}{added}"


class NotSupportedError(ServerError):
    """This server cannot do that: some calls are for LiveKit Cloud only, others came with newer servers."""


class RemoteUnmuteDisabledError(ServerError):
    """The server does not let anybody unmute the tracks of others.

    Its configuration (``room.enable_remote_unmute``) or the Cloud project's settings allow it.
    """


class SipCallError(ServerError):
    """A phone call or a transfer came to an end before it was answered or done.

    The properties are read from `meta`, which may have more.
    """

    @property
    def sip_status_code(self) -> int | None:
        """SIP's code, such as 486; None if the other side gave none."""
        code = self.meta.get("sip_status_code", "")
        return int(code) if code.isdecimal() else None

    @property
    def sip_status(self) -> str | None:
        """SIP's words for it, such as ``Busy Here``."""
        return self.meta.get("sip_status")

    @property
    def sip_transfer_reason(self) -> str | None:
        """Why a transfer failed, such as ``STR_RINGING_TIMEOUT``; None for other calls."""
        return self.meta.get("sip_transfer_reason")

    @property
    def sip_transfer_id(self) -> str | None:
        """The failed transfer's id in the logs of the SIP service."""
        return self.meta.get("sip_transfer_id")


class TransportErrorKind(enum.Enum):
    """Why there was no valid answer."""

    CONNECT = "connect"
    """No connection: refused, no such host, an unusable proxy. The server has not seen the request."""
    TLS = "tls"
    """The certificate or the handshake. The server has not seen the request."""
    TIMEOUT = "timeout"
    """The call's time was up. The server may have carried it out."""
    BROKEN = "broken"
    """The connection broke, or what came is no HTTP. The server may have carried it out."""
    STALE = "stale"
    """A connection kept from an earlier call broke before the answer began: most likely the server had closed it already, and
    has not seen the request. Calls that may be repeated are, once, on a new connection."""
    MALFORMED = "malformed"
    """A success, but not in protobuf: there is something else than a LiveKit server."""


class TransportError(LiveKitError):
    """A call got no valid answer.

    Attributes:
        kind: why, and whether the server may have seen the request.
        url: what was asked, without query or credentials.
        text: the details.
    """

    def __init__(self, kind: TransportErrorKind, url: str, text: str) -> None:
        super().__init__(kind, url, text)
        self.kind = kind
        self.url = url
        self.text = text

    @property
    def sent(self) -> bool:
        """Whether the server may have seen the request, and done what it asks for."""
        return self.kind not in {TransportErrorKind.CONNECT, TransportErrorKind.TLS}

    @override
    def __str__(self) -> str:
        return f"no valid answer from {self.url} ({self.kind.value}): {self.text}"


REMOTE_UNMUTE_DISABLED: Final = "remote unmute not enabled"
"""``ErrRemoteUnmuteNoteEnabled`` in livekit-server's service/errors.go; it comes as "twirp error unknown: …"."""
NOT_IMPLEMENTED: Final = "not implemented"
"""With code unknown, internal … : what livekit-server 1.13 says to calls that only the Cloud has (service/roommanager.go)."""


def server_error(code: str, message: str, status: int, meta: Mapping[str, str]) -> ServerError:
    """Make the error of the class that fits best."""
    kind = ServerError
    if "sip_status_code" in meta or "sip_transfer_reason" in meta:
        kind = SipCallError
    elif message.endswith(REMOTE_UNMUTE_DISABLED):
        kind = RemoteUnmuteDisabledError
    elif message.endswith(NOT_IMPLEMENTED) or code in {ServerErrorCode.UNIMPLEMENTED, ServerErrorCode.BAD_ROUTE}:
        kind = NotSupportedError
    return kind(code, message, status, meta)
