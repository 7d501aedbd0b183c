"""Streams out of mailboxes: what they have in common, and EventStream, a subscription that is entered, iterated and left."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, final

import anyio.abc
import anyio.lowlevel
import trio
from typing_extensions import override

from ._errors import EndOfStream, StreamClosedError
from ._guard import MadeByTheRoom
from ._mailbox import Mailbox, StreamStatistics, WouldBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

T = TypeVar("T")

MAX_BYTES = 16 << 20
"""Payload bytes that may wait for one subscriber (DESIGN §7)."""

MAX_LOSSY = 64
"""Lossy data packets that may wait for one subscriber; the newest win (DESIGN §7)."""


class ReaderStream(trio.abc.ReceiveChannel[T], anyio.abc.ObjectReceiveStream[T], Generic[T], metaclass=MadeByTheRoom):
    """A stream for one reader: a block that is left, and iterated over until the end.

    It is a `trio.abc.ReceiveChannel` and an `anyio.abc.ObjectReceiveStream` at once.
    """

    @abstractmethod
    def close(self) -> None:
        """Stop receiving and forget what was not read. Idempotent."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @override
    async def aclose(self) -> None:
        """Do what `close` does, then let other tasks run.

        Cancellation:
            The stream is closed in any case.
        """
        self.close()
        await anyio.lowlevel.checkpoint()

    @override
    def __aiter__(self) -> Self:
        return self

    @override
    async def __anext__(self) -> T:
        try:
            return await self.receive()
        except EndOfStream:
            raise StopAsyncIteration from None


class MailboxStream(ReaderStream[T], Generic[T]):
    """A stream for one reader whose items wait in a mailbox."""

    mailbox: Mailbox[Any]

    @abstractmethod
    def receive_nowait(self) -> T:
        """Return the next item without waiting."""

    @abstractmethod
    def _check_usable(self) -> None:
        """Raise if nothing can be received here and now: closed, not entered, another loop."""

    def _is_ready(self) -> bool:
        """Whether `receive_nowait` would do without waiting."""
        return self.mailbox.is_ready()

    @override
    async def __aenter__(self) -> Self:
        return self

    @override
    async def receive(self) -> T:
        """Return the next item, waiting for one if need be.

        Raises:
            EndOfStream: it has ended and everything was delivered.
            StreamLaggedError: this reader was too slow; everything buffered before was delivered.
            StreamClosedError: the stream was closed by this program, or not entered yet.
            StreamBusyError: another task is already waiting here.
            WrongLoopError: called from another event loop than the room's.

        Cancellation:
            The next item stays where it is and is returned by the next call.
        """
        self._check_usable()
        self.mailbox.check_idle()
        if self._is_ready():
            await anyio.lowlevel.checkpoint()  # waiting gives way by itself
        while True:  # noqa: ASYNC913 - it ends, or waits
            try:
                return self.receive_nowait()  # noqa: ASYNC910 - it has given way, or waited
            except WouldBlock:
                await self.mailbox.wait()

    def statistics(self) -> StreamStatistics:
        """Return this stream's counters."""
        return self.mailbox.statistics()


@final
class EventStream(MailboxStream[T]):
    """Events of a room, in their order, for one reader.

    Made by `Room.open_events`. It subscribes when its ``with`` (or ``async with``) block is entered and unsubscribes when
    that is left; the call alone registers nothing. Iterating ends when the room has ended. It is a `trio.abc.ReceiveChannel`
    and an `anyio.abc.ObjectReceiveStream` at once.

    Backpressure:
        What is not read waits: at most `capacity` events and 16 MiB. Beyond that this stream fails with
        `StreamLaggedError` once what waits has been read; the room and its other streams go on. Lossy data packets have a
        bound of their own (64): the oldest goes, which is counted and no error.

    Concurrency:
        One task at a time, else `StreamBusyError`. Open a stream for each reader.
    """

    def __init__(
        self,
        *,
        subscribe: Callable[[EventStream[T]], Iterable[T]],
        unsubscribe: Callable[[EventStream[T]], None],
        check_loop: Callable[[], None],
        accepts: tuple[type[T], ...],
        where: Callable[[T], object] | None,
        capacity: int,
    ) -> None:
        self.accepts = accepts
        self.mailbox: Mailbox[T] = Mailbox(capacity, MAX_BYTES, MAX_LOSSY)
        self._subscribe = subscribe
        self._unsubscribe = unsubscribe
        self._check_loop = check_loop
        self._where = where
        self._existing: Iterator[T] | None = None
        self._state = "new"

    def __enter__(self) -> Self:
        if self._state != "new":
            raise StreamClosedError("an event stream is entered once; open another one")
        self._check_loop()
        self._state = "open"
        self._existing = iter(self._subscribe(self))
        return self

    @override
    async def __aenter__(self) -> Self:
        # Also by a function that takes any channel and leaves it closed: that of an open stream is entered already.
        if self._state == "new":
            self.__enter__()
        return self

    @override
    def close(self) -> None:
        """Unsubscribe and forget what was not read. Idempotent."""
        if self._state == "open":
            self._unsubscribe(self)
        self._state = "closed"
        self._existing = None
        self.mailbox.discard()
        self.mailbox.fail(StreamClosedError("this event stream was closed"))

    @override
    def receive_nowait(self) -> T:
        """Return the next event without waiting.

        Raises:
            WouldBlock: there is none now (anyio's and trio's at once).
            EndOfStream, StreamLaggedError, StreamClosedError: as for `receive`.
        """
        self._check_open()
        if self._existing is not None:
            for event in self._existing:
                if self._wants(event):
                    return event
            self._existing = None
        while True:
            event = self.mailbox.get_nowait()
            if self._wants(event):
                return event

    @override
    def statistics(self) -> StreamStatistics:
        """Return this stream's counters; existing events that `include_existing` replays are not among them."""
        return self.mailbox.statistics()

    @override
    def __repr__(self) -> str:
        statistics = self.statistics()
        names = ", ".join(accepted.__name__ for accepted in self.accepts) or "all"
        return f"<EventStream of {names}: {self._state}, {statistics.buffered}/{statistics.capacity} buffered>"

    def _wants(self, event: T) -> bool:
        return self._where is None or bool(self._where(event))

    @override
    def _is_ready(self) -> bool:
        return self._existing is not None or self.mailbox.is_ready()

    @override
    def _check_usable(self) -> None:
        self._check_open()
        self._check_loop()

    def _check_open(self) -> None:
        if self._state == "new":
            raise StreamClosedError(
                "an event stream subscribes when it is entered: use `with room.open_events(...) as events`"
            )
        if self._state == "closed":
            raise StreamClosedError("this event stream was closed")
