"""What blocks of ours share: a nursery around a body of the user's, and things that are opened in a thread."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from anyio.abc import TaskGroup

T = TypeVar("T")


@asynccontextmanager
async def open_services() -> AsyncGenerator[TaskGroup]:
    """Run tasks of ours beside the body, and cancel them when it is left.

    The body's exception is carried around the nursery, as in `open_room`: it leaves as the same object, in no group. So the
    tasks must not raise: what goes wrong in them, they keep for whoever asks.
    """
    body_error: BaseException | None = None
    try:
        async with anyio.create_task_group() as services:
            try:
                yield services
            except BaseException as error:  # noqa: ASYNC103, BLE001 - raised below
                body_error = error
            services.cancel_scope.shield = True
            services.cancel_scope.cancel()
    except anyio.get_cancelled_exc_class() as cancelled:
        # Only a plain Task.cancel() gets here, through the shield. It must not be swallowed, whatever the body said.
        cancelled.__context__ = body_error
        raise
    try:
        if body_error is not None:
            raise body_error
    finally:
        del body_error  # it refers to this frame


async def open_in_thread(make: Callable[[], T], close: Callable[[T], object]) -> T:
    """Make something in a thread, where that blocks.

    A plain Task.cancel() does not wait for the thread; then what is made is closed at once, by whoever comes last.
    """
    made: list[T] = []
    unwanted = threading.Event()

    def discard() -> None:
        try:
            unclosed = made.pop()
        except IndexError:
            return
        close(unclosed)

    def work() -> None:
        made.append(make())
        if unwanted.is_set():
            discard()

    try:
        await anyio.to_thread.run_sync(work)
    except BaseException:
        unwanted.set()
        discard()
        raise
    return made.pop()
