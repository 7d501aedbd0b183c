"""What a native library must offer: the contract of the bridge, its ctypes twin and the fake.

Threads: every method may be called from any thread unless it says otherwise. No method of an implementation ever calls
Python code from a foreign thread, but for the ctypes twin, which cannot avoid it. `docs/architecture.md` has the picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Buffer

Event: TypeAlias = tuple[int, int, int, bytes]
"""(kind, key, stamp_ns, payload).

kind is the field number in FfiEvent's oneof, or READY or LAGGED; key a native handle or an async id; stamp_ns the
CLOCK_MONOTONIC time at which the callback was entered; payload the serialised inner message (for LAGGED: the number of
events lost, as decimal digits; for READY: empty).
"""

READY: Final = 0x1000
"""Ring *key* has something to take; said once, until its `take` has returned None."""

LAGGED: Final = 0x1001
"""Reliable packets or stream chunks of route *key* were dropped at this place of the order, because the route's bound was full."""

HANDLE_KEYED: Final = frozenset({1, 3, 4, 24, 28, 35, 43, 48})
"""Event kinds whose key is a native handle; RING_KINDS among them go to rings. Of the others, 2, 18 and 20 have no key."""

RING_KINDS: Final = frozenset({3, 4})
LOGS: Final = 18
PANIC: Final = 20

OWNER_SHIFT: Final = 48
"""async id = owner << OWNER_SHIFT | n, with 0 < n < 2**48. Owner 0 is nobody: the bridge uses it for calls it makes itself."""


class RouteLimits(NamedTuple):
    """Bounds of what waits in the inbox for one route, in bytes: encoded message plus, for data packets, their payload."""

    lossy: int = 1 << 20
    """Lossy data packets; the oldest goes. 1 MiB: more than the 64 packets that any reader keeps, at their largest size."""
    reliable: int = 4 << 20
    """Reliable data packets (of a room) or chunks (of a stream reader); beyond it LAGGED (DESIGN §7: 4 MiB)."""


class RingStatistics(NamedTuple):
    received: int
    dropped: int
    buffered: int


class Ring(Protocol):
    """The frames of one media stream that nobody has taken yet."""

    @property
    def key(self) -> int:
        """The native stream's handle. The ring does not own it."""
        ...

    def take(self) -> tuple[int, int, bytes] | None:
        """The oldest event: (stamp_ns, frames dropped just before it, serialised Audio- or VideoStreamEvent); None if empty.

        The caller owns the frame's handle from now on. The native end-of-stream event is never dropped and comes last.
        """
        ...

    def close(self) -> None:
        """Drop what is buffered, with its handles, and everything that still comes. Idempotent."""
        ...

    def statistics(self) -> RingStatistics: ...


class Inbox(Protocol):
    """One event loop's buffer."""

    @property
    def owner(self) -> int:
        """1…65535, the high bits of this loop's async ids. Not used again before 65 534 others."""
        ...

    def fileno(self) -> int:
        """The descriptor that is readable while there is something to take; -1 for a library that wakes by call, or once closed."""
        ...

    def take(self, limit: int, /) -> list[Event]:
        """Up to *limit* events, oldest first; none if the wake was for `NativeLibrary.take_logs`. Only on the owning loop's thread.

        What an event owns is the caller's from now on.
        """
        ...

    def route(self, key: int, limits: RouteLimits = ..., /, *, raw_streams: bool = False) -> None:
        """Let events of handle *key* (room, stream reader, participant, data-track stream, capture) come to this inbox.

        raw_streams: also the room events 30, 31 and 32 (stream header, chunk, trailer), which are dropped otherwise.
        """
        ...

    def unroute(self, key: int, /) -> None:
        """End a route: what is queued for it is dropped with its handles, and so is what still comes. Idempotent."""
        ...

    def open_ring(self, message: bytes, capacity: int, /) -> tuple[bytes, Ring]:
        """Send a request that opens a media stream and keep its frames in a ring of *capacity* frames (1…4096).

        No frame is lost between the native stream's start and the ring's existence. Returns the serialised response.

        Raises:
            NativeRefusalError: the library answered with handle 0.
        """
        ...

    def abandon(self, async_id: int, /) -> None:
        """Nobody waits for this reply any more: drop it with its handles, now if it is queued or when it comes; undo a connect."""
        ...

    def statistics(self) -> Mapping[str, int]:
        """Counters of this inbox: buffered, buffered_bytes, peak_bytes, taken, batches, dropped_lossy, dropped_reliable."""
        ...

    def close(self) -> None:
        """Drop everything queued with its handles, undo pending connects, close the descriptor and all rings. Idempotent.

        Afterwards `take` returns an empty list and `route` and `open_ring` raise ValueError.
        """
        ...


class NativeBuffer(Protocol):
    """Native memory as a read-only buffer of bytes that owns a handle.

    The handle is dropped when the last view has died, from whatever thread that happens on, with the GIL released.
    """

    def __buffer__(self, flags: int, /) -> memoryview: ...

    def __len__(self) -> int: ...


class NativeLibrary(Protocol):
    """A loaded and initialised `liblivekit_ffi`."""

    @property
    def name(self) -> Literal["bridge", "ctypes", "fake"]: ...

    @property
    def path(self) -> str:
        """The file; empty for the fake."""
        ...

    @property
    def wakes_by(self) -> Literal["descriptor", "call"]: ...

    def request(self, message: Buffer, /) -> bytes:
        """Send a serialised FfiRequest and return the serialised FfiResponse, with the GIL released meanwhile.

        Raises:
            NativeRefusalError: the library answered with handle 0. The reason follows within milliseconds as a log record.
        """
        ...

    def drop(self, handle: int, /) -> bool:
        """Drop a native handle, GIL released. False: it was not there."""
        ...

    def buffer(self, handle: int, address: int, length: int, /) -> NativeBuffer: ...

    def open_inbox(self, read_fd: int, write_fd: int, poke: Callable[[], None] | None = None, /) -> Inbox:
        """A new inbox.

        Args:
            read_fd: becomes readable when there is something to take. The inbox owns both from here on and closes them;
                if this raises, the caller still does.
            write_fd: the other end; equal to *read_fd* for an eventfd.
            poke: for a library that wakes by call, with both descriptors -1: called once when the inbox stops being empty.
        """
        ...

    def set_log_level(self, level: int, /) -> None:
        """Keep records of LogLevel *level* and graver (0 error … 4 trace). Errors are always kept."""
        ...

    def take_logs(self) -> list[bytes]:
        """The records kept since the last call, oldest first, each a serialised LogRecord. At most 1024 wait; older ones go, counted."""
        ...

    def statistics(self) -> Mapping[str, int]:
        """Counters of the process.

        callbacks, callback_max_ns, dropped_unrouted, dropped_abandoned, dropped_raw, dropped_frames, dropped_logs,
        undone_joins, malformed.
        """
        ...

    def silence(self) -> None:
        """At interpreter exit: every callback returns at once from now on, without Python, without locks."""
        ...

    def disown(self) -> None:
        """In a forked child: `request`, `open_inbox`, `open_ring` raise UsedAfterForkError; everything else does nothing, silently."""
        ...
