"""assert_idle: nothing of the SDK is left."""

from __future__ import annotations

import gc

import anyio

from .._ffi._statistics import RuntimeStatistics, runtime_statistics


async def assert_idle(*, timeout: float = 2.0) -> None:  # noqa: ASYNC109 - a part of what is asserted
    """Check that no room, pending call, native handle or runtime is left in this process.

    What the native side is still answering is waited for, up to *timeout* seconds.

    Raises:
        AssertionError: something is left; the text says what.

    Cancellation:
        Nothing is left behind.
    """
    if _leftovers(runtime_statistics()):
        gc.collect()  # what was forgotten lets go of its own; where nothing is left there is nothing to be forgotten
    with anyio.move_on_after(timeout):  # noqa: ASYNC912 - what is idle already need not be waited for
        while _leftovers(runtime_statistics()):  # noqa: ASYNC110 - nobody tells of the native side's idleness
            await anyio.sleep(0.01)
    leftovers = _leftovers(runtime_statistics())
    if leftovers:
        raise AssertionError(f"left behind: {', '.join(leftovers)}")
    await anyio.lowlevel.checkpoint()


def _leftovers(statistics: RuntimeStatistics) -> list[str]:
    counts = {
        "rooms": statistics.rooms,
        "pending calls": statistics.pending_calls,
        "native handles": statistics.live_handles,
        "runtimes": statistics.loops,
    }
    return [f"{count} {what}" for what, count in counts.items() if count]
