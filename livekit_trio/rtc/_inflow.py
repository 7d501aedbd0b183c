"""What comes in of one text or byte stream: the sink of its events, and the bounds of what may wait.

The native library knows no backpressure here: what a sender sends comes, whether or not anybody reads. So what waits is
bounded by bytes, for each stream and for all streams of one sender together, and a stream that goes beyond fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import attrs

from .._errors import (
    SenderLeftError,
    StreamAbortedError,
    StreamCorruptError,
    StreamIncompleteError,
    StreamTooLargeError,
)
from .._ffi._abc import LAGGED, RouteLimits
from .._ffi._messages import event_class
from .._mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._errors import StreamReceiveError
    from .._ffi._runtime import Runtime
    from ._link import RoomLink

UNBOUNDED: Final = 1 << 62
"""Of the mailbox: the bounds are kept here, where they can be kept for several streams together."""

ENCODING: Final = 1 << 14
"""Bytes that messages may add to their chunks while the loop does not get to them."""

_ABNORMAL: Final = "stream closed abnormally: "
_LEFT: Final = "Participant {} unexpectedly disconnected in the middle of sending data"
ROOM_ENDED: Final = "Data stream connection closed"
"""What the native library says when the room ends, mostly after the room itself has. Any sender may say it, too."""

_ENDS: Final[dict[str, type[StreamReceiveError]]] = {
    "stream data is incomplete": StreamIncompleteError,
    "expected chunk index to be exactly one more than the previous": StreamIncompleteError,
    "read length exceeded total length specified in stream header": StreamTooLargeError,
    "stream payload exceeds maximum size": StreamTooLargeError,
}
"""The native library's words (livekit-ffi 0.13.2, seen on the wire or in its strings); all others mean a corrupt stream."""


SMALLEST: Final = 128
"""Bytes that even a chunk of one byte takes here."""


def _cost(chunk: bytes) -> int:
    return max(len(chunk), SMALLEST)


@attrs.define(eq=False)
class Account:
    """What one sender makes us hold, by the streams of one topic.

    Attributes:
        identity: the sender.
        max_stream_bytes: how much of one stream may wait.
        max_bytes: how much of all its streams may wait.
        on_close: called for each stream that has been read to its end, or closed.
        streams: those that are open or not read to their end.
        held: what waits of all of them, in bytes of memory.
    """

    identity: str
    max_stream_bytes: int
    max_bytes: int
    on_close: Callable[[Account], None]
    streams: int = 0
    held: int = 0


@final
class Inflow:
    """One incoming stream: its chunks, its end, and its native route until then.

    It refers to no reader, so that a reader that nobody wants any more can be collected and close it.
    """

    def __init__(
        self, runtime: Runtime, link: RoomLink, account: Account, event: str, handle: int, flowing: set[Inflow]
    ) -> None:
        """Take its events from now on.

        Args:
            runtime: of the room's loop.
            link: the room.
            account: its sender's.
            event: the field in FfiEvent that its events stand in.
            handle: the native reader, the key of its events.
            flowing: those of the room that more may come of; this one is among them as long as that is so.
        """
        self.runtime: Final = runtime
        self.link: Final = link
        self.account: Final = account
        self.mailbox: Final = Mailbox[bytes](UNBOUNDED, UNBOUNDED, 0)
        self.attributes: dict[str, str] | None = None
        """All of the stream's, as its end says; None before that."""
        self.received: int = 0
        """Bytes that the reader has taken."""
        self.waiting: int = 0
        """Bytes that it has not."""
        self.closed: bool = False
        """Whether nothing of it is left here."""
        self._event = event
        self._handle = handle
        self._flowing = flowing
        self._held = 0
        account.streams += 1
        flowing.add(self)
        runtime.route(handle, self, RouteLimits(reliable=account.max_stream_bytes + ENCODING))

    @property
    def flowing(self) -> bool:
        """Whether more may come."""
        return self in self._flowing

    # ---- Sink: what the pump brings

    def deliver(self, kind: int, _stamp_ns: int, payload: bytes, /) -> None:
        if kind == LAGGED:
            self._lag(int(payload))
            return
        event = event_class(self._event).FromString(payload)
        if event.WhichOneof("detail") == "chunk_received":
            content = event.chunk_received.content
            # Text waits encoded: as a string, one emoji in it would make it four times as large.
            self._put(content.encode() if isinstance(content, str) else content)
        elif event.HasField("eos"):
            self.attributes = dict(event.eos.attributes)
            if event.eos.HasField("error"):
                self.fail(self._error_of(event.eos.error.description))
            else:
                self.mailbox.finish()
                self._stop()

    def fail(self, error: BaseException, /) -> None:
        """End it with *error*, once what waits has been read."""
        self.mailbox.fail(error)
        self._stop()

    # ---- for its reader

    def take_nowait(self) -> bytes:
        """Take the oldest chunk; raises as `Mailbox.get_nowait` does."""
        if not self.flowing and not self.mailbox.statistics().buffered:
            self.close()  # what is read now is the end
        chunk = self.mailbox.get_nowait()
        self.received += len(chunk)
        self.waiting -= len(chunk)
        self._hold(-_cost(chunk))
        return chunk

    def close(self) -> None:
        """Take no more of it and forget what waits. Idempotent."""
        if self.closed:
            return
        self.closed = True
        self._stop()
        self.mailbox.discard()
        self.waiting = 0
        self._hold(-self._held)
        self.account.streams -= 1
        self.account.on_close(self.account)

    # ---- helpers

    def _put(self, chunk: bytes) -> None:
        account, cost = self.account, _cost(chunk)
        if self._held + cost > account.max_stream_bytes or account.held + cost > account.max_bytes:
            self._lag(1)
            return
        self._hold(cost)
        self.waiting += len(chunk)
        self.mailbox.put(chunk)

    def _lag(self, count: int) -> None:
        self.mailbox.lag(count)
        self._stop()

    def _hold(self, change: int) -> None:
        self._held += change
        self.account.held += change

    def _stop(self) -> None:
        """Nothing comes any more, or nothing of it is wanted: natively it goes on, and the library drops it unseen."""
        self._flowing.discard(self)
        self.runtime.unroute(self._handle)

    def _error_of(self, description: str) -> StreamReceiveError:
        if not description.startswith(_ABNORMAL):
            return _ENDS.get(description, StreamCorruptError)(description)
        reason = description.removeprefix(_ABNORMAL)
        if reason == _LEFT.format(self.account.identity):
            return SenderLeftError(self.account.identity)
        return StreamAbortedError(reason)
