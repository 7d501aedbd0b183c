"""Bounds in seconds that a busy machine does not break: by a timer of the same loop, which is as late as everything else."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

GRACE: Final = 0.5
"""How much later than the alarm a block may end, in seconds."""


@asynccontextmanager
async def alarm(seconds: float) -> AsyncGenerator[None]:
    """Fail if the block ends more than `GRACE` after a timer that was set for *seconds* at its beginning."""
    rang_at = float("inf")

    async def ring() -> None:
        nonlocal rang_at
        await anyio.sleep(seconds)
        rang_at = anyio.current_time()

    async with anyio.create_task_group() as group:
        group.start_soon(ring)
        yield
        group.cancel_scope.cancel()
    late = anyio.current_time() - rang_at
    assert late < GRACE, f"{late:.2f} s later than {seconds:g} s"
