"""Text and byte streams that come in: who gets them, and how many of them are taken.

A stream whose topic nobody accepts is dropped as it opens, with its native reader, and what its sender still sends is dropped
by the native library. An accepted one is read from there and then: the native library would keep what comes without a bound.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, final

import attrs
from typing_extensions import override

from .._errors import NativeRefusalError, RoomClosedError, StreamClosedError
from .._guard import make
from .._mailbox import Mailbox
from .._streams import MailboxStream
from . import _convert
from ._inflow import UNBOUNDED, Account, Inflow
from ._stream_readers import ByteStreamReader, TextStreamReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._ffi._runtime import Runtime
    from .._mailbox import StreamStatistics
    from ._link import RoomLink

_logger = logging.getLogger("livekit_trio")

ReaderT = TypeVar("ReaderT", TextStreamReader, ByteStreamReader)

STREAM_BYTES: Final = 4 << 20
"""Bytes of one stream that may wait (DESIGN §7)."""

MAX_STREAMS: Final = 1024
"""Streams of a topic that may be open, or not be read to their end."""

SHARE: Final = 4
"""One sender can have a fourth of the streams of a topic, and make as many bytes wait as this many streams may."""


@final
class IncomingStreams(MailboxStream[ReaderT], Generic[ReaderT]):
    """The streams of one topic, a reader for each, as they open.

    Made by `Room.accept_text_streams` and `Room.accept_byte_streams`. It accepts from entering its ``with`` block to leaving
    it; the call alone accepts nothing. Leaving it closes the readers that nobody has received; those received go on.
    Iterating ends when the room has ended.

    Backpressure:
        Nothing holds a sender up. What is not read waits, within bounds, and beyond them is lost: see the arguments of
        `Room.accept_text_streams`. A stream that is refused is counted as dropped, in `statistics`.

    Concurrency:
        One task at a time, else `StreamBusyError`.
    """

    def __init__(
        self,
        register: Callable[[Self], Callable[[], None]],
        check_loop: Callable[[], None],
        max_streams: int,
        max_bytes: int,
    ) -> None:
        self.mailbox: Mailbox[Any] = Mailbox(UNBOUNDED, UNBOUNDED, 0)
        self._register = register
        self._check_loop = check_loop
        self._unregister: Callable[[], None] | None = None
        self._max_streams = max_streams
        self._max_bytes = max_bytes
        self._accounts: dict[str, Account] = {}
        self._refused = 0
        self._state = "new"

    def __enter__(self) -> Self:
        if self._state != "new":
            raise StreamClosedError("streams are accepted in one block; accept them anew")
        self._check_loop()
        self._unregister = self._register(self)
        self._state = "open"
        return self

    @override
    async def __aenter__(self) -> Self:
        if self._state == "new":
            self.__enter__()
        return self

    @override
    def close(self) -> None:
        """Accept no more streams, and close those that nobody has received. Idempotent."""
        self._state = "closed"
        if self._unregister is not None:
            self._unregister()
            self._unregister = None
        self.mailbox.fail(StreamClosedError("this block accepts no more streams"))
        while self.mailbox.statistics().buffered:
            self.mailbox.get_nowait().close()

    @override
    def receive_nowait(self) -> ReaderT:
        """Return the next stream's reader without waiting.

        Raises:
            WouldBlock: there is none now (anyio's and trio's at once).
            EndOfStream: the room has ended.
            StreamClosedError: it accepts no more, or not yet.
        """
        self._check_usable()
        return self.mailbox.get_nowait()

    @override
    def statistics(self) -> StreamStatistics:
        """Return the counters, in streams: delivered, refused (as dropped), waiting to be received, and how many may be open."""
        return attrs.evolve(self.mailbox.statistics(), dropped=self._refused, capacity=self._max_streams)

    # ---- for the desk

    def account_for(self, sender: str) -> Account | None:
        """Where to count a further stream of *sender*; None if it cannot be taken."""
        account = self._accounts.get(sender) or Account(
            sender, self._max_bytes, self._max_bytes * SHARE, self._on_close
        )
        if self._open < self._max_streams and account.streams < max(1, self._max_streams // SHARE):
            self._accounts[sender] = account
            return account
        self._refused += 1
        if self._refused == 1:
            _logger.warning("streams are refused: %d are open, %d of them from %r", self._open, account.streams, sender)
        return None

    def _on_close(self, account: Account) -> None:
        if not account.streams:
            del self._accounts[account.identity]

    @property
    def _open(self) -> int:
        return sum(account.streams for account in self._accounts.values())

    @override
    def _check_usable(self) -> None:
        if self._state == "new":
            raise StreamClosedError("streams are accepted in a block: `with room.accept_text_streams(...) as incoming`")
        if self._state == "closed":
            raise StreamClosedError("this block accepts no more streams")
        self._check_loop()

    @override
    def __repr__(self) -> str:
        statistics = self.statistics()
        return (
            f"<IncomingStreams: {self._state}, {self._open}/{statistics.capacity} open, {statistics.dropped} refused>"
        )


@attrs.frozen
class _Kind:
    """What is different between text and bytes."""

    read: str
    event: str
    reader: Any
    info: Callable[[Any], Any]


_KINDS: Final = {
    "text_stream_opened": _Kind(
        "text_read_incremental", "text_stream_reader_event", TextStreamReader, _convert.text_stream_info
    ),
    "byte_stream_opened": _Kind(
        "byte_read_incremental", "byte_stream_reader_event", ByteStreamReader, _convert.byte_stream_info
    ),
}


@final
class StreamDesk:
    """Hands each stream that opens in a room to whoever accepts its topic; a part of the room's session."""

    def __init__(self, runtime: Runtime, link: RoomLink) -> None:
        self._runtime = runtime
        self._link = link
        self._accepted: dict[tuple[str, str], IncomingStreams[Any]] = {}
        self._flowing: set[Inflow] = set()
        self._ended = False

    def accept(self, kind: str, topic: str, max_streams: int, max_bytes: int) -> IncomingStreams[Any]:
        """The streams of *kind* and *topic*, see `Room.accept_text_streams`."""
        for name, value in (("max_streams", max_streams), ("max_bytes", max_bytes)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        place = (kind, topic)

        def register(incoming: IncomingStreams[Any]) -> Callable[[], None]:
            if self._ended:
                incoming.mailbox.finish()
                return lambda: None
            if place in self._accepted:
                raise ValueError(f"the streams of topic {topic!r} are accepted already")
            self._accepted[place] = incoming
            return partial(self._accepted.__delitem__, place)

        cls: type[IncomingStreams[Any]] = IncomingStreams
        return make(cls, register, partial(self._runtime.check_loop, "a room"), max_streams, max_bytes)

    def open(self, kind: str, message: Any) -> bool:
        """The reducer's hook: take a stream that has opened, or leave it to be dropped."""
        way = _KINDS[kind]
        info = way.info(message.reader.info)
        incoming = self._accepted.get((kind, info.topic))
        account = incoming and incoming.account_for(message.participant_identity)
        if incoming is None or account is None:
            return False
        handle = message.reader.handle.id
        inflow = Inflow(self._runtime, self._link, account, way.event, handle, self._flowing)
        try:
            self._link.request(way.read, reader_handle=handle)
        except (NativeRefusalError, RoomClosedError):
            inflow.close()
            return False
        incoming.mailbox.put(make(way.reader, inflow, info))
        return True

    def end(self, make_error: Callable[[], BaseException]) -> None:
        """The room has ended: end what comes in, once it has been read. Idempotent."""
        self._ended = True
        for inflow in list(self._flowing):
            inflow.fail(make_error())
        for incoming in self._accepted.values():
            incoming.mailbox.finish()
