"""Native handles and who owns them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._abc import NativeLibrary

_all_sets: Final[weakref.WeakSet[HandleSet]] = weakref.WeakSet()


@final
class HandleSet:
    """The native handles of one owner, such as a room; each is dropped exactly once."""

    def __init__(self, library: NativeLibrary) -> None:
        self._library = library
        self._handles: set[int] = set()
        _all_sets.add(self)

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

    def drop_all(self) -> int:
        """Drop what is left and return how many there were."""
        count = len(self._handles)
        while self._handles:
            self._library.drop(self._handles.pop())
        return count


def live_handles() -> int:
    """How many handles the process owns on behalf of rooms and calls."""
    return sum(map(len, _all_sets))
