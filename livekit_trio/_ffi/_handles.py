"""Native handles and who owns them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._abc import NativeLibrary


@final
class HandleSet:
    """The native handles of one owner, such as a room; each is dropped exactly once."""

    def __init__(self, library: NativeLibrary) -> None:
        self._library = library
        self._handles: set[int] = set()

    def __len__(self) -> int:
        return len(self._handles)

    def adopt(self, handles: Iterable[int], /) -> None:
        """Take these over."""
        self._handles.update(handles)

    def drop(self, handle: int, /) -> None:
        """Drop one; nothing happens if it is not ours (any more)."""
        if handle in self._handles:
            self._handles.remove(handle)
            self._library.drop(handle)

    def forget(self, handle: int, /) -> None:
        """The library has taken this one over."""
        self._handles.discard(handle)

    def drop_all(self) -> None:
        """Drop what is left."""
        while self._handles:
            self._library.drop(self._handles.pop())


_last_room: Final[deque[tuple[NativeLibrary, int]]] = deque()


def retire_room(library: NativeLibrary, handle: int, /) -> None:
    """Drop the handle of a closed room, but only once another room has been retired after it. From any thread.

    libwebrtc's factory with its five threads lives as long as a room's handle does, or a peer connection; the next room uses
    it if it is still there, and otherwise makes another one. A room that is left while its publisher negotiates keeps its
    peer connection for another 10 s: 60 rooms, each with a track, came to 82 threads that way, and come to 12 like this
    (measured with livekit-ffi 0.13.2). Joining is also some 10 ms faster.
    """
    if not library.path:
        library.drop(handle)  # the fake has no threads to keep
        return
    _last_room.append((library, handle))
    # Who appends takes one away at most: no lock is needed, which a forked child might find taken.
    if len(_last_room) > 1:
        library, handle = _last_room.popleft()
        library.drop(handle)
