"""MediaStream: received audio or video frames for one reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeAlias, TypeVar

import anyio.lowlevel
from typing_extensions import override

from .._errors import StreamBusyError, StreamClosedError
from .._ffi._runtime import acquire_runtime
from .._mailbox import StreamStatistics, WouldBlock
from .._streams import ReaderStream
from ._media_feed import MediaFeed

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._ffi._runtime import Runtime
    from ._media_feed import Follow

Overflow: TypeAlias = Literal["drop_oldest", "fail"]

F = TypeVar("F")

MAX_CAPACITY = 4096
"""Frames; the bridge keeps no more."""


class MediaStream(ReaderStream[F], Generic[F]):
    """What audio and video streams have in common."""

    _event: str
    """The native event that brings a frame."""
    _runtime: Runtime
    _feed: MediaFeed
    """These two are there once the stream was entered."""

    def __init__(
        self,
        follow: Follow,
        request: tuple[str, dict[str, Any]],
        capacity: int,
        overflow: Overflow,
        process: Callable[[F], F] | None = None,
    ) -> None:
        """Make one that is not entered yet.

        Args:
            follow: what the stream's feed follows.
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
        self._unfollow: Callable[[], None] | None = None
        self._reading = False
        self._delivered = 0

    # ---- the scope

    def __enter__(self) -> Self:
        if self._state != "new":
            raise StreamClosedError("a media stream is entered once; open another one")
        self._runtime = acquire_runtime()
        self._feed = MediaFeed(self._runtime, self._event, self._request, self._capacity, fails=self._fails)
        self._state = "open"
        try:
            self._unfollow = self._follow(self._feed)
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

    @override
    def close(self) -> None:
        """End the stream here and forget what was not read; idempotent. Frames that were read stay valid."""
        was_open, self._state = self._state == "open", "closed"
        if self._unfollow is not None:
            self._unfollow()
            self._unfollow = None
        if was_open:
            self._feed.close(_closed)
            self._runtime.release()

    # ---- reading

    @override
    async def receive(self) -> F:
        """Return the next frame, waiting for one if need be.

        Raises:
            EndOfStream: no frame will come, and everything was delivered.
            StreamLaggedError: the stream was opened with ``overflow="fail"`` and this reader was too slow.
            NativeRefusalError: the native library would not open the stream.
            NativePanicError: the native library has failed.
            StreamClosedError: the stream was closed by this program, or not entered yet.
            StreamBusyError: another task is already waiting here.
            WrongLoopError: called from another event loop than the one that entered the stream.

        Cancellation:
            The next frame stays where it is and is returned by the next call.
        """
        self._check_open()
        feed = self._feed
        self._reading = True
        gave_way = False
        try:
            while True:
                taken = feed.take()
                if taken is None:
                    if feed.end is not None:
                        break
                    await feed.wait()
                elif gave_way:
                    frame = self._decode(*taken)
                    if frame is not None:
                        self._delivered += 1
                        return frame if self._process is None else self._process(frame)  # noqa: ASYNC910 - it has given way
                    continue
                else:
                    feed.put_back(taken)
                    await anyio.lowlevel.checkpoint()
                gave_way = True
        finally:
            self._reading = False
        if not gave_way:
            await anyio.lowlevel.checkpoint()
        raise feed.end()

    def receive_nowait(self) -> F:
        """Return the next frame without waiting.

        Raises:
            WouldBlock: there is none now (anyio's and trio's at once).
            EndOfStream, StreamLaggedError, NativePanicError, StreamClosedError, StreamBusyError, WrongLoopError: as for
                `receive`.
        """
        self._check_open()
        feed = self._feed
        while (taken := feed.take()) is not None:
            frame = self._decode(*taken)
            if frame is not None:
                self._delivered += 1
                return frame if self._process is None else self._process(frame)
        if feed.end is not None:
            raise feed.end()
        raise WouldBlock

    def statistics(self) -> StreamStatistics:
        """Return this stream's counters, in frames; they stay readable after its end."""
        dropped, buffered = (0, 0) if self._state == "new" else self._feed.counts()
        return StreamStatistics(self._delivered, dropped, buffered, self._capacity)

    @override
    def __repr__(self) -> str:
        statistics = self.statistics()
        return f"<{type(self).__name__}: {self._state}, {statistics.buffered}/{statistics.capacity} buffered>"

    # ---- helpers

    def _decode(self, stamp_ns: int, dropped: int, payload: bytes, /) -> F | None:
        """The frame in a native event; None if it is the end of the native stream."""
        raise NotImplementedError

    def _check_open(self) -> None:
        if self._state == "closed":
            raise _closed()
        if self._state == "new":
            raise StreamClosedError(
                "a media stream is opened when it is entered: use `with track.open_stream() as frames`"
            )
        self._runtime.check_loop("a media stream")
        if self._reading:
            raise StreamBusyError


def _closed() -> StreamClosedError:
    return StreamClosedError("this media stream was closed")
