"""The lock of the Python implementations of the native contract.

State changes in *steps*, one at a time, whatever the thread. Two things make that more than a `with lock`:

* A finaliser that the garbage collector runs in the middle of a step, in the same thread, may close an inbox or a ring. It
  must neither wait for itself nor find half a change, so its step is put off until the interrupted one is done.
* A step may not call out. Dropping a handle, poking a loop and sending a request are its *effects*: they run after the lock
  has been let go, in their order, in the thread that ran the step.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING, ParamSpec, TypeVar, final

from ._interrupts import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


@final
class Steps:
    """Runs steps one at a time, and then their effects."""

    def __init__(self) -> None:
        # Re-entrant, so that a finaliser can find out that it has interrupted a step.
        self._lock = threading.RLock()
        self._running = False
        self._put_off: deque[Callable[[], object]] = deque()
        self._effects: list[Callable[[], object]] = []
        self.stopped = False
        """Nothing runs any more, see `stop`."""

    @uninterrupted
    def run(self, step: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Change state by *step*, now, or at the end of the step that this thread is in the middle of."""
        if self.stopped:
            return
        with self._lock:
            self._put_off.append(lambda: step(*args, **kwargs))
            # Again and again, since a finaliser may put off a step between our last look and `_running = False`.
            while self._put_off and not self._running:
                self._running = True
                try:
                    while self._put_off:
                        self._put_off.popleft()()
                finally:
                    self._running = False
            effects = [] if self._running else self._take_effects()
        with ExitStack() as effects_left:  # every one of them, even if one raises
            for effect in reversed(effects):
                effects_left.callback(effect)

    def ask(self, step: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Change state by *step* and return its answer. Not for finalisers."""
        answers: list[T] = []
        self.run(lambda: answers.append(step(*args, **kwargs)))
        return answers[0]

    def afterwards(self, effect: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Within a step: call *effect* once the lock has been let go."""
        self._effects.append(lambda: effect(*args, **kwargs))

    def stop(self) -> None:
        """Let nothing run any more. In a forked child, where the lock may be held by a thread that does not exist."""
        self.stopped = True

    def _take_effects(self) -> list[Callable[[], object]]:
        effects, self._effects = self._effects, []
        return effects
