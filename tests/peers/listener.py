"""Hear everything that happens in a room, and wait for some of it, without missing what came in between."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from livekit_trio import rtc

EventT = TypeVar("EventT")

TIMEOUT = 60.0


class Listener:
    """What one room has said since it was opened. For one task at a time."""

    def __init__(self, events: rtc.EventStream[Any]) -> None:
        self._events = events
        self.heard: list[Any] = []
        """Everything, in order."""
        self._next = 0

    async def hear(self, wanted: type[EventT], where: Callable[[EventT], object] = lambda _: True) -> EventT:
        """Return the next such event after the one that was returned last. What is passed over stays in `heard`."""
        with anyio.fail_after(TIMEOUT):
            while True:
                while self._next < len(self.heard):
                    event = self.heard[self._next]
                    self._next += 1
                    if isinstance(event, wanted) and where(event):
                        return event
                self.heard.append(await self._events.receive())

    async def hear_all(self) -> None:
        """Hear what is left of a room that has ended, or is ending."""
        with anyio.fail_after(TIMEOUT):
            async for event in self._events:
                self.heard.append(event)

    def classes(self) -> set[type]:
        """What kinds of events were heard."""
        return set(map(type, self.heard))


@contextmanager
def listen(room: rtc.Room, *, include_existing: bool = False) -> Generator[Listener]:
    """Listen to *room* for the length of a block. To miss nothing, before the first checkpoint in the room."""
    with room.open_events(include_existing=include_existing) as events:
        yield Listener(events)
