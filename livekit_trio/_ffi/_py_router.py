"""Where native events go, in Python: the part of the native contract that the ctypes twin and the fake share.

`Router.receive` is the callback; it may run in any thread. It finds the inbox, keeps to the bounds, and sees to it that
whatever is thrown away gives up its handles; a join that nobody waits for any more is undone here.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

from .._errors import NativeRefusalError, UsedAfterForkError
from . import _wire
from ._abc import LOGS, OWNER_SHIFT, PANIC, RING_KINDS
from ._py_inbox import PyInbox, Route
from ._py_parcel import CONNECT, Parcel, is_reply, parse
from ._py_ring import PyRing
from ._py_steps import Steps
from ._py_wake import CallWaker, DescriptorWaker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_LOGS: Final = 1024
MAX_OWNER: Final = 0xFFFF
MAX_EARLY: Final = 64
"""Frames that may come before the response that names their stream is read: microseconds, so one or two."""

_DISCONNECT, _READY_FOR_ROOM_EVENT = 4, 83
_NOBODY: Final = 1
"""An async id of owner 0."""


@final
class Router:
    """The inboxes of one native library.

    Args:
        request: sends a serialised FfiRequest; raises NativeRefusalError for handle 0.
        drop: drops a handle.
    """

    def __init__(self, request: Callable[[bytes], bytes], drop: Callable[[int], object]) -> None:
        self.steps: Final = Steps()
        self.routes: Final[dict[int, Route]] = {}
        self.rings: Final[dict[int, PyRing]] = {}
        self._request = request
        self._drop = drop
        self._owners: dict[int, PyInbox] = {}
        self._last_owner = 0
        self._opening = 0
        """How many media streams are being opened; meanwhile the frames of unknown ones are kept."""
        self._early: deque[Parcel] = deque()
        self._logs: deque[bytes] = deque()
        self._log_level = 0
        self.silent = False
        """Callbacks do nothing and nothing is dropped any more."""
        self._counts: dict[str, int] = dict.fromkeys(
            (
                "callbacks",
                "callback_max_ns",
                "dropped_unrouted",
                "dropped_abandoned",
                "dropped_raw",
                "dropped_frames",
                "dropped_logs",
                "undone_joins",
                "malformed",
            ),
            0,
        )

    # ---- for the library

    def receive(self, data: bytes, /) -> None:
        """Take one serialised FfiEvent, in whatever thread."""
        if self.silent:
            return
        entered = time.monotonic_ns()
        try:
            parcel = parse(data, entered)
        except ValueError:
            self.steps.run(self._count, "malformed")
        else:
            self.steps.run(self._accept, parcel)
        self.steps.run(self._count_callback, time.monotonic_ns() - entered)

    def open_inbox(self, read_fd: int, write_fd: int, poke: Callable[[], None] | None) -> PyInbox:
        if self.steps.stopped:
            raise UsedAfterForkError
        return self.steps.ask(self._open_inbox, DescriptorWaker(read_fd, write_fd) if poke is None else CallWaker(poke))

    def set_log_level(self, level: int) -> None:
        self._log_level = max(0, level)

    def take_logs(self) -> list[bytes]:
        return [] if self.steps.stopped or not self._logs else self.steps.ask(self._take_logs)

    def statistics(self) -> Mapping[str, int]:
        return dict(self._counts)

    def silence(self) -> None:
        self.silent = True

    def disown(self) -> None:
        self.silent = True
        self.steps.stop()

    # ---- for inboxes and rings

    def open_ring(self, inbox: PyInbox, message: bytes, capacity: int) -> tuple[bytes, PyRing]:
        self.steps.run(self._start_opening)
        ring: PyRing | None = None
        try:
            response = self._request(message)
            handles = _wire.owned_response_handles(response)
            if len(handles) != 1:
                raise ValueError("the request opens no media stream")
            ring = opened = PyRing(self, inbox, handles[0], capacity)
        finally:
            self.steps.run(self._end_opening, ring)
        try:
            self.steps.ask(inbox.check_open)
        except ValueError:
            opened.close()
            self._drop(opened.key)  # nobody will ever read from that stream
            raise
        return response, opened

    def discard(self, parcel: Parcel, counter: str = "") -> None:
        """In a step: throw an event away with what it owns, and undo it if it is a join."""
        if counter:
            self._count(counter)
        try:
            handles = _wire.owned_handles(parcel.kind, parcel.payload)
        except ValueError:
            self._count("malformed")
            return
        if parcel.kind == CONNECT and handles:  # the room's comes first; there is none if the join has failed
            self._count("undone_joins")
            self.steps.afterwards(self._undo_join, handles[0])
        for handle in handles:
            self.steps.afterwards(self._drop, handle)

    def forget(self, inbox: PyInbox) -> None:
        """In a step: *inbox* has closed."""
        self._owners.pop(inbox.owner, None)
        for key in [key for key, route in self.routes.items() if route.inbox is inbox]:
            del self.routes[key]
        for ring in [ring for ring in self.rings.values() if ring.inbox is inbox]:
            ring.end()
        if self._logs:
            self._wake_for_logs()  # the wake that this inbox had for them is gone

    # ---- steps

    def _accept(self, parcel: Parcel) -> None:
        if parcel.kind == LOGS:
            self._keep_logs(parcel.payload)
        elif parcel.kind == PANIC:
            for inbox in self._owners.values():
                inbox.append(Parcel(PANIC, 0, parcel.stamp_ns, parcel.payload, size=parcel.size))
        elif parcel.kind in RING_KINDS:
            self._accept_frame(parcel)
        elif is_reply(parcel.kind):
            inbox = self._owners.get(parcel.key >> OWNER_SHIFT)
            if inbox is not None:
                inbox.accept_reply(parcel)
            else:
                self.discard(parcel, "dropped_abandoned")
        elif (route := self.routes.get(parcel.key)) is not None:
            route.inbox.accept_routed(route, parcel)
        else:
            self.discard(parcel, "dropped_unrouted")

    def _accept_frame(self, parcel: Parcel) -> None:
        ring = self.rings.get(parcel.key)
        if ring is not None:
            ring.accept(parcel)
        elif self._opening:
            self._early.append(parcel)
            if len(self._early) > MAX_EARLY:
                self.discard(self._early.popleft(), "dropped_unrouted")
        else:
            self.discard(parcel, "dropped_unrouted")

    def _start_opening(self) -> None:
        self._opening += 1

    def _end_opening(self, ring: PyRing | None) -> None:
        self._opening -= 1
        if ring is not None:
            self.rings[ring.key] = ring
        waiting, self._early = self._early, deque[Parcel]()
        for parcel in waiting:
            self._accept_frame(parcel)

    def _open_inbox(self, waker: DescriptorWaker | CallWaker) -> PyInbox:
        if len(self._owners) == MAX_OWNER:
            raise ValueError(f"{MAX_OWNER} inboxes are open")
        while True:
            self._last_owner = self._last_owner % MAX_OWNER + 1
            if self._last_owner not in self._owners:
                break
        inbox = PyInbox(self, self._last_owner, waker)
        self._owners[inbox.owner] = inbox
        if self._logs:
            self._wake_for_logs()
        return inbox

    def _keep_logs(self, batch: bytes) -> None:
        try:
            records = [record for _, record in _wire.fields(batch) if isinstance(record, bytes)]
            wanted = [record for record in records if _wire.key(record) <= self._log_level]
        except ValueError:
            self._count("malformed")
            return
        self._logs.extend(wanted)
        while len(self._logs) > MAX_LOGS:
            self._logs.popleft()
            self._count("dropped_logs")
        if wanted:
            self._wake_for_logs()

    def _wake_for_logs(self) -> None:
        for oldest in self._owners.values():
            oldest.wake_for_logs()
            return

    def _take_logs(self) -> list[bytes]:
        records = list(self._logs)
        self._logs.clear()
        return records

    def _count(self, counter: str) -> None:
        self._counts[counter] += 1

    def _count_callback(self, took_ns: int) -> None:
        self._counts["callbacks"] += 1
        self._counts["callback_max_ns"] = max(self._counts["callback_max_ns"], took_ns)

    # ---- effects

    def _undo_join(self, room: int) -> None:
        # Without ready the library would take 15 s to disconnect, and panic.
        for message in (_request(_READY_FOR_ROOM_EVENT, room), _request(_DISCONNECT, room, _NOBODY)):
            with suppress(NativeRefusalError, UsedAfterForkError):  # the room may have ended already
                self._request(message)


def _request(field: int, room_handle: int, async_id: int | None = None) -> bytes:
    """A serialised FfiRequest whose message *field* has the room in field 1 and its async id in field 2."""
    inner = b"\x08" + _varint(room_handle)
    if async_id is not None:
        inner += b"\x10" + _varint(async_id)
    return _varint(field << 3 | 2) + _varint(len(inner)) + inner


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
