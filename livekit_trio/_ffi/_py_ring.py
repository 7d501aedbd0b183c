"""Rings in Python: the frames of one media stream that nobody has taken yet.

All state here changes in steps of the router's `Steps`. Apart from the contract's, every method is to be called in one.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, final

from ._abc import READY, RingStatistics
from ._py_parcel import Parcel, Sort

if TYPE_CHECKING:
    from ._py_inbox import PyInbox
    from ._py_router import Router


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
        if self._router.rings.get(self.key) is self:
            del self._router.rings[self.key]
        self.inbox.remove_mark(self._mark)
        while self._frames:
            self._router.discard(self._frames.popleft())
        self._end, self._ended = None, True
