"""The errors of the whole package.

::

    LiveKitError
    ├── NativeError                    the native library could not be loaded, refused, or failed
    │   ├── NativeLoadError (ImportError)      attempts
    │   ├── NativeRefusalError                 request, text
    │   ├── NativePanicError                   message; the native runtime is unusable from now on
    │   └── UsedAfterForkError
    ├── ConnectError                   kind, status, url
    ├── RoomClosedError (BrokenResourceError ×2)   reason
    ├── OperationError                 the server or the native side said no: message
    │   ├── UpdateError                        operation
    │   ├── SubscribeError                     track_sid
    │   ├── PublishTrackError, UnpublishTrackError, PublishDataError, …  (with their issues)
    │   ├── AudioFilterError, PlatformAudioError
    │   └── CaptureError                       a source's frame
    ├── SourceClosedError (ClosedResourceError ×2)
    ├── SourceBusyError (BusyResourceError ×2)
    ├── StreamError
    │   ├── StreamClosedError (ClosedResourceError ×2)
    │   ├── StreamLaggedError (BrokenResourceError ×2)    dropped
    │   ├── StreamBusyError (BusyResourceError ×2)
    │   ├── StreamSendError                    a text or byte stream could not be sent: message
    │   └── StreamReceiveError (BrokenResourceError ×2)   … did not arrive whole, through no fault of its reader
    │       ├── StreamAbortedError                    its sender gave it up: reason
    │       ├── SenderLeftError                       identity
    │       ├── StreamIncompleteError                 something of it is missing
    │       ├── StreamTooLargeError                   it is larger than allowed or announced
    │       └── StreamCorruptError                    it cannot be decoded
    ├── WrongLoopError (RuntimeError)  an object was used from another event loop than its own
    ├── ServerError                    the server API said no: code, message, status, meta (in `api._errors`, like those below)
    │   ├── NotSupportedError                  this server cannot do that
    │   ├── RemoteUnmuteDisabledError
    │   └── SipCallError                       sip_status_code, sip_status …
    ├── TransportError                 a call of the server API got no valid answer: kind, url, text
    ├── TokenError (ValueError)        malformed, expired, wrong signature
    ├── WebhookError (ValueError)      kind, message
    └── InternalError                  a bug of ours; the cause says where

`EndOfStream` stays outside the root, like StopAsyncIteration: it is the normal end of a stream.
Every error keeps its facts as attributes and can be pickled. No token and no key is in any of them.
"""

from __future__ import annotations

import enum
from typing import Any

import anyio
import trio
from typing_extensions import override


class LiveKitError(Exception):
    """The root of everything that livekit_trio raises on its own account."""


class NativeError(LiveKitError):
    """The native library could not be loaded, refused a request or failed."""


class NativeLoadError(NativeError, ImportError):
    """No native library could be loaded.

    Attributes:
        attempts: what was tried and why it failed, as (what, reason) pairs.
    """

    def __init__(self, attempts: tuple[tuple[str, str], ...]) -> None:
        super().__init__(attempts)
        self.attempts = attempts

    @override
    def __str__(self) -> str:
        tried = "".join(f"\n  {what}: {reason}" for what, reason in self.attempts)
        return f"the native LiveKit library could not be loaded{tried}"


class NativeRefusalError(NativeError):
    """The native library refused a request.

    Attributes:
        request: the request's name, such as ``publish_track``.
        text: what the library logged about it, secrets redacted; empty if it logged nothing.
    """

    def __init__(self, request: str = "", text: str = "") -> None:
        super().__init__(request, text)
        self.request = request
        self.text = text

    @override
    def __str__(self) -> str:
        return f"the native library refused {self.request or 'a request'}: {self.text or 'it gave no reason'}"


class NativePanicError(NativeError):
    """The native library panicked; every room of the process is lost and no new one can be opened.

    Attributes:
        message: the panic's text.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UsedAfterForkError(NativeError):
    """A native object of the parent process was used in a forked child.

    Open rooms in the child only if the parent has opened none, or start the child with the spawn method.

    A child that does not go on in the parent's event loop leaves the parent alone. One that does, such as one that raises out
    of `open_room`, does nothing natively; but on Trio both have one epoll, and what arrives meanwhile can be lost to the parent,
    which then hears nothing any more. Let such a child end by `os._exit` or `exec` at once.
    """

    @override
    def __str__(self) -> str:
        return "the native library was initialised in the parent process and cannot be used after fork()"


class ConnectErrorKind(enum.Enum):
    """Why a room could not be joined."""

    REFUSED = "refused"
    """Nothing accepts connections there."""
    UNAUTHORIZED = "unauthorized"
    """401 or 403: the token is invalid, expired, or lacks a grant."""
    NOT_FOUND = "not_found"
    """404: the path, or the room where the server does not create it."""
    TIMEOUT = "timeout"
    """No answer in time."""
    TLS = "tls"
    """The certificate or the handshake."""
    NAME = "name"
    """The host name could not be resolved."""
    DESCRIPTORS = "descriptors"
    """The process has no file descriptors left."""
    SERVER = "server"
    """The server answered with an error, see `status`; a full room comes as a bare 500."""
    MEDIA = "media"
    """Signalling worked, but no media connection came about (ICE or DTLS)."""
    OTHER = "other"
    """Anything else; the text says what the native side said."""


class ConnectError(LiveKitError):
    """A room could not be joined.

    Attributes:
        kind: why, as far as the native library's text tells.
        status: the HTTP status of the server's answer, or None.
        url: the server's address, without query or credentials.
        text: the native library's own words, with secrets redacted.
    """

    def __init__(self, kind: ConnectErrorKind, url: str, text: str, status: int | None = None) -> None:
        super().__init__(kind, url, text, status)
        self.kind = kind
        self.url = url
        self.text = text
        self.status = status

    @override
    def __str__(self) -> str:
        status = f" {self.status}" if self.status is not None else ""
        return f"cannot join a room at {self.url} ({self.kind.value}{status}): {self.text}"


class RoomClosedError(LiveKitError, trio.BrokenResourceError, anyio.BrokenResourceError):
    """The room ended, or had ended, while something of it was in use.

    Attributes:
        reason: why it ended, a `livekit_trio.rtc.DisconnectReason`.
    """

    def __init__(self, reason: enum.IntEnum) -> None:
        super().__init__(reason)
        self.reason = reason

    @override
    def __str__(self) -> str:
        return f"the room has ended ({self.reason.name})"


class OperationError(LiveKitError):
    """The native side or the server refused an operation; the room goes on.

    Attributes:
        message: what they said, or what our own state says.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UpdateError(OperationError):
    """An own metadata, name, attribute or permission update did not take effect.

    Attributes:
        operation: ``set_metadata``, ``set_name``, ``set_attributes`` or ``set_track_subscription_permissions``.
    """

    def __init__(self, operation: str, message: str) -> None:
        super().__init__(message)
        self.args: tuple[Any, ...] = (operation, message)
        self.operation = operation

    @override
    def __str__(self) -> str:
        return f"{self.operation}: {self.message}"


class SubscribeError(OperationError):
    """A track could not be subscribed to.

    Attributes:
        track_sid: the publication's SID.
    """

    def __init__(self, track_sid: str, message: str) -> None:
        super().__init__(message)
        self.args: tuple[Any, ...] = (track_sid, message)
        self.track_sid = track_sid

    @override
    def __str__(self) -> str:
        return f"{self.track_sid}: {self.message}"


class PublishTrackError(OperationError):
    """A track could not be published."""


class UnpublishTrackError(OperationError):
    """A track could not be unpublished."""


class PublishDataError(OperationError):
    """A data packet could not be sent."""


class PublishDTMFError(OperationError):
    """A telephone key could not be sent."""


class PublishTranscriptionError(OperationError):
    """A transcription could not be sent."""


class DataTrackErrorKind(enum.Enum):
    """Why something could not be done with a data track."""

    DUPLICATE_NAME = "duplicate_name"
    """We publish one of that name already."""
    INVALID_NAME = "invalid_name"
    """Empty, or too long."""
    INVALID_SCHEMA = "invalid_schema"
    """The schema is not what the server takes."""
    NOT_ALLOWED = "not_allowed"
    """We lack the permission to publish data."""
    LIMIT_REACHED = "limit_reached"
    """We publish too many."""
    TIMEOUT = "timeout"
    """The server did not answer."""
    DISCONNECTED = "disconnected"
    """The connection was lost."""
    UNPUBLISHED = "unpublished"
    """The track is not published any more."""
    QUEUE_FULL = "queue_full"
    """Too many frames are waiting to be sent."""
    FRAME_SIZE = "frame_size"
    """The frame is empty, or more than a receiver can put together."""
    OTHER = "other"
    """Anything else; the message says what the native side said."""


class DataTrackError(OperationError):
    """Something could not be done with a data track.

    Attributes:
        kind: why, as far as the native library tells.
    """

    def __init__(self, kind: DataTrackErrorKind, message: str) -> None:
        super().__init__(message)
        self.args: tuple[Any, ...] = (kind, message)
        self.kind = kind

    @override
    def __str__(self) -> str:
        return f"{self.message} ({self.kind.value})"


class PublishDataTrackError(DataTrackError):
    """A data track could not be published."""


class PushFrameError(DataTrackError):
    """A frame could not be sent."""


class SubscribeDataTrackError(DataTrackError):
    """A data track could not be subscribed to."""


class SendChatMessageError(OperationError):
    """A chat message could not be sent or edited."""


class AudioFilterError(OperationError):
    """An audio filter could not be loaded."""


class PlatformAudioError(OperationError):
    """The machine's audio devices cannot be used; a machine without any says so here."""


class CaptureError(OperationError):
    """A source did not take a frame."""


class SourceClosedError(LiveKitError, trio.ClosedResourceError, anyio.ClosedResourceError):
    """A source, or a local track, was closed by this program and then used, or while it was in use."""

    @override
    def __str__(self) -> str:
        return "this source or track was closed"


class SourceBusyError(LiveKitError, trio.BusyResourceError, anyio.BusyResourceError):
    """Two tasks wrote to one source at once; their frames would be mixed up."""

    def __init__(self) -> None:
        # Not through anyio's __init__, which wants an argument and makes a sentence of it.
        Exception.__init__(self)

    @override
    def __str__(self) -> str:
        return "another task is already writing to this source"


class StreamError(LiveKitError):
    """The root of what can go wrong with a stream."""


class StreamClosedError(StreamError, trio.ClosedResourceError, anyio.ClosedResourceError):
    """This program closed the stream (or never entered it) and then used it."""


class StreamLaggedError(StreamError, trio.BrokenResourceError, anyio.BrokenResourceError):
    """The reader was too slow: the stream's bound was reached and what followed is lost.

    Everything buffered before was delivered first. Read faster, or open the stream with a larger capacity.

    Attributes:
        dropped: how many items were lost up to the moment the error was raised.
    """

    def __init__(self, dropped: int) -> None:
        super().__init__(dropped)
        self.dropped = dropped

    @override
    def __str__(self) -> str:
        return f"the stream's buffer was full; {self.dropped} items were lost"


class StreamBusyError(StreamError, trio.BusyResourceError, anyio.BusyResourceError):
    """Two tasks read from one stream at once. Open one stream for each reader."""

    def __init__(self) -> None:
        # Not through anyio's __init__, which wants an argument and makes a sentence of it.
        Exception.__init__(self)

    @override
    def __str__(self) -> str:
        return "another task is already reading from this stream"


class StreamSendError(StreamError):
    """A text or byte stream could not be sent.

    Attributes:
        message: what the native library said, or what our own state says.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class StreamReceiveError(StreamError, trio.BrokenResourceError, anyio.BrokenResourceError):
    """A text or byte stream did not arrive as a whole. What came before was delivered.

    Attributes:
        message: what happened.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class StreamAbortedError(StreamReceiveError):
    """Its sender closed the stream before it was complete.

    Attributes:
        reason: what the sender says about it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @override
    def __str__(self) -> str:
        return f"its sender closed the stream: {self.reason}"


class SenderLeftError(StreamReceiveError):
    """Its sender left the room, or was lost, before the stream was complete.

    Attributes:
        identity: who.
    """

    def __init__(self, identity: str) -> None:
        super().__init__(identity)
        self.identity = identity

    @override
    def __str__(self) -> str:
        return f"{self.identity} left in the middle of a stream"


class StreamIncompleteError(StreamReceiveError):
    """Something of the stream is missing: a chunk was lost, or its sender sent less than announced."""


class StreamTooLargeError(StreamReceiveError):
    """The stream is larger than allowed, here or by `DataStreamOptions`, or than its sender announced."""


class StreamCorruptError(StreamReceiveError):
    """The stream cannot be decoded: no UTF-8, not decompressible, or encrypted in another way than announced."""


class EndOfStream(trio.EndOfChannel, anyio.EndOfStream):
    """A stream has ended normally: everything was delivered."""


class WrongLoopError(LiveKitError, RuntimeError):
    """A room, or something that belongs to it, was used from another event loop than the one that opened it.

    Attributes:
        what: what was used.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    @override
    def __str__(self) -> str:
        return f"{self.what} belongs to the event loop that opened it and was used from another one"


class TokenError(LiveKitError, ValueError):
    """An access token is malformed, expired, not yet valid or wrongly signed."""


class WebhookErrorKind(enum.Enum):
    """Why a webhook was refused."""

    UNAUTHORIZED = "unauthorized"
    """Its token is missing or wrong, or signs another body: it does not come from the server, or was altered."""
    TOO_LARGE = "too_large"
    """It is longer than allowed."""
    TOO_OLD = "too_old"
    """It is right, but the event is older than allowed."""
    REPLAYED = "replayed"
    """It is right, but the event of this id was here before."""
    MALFORMED = "malformed"
    """The server's signature is right, but the body is no event."""


class WebhookError(LiveKitError, ValueError):
    """A webhook was refused.

    Attributes:
        kind: why.
        message: the same in words.
    """

    def __init__(self, kind: WebhookErrorKind, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message

    @override
    def __str__(self) -> str:
        return self.message


class InternalError(LiveKitError):
    """A bug in livekit_trio; please report it with its cause."""


def internal_error(cause: Exception) -> InternalError:
    """Make an InternalError of what must not have been raised."""
    error = InternalError(f"a bug in livekit_trio: {type(cause).__name__}: {cause}")
    error.__cause__ = cause
    return error
