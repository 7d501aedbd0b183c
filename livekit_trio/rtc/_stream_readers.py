"""Readers of text and byte streams that others send."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Generic, Self, TypeAlias, TypeVar, final

import anyio
import attrs
from typing_extensions import override

from .._errors import (
    EndOfStream,
    RoomClosedError,
    StreamAbortedError,
    StreamClosedError,
    StreamError,
    StreamTooLargeError,
)
from .._mailbox import Mailbox, StreamStatistics, WouldBlock
from .._streams import MailboxStream
from ._files import IncomingFile, safe_name
from ._inflow import ROOM_ENDED
from ._stream_info import ByteStreamInfo, TextStreamInfo

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from ._inflow import Inflow

ContentT = TypeVar("ContentT", str, bytes)
InfoT = TypeVar("InfoT", TextStreamInfo, ByteStreamInfo)

Progress: TypeAlias = "Callable[[int, int | None], object]"
"""Told how many bytes are done, and how many there are in all, if that is known."""

ROOM_END_GRACE: Final = 1.0
"""Seconds between the end of a stream that the native library puts down to that of the room, and the latter; 2 ms were seen."""

BATCH: Final = 1 << 20
"""Bytes written at once, about, if so many wait."""

READ_ALL_LIMIT: Final = 16 << 20
"""Bytes that `read_all` takes unless told otherwise."""


class StreamReader(MailboxStream[ContentT], Generic[ContentT, InfoT]):
    """What readers of text and of bytes have in common."""

    def __init__(self, inflow: Inflow, info: InfoT) -> None:
        self.mailbox: Mailbox[bytes] = inflow.mailbox
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
    async def receive(self) -> ContentT:
        """Return the next chunk, waiting for one if need be.

        Raises:
            EndOfStream: the stream is complete.
            StreamAbortedError: its sender gave it up.
            SenderLeftError: its sender left before the end.
            StreamIncompleteError: something of it was lost.
            StreamTooLargeError: it is larger than allowed by `DataStreamOptions`, or than announced.
            StreamCorruptError: it could not be decoded.
            StreamLaggedError: this reader was too slow; everything buffered before was delivered.
            StreamClosedError: it was closed by this program.
            StreamBusyError: another task is already waiting here.
            RoomClosedError: the room ended before the stream did.
            WrongLoopError: called from another event loop than the room's.

        Cancellation:
            The next chunk stays where it is and is returned by the next call.
        """
        try:
            return await super().receive()
        except StreamAbortedError as error:
            aborted = error
        if aborted.reason == ROOM_ENDED:
            with anyio.move_on_after(ROOM_END_GRACE):
                await self._inflow.link.wait_until(lambda: False)  # raises as the room ends
        raise aborted

    @override
    def receive_nowait(self) -> ContentT:
        """Return the next chunk without waiting.

        Raises:
            WouldBlock: there is none now (anyio's and trio's at once).
            Exception: as `receive`.
        """
        self._check_usable()
        return self._content(self._inflow.take_nowait())

    @override
    def statistics(self) -> StreamStatistics:
        """Return the counters, in bytes: delivered, waiting to be read (as buffered), and how many may wait (as capacity).

        What was dropped is counted in chunks: as `StreamLaggedError.dropped` it is not known how large they were.
        """
        inflow = self._inflow
        return StreamStatistics(
            delivered=inflow.received,
            dropped=self.mailbox.statistics().dropped,
            buffered=inflow.waiting,
            capacity=inflow.account.max_stream_bytes,
        )

    async def _read_all(self, limit: int | None) -> list[ContentT]:
        """Everything that has not been read yet; closed afterwards, whatever happens."""
        self._check_unused()
        with self:
            self._check_size(limit)
            begin = self.received
            chunks: list[ContentT] = []
            async for chunk in self:
                self._check_limit(self.received - begin, limit)
                chunks.append(chunk)
            return chunks

    def _check_unused(self) -> None:
        self._check_usable()
        self.mailbox.check_idle()  # before it would be closed under another task

    def _check_size(self, limit: int | None) -> None:
        """Fail at once if its sender announces too much."""
        if self.info.size is not None:
            self._check_limit(self.info.size, limit)

    def _check_limit(self, size: int, limit: int | None) -> None:
        if limit is not None and size > limit:
            raise StreamTooLargeError(f"it has more than the {limit} bytes that are allowed")

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
        if inflow is None or inflow.closed or inflow.runtime.inherited:
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

    async def save_to(
        self,
        directory: str | os.PathLike[str],
        *,
        name: str | None = None,
        overwrite: bool = False,
        limit: int | None = None,
        progress: Progress | None = None,
    ) -> Path:
        """Write all bytes, or the rest of them, to a file in *directory*, and return its path. The reader is closed then.

        The file is there only if the stream came to its end: what fails or is cancelled leaves none. It is written in worker
        threads, as the bytes come.

        Args:
            directory: where; it must exist. Nothing outside it is touched, whatever the sender calls the stream.
            name: the file's; None for the sender's, with nothing left in it that could do harm.
            overwrite: replace a file of that name, or a symbolic link, once everything has arrived.
            limit: how many bytes there may be; None for any number.
            progress: called with the number of bytes written so far, and with that of all if it is known; at the beginning
                and after each write.

        Raises:
            FileExistsError: there is a file, or anything else, of that name; nothing was read.
            OSError: the file could not be written.
            ValueError: *name* is not the name of a file.
            StreamTooLargeError: there are more bytes than *limit*.
            StreamAbortedError: its sender gave it up.
            SenderLeftError: its sender left before the end.
            StreamIncompleteError: something of it was lost.
            StreamCorruptError: it could not be decompressed or decrypted.
            StreamLaggedError: the disk was too slow.
            StreamClosedError: it was closed before.
            StreamBusyError: another task is reading it.
            RoomClosedError: the room ended before the stream did.

        Cancellation:
            The reader is closed; no file is left.
        """
        if name is not None and name != safe_name(name):
            raise ValueError(f"{name!r} is not the name of a file")
        file = IncomingFile(Path(directory), name or safe_name(self.info.name), overwrite=overwrite)
        self._check_unused()
        with file:
            await file.open()
            with self:
                self._check_size(limit)
                written = 0
                _tell(progress, written, self.info.size)
                async for chunk in self:
                    chunks = [chunk, *self._waiting(BATCH)]
                    written += sum(map(len, chunks))
                    self._check_limit(written, limit)
                    await file.write(chunks)
                    _tell(progress, written, self.info.size)
            return await file.keep()

    def _waiting(self, count: int) -> Iterator[bytes]:
        """What can be had without waiting, until it is *count* bytes."""
        with suppress(
            WouldBlock, EndOfStream, StreamError, RoomClosedError
        ):  # they come again, where they are waited for
            while count > 0:
                chunk = self.receive_nowait()
                count -= len(chunk)
                yield chunk

    @override
    def _content(self, chunk: bytes) -> bytes:
        return chunk


def _tell(progress: Progress | None, done: int, total: int | None) -> None:
    if progress is not None:
        progress(done, total)
