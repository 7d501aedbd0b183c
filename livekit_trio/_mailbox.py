"""What waits for one reader: a bounded buffer, and the event that wakes its task.

Theory. `put`, `fail` and `finish` run on the loop's thread (in the pump) and never wait. An item is never handed over to
a waiting task: the reader pops it itself once it runs again, so a receive that is cancelled in the very tick in which an
item arrives leaves it in the buffer. (AnyIO's memory stream hands over, and loses the item to a plain Task.cancel().)
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

import anyio
import attrs
import trio

from ._errors import EndOfStream, StreamBusyError, StreamLaggedError

T = TypeVar("T")


@attrs.frozen
class StreamStatistics:
    """The counters of one stream.

    Attributes:
        delivered: items that `receive` has returned.
        dropped: items that were lost because the reader was too slow; a larger capacity or a faster reader helps.
        buffered: items that wait now.
        capacity: how many may wait.
    """

    delivered: int
    dropped: int
    buffered: int
    capacity: int


@attrs.define(eq=False)
class Mailbox(Generic[T]):
    """A bounded buffer with one reader.

    Two bounds, by count and by bytes; beyond them the mailbox *lags*: it takes nothing more, and once what it holds has been
    delivered the reader gets StreamLaggedError. Items put as *fleeting* have a further bound of their own and displace the
    oldest of their kind instead.
    """

    capacity: int
    max_bytes: int
    max_fleeting: int
    _items: deque[tuple[T, int, bool]] = attrs.field(factory=deque[tuple[T, int, bool]], init=False)
    _bytes: int = attrs.field(default=0, init=False)
    _fleeting: int = attrs.field(default=0, init=False)
    _delivered: int = attrs.field(default=0, init=False)
    _dropped: int = attrs.field(default=0, init=False)
    _end: BaseException | None = attrs.field(default=None, init=False)
    _wake: anyio.Event | None = attrs.field(default=None, init=False)

    def put(self, item: T, *, size: int = 0, fleeting: bool = False) -> None:
        """Add an item; what happens when the mailbox is full is said above."""
        if self._end is not None:
            self._count_loss(1)
            return
        while fleeting and self._fleeting and (self._fleeting == self.max_fleeting or self._is_full(size)):
            self._drop_oldest_fleeting()
        if self._is_full(size):
            if fleeting:
                self._dropped += 1
            else:
                self.lag(1)
            return
        self._items.append((item, size, fleeting))
        self._bytes += size
        self._fleeting += fleeting
        self._notify()

    def lag(self, count: int) -> None:
        """Say that *count* items were lost here: the reader gets StreamLaggedError after what is buffered."""
        if self._end is None:
            self._end = StreamLaggedError(0)
            self._notify()
        self._count_loss(count)

    def fail(self, error: BaseException) -> None:
        """End with *error* once what is buffered has been delivered. Only the first end counts."""
        if self._end is None:
            self._end = error
            self._notify()

    def finish(self) -> None:
        """End normally once what is buffered has been delivered."""
        self.fail(EndOfStream())

    def discard(self) -> None:
        """Forget what is buffered; the reader has closed its stream."""
        self._items.clear()
        self._bytes = self._fleeting = 0

    async def wait(self) -> None:  # noqa: ASYNC910 - a part of `EventStream.receive`, which has given way already
        """Return once there is something to take, or the mailbox has ended; at once if so already.

        Raises:
            StreamBusyError: another task waits here.
        """
        while not self.is_ready():
            self.check_idle()
            wake = self._wake = anyio.Event()
            try:
                await wake.wait()
            finally:
                self._wake = None

    def is_ready(self) -> bool:
        """Whether `get_nowait` has an item or an end."""
        return bool(self._items) or self._end is not None

    def check_idle(self) -> None:
        """Raise StreamBusyError if a task waits here."""
        if self._wake is not None:
            raise StreamBusyError

    def get_nowait(self) -> T:
        """Take the oldest item.

        Raises:
            anyio.WouldBlock, trio.WouldBlock: there is none now.
            EndOfStream, StreamLaggedError or what `fail` was given: the mailbox has ended and is empty.
        """
        if self._items:
            item, size, fleeting = self._items.popleft()
            self._bytes -= size
            self._fleeting -= fleeting
            self._delivered += 1
            return item
        if self._end is not None:
            raise self._end.with_traceback(None)
        raise WouldBlock

    def statistics(self) -> StreamStatistics:
        return StreamStatistics(self._delivered, self._dropped, len(self._items), self.capacity)

    def _is_full(self, size: int) -> bool:
        return len(self._items) >= self.capacity or self._bytes + size > self.max_bytes

    def _notify(self) -> None:
        if self._wake is not None:
            self._wake.set()

    def _count_loss(self, count: int) -> None:
        if isinstance(self._end, StreamLaggedError):
            self._dropped += count
            self._end.dropped += count
            self._end.args = (self._end.dropped,)

    def _drop_oldest_fleeting(self) -> None:
        # At most `capacity` steps; under a flood of fleeting items the oldest is at the very front.
        for index, (_, size, fleeting) in enumerate(self._items):
            if fleeting:
                del self._items[index]
                self._bytes -= size
                self._fleeting -= 1
                self._dropped += 1
                return


class WouldBlock(trio.WouldBlock, anyio.WouldBlock):
    """Nothing is there now."""
