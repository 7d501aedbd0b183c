"""An event that one loop waits for and any thread sets, for objects that belong to no loop."""

from __future__ import annotations

import contextlib
from typing import final

import anyio

from ._loop import current_loop


@final
class LoopEvent:
    """Made and waited for on one loop."""

    def __init__(self) -> None:
        self._loop = current_loop()
        self._event = anyio.Event()

    async def wait(self) -> None:
        """Return once it is set."""
        await self._event.wait()

    def set(self) -> None:
        """Set it soon; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            self._loop.call_soon(self._event.set)
