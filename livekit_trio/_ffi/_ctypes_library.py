"""The native library through ctypes: the last resort where no bridge could be built or loaded.

It gives the same results as the bridge, but not the same timing: its callbacks enter Python, so a native media thread waits
for the GIL (2 ms on average while Python is busy, 15 ms at worst, as measured; the bridge 1 us). Nor are such callbacks quite
safe while the interpreter ends: CPython ends a thread that wants the GIL then, and Rust aborts when it is unwound. `silence`
gives the library another callback, one that is not Python, and waits until those that were under way have come.

Nor is a fork: a native thread that is just entering Python holds a lock of CPython's (3.11: HEAD_LOCK), for which the child then
waits for ever before any code of ours runs (about 1 of 100 forks with a room open, on a busy machine).
"""

from __future__ import annotations

import ctypes
import time
import weakref
from typing import TYPE_CHECKING, Any, Final, final

from .._errors import NativeRefusalError, UsedAfterForkError
from ._py_router import Router

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Buffer

    from ._abc import NativeBuffer
    from ._py_inbox import PyInbox

_CALLBACK: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)
_REQUEST: Final = ctypes.CFUNCTYPE(
    ctypes.c_uint64,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_size_t),
)
_DROP: Final = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_uint64)
_INITIALIZE: Final = ctypes.CFUNCTYPE(None, _CALLBACK, ctypes.c_bool, ctypes.c_char_p, ctypes.c_char_p)

_NOTHING: Final = ctypes.cast(ctypes.pythonapi.Py_GetPlatform, _CALLBACK)
"""A callback that does nothing: this function of CPython's returns the address of a literal, needs no GIL and survives its end."""

QUIET: Final = 0.02
"""Seconds without a callback after which none is under way any more. A busy machine may let a thread wait for longer."""
MOST_WAITS: Final = 25
"""Half a second: an old callback that is called for longer than that is not waited for."""

_immortal: Final[list[object]] = []
"""What native threads call: it must outlive everything else."""


@final
class CtypesLibrary:
    """See `_abc.NativeLibrary`.

    Args:
        path: the loaded file, for `path` only.
        initialize, request, drop: the addresses of its entry points.
        sdk, version: what the library tells the server about us.
    """

    def __init__(self, path: str, initialize: int, request: int, drop: int, sdk: str, version: str) -> None:
        self.name: Final = "ctypes"
        self.path: Final = path
        self.wakes_by: Final = "descriptor"
        self._request = _REQUEST(request)
        self._drop = _DROP(drop)
        self._initialize = _INITIALIZE(initialize)
        self._sdk = sdk.encode(), version.encode()
        self._disowned = False
        self._callbacks = 0
        self._router = Router(self.request, self.drop)
        callback = _CALLBACK(self._called_back)
        _immortal.append(callback)
        self._call_back(callback)

    def request(self, message: Buffer, /) -> bytes:
        if self._disowned:
            raise UsedAfterForkError
        data = bytes(message)
        response, length = ctypes.c_void_p(), ctypes.c_size_t()
        handle = self._request(data, len(data), ctypes.byref(response), ctypes.byref(length))
        if not handle:
            raise NativeRefusalError
        try:
            return ctypes.string_at(response.value or 0, length.value)
        finally:
            self._drop(handle)

    def drop(self, handle: int, /) -> bool:
        return not self._router.silent and self._drop(handle)

    def buffer(self, handle: int, address: int, length: int, /) -> NativeBuffer:
        memory: Any = (ctypes.c_ubyte * length).from_address(address)
        # Every view keeps the array alive. Not at exit: memory must not vanish under a view that is still there.
        weakref.finalize(memory, self.drop, handle).atexit = False
        return memoryview(memory).cast("B").toreadonly()

    def open_inbox(self, read_fd: int, write_fd: int, poke: Callable[[], None] | None = None, /) -> PyInbox:
        return self._router.open_inbox(read_fd, write_fd, poke)

    def set_log_level(self, level: int, /) -> None:
        self._router.set_log_level(level)

    def take_logs(self) -> list[bytes]:
        return self._router.take_logs()

    def statistics(self) -> Mapping[str, int]:
        return self._router.statistics()

    def silence(self) -> None:
        if self._disowned:
            return
        self._router.silence()
        self._call_back(_NOTHING)
        for _ in range(MOST_WAITS):
            before = self._callbacks
            time.sleep(QUIET)  # lets the GIL go
            if self._callbacks == before:
                break

    def disown(self) -> None:
        self._disowned = True
        self._router.disown()

    def _call_back(self, callback: object) -> None:
        # Log capture is always on: without it the library prints failed requests, tokens and keys to stderr by itself.
        self._initialize(callback, True, *self._sdk)

    def _called_back(self, data: int, length: int) -> None:
        self._callbacks += 1
        self._router.receive(ctypes.string_at(data, length))
