"""What the native side and the runtimes have counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from . import _load
from ._objects import live_objects
from ._runtime import runtimes

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen
class RuntimeStatistics:
    """Counters of the whole process.

    Attributes:
        loops: event loops that have a runtime now.
        rooms: rooms that are joined now.
        pending_calls: requests that have been sent and not been answered.
        live_handles: native handles held for rooms and what belongs to them, for sources, local tracks and converters.
        native: the native library's own counters: events seen, dropped (by cause), joins undone, the longest callback in
            ns; empty before the library was loaded.
        inboxes: for each loop, what waits and what was dropped there.
        ignored: events that found nobody although they reached their loop, by kind.
    """

    loops: int
    rooms: int
    pending_calls: int
    live_handles: int
    native: Mapping[str, int]
    inboxes: tuple[Mapping[str, int], ...]
    ignored: Mapping[str, int]


def runtime_statistics() -> RuntimeStatistics:
    """Count what the runtimes of this process hold and have done; cheap, from any thread, without loading anything."""
    alive = runtimes()
    # Copied in one step of the interpreter's each: their loops go on meanwhile.
    rooms = [handles for runtime in alive for handles in list(runtime.estate.rooms.values())]
    ignored: Counter[str] = Counter()
    for runtime in alive:
        ignored.update(runtime.ignored.copy())
    library = _load.loaded_library()
    return RuntimeStatistics(
        loops=len(alive),
        rooms=len(rooms),
        pending_calls=sum(runtime.pending_calls for runtime in alive),
        live_handles=sum(map(len, rooms)) + live_objects(),
        native=dict(library.statistics()) if library is not None else {},
        inboxes=tuple(dict(runtime.inbox_statistics()) for runtime in alive),
        ignored=dict(ignored),
    )
