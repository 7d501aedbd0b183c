"""What this process holds of the system's resources (Linux)."""

from __future__ import annotations

import ctypes
import gc
import os
from pathlib import Path
from typing import NamedTuple

import anyio


class Resources(NamedTuple):
    """How many threads and open file descriptors there are."""

    threads: int
    descriptors: int


def resources() -> Resources:
    """What is held at this moment."""
    # The listing itself has a descriptor open.
    return Resources(len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")) - 1)


def resident() -> int:
    """Resident memory, in bytes, without what glibc keeps of freed memory."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def settle(base: Resources, seconds: float) -> Resources:
    """Wait, *seconds* at most, until no more is held than in *base*; what is held then."""
    with anyio.move_on_after(seconds):
        while resources().threads > base.threads or resources().descriptors > base.descriptors:  # noqa: ASYNC110 - nothing tells
            await anyio.sleep(0.05)
    return resources()
