"""MediaFeed: the native frames that one media stream reads, from wherever they come.

Theory. Frames wait in a ring of the native bridge; a frame that nobody reads costs no Python. The ring says READY once, until
`Ring.take` has returned None: so whoever reads takes until then before it waits. A track ends when the room's model says so:
then what is in the ring moves to `_rest`, and the native stream is closed at once. Its own end-of-stream is not waited for; it
may never come (an unpublished track's native stream gives none).

All of it runs on the loop that entered the stream.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

import anyio

from .._errors import (
    EndOfStream,
    NativeRefusalError,
    RoomClosedError,
    StreamLaggedError,
    UsedAfterForkError,
    WrongLoopError,
)
from .._ffi._messages import event_class, event_number
from .._ffi._objects import NativeObject
from .._ffi._wire import owned_handles

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._ffi._abc import Ring
    from .._ffi._loop import Signal
    from .._ffi._runtime import Runtime
    from ._link import RoomLink
    from ._track import TrackFacts

Taken: TypeAlias = tuple[int, int, bytes]
"""(stamp_ns, frames dropped just before it, serialised event), see `Ring.take`."""

Follow: TypeAlias = "Callable[[MediaFeed], Callable[[], None]]"
"""What a feed follows: calls `MediaFeed.attach`, `detach` and `finish` from now on, and returns what ends that."""

REFUSAL_GRACE: Final = 1.0
"""Seconds in which the room must explain why the library knows nothing of a track."""


@final
class MediaFeed:
    """See the module's text. It is a `Sink` of the runtime."""

    def __init__(
        self, runtime: Runtime, event: str, request: tuple[str, dict[str, Any]], capacity: int, *, fails: bool
    ) -> None:
        """Make one that follows nothing yet.

        Args:
            runtime: of the loop; held by the stream.
            event: the native event that brings a frame.
            request: name and fields of the native request that opens a stream, but for the track's handle.
            capacity: how many frames may wait.
            fails: whether the first frame that is lost is the end.
        """
        self.end: Callable[[], BaseException] | None = None
        """Makes what is raised once all was read: new, or without its traceback, which would keep its reader's frame alive."""
        self.parse: Callable[[bytes], Any] = event_class(event).FromString
        self._runtime = runtime
        self._event_number = event_number(event)
        self._request = request
        self._capacity = capacity
        self._fails = fails
        self._track: TrackFacts | None = None
        self._ring: Ring | None = None
        self._native: NativeObject | None = None
        self._rest: deque[Taken] = deque()
        """What was taken out of a ring and not read."""
        self._refusal: NativeRefusalError | None = None
        self._wake: Signal | None = None
        self._dropped = 0
        self._untold = 0
        """How many frames were dropped here that the next one does not tell of."""

    # ---- what it follows says

    def attach(self, track: TrackFacts) -> None:
        """Let the frames of this track come while it is enabled; of one track at a time."""
        self.detach()
        self._track = track
        track.feeds.append(self)
        if track.enabled:
            self.start()

    def detach(self) -> None:
        """No more frames of that track: what has come can still be read. Idempotent."""
        track, self._track = self._track, None
        if track is not None:
            track.feeds.remove(self)
        self.stop()

    def start(self) -> None:
        """Open the native stream, if there is none.

        If the library refuses, the track has probably ended and the room has not heard of it yet: the reader finds out.
        """
        if self._track is None or self._ring is not None:
            return
        name, fields = self._request
        try:
            response, ring = self._runtime.open_ring(
                name, {"track_handle": self._track.handle, **fields}, self._capacity, self
            )
        except NativeRefusalError as refusal:
            self._refusal = refusal
            return
        self._ring, self._native = ring, NativeObject(self._runtime.library, response.stream.handle.id)
        self._tell()

    def stop(self) -> None:
        """End the native stream; what has come can still be read. Idempotent."""
        ring, native = self._ring, self._native
        self._ring = self._native = self._refusal = None
        if ring is None or native is None:
            return
        self._dropped += ring.statistics().dropped
        while (taken := ring.take()) is not None:
            if not self.parse(taken[2]).HasField("eos"):
                self._rest.append(taken)
        self._runtime.close_ring(ring)
        native.close()
        self._trim()
        self._tell()  # of what was in the ring

    def finish(self, make_error: Callable[[], BaseException] = EndOfStream) -> None:
        """No more frames at all: the end comes once everything was read. Only the first one counts."""
        self.detach()
        if self.end is None:
            self.end = make_error
            self._tell()

    def finish_from_anywhere(self) -> None:
        """As `finish`, at once on this feed's own loop: a track of ours belongs to none, and any thread may close it."""
        try:
            self._runtime.check_loop("a media stream")
        except WrongLoopError:
            self._runtime.call_soon_if_alive(self.finish)
        except UsedAfterForkError:
            return  # nothing native is under it
        else:
            self.finish()

    # ---- Sink: what the pump brings

    def deliver(self, kind: int, stamp_ns: int, payload: bytes, /) -> None:
        """READY: the ring has something."""
        if self._wake is not None:
            self._wake.set()

    def fail(self, error: BaseException, /) -> None:
        self.detach()
        self.end = lambda: error.with_traceback(None)
        self._tell()

    # ---- what the stream asks for

    def take(self) -> Taken | None:
        """The oldest frame; None if there is none now, or ever."""
        if self._rest:
            self._trim()
        if self._rest:
            return self._telling(self._rest.popleft())
        if self._ring is None:
            return None
        taken = self._ring.take()
        if taken is None:
            return None
        if taken[1] and self._fails:
            self._rest.append(taken)
            self._lag()
            return None
        return self._telling(taken)

    def put_back(self, taken: Taken) -> None:
        """Let `take` return this one next."""
        self._rest.appendleft(taken)

    async def wait(self) -> None:  # noqa: ASYNC910 - a part of `receive`, and there is nothing to take
        """Return once `take` should be asked again; when that has just returned None, and there is no end yet."""
        wake = self._wake = self._runtime.make_signal()
        try:
            if self._refusal is None:
                await wake.wait()
            else:
                await self._wait_for_reason(wake)
        finally:
            self._wake = None

    def counts(self) -> tuple[int, int]:
        """How many frames were dropped, and how many wait."""
        if self._ring is None:
            return self._dropped, len(self._rest)
        ring = self._ring.statistics()
        return self._dropped + ring.dropped, len(self._rest) + ring.buffered

    def close(self, make_error: Callable[[], BaseException]) -> None:
        """Forget what was not read, and end with that error."""
        self.detach()
        self._discard_rest()
        self.end = make_error
        self._tell()

    # ---- helpers

    async def _wait_for_reason(self, wake: Signal) -> None:
        with anyio.move_on_after(REFUSAL_GRACE):
            await wake.wait()
        refusal = self._refusal
        if self.end is None and refusal is not None:
            self.end = lambda: refusal.with_traceback(None)

    def _lag(self) -> None:
        self.detach()
        lost = self._dropped = self._dropped + len(self._rest)
        self._discard_rest()
        self.end = lambda: StreamLaggedError(lost)

    def _trim(self) -> None:
        """Keep to the capacity where frames wait in two places; one that was put back may be too many for a moment."""
        excess = self.counts()[1] - self._capacity
        if self._fails:
            if excess > 1 and self.end is None:
                self._lag()
            return
        while excess > 0 and self._rest:
            taken = self._rest.popleft()
            frames = self._discard(taken)
            self._dropped += frames
            self._untold += taken[1] + frames
            excess -= 1

    def _telling(self, taken: Taken) -> Taken:
        """*taken*, with what was dropped before it here."""
        if not self._untold:
            return taken
        stamp_ns, dropped, payload = taken
        dropped, self._untold = dropped + self._untold, 0
        return stamp_ns, dropped, payload

    def _discard_rest(self) -> None:
        while self._rest:
            self._discard(self._rest.popleft())

    def _discard(self, taken: Taken) -> int:
        """How many frames that was: none if it was the end of a native stream."""
        handles = owned_handles(self._event_number, taken[2])
        for handle in handles:
            self._runtime.library.drop(handle)
        return len(handles)

    def _tell(self) -> None:
        if self._wake is not None:
            self._wake.set()


def follow_track(facts: TrackFacts, link: RoomLink | None) -> Follow:
    """Let a feed have the frames of one track, until that ends.

    Args:
        facts: the track.
        link: its room; None for a track of our own.
    """

    def follow(feed: MediaFeed) -> Callable[[], None]:
        if not facts.ended and (link is None or _is_open(link)):
            feed.attach(facts)
        facts.call_at_end(feed.finish_from_anywhere)
        return lambda: facts.forget_callback(feed.finish_from_anywhere)

    return follow


def _is_open(link: RoomLink) -> bool:
    try:
        link.check_open()
    except RoomClosedError:
        return False
    return True
