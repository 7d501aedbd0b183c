"""The C fake of the native library (`native/fake`), driven from Python.

Each `FakeControl` is a copy of its own of the library, with handles, requests and a callback of its own: a library can be
initialised once only.
"""

from __future__ import annotations

import ctypes
import shutil
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

HANDLE: Final = 0xFACE_FACE_FACE_FACE
"""In a template: a fresh handle, every time it occurs."""
POINTER: Final = 0xFEED_FEED_FEED_FEED
"""In a template: where the memory of the handle before it is."""
SEQUENCE: Final = 0xC0DE_C0DE_C0DE_C0DE
"""In a template: the thread's index << 32 | the event's number, both from 0."""

_HANDLER: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
_REFUSE, _RESPONDED, _BY_DEFAULT = 0, 1, 2


@final
@attrs.frozen
class Flood:
    """What one native thread emits.

    Attributes:
        template: a serialised FfiEvent with stand-ins: `HANDLE`, `POINTER`, `SEQUENCE`.
        count: how many.
        per_second: how fast; 0: as fast as it can.
        memory: bytes that each fresh handle owns.
    """

    template: bytes
    count: int
    per_second: int = 0
    memory: int = 0


class Timing(NamedTuple):
    """Of all callbacks that the threads made: durations in ns, by the thread's own clock (cpu) and by the wall's."""

    calls: int
    cpu_max_ns: int
    cpu_p999_ns: int
    wall_max_ns: int
    wall_p999_ns: int
    last_return_ns: int


class _Timing(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int64) for name in Timing._fields)


class _Flood(ctypes.Structure):
    _fields_ = (
        ("template_data", ctypes.c_char_p),
        ("template_size", ctypes.c_size_t),
        ("count", ctypes.c_uint64),
        ("per_second", ctypes.c_uint64),
        ("memory", ctypes.c_size_t),
    )


@final
class FakeControl:
    """One copy of the C fake.

    Args:
        library: the built library.
        copy: where to put this copy of it.
    """

    def __init__(self, library: Path, copy: Path) -> None:
        shutil.copyfile(library, copy)
        self.path: Final = copy
        self._c = ctypes.CDLL(str(copy))
        for name in ("fake_new_handle", "livekit_ffi_request"):
            self._c[name].restype = ctypes.c_uint64
        for name in ("fake_requests", "fake_request", "fake_live_handles", "fake_false_drops", "fake_threads_running"):
            self._c[name].restype = ctypes.c_size_t
        self._c.fake_memory.restype = ctypes.c_void_p
        self._c.fake_emit_from_threads.restype = ctypes.c_bool
        self._handler: Any = None

    def address(self, symbol: str) -> int:
        """Where an exported function is."""
        return ctypes.cast(self._c[symbol], ctypes.c_void_p).value or 0

    # ---- requests

    def set_handler(self, handler: Callable[[bytes], bytes | bool] | None) -> None:
        """Let *handler* answer requests: with a serialised FfiResponse, True for the default one, or False to refuse."""

        def called(data: int, size: int) -> int:
            answer = handler(ctypes.string_at(data, size)) if handler else True
            if isinstance(answer, bool):
                return _BY_DEFAULT if answer else _REFUSE
            self._c.fake_respond(answer, ctypes.c_size_t(len(answer)))
            return _RESPONDED

        self._handler = _HANDLER(called)
        self._c.fake_set_handler(self._handler)

    def take_requests(self) -> list[bytes]:
        """The requests since the last call, oldest first."""
        taken: list[bytes] = []
        for index in range(self._c.fake_requests()):
            size = self._c.fake_request(ctypes.c_size_t(index), None, ctypes.c_size_t(0))
            buffer = ctypes.create_string_buffer(size)
            self._c.fake_request(ctypes.c_size_t(index), buffer, ctypes.c_size_t(size))
            taken.append(buffer.raw)
        self._c.fake_forget_requests()
        return taken

    # ---- handles

    def new_handle(self, memory: bytes = b"") -> int:
        """A handle that is alive and owns a copy of *memory*."""
        handle: int = self._c.fake_new_handle(ctypes.c_size_t(len(memory)))
        ctypes.memmove(self.memory(handle), memory, len(memory))
        return handle

    def memory(self, handle: int) -> int:
        """Where the memory of a live handle is."""
        return self._c.fake_memory(ctypes.c_uint64(handle)) or 0

    def live_handles(self) -> int:
        """How many handles are alive."""
        return self._c.fake_live_handles()

    def false_drops(self) -> int:
        """How many drops were of handles that were not alive."""
        return self._c.fake_false_drops()

    # ---- events

    def emit(self, data: bytes) -> None:
        """Call back with these bytes, on this thread."""
        self._c.fake_emit(data, ctypes.c_size_t(len(data)))

    def start_floods(self, floods: Sequence[Flood]) -> None:
        """Call back from so many native threads, one for each flood."""
        orders = (_Flood * len(floods))(
            *(_Flood(each.template, len(each.template), each.count, each.per_second, each.memory) for each in floods)
        )
        if not self._c.fake_emit_from_threads(orders, ctypes.c_size_t(len(floods))):
            raise RuntimeError("the threads before have not been joined")

    def threads_running(self) -> int:
        """How many threads are still at it."""
        return self._c.fake_threads_running()

    def join_threads(self) -> Timing:
        """Wait for the threads, with the GIL let go."""
        timing = _Timing()
        self._c.fake_join_threads(ctypes.byref(timing))
        return Timing(*(getattr(timing, name) for name in Timing._fields))
