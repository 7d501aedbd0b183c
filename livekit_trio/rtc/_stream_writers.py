"""Writers of text and byte streams: a block that opens a stream, and closes it as the block ends.

A stream that its block leaves with an exception is closed with a reason, so that no reader takes it for a whole one. Dropping
a native writer instead would close it as if it were complete.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, final

import anyio
import anyio.lowlevel
from typing_extensions import override

from .._errors import RoomClosedError, StreamClosedError, StreamSendError
from .._guard import MadeByTheRoom
from . import _convert
from ._stream_info import ByteStreamInfo, TextStreamInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from typing_extensions import Buffer

    from .._ffi._calls import Call
    from ._link import RoomLink

ContentT = TypeVar("ContentT", str, bytes)
InfoT = TypeVar("InfoT", TextStreamInfo, ByteStreamInfo)

PIECE: Final = 240_000
"""Bytes handed over at once: 16 chunks of the native library. It finishes what it was given before it closes a stream."""

MAX_TRAILER: Final = 60_000
"""Bytes of reason and attributes that end a stream: a packet takes 64 000 (livekit-server 1.13.5), and is lost if it is larger."""

CLOSE_GRACE: Final = 1.0
"""Seconds for which a block that raised waits for its stream to be closed, so that the reason gets out before the room is left."""


def text_size(text: object) -> int:
    """Its bytes in UTF-8. Raises unless it is a string that has them: half a surrogate pair would fail only in the middle."""
    if not isinstance(text, str):
        raise TypeError(f"text must be a string, not {type(text).__name__}")
    return len(text.encode())


def _check_trailer(reason: str, attributes: Mapping[str, str]) -> None:
    """Raise unless it can be sent: a stream whose end does not get out never ends for its readers."""
    texts = [reason, *attributes.keys(), *attributes.values()]
    size = sum(text_size(text) + 8 for text in texts)
    if size > MAX_TRAILER:
        raise StreamSendError(f"reason and attributes have {size} bytes, and {MAX_TRAILER} can be sent")


class StreamWriter(Generic[ContentT, InfoT], metaclass=MadeByTheRoom):
    """What writers of text and of bytes have in common."""

    _opens: str
    _writes: str
    _closes: str

    def __init__(self, link: RoomLink, fields: dict[str, Any]) -> None:
        self._link = link
        self._fields = fields
        self._state = "new"
        self._handle = 0
        self._info: InfoT | None = None
        self._turn = anyio.Lock()
        self._last: Call | None = None
        self._torn = False
        """Whether a write was cut short, so that the stream cannot be complete any more."""
        self._sent = 0

    @property
    def info(self) -> InfoT:
        """What the readers are told about it.

        Raises:
            StreamClosedError: it was not opened yet.
        """
        if self._info is None:
            raise StreamClosedError("a stream opens when it is entered: use `async with`")
        return self._info

    @property
    def sent(self) -> int:
        """How many bytes have been written so far; of text, in UTF-8."""
        return self._sent

    @override
    def __repr__(self) -> str:
        topic = self._fields["options"]["topic"]
        return f"<{type(self).__name__}: {self._state}, topic={topic!r}, {self._sent} bytes>"

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise StreamClosedError("a stream is written in one block; open another one")
        reply = await self._link.call(self._opens, **self._fields)
        if reply.WhichOneof("result") == "error":
            raise StreamSendError(reply.error.description)
        self._handle = reply.writer.handle.id
        self._info = self._read_info(reply.writer.info)
        self._state = "open"
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._state != "open":
            await anyio.lowlevel.checkpoint_if_cancelled()  # noqa: ASYNC102 - it does not wait
        elif exc is None:
            await self.aclose()  # noqa: ASYNC102 - what must happen is sent before it waits
        else:
            await self._give_up(exc)  # noqa: ASYNC102 - the same, and it does not wait for long

    async def aclose(self, *, reason: str = "", attributes: Mapping[str, str] | None = None) -> None:
        """Close the stream. Leaving its block does it, too. Idempotent.

        Args:
            reason: why it is not complete; readers get it as a `StreamAbortedError`. Without one it is complete, unless a
                write failed or was cancelled.
            attributes: further ones, which readers see when they have come to the end.

        Raises:
            TypeError: one of these is no string; the stream is still open.
            StreamSendError: they are too large (60 000 bytes in all), and the stream is still open; or the native library
                could not close it.
            RoomClosedError: the room has ended: readers know that the stream is not complete.

        Cancellation:
            It is closed all the same.
        """
        if self._state == "open":
            call = self._close(reason, attributes or {})
            await self._finish(call)
        else:
            await anyio.lowlevel.checkpoint()

    async def _write(self, pieces: Iterable[ContentT]) -> None:
        async with self._turn:
            self._check_open()
            try:
                for piece in pieces:
                    await self._write_piece(piece)
            except BaseException:
                self._torn = True
                raise

    async def _write_piece(self, piece: ContentT) -> None:
        if self._last is not None:
            await self._last.wait_answered()  # that of a write that was cancelled
        self._check_open()
        self._last = self._link.send(self._writes, writer_handle=self._handle, **self._to_fields(piece))
        await self._finish(self._last)
        self._sent += self._size_of(piece)

    def _check_open(self) -> None:
        if self._state != "open":
            raise StreamClosedError("this stream was closed, or not entered yet")

    @abstractmethod
    def _read_info(self, message: Any) -> InfoT: ...

    @abstractmethod
    def _to_fields(self, piece: ContentT) -> dict[str, ContentT]: ...

    @abstractmethod
    def _size_of(self, piece: ContentT) -> int: ...

    def _close(self, reason: str, attributes: Mapping[str, str]) -> Call:
        reason = reason or ("cancelled" if self._torn else "")
        _check_trailer(reason, attributes)
        self._state = "closed"
        return self._link.send(self._closes, writer_handle=self._handle, reason=reason, attributes=dict(attributes))

    async def _give_up(self, exc: BaseException) -> None:  # noqa: ASYNC910 - the block has raised
        cancelled = isinstance(exc, anyio.get_cancelled_exc_class())
        with suppress(RoomClosedError, StreamSendError):  # the body's own error says more
            call = self._close("cancelled" if cancelled else type(exc).__name__, {})
            if isinstance(exc, GeneratorExit):
                call.forsake()  # nothing can be waited for
                return  # noqa: ASYNC910 - as said
            with anyio.move_on_after(CLOSE_GRACE):
                await self._finish(call)

    async def _finish(self, call: Call) -> None:
        try:
            reply = await call.wait()
        except BaseException:
            call.forsake()
            raise
        if reply.HasField("error"):
            raise StreamSendError(reply.error.description)


@final
class TextStreamWriter(StreamWriter[str, TextStreamInfo]):
    """Sends a text piece by piece, as it comes into being; made by `LocalParticipant.stream_text`.

    ::

        async with room.local_participant.stream_text(topic="chat") as writer:
            async for word in words:
                await writer.write(word)

    It is complete when the block ends. If that raises, or is cancelled, readers get a `StreamAbortedError` with the name of the
    exception's class, or ``cancelled``, as its reason.

    Concurrency:
        Writes of several tasks go out one after the other, each as a whole.
    """

    _opens, _writes, _closes = "text_stream_open", "text_stream_write", "text_stream_close"

    async def write(self, text: str) -> None:
        """Send a piece of any length; it arrives as pieces of up to 15 000 bytes, none of which ends within a character.

        Raises:
            TypeError: it is no string.
            UnicodeEncodeError: it has half a surrogate pair.
            StreamSendError: the native library could not send it.
            StreamClosedError: the stream was closed, or not entered yet.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            A beginning of it may have been sent. More can be written, but readers will get a `StreamAbortedError` in the end.

        Backpressure:
            Waits while the transport has much to send.

        Source:
            TextStreamWriterWriteRequest (livekit-ffi data_stream.proto).
        """
        text_size(text)
        await self._write(text[begin : begin + PIECE // 4] for begin in range(0, len(text), PIECE // 4))

    @override
    def _read_info(self, message: Any) -> TextStreamInfo:
        return _convert.text_stream_info(message)

    @override
    def _to_fields(self, piece: str) -> dict[str, str]:
        return {"text": piece}

    @override
    def _size_of(self, piece: str) -> int:
        return text_size(piece)


@final
class ByteStreamWriter(StreamWriter[bytes, ByteStreamInfo]):
    """Sends bytes chunk by chunk; made by `LocalParticipant.stream_bytes`.

    It is complete when its ``async with`` block ends. If that raises, or is cancelled, readers get a `StreamAbortedError` with
    the name of the exception's class, or ``cancelled``, as its reason.

    Concurrency:
        Writes of several tasks go out one after the other, each as a whole.
    """

    _opens, _writes, _closes = "byte_stream_open", "byte_stream_write", "byte_stream_close"

    async def write(self, data: Buffer) -> None:
        """Send bytes, any number of them; they arrive as chunks of up to 15 000.

        Raises:
            TypeError: they are not bytes-like.
            StreamSendError: the native library could not send them.
            StreamClosedError: the stream was closed, or not entered yet.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            Some of it may have been sent. More can be written, but readers will get a `StreamAbortedError` in the end.

        Backpressure:
            Waits while the transport has much to send.

        Source:
            ByteStreamWriterWriteRequest (livekit-ffi data_stream.proto).
        """
        with memoryview(data) as given, given.cast("B") as view:
            await self._write(bytes(view[begin : begin + PIECE]) for begin in range(0, len(view), PIECE))

    @override
    def _read_info(self, message: Any) -> ByteStreamInfo:
        return _convert.byte_stream_info(message)

    @override
    def _to_fields(self, piece: bytes) -> dict[str, bytes]:
        return {"bytes": piece}

    @override
    def _size_of(self, piece: bytes) -> int:
        return len(piece)
