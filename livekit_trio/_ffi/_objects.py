"""Native objects that belong to no room and no loop: sources, local tracks, converters.

Whoever makes one owns its handle: dropped by `NativeObject.close`, or silently with the last reference. From any thread.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final, final

from ._load import load_library
from ._messages import decode_response
from ._send import send_request

if TYPE_CHECKING:
    from ._abc import NativeLibrary

_alive: Final[set[tuple[NativeLibrary, int]]] = set()
"""What is neither closed nor collected. Each change is one step of the interpreter's: any thread may make or count them."""


@final
class NativeObject:
    """One native handle and the library it is of."""

    def __init__(self, library: NativeLibrary, handle: int) -> None:
        self.library: Final = library
        self.handle: Final = handle
        self._drop = weakref.finalize(self, _drop, library, handle)
        self._drop.atexit = False  # the library is silent by then
        _alive.add((library, handle))

    @property
    def closed(self) -> bool:
        """Whether the handle was dropped."""
        return not self._drop.alive

    def close(self) -> None:
        """Drop the handle; idempotent."""
        self._drop()

    def request(self, name: str, /, **fields: Any) -> Any:
        """Send a request that is answered at once and return the inner response message.

        Raises:
            NativeRefusalError: the library refused it.
            UsedAfterForkError: this is a forked child.
        """
        return decode_response(send_request(self.library, name, fields))


def make_native(name: str, owned: str, /, **fields: Any) -> NativeObject:
    """Send a request that makes something, loading the library if need be.

    Args:
        name: the request.
        owned: the field of its response that owns the handle.
        **fields: of the request.

    Raises:
        NativeLoadError: the library could not be loaded.
        NativeRefusalError: it refused the request.
        UsedAfterForkError: this is a forked child.
    """
    library = load_library()
    response = decode_response(send_request(library, name, fields))
    return NativeObject(library, getattr(response, owned).handle.id)


def live_objects() -> int:
    """How many such objects are alive and not closed."""
    return len(_alive)


def _drop(library: NativeLibrary, handle: int) -> None:
    _alive.discard((library, handle))
    library.drop(handle)
