"""examples/calls.py, which says at its end whether nothing is left: what `test_example_calls.py` has web servers serve."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from examples.calls import app, lifespan
from livekit_trio.testing import assert_idle

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.applications import Starlette


failures: list[str] = []


class Failures(logging.Handler):
    @override
    def emit(self, record: logging.LogRecord) -> None:
        failures.append(self.format(record))


@asynccontextmanager
async def observed(application: Starlette) -> AsyncGenerator[None]:
    logging.getLogger("calls").addHandler(Failures(logging.ERROR))
    async with lifespan(application):
        yield
    try:
        await assert_idle(timeout=60)
    except AssertionError as error:
        failures.append(str(error))
    print("\n".join(failures) or "nothing is left", flush=True)  # noqa: T201


app.router.lifespan_context = observed
