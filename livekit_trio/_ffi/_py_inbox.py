"""Inboxes, routes and rings in Python: what the ctypes twin and the fake keep native events in.

All state here changes in steps of the router's `Steps`. Apart from the contract's, every method is to be called in one. `docs/architecture.md` says
what an inbox promises; `native/bridge` keeps the same promises in C.
"""

from __future__ import annotations

import os
import socket
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final, final

import attrs

from .._errors import UsedAfterForkError
from ._abc import HANDLE_KEYED, LAGGED, OWNER_SHIFT, READY, RingStatistics, RouteLimits
from ._py_parcel import Parcel, Sort

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._abc import Event
    from ._py_router import Router

MAX_RING: Final = 4096
_DEFAULT_LIMITS: Final = RouteLimits()


@final
@attrs.define(eq=False)
class Route:
    """The events of one handle, and how much of the bounded ones waits."""

    inbox: PyInbox
    limits: RouteLimits
    raw_streams: bool
    lossy: deque[tuple[int, Parcel]] = attrs.field(factory=deque["tuple[int, Parcel]"], init=False)
    """The lossy packets that wait, oldest first, with their numbers in the queue."""
    lossy_bytes: int = attrs.field(default=0, init=False)
    reliable_bytes: int = attrs.field(default=0, init=False)
    lag: Parcel | None = attrs.field(default=None, init=False)
    """The LAGGED in the queue that counts what is lost now; None once something was accepted behind it."""


@final
class PyInbox:
    """One event loop's buffer, see `_abc.Inbox`."""

    def __init__(self, router: Router, owner: int, waker: DescriptorWaker | CallWaker) -> None:
        self.owner: Final = owner
        self._router = router
        self._steps = router.steps
        self._waker = waker
        self._closed = False
        self._queue: OrderedDict[int, Parcel] = OrderedDict()
        self._next_number = 0
        self._replies: dict[int, int] = {}
        """Async id of a reply that waits → its number in the queue."""
        self._abandoned: set[int] = set()
        """Async ids of replies that are still to come and that nobody waits for."""
        self._counts: dict[str, int] = dict.fromkeys(
            (
                "buffered",
                "buffered_bytes",
                "peak_bytes",
                "taken",
                "batches",
                "dropped_lossy",
                "dropped_reliable",
            ),
            0,
        )

    # ---- the contract

    def fileno(self) -> int:
        return self._waker.fileno()

    def take(self, limit: int, /) -> list[Event]:
        return [] if self._steps.stopped else self._steps.ask(self._take, limit)

    def route(self, key: int, limits: RouteLimits = _DEFAULT_LIMITS, /, *, raw_streams: bool = False) -> None:
        self._steps.run(self._route, key, limits, raw_streams)

    def unroute(self, key: int, /) -> None:
        self._steps.run(self.end_route, key)

    def open_ring(self, message: bytes, capacity: int, /) -> tuple[bytes, PyRing]:
        if self._steps.stopped:
            raise UsedAfterForkError
        if not 1 <= capacity <= MAX_RING:
            raise ValueError(f"a ring's capacity is 1…{MAX_RING} frames, not {capacity}")
        self._steps.ask(self._check_open)
        return self._router.open_ring(self, message, capacity)

    def abandon(self, async_id: int, /) -> None:
        self._steps.run(self._abandon, async_id)

    def statistics(self) -> Mapping[str, int]:
        return dict(self._counts)

    def close(self) -> None:
        self._steps.run(self._close)

    # ---- what comes in

    def accept_reply(self, parcel: Parcel) -> None:
        if parcel.key in self._abandoned:
            self._abandoned.remove(parcel.key)
            self._router.discard(parcel, "dropped_abandoned")
        else:
            self._replies[parcel.key] = self.append(parcel)

    def accept_routed(self, route: Route, parcel: Parcel) -> None:
        if parcel.sort is Sort.RAW_STREAM and not route.raw_streams:
            self._router.discard(parcel, "dropped_raw")
        elif parcel.sort is Sort.LOSSY:
            self._accept_lossy(route, parcel)
        elif parcel.sort is Sort.RELIABLE:
            self._accept_reliable(route, parcel)
        else:
            self.append(parcel)

    def _accept_lossy(self, route: Route, parcel: Parcel) -> None:
        route.lossy.append((self.append(parcel), parcel))
        route.lossy_bytes += parcel.size
        while route.lossy_bytes > route.limits.lossy:
            number, oldest = route.lossy[0]
            self._remove(number)
            self._counts["dropped_lossy"] += 1
            self._router.discard(oldest)

    def _accept_reliable(self, route: Route, parcel: Parcel) -> None:
        if route.reliable_bytes + parcel.size <= route.limits.reliable:
            route.reliable_bytes += parcel.size
            route.lag = None
            self.append(parcel)
            return
        if route.lag is None:
            route.lag = Parcel(LAGGED, parcel.key, parcel.stamp_ns)
            self.append(route.lag)
        route.lag.lost += 1
        self._counts["dropped_reliable"] += 1
        self._router.discard(parcel)

    def append(self, parcel: Parcel) -> int:
        number = self._next_number
        self._next_number += 1
        self._queue[number] = parcel
        counts = self._counts
        counts["buffered"] += 1
        counts["buffered_bytes"] += parcel.size
        counts["peak_bytes"] = max(counts["peak_bytes"], counts["buffered_bytes"])
        self._waker.set(self._steps.afterwards)
        return number

    # ---- what goes out

    def _take(self, limit: int) -> list[Event]:
        batch: list[Event] = []
        while self._queue and len(batch) < limit:
            batch.append(self._remove(next(iter(self._queue))).event())
        if batch:
            self._counts["taken"] += len(batch)
            self._counts["batches"] += 1
        return batch

    def _remove(self, number: int) -> Parcel:
        parcel = self._queue.pop(number)
        self._counts["buffered"] -= 1
        self._counts["buffered_bytes"] -= parcel.size
        if not self._queue:
            self._waker.clear()
        if parcel.kind not in HANDLE_KEYED and parcel.kind < READY:
            self._replies.pop(parcel.key, None)
        elif (route := self._router.routes.get(parcel.key)) is not None:
            if parcel.sort is Sort.LOSSY:
                route.lossy.popleft()
                route.lossy_bytes -= parcel.size
            elif parcel.sort is Sort.RELIABLE:
                route.reliable_bytes -= parcel.size
            elif parcel is route.lag:
                route.lag = None
        return parcel

    def remove_mark(self, number: int) -> None:
        if number in self._queue:
            self._remove(number)

    # ---- routes and replies

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the inbox is closed")

    def _route(self, key: int, limits: RouteLimits, raw_streams: bool) -> None:
        self._check_open()
        known = self._router.routes.get(key)
        if known is not None and known.inbox is self:
            known.limits, known.raw_streams = limits, raw_streams
            return
        if known is not None:
            known.inbox.end_route(key)
        self._router.routes[key] = Route(self, limits, raw_streams)

    def end_route(self, key: int) -> None:
        route = self._router.routes.get(key)
        if route is None or route.inbox is not self:
            return
        for number, parcel in list(self._queue.items()):
            if parcel.key == key and (parcel.kind in HANDLE_KEYED or parcel.kind == LAGGED):
                self._router.discard(self._remove(number))
        del self._router.routes[key]

    def _abandon(self, async_id: int) -> None:
        if self._closed or async_id >> OWNER_SHIFT != self.owner:
            return
        number = self._replies.get(async_id)
        if number is None:
            self._abandoned.add(async_id)
        else:
            self._router.discard(self._remove(number), "dropped_abandoned")

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._router.forget(self)
        for number in list(self._queue):
            self._router.discard(self._remove(number), "dropped_abandoned")
        self._abandoned.clear()
        self._waker.close()


@final
class PyRing:
    """The frames of one media stream that nobody has taken yet, see `_abc.Ring`."""

    def __init__(self, router: Router, inbox: PyInbox, key: int, capacity: int) -> None:
        self.key: Final = key
        self.inbox: Final = inbox
        self._router = router
        self._capacity = capacity
        self._frames: deque[Parcel] = deque()
        self._end: Parcel | None = None
        self._ended = False
        self._marked = False
        """Whether a READY was queued since the ring was last found empty."""
        self._mark = -1
        """That READY's number in the queue, or what it was."""
        self._received = 0
        self._dropped = 0
        self._dropped_before = 0

    # ---- the contract

    def take(self) -> tuple[int, int, bytes] | None:
        steps = self._router.steps
        return None if steps.stopped else steps.ask(self._take)

    def close(self) -> None:
        self._router.steps.run(self.end)

    def statistics(self) -> RingStatistics:
        return RingStatistics(self._received, self._dropped, len(self._frames))

    # ---- steps

    def accept(self, parcel: Parcel) -> None:
        if self._ended:
            self._router.discard(parcel, "dropped_unrouted")
            return
        if parcel.sort is Sort.STREAM_END:
            self._end, self._ended = parcel, True
        else:
            self._received += 1
            if len(self._frames) == self._capacity:
                self._drop_oldest()
            self._frames.append(parcel)
        if not self._marked:
            self._marked = True
            self._mark = self.inbox.append(Parcel(READY, self.key, parcel.stamp_ns))

    def _drop_oldest(self) -> None:
        self._dropped += 1
        self._dropped_before += 1
        self._router.discard(self._frames.popleft(), "dropped_frames")

    def _take(self) -> tuple[int, int, bytes] | None:
        if self._frames:
            parcel = self._frames.popleft()
        elif self._end is not None:
            parcel, self._end = self._end, None
        else:
            self._marked = False
            return None
        dropped, self._dropped_before = self._dropped_before, 0
        return parcel.stamp_ns, dropped, parcel.payload

    def end(self) -> None:
        self._router.rings.pop(self.key, None)
        self.inbox.remove_mark(self._mark)
        while self._frames:
            self._router.discard(self._frames.popleft(), "dropped_unrouted")
        self._end = None


@final
class DescriptorWaker:
    """Makes a descriptor readable: an eventfd if both ends are one, else a pair of sockets. Owns both."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._set = False
        self._sockets: tuple[socket.socket, ...] = ()
        if read_fd != write_fd:
            self._sockets = (socket.socket(fileno=read_fd), socket.socket(fileno=write_fd))

    def fileno(self) -> int:
        return self._read_fd

    def set(self, _afterwards: object) -> None:
        if self._set:
            return
        self._set = True
        if self._sockets:
            self._sockets[1].send(b"\0")
        else:
            os.eventfd_write(self._write_fd, 1)

    def clear(self) -> None:
        if not self._set:
            return
        self._set = False
        if self._sockets:
            self._sockets[0].recv(1)
        else:
            os.eventfd_read(self._read_fd)

    def close(self) -> None:
        self._read_fd = -1
        if self._sockets:
            for end in self._sockets:
                end.close()
        else:
            os.close(self._write_fd)


@final
class CallWaker:
    """Calls a function instead, once each time the inbox stops being empty."""

    def __init__(self, poke: Callable[[], None]) -> None:
        self._poke = poke
        self._set = False

    def fileno(self) -> int:
        return -1

    def set(self, afterwards: Callable[[Callable[[], None]], None]) -> None:
        if not self._set:
            self._set = True
            afterwards(self._poke)

    def clear(self) -> None:
        self._set = False

    def close(self) -> None:
        self._set = True
