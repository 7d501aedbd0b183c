"""Cancel a coroutine at its n-th suspension, in each way that there is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Final, TypeAlias

import anyio

Program: TypeAlias = Callable[[], Coroutine[Any, Any, None]]

SCOPE: Final = "scope"
TASK: Final = "task"
TIMEOUT: Final = "timeout"


def ways(backend: str) -> list[str]:
    """How something can be cancelled there. Trio has one way."""
    return [SCOPE] if backend == "trio" else [SCOPE, TASK, TIMEOUT]


class Watched:
    """An awaitable that runs a coroutine and says, while the coroutine's task still runs, that it is about to suspend."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], on_suspend: Callable[[int], None]) -> None:
        self._coroutine = coroutine
        self._on_suspend = on_suspend
        self.suspensions = 0

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self._coroutine.__await__()
        resume: Callable[[], Any] = lambda: steps.send(None)  # noqa: E731 - it is replaced below
        while True:
            try:
                yielded = resume()
            except StopIteration:
                return
            self.suspensions += 1
            self._on_suspend(self.suspensions)
            try:
                value = yield yielded
            except BaseException as error:  # noqa: BLE001 - handed on into the coroutine
                resume = _throwing(steps, error)
            else:
                resume = _sending(steps, value)


def _sending(steps: Generator[Any, Any, None], value: Any) -> Callable[[], Any]:
    return lambda: steps.send(value)


def _throwing(steps: Generator[Any, Any, None], error: BaseException) -> Callable[[], Any]:
    return lambda: steps.throw(error)


async def cancel_at(program: Program, at: int, way: str, on_cancel: Callable[[], object] | None = None) -> bool:
    """Run *program*, cancel it at its suspension number *at* (from 1), and say whether it came that far."""
    cancel: Callable[[], object] = _nothing

    def on_suspend(number: int) -> None:
        if number == at:
            cancel()
            if on_cancel is not None:
                on_cancel()

    watched = Watched(program(), on_suspend)
    if way == SCOPE:
        with anyio.CancelScope() as scope:
            cancel = scope.cancel
            await watched
    elif way == TASK:
        task = asyncio.ensure_future(_as_coroutine(watched))
        cancel = task.cancel
        await asyncio.wait([task])
        _raise_unless_cancelled(task)
    else:
        try:
            async with asyncio.timeout(None) as timeout:
                cancel = lambda: timeout.reschedule(asyncio.get_running_loop().time())  # noqa: E731 - a small closure
                await watched
        except TimeoutError:
            pass
    return watched.suspensions >= at


async def cancel_after(program: Program, seconds: float, way: str) -> None:
    """Run *program* for that long at most; by SCOPE or TASK."""
    if way == SCOPE:
        with anyio.move_on_after(seconds):
            await program()
        return
    task = asyncio.ensure_future(program())
    await asyncio.wait([task], timeout=seconds)
    task.cancel()
    await asyncio.wait([task])
    _raise_unless_cancelled(task)


def _nothing() -> None:
    pass


async def _as_coroutine(awaitable: Awaitable[None]) -> None:
    await awaitable


def _raise_unless_cancelled(task: asyncio.Future[None]) -> None:
    if not task.cancelled():
        task.result()
