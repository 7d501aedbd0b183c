"""A nursery for tasks of ours around a body of the user's."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anyio.abc import TaskGroup


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
