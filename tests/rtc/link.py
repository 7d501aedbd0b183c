"""A room for the parts of a room: answers requests from a script, and watches that each handle is dropped once."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from livekit_trio._errors import RoomClosedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import IntEnum


class Link:
    """A `RoomLink`.

    Attributes:
        requests: what was asked for, as (name, fields) in order.
        replies: for each name of a call, what answers it; the default is a reply without error.
        dropped: how often each handle was dropped.
        changed: set once for each native event; the tests do it through `notify`.
        closed: why the room has ended; None while it goes on.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.replies: dict[str, Callable[[dict[str, Any]], Any]] = {}
        self.refuse: dict[str, BaseException] = {}
        self.live: set[int] = set()
        self.dropped: Counter[int] = Counter()
        self.buffers: dict[int, bytes] = {}
        self.closed: IntEnum | None = None
        self.announced: list[Any] = []
        self.routes: dict[int, Any] = {}
        self._changed = anyio.Event()
        self._last_handle = 1000

    def mint(self) -> int:
        """A handle that the native side has handed over and that somebody must drop."""
        self._last_handle += 1
        self.live.add(self._last_handle)
        return self._last_handle

    def notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def close(self, reason: IntEnum) -> None:
        self.closed = reason
        self.notify()

    # ---- RoomLink

    def add_publication(self, owned: Any, track: Any, /) -> Any:
        raise NotImplementedError("the reducer's tests give it to `RoomState` themselves")

    def request(self, name: str, /, **fields: Any) -> Any:
        self.check_open()
        self.requests.append((name, fields))
        if name in self.refuse:
            raise self.refuse[name]
        return SimpleNamespace()

    def send(self, name: str, /, **fields: Any) -> Any:
        """As if it were never answered. Who waits for the answer has the real session in its tests."""
        return self.request(name, **fields)

    def tell(self, name: str, /, **fields: Any) -> None:
        self.requests.append((name, fields))

    async def call(self, name: str, /, **fields: Any) -> Any:
        self.check_open()
        await anyio.lowlevel.checkpoint()
        self.requests.append((name, fields))
        answer = self.replies.get(name)
        reply = SimpleNamespace(error="") if answer is None else answer(fields)
        if reply is None:
            await anyio.sleep_forever()
        return reply

    async def call_unless(self, done: Callable[[], object], name: str, /, **fields: Any) -> Any | None:
        reply = await self.call(name, **fields)
        return None if done() else reply

    async def wait_for_slot(self, _name: str, /) -> None:
        await anyio.lowlevel.checkpoint()

    async def wait_until(self, predicate: Callable[[], object], /) -> None:
        await anyio.lowlevel.checkpoint()
        while not predicate():
            self.check_open()
            await self._changed.wait()

    def announce(self, event: Any, /) -> None:
        self.announced.append(event)

    def route(self, handle: int, sink: Any, /) -> None:
        self.routes[handle] = sink

    def unroute(self, handle: int, /) -> None:
        del self.routes[handle]

    def drop(self, handle: int, /) -> None:
        self.dropped[handle] += 1
        if handle not in self.live:
            raise AssertionError(f"handle {handle} was dropped {self.dropped[handle]} times, or never minted")
        self.live.remove(handle)

    def read_buffer(self, handle: int, address: int, length: int, /) -> bytes:
        self.drop(handle)
        return self.buffers.get(address, bytes(length))

    def check_open(self) -> None:
        if self.closed is not None:
            raise RoomClosedError(self.closed)
