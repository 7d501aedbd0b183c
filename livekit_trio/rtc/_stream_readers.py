"""Readers of text and byte streams that others send."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar, final

import attrs
from typing_extensions import override

from .._errors import StreamClosedError, StreamTooLargeError
from .._streams import MailboxStream
from ._stream_info import ByteStreamInfo, TextStreamInfo

if TYPE_CHECKING:
    from ._inflow import Inflow

ContentT = TypeVar("ContentT", str, bytes)
InfoT = TypeVar("InfoT", TextStreamInfo, ByteStreamInfo)

READ_ALL_LIMIT: Final = 16 << 20
"""Bytes that `read_all` takes unless told otherwise."""


class StreamReader(MailboxStream[ContentT], Generic[ContentT, InfoT]):
    """What readers of text and of bytes have in common."""

    def __init__(self, inflow: Inflow, info: InfoT) -> None:
        self.mailbox = inflow.mailbox
        self._inflow = inflow
        self._info: InfoT = info
        self._closed = False

    @property
    def info(self) -> InfoT:
        """What its sender says about it. Once everything has arrived, its attributes are those of the end."""
        attributes = self._inflow.attributes
        if attributes is not None and attributes != self._info.attributes:
            self._info = attrs.evolve(self._info, attributes=MappingProxyType(attributes))
        return self._info

    @property
    def sender_identity(self) -> str:
        """Whose stream it is; `Room.get_participant` finds them, while they are in the room."""
        return self._inflow.account.identity

    @property
    def received(self) -> int:
        """How many bytes have been read so far; of text, in UTF-8. `StreamInfo.size` says how many there will be, if known."""
        return self._inflow.received

    def __enter__(self) -> Self:
        return self

    @override
    def close(self) -> None:
        """Read no more of it. Idempotent. What its sender still sends is dropped as it comes."""
        self._closed = True
        self._inflow.close()

    @override
    def receive_nowait(self) -> ContentT:
        """Return the next chunk without waiting.

        Raises:
            WouldBlock: there is none now (anyio's and trio's at once).
            Exception: as `receive`.
        """
        self._check_usable()
        return self._content(self._inflow.take_nowait())

    async def _read_all(self, limit: int | None) -> list[ContentT]:
        """Everything that has not been read yet; closed afterwards, whatever happens."""
        self._check_usable()
        self.mailbox.check_idle()  # before it would be closed under another task
        with self:
            size = self.info.size
            if limit is not None and size is not None and size > limit:
                raise StreamTooLargeError(f"it has {size} bytes, and {limit} are allowed")
            begin = self.received
            chunks: list[ContentT] = []
            async for chunk in self:
                if limit is not None and self.received - begin > limit:
                    raise StreamTooLargeError(f"it has more than the {limit} bytes that are allowed")
                chunks.append(chunk)
            return chunks

    @abstractmethod
    def _content(self, chunk: bytes) -> ContentT: ...

    @override
    def _check_usable(self) -> None:
        if self._closed:
            raise StreamClosedError("this reader was closed")
        self._inflow.runtime.check_loop("a stream's reader")

    @override
    def __repr__(self) -> str:
        info = self._info
        return f"<{type(self).__name__} of {self.sender_identity}: topic={info.topic!r}, {self.received}/{info.size} bytes>"

    def __del__(self) -> None:
        # From whatever thread; a reader that the room never finished making has no inflow.
        inflow = getattr(self, "_inflow", None)
        if inflow is None or self._closed or inflow.runtime.inherited:
            return
        if inflow.flowing:
            warnings.warn(
                f"{self!r} was neither read to its end nor closed", ResourceWarning, source=self, stacklevel=1
            )
        with suppress(RuntimeError):  # the loop has ended
            inflow.runtime.call_soon(inflow.close)


@final
class TextStreamReader(StreamReader[str, TextStreamInfo]):
    """A text that somebody sends, as it comes.

    Iterate over its pieces, or take it whole with `read_all`. Iterating ends with the text. Read it to its end, or use it as
    ``with reader:``, or `close` it.

    Backpressure:
        What is not read waits, within the bounds of `Room.accept_text_streams`; beyond them it fails with
        `StreamLaggedError` once what waits has been read.

    Concurrency:
        One task at a time, else `StreamBusyError`.
    """

    async def read_all(self, *, limit: int | None = READ_ALL_LIMIT) -> str:
        """Return the whole text, or the rest of it, when it has come to its end. The reader is closed then.

        Args:
            limit: how many bytes of UTF-8 it may have; None for any number.

        Raises:
            StreamTooLargeError: it has more.
            StreamAbortedError: its sender gave it up.
            SenderLeftError: its sender left before the end.
            StreamIncompleteError: something of it was lost.
            StreamCorruptError: it is no UTF-8, or could not be decompressed or decrypted.
            StreamLaggedError: this reader was too slow.
            StreamClosedError: it was closed before.
            StreamBusyError: another task is reading it.
            RoomClosedError: the room ended before the text did.

        Cancellation:
            The reader is closed, and what it had read is lost.
        """
        return "".join(await self._read_all(limit))

    @override
    def _content(self, chunk: bytes) -> str:
        return chunk.decode()


@final
class ByteStreamReader(StreamReader[bytes, ByteStreamInfo]):
    """Bytes that somebody sends, as they come.

    Iterate over its chunks, or take them whole with `read_all`. Iterating ends with the stream. Read it to its end, or use it
    as ``with reader:``, or `close` it.

    Backpressure:
        What is not read waits, within the bounds of `Room.accept_byte_streams`; beyond them it fails with
        `StreamLaggedError` once what waits has been read.

    Concurrency:
        One task at a time, else `StreamBusyError`.
    """

    async def read_all(self, *, limit: int | None = READ_ALL_LIMIT) -> bytes:
        """Return all bytes, or the rest of them, when they have come to their end. The reader is closed then.

        Args:
            limit: how many there may be; None for any number.

        Raises:
            StreamTooLargeError: there are more.
            StreamAbortedError: its sender gave it up.
            SenderLeftError: its sender left before the end.
            StreamIncompleteError: something of it was lost.
            StreamCorruptError: it could not be decompressed or decrypted.
            StreamLaggedError: this reader was too slow.
            StreamClosedError: it was closed before.
            StreamBusyError: another task is reading it.
            RoomClosedError: the room ended before the stream did.

        Cancellation:
            The reader is closed, and what it had read is lost.
        """
        return b"".join(await self._read_all(limit))

    @override
    def _content(self, chunk: bytes) -> bytes:
        return chunk
