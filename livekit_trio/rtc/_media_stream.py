"""MediaStream: received audio or video frames for one reader.

Theory. Frames wait in a ring of the native bridge; a frame that nobody reads costs no Python. The ring says READY once, until
`Ring.take` has returned None: so the reader takes until then before it waits. The stream ends when the room's model says so:
then what is in the ring moves to `_rest`, and the native stream is closed at once. Its own end-of-stream is not waited for; it
may never come (reference: failure class B1).

All of it runs on the loop that entered the stream.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import anyio
import anyio.abc
import anyio.lowlevel
import trio
from typing_extensions import override

from .._errors import (
    EndOfStream,
    NativeRefusalError,
    RoomClosedError,
    StreamBusyError,
    StreamClosedError,
    StreamLaggedError,
)
from .._ffi._messages import event_class
from .._ffi._objects import NativeObject
from .._ffi._runtime import acquire_runtime
from .._guard import MadeByTheRoom
from .._mailbox import StreamStatistics, WouldBlock

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Literal, TypeAlias

    from .._ffi._abc import NativeLibrary, Ring
    from .._ffi._runtime import Runtime
    from ._link import RoomLink
    from ._track import TrackFacts

    Overflow: TypeAlias = Literal["drop_oldest", "fail"]
    Taken: TypeAlias = tuple[int, int, bytes]

F = TypeVar("F")

MAX_CAPACITY = 4096
"""Frames; the bridge keeps no more."""

REFUSAL_GRACE = 1.0
"""Seconds in which the room must explain why the library knows nothing of a track."""


class MediaStream(trio.abc.ReceiveChannel[F], anyio.abc.ObjectReceiveStream[F], Generic[F], metaclass=MadeByTheRoom):
    """What audio and video streams have in common."""

    event: str
    """The native event that brings a frame."""

    _library: NativeLibrary
    _parse: Callable[[bytes], Any]
    """Makes the native event of bytes; this and the library are there once the stream was entered."""

    def __init__(
        self,
        follow: Callable[[MediaStream[Any]], Callable[[], None]],
        request: tuple[str, dict[str, Any]],
        capacity: int,
        overflow: Overflow,
        process: Callable[[F], F] | None = None,
    ) -> None:
        """Make one that is not entered yet.

        Args:
            follow: what the stream follows: called on entering, calls `attach`, `detach` and `finish` from then on, and
                returns what ends that.
            request: name and fields of the native request that opens a stream, but for the track's handle.
            capacity: how many frames may wait.
            overflow: what happens to the next one.
            process: what is done with each frame that is delivered, in the reader's task.
        """
        if overflow not in ("drop_oldest", "fail"):
            raise ValueError(f"overflow must be 'drop_oldest' or 'fail', not {overflow!r}")
        self._follow = follow
        self._request = request
        self._capacity = capacity
        self._fails = overflow == "fail"
        self._process = process
        self._state = "new"
        self._runtime: Runtime | None = None
        self._unfollow: Callable[[], None] | None = None
        self._ring: Ring | None = None
        self._native: NativeObject | None = None
        self._rest: deque[Taken] = deque()
        """What was taken out of a ring and not delivered."""
        self._refusal: NativeRefusalError | None = None
        self._end: Callable[[], BaseException] | None = None
        """Makes what is raised at the end. A new one each time: an error that was raised keeps its reader's last frame alive."""
        self._wake: anyio.Event | None = None
        self._reading = False
        self._delivered = 0
        self._dropped = 0

    # ---- the scope

    def __enter__(self) -> Self:
        if self._state != "new":
            raise StreamClosedError("a media stream is entered once; open another one")
        self._runtime = acquire_runtime()
        self._library = self._runtime.library
        self._parse = event_class(self.event).FromString
        self._state = "open"
        try:
            self._unfollow = self._follow(self)
        except BaseException:
            self.close()
            raise
        return self

    @override
    async def __aenter__(self) -> Self:
        # Also by a function that takes any channel and leaves it closed: that of an open stream is entered already.
        if self._state == "new":
            self.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the stream here and forget what was not read; idempotent. Frames that were read stay valid."""
        was_open, self._state = self._state == "open", "closed"
        if self._unfollow is not None:
            self._unfollow()
            self._unfollow = None
        self.detach()
        while self._rest:
            self._decode(*self._rest.popleft())  # a frame that nobody keeps frees its memory
        self._end = _closed
        self._tell()
        if was_open:
            self._opened().release()

    @override
    async def aclose(self) -> None:
        """Do what `close` does, then let other tasks run.

        Cancellation:
            The stream is closed in any case.
        """
        self.close()
        await anyio.lowlevel.checkpoint()

    # ---- reading

    @override
    async def receive(self) -> F:
        """Return the next frame, waiting for one if need be.

        Raises:
            EndOfStream: no frame will come, and everything was delivered.
            StreamLaggedError: the stream was opened with ``overflow="fail"`` and this reader was too slow.
            NativeRefusalError: the native library would not open the stream.
            StreamClosedError: the stream was closed by this program, or not entered yet.
            StreamBusyError: another task is already waiting here.
            WrongLoopError: called from another event loop than the one that entered the stream.

        Cancellation:
            The next frame stays where it is and is returned by the next call.
        """
        self._check_open()
        if self._reading:
            raise StreamBusyError
        self._reading = True
        gave_way = False
        try:
            while True:
                taken = self._take()
                if taken is None:
                    if self._end is not None:
                        break
                    await self._wait()
                elif gave_way:
                    frame = self._decode(*taken)
                    if frame is not None:
                        self._delivered += 1
                        return frame if self._process is None else self._process(frame)  # noqa: ASYNC910 - it has given way
                    continue
                else:
                    self._rest.appendleft(taken)
                    await anyio.lowlevel.checkpoint()
                gave_way = True
        finally:
            self._reading = False
        if not gave_way:
            await anyio.lowlevel.checkpoint()
        raise self._end()

    def receive_nowait(self) -> F:
        """Return the next frame without waiting.

        Raises:
            WouldBlock: there is none now (anyio's and trio's at once).
            EndOfStream, StreamLaggedError, StreamClosedError, StreamBusyError: as for `receive`.
        """
        self._check_open()
        if self._reading:
            raise StreamBusyError
        while (taken := self._take()) is not None:
            frame = self._decode(*taken)
            if frame is not None:
                self._delivered += 1
                return frame if self._process is None else self._process(frame)
        if self._end is not None:
            raise self._end()
        raise WouldBlock

    def statistics(self) -> StreamStatistics:
        """Return this stream's counters, in frames; they stay readable after its end."""
        dropped, buffered = self._dropped, len(self._rest)
        if self._ring is not None:
            counts = self._ring.statistics()
            dropped += counts.dropped
            buffered += counts.buffered
        return StreamStatistics(self._delivered, dropped, buffered, self._capacity)

    @override
    def __aiter__(self) -> Self:
        return self

    @override
    async def __anext__(self) -> F:
        try:
            return await self.receive()
        except EndOfStream:
            raise StopAsyncIteration from None

    @override
    def __repr__(self) -> str:
        statistics = self.statistics()
        return f"<{type(self).__name__}: {self._state}, {statistics.buffered}/{statistics.capacity} buffered>"

    # ---- what the stream follows says

    def attach(self, track_handle: int) -> None:
        """Let the frames of this native track come; of one track at a time.

        If the library refuses, the track has probably ended and the room has not heard of it yet: the reader finds out.
        """
        self.detach()
        runtime = self._opened()
        name, fields = self._request
        try:
            response, ring = runtime.open_ring(name, {"track_handle": track_handle, **fields}, self._capacity, self)
        except NativeRefusalError as refusal:
            self._refusal = refusal
            return
        self._ring, self._native = ring, NativeObject(runtime.library, response.stream.handle.id)
        self._tell()

    def detach(self) -> None:
        """No more frames of that track: what has come can still be read, the native stream ends. Idempotent."""
        ring, native = self._ring, self._native
        self._ring = self._native = self._refusal = None
        if ring is None or native is None:
            return
        self._dropped += ring.statistics().dropped
        while (taken := ring.take()) is not None:
            if not self._parse(taken[2]).HasField("eos"):
                self._rest.append(taken)
        self._opened().close_ring(ring)
        native.close()
        self._trim()

    def finish(self, make_error: Callable[[], BaseException] = EndOfStream) -> None:
        """No more frames at all: the stream ends once everything was delivered."""
        self.detach()
        if self._state == "open" and self._end is None:
            self._end = make_error
            self._tell()

    # ---- Sink: what the pump brings

    def deliver(self, kind: int, stamp_ns: int, payload: bytes, /) -> None:
        """READY: the ring has something."""
        if self._wake is not None:
            self._wake.set()

    def fail(self, error: BaseException, /) -> None:
        self.detach()
        if self._state == "open":
            self._end = lambda: error
            self._tell()

    # ---- helpers

    def _decode(self, stamp_ns: int, dropped: int, payload: bytes, /) -> F | None:
        """The frame in a native event; None if it is the end of the native stream."""
        raise NotImplementedError

    def _take(self) -> Taken | None:
        if self._rest:
            self._trim()
        if self._rest:
            return self._rest.popleft()
        if self._ring is None:
            return None
        taken = self._ring.take()
        if taken is not None and taken[1] and self._fails:
            self._lag(taken)
            return None
        return taken

    def _trim(self) -> None:
        """Keep to the capacity where frames wait in two places."""
        excess = self.statistics().buffered - self._capacity
        while excess > 0 and self._rest:
            stamp_ns, dropped, payload = self._rest.popleft()
            self._decode(stamp_ns, dropped, payload)
            self._dropped += 1
            excess -= 1

    def _lag(self, taken: Taken) -> None:
        self._rest.append(taken)
        self.detach()
        lost = self._dropped + len(self._rest)
        while self._rest:
            self._decode(*self._rest.popleft())
        self._dropped = lost
        self._end = lambda: StreamLaggedError(lost)

    async def _wait(self) -> None:
        wake = self._wake = anyio.Event()
        try:
            if self._refusal is None:
                await wake.wait()
            else:
                await self._wait_for_reason(wake)
        finally:
            self._wake = None

    async def _wait_for_reason(self, wake: anyio.Event) -> None:
        with anyio.move_on_after(REFUSAL_GRACE):
            await wake.wait()
        refusal = self._refusal
        if self._end is None and refusal is not None:
            self._end = lambda: refusal

    def _tell(self) -> None:
        if self._wake is not None:
            self._wake.set()

    def _opened(self) -> Runtime:
        if self._runtime is None:
            raise StreamClosedError(
                "a media stream is opened when it is entered: use `with track.open_stream() as frames`"
            )
        return self._runtime

    def _check_open(self) -> None:
        if self._state == "closed":
            raise _closed()
        self._opened().check_loop("a media stream")


def follow_track(facts: TrackFacts, link: RoomLink | None) -> Callable[[MediaStream[Any]], Callable[[], None]]:
    """Let a stream have the frames of one track, until that ends.

    Args:
        facts: the track.
        link: its room; None for a track of our own.
    """

    def follow(stream: MediaStream[Any]) -> Callable[[], None]:
        if not facts.ended and (link is None or _is_open(link)):
            stream.attach(facts.handle)
        facts.call_at_end(stream.finish)
        return lambda: facts.forget_callback(stream.finish)

    return follow


def _closed() -> StreamClosedError:
    return StreamClosedError("this media stream was closed")


def _is_open(link: RoomLink) -> bool:
    try:
        link.check_open()
    except RoomClosedError:
        return False
    return True
