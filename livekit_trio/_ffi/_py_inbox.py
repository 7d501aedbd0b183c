"""Inboxes and routes in Python: what the ctypes twin and the fake keep native events in.

All state here changes in steps of the router's `Steps`. Apart from the contract's, every method is to be called in one. `docs/architecture.md` says
what an inbox promises; `native/bridge` keeps the same promises in C.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final, final

import attrs

from .._errors import UsedAfterForkError
from ._abc import HANDLE_KEYED, LAGGED, OWNER_SHIFT, PANIC, READY, RouteLimits
from ._py_parcel import Parcel, Sort, is_reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._abc import Event
    from ._py_ring import PyRing
    from ._py_router import Router
    from ._py_wake import CallWaker, DescriptorWaker

MAX_RING: Final = 4096
_DEFAULT_LIMITS: Final = RouteLimits()


@final
@attrs.define(eq=False)
class Route:
    """The events of one handle, and how much of the bounded ones waits."""

    inbox: PyInbox
    limits: RouteLimits
    raw_streams: bool
    lossy: deque[int] = attrs.field(factory=deque[int], init=False)
    """The numbers in the queue of the lossy packets that wait, oldest first."""
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
        self._called = False
        """Whether it was woken for logs, and stays so until the next take."""
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
        self._steps.ask(self.check_open)
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
        if parcel.size > route.limits.lossy:
            self._counts["dropped_lossy"] += 1
            self._router.discard(parcel)
            return
        while route.lossy_bytes + parcel.size > route.limits.lossy:
            self._counts["dropped_lossy"] += 1
            self._router.discard(self._remove(route.lossy[0]))
        route.lossy.append(self.append(parcel))
        route.lossy_bytes += parcel.size

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

    def wake_for_logs(self) -> None:
        """Let the loop call `take`, even if there is nothing else."""
        self._called = True
        self._waker.set(self._steps.afterwards)

    # ---- what goes out

    def _take(self, limit: int) -> list[Event]:
        batch: list[Event] = []
        if self._closed:
            return batch
        self._called = False
        while self._queue and len(batch) < limit:
            batch.append(self._remove(next(iter(self._queue))).event())
        if not self._queue:
            self._waker.clear()
        if batch:
            self._counts["taken"] += len(batch)
            self._counts["batches"] += 1
        return batch

    def _remove(self, number: int) -> Parcel:
        parcel = self._queue.pop(number)
        self._counts["buffered"] -= 1
        self._counts["buffered_bytes"] -= parcel.size
        if not self._queue and not self._called:
            self._waker.clear()
        if is_reply(parcel.kind):
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

    def check_open(self) -> None:
        if self._closed:
            raise ValueError("the inbox is closed")

    def _route(self, key: int, limits: RouteLimits, raw_streams: bool) -> None:
        self.check_open()
        known = self._router.routes.get(key)
        if known is not None and known.inbox is self:
            known.limits, known.raw_streams = limits, raw_streams
            return
        if known is not None:
            raise ValueError(f"another inbox has the route of handle {key}")
        self._router.routes[key] = Route(self, limits, raw_streams)

    def end_route(self, key: int) -> None:
        route = self._router.routes.get(key)
        if route is None or route.inbox is not self:
            return
        for number, parcel in list(self._queue.items()):
            if parcel.key == key and (parcel.kind in HANDLE_KEYED or parcel.kind == LAGGED):
                self._throw_away(number)
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
        for number in list(self._queue):
            self._throw_away(number)
        self._abandoned.clear()
        self._waker.close()
        self._router.forget(self)

    def _throw_away(self, number: int) -> None:
        parcel = self._remove(number)
        counter = ""
        if is_reply(parcel.kind):
            counter = "dropped_abandoned"
        elif parcel.kind not in (READY, LAGGED, PANIC):
            counter = "dropped_unrouted"
        self._router.discard(parcel, counter)
