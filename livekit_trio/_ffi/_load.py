"""Finding and loading the native library, once in a process.

The file is opened with local symbol scope, and never one that is loaded already: initialising a library twice would take the
callback away from whoever initialised it first, such as the official SDK. The four entry points then go to the bridge, or,
where there is none, to its twin in ctypes. Nothing happens at import.
"""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .. import __version__
from .._errors import NativeLoadError
from . import _logs
from ._interrupts import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Generator

    from ._abc import NativeLibrary

PATH_VARIABLE: Final = "LIVEKIT_TRIO_LIB_PATH"
KIND_VARIABLE: Final = "LIVEKIT_TRIO_NATIVE"
KINDS: Final = ("bridge", "ctypes")
FFI_VERSION: Final = "0.13.2"
"""The livekit-ffi that the generated messages belong to."""

_SDK: Final = "python"
_FILE_NAMES: Final = {"win32": "livekit_ffi.dll", "darwin": "liblivekit_ffi.dylib"}
MOST_LOADING: Final = 1.0
"""Seconds for which the process's end waits for a thread that loads the library; it takes some 50 ms."""

_ENTRY_POINTS: Final = ("initialize", "request", "drop_handle", "dispose")

_logger = logging.getLogger("livekit_trio")


class _Loaded:
    """What the process has loaded, and what a test has put in its place."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.library: NativeLibrary | None = None
        self.in_place: list[NativeLibrary] = []


_loaded: Final = _Loaded()


def load_library() -> NativeLibrary:
    """The process's native library; loaded and initialised by the first call. From any thread.

    Raises:
        NativeLoadError: no native library could be loaded; it names what was tried.
    """
    if _loaded.in_place:
        return _loaded.in_place[-1]
    return _loaded.library or uninterrupted(_load_once)()


def _load_once() -> NativeLibrary:
    with _loaded.lock:
        if _loaded.library is None:
            atexit.unregister(_silence)  # of an attempt that failed
            atexit.register(_silence)
            library = _load(_library_path(), os.environ.get(KIND_VARIABLE, ""))
            library.set_log_level(_logs.native_level())
            if hasattr(os, "register_at_fork"):  # not on Windows
                os.register_at_fork(after_in_child=library.disown)
            _loaded.library = library
        return _loaded.library


def _silence() -> None:
    """At the process's end, also while another thread is still loading: its callbacks must not meet a dying interpreter.

    Not `dispose`: it frees frames under views that are still alive (measured).
    """
    loading = not _loaded.lock.acquire(timeout=MOST_LOADING)  # a forked child may have inherited it locked
    if _loaded.library is not None:
        _loaded.library.silence()
    if not loading:
        _loaded.lock.release()


def loaded_library() -> NativeLibrary | None:
    """The process's native library if one is loaded."""
    return _loaded.in_place[-1] if _loaded.in_place else _loaded.library


@contextmanager
def use_library(library: NativeLibrary) -> Generator[None]:
    """Let *library*, such as a `livekit_trio.testing.FakeLibrary`, be the process's native library for a block.

    Event loops that have a runtime already go on with theirs.
    """
    _loaded.in_place.append(library)
    try:
        yield
    finally:
        _loaded.in_place.remove(library)


def _library_path() -> Path:
    override = os.environ.get(PATH_VARIABLE)
    if override:
        return Path(override)
    return Path(__file__).with_name("_native") / _FILE_NAMES.get(sys.platform, "liblivekit_ffi.so")


def _load(path: Path, kind: str) -> NativeLibrary:
    if kind not in ("", *KINDS):
        raise NativeLoadError(((KIND_VARIABLE, f"must be one of {', '.join(KINDS)}, not {kind!r}"),))
    initialize, request, drop, _ = _open(path)
    attempts: list[tuple[str, str]] = []
    if kind != "ctypes":
        try:
            from . import _bridge
        except ImportError as error:
            attempts.append(("bridge", str(error)))
        else:
            return _bridge.load(str(path), initialize, request, drop, _SDK, __version__)
    if kind == "bridge":
        raise NativeLoadError(tuple(attempts))
    if kind != "ctypes":
        _logger.warning("the native bridge could not be loaded (%s): using ctypes, which is slower", attempts[0][1])

    from ._ctypes_library import CtypesLibrary

    return CtypesLibrary(str(path), initialize, request, drop, _SDK, __version__)


def _open(path: Path) -> list[int]:
    """Load the file and return the addresses of its entry points."""
    what = str(path)
    if not path.is_file():
        raise NativeLoadError(((what, _why_missing()),))
    if _is_loaded(path):
        raise NativeLoadError(((what, "something else in this process has loaded it and may have initialised it"),))
    try:
        library = ctypes.CDLL(what)
        version = _version(library)
        if version not in ("", FFI_VERSION):
            raise NativeLoadError(((what, f"it is livekit-ffi {version}, not {FFI_VERSION}"),))
        return [_address(library, f"livekit_ffi_{name}") for name in _ENTRY_POINTS]
    except (OSError, AttributeError) as error:
        raise NativeLoadError(((what, str(error)),)) from error


def _why_missing() -> str:
    if os.environ.get(PATH_VARIABLE):
        return f"there is no such file; {PATH_VARIABLE} names it"
    if Path(__file__).parents[2].joinpath("pyproject.toml").is_file():
        return "it is missing; `uv sync --reinstall-package livekit-trio` brings it back"
    return "it is missing; `pip install --force-reinstall --no-deps livekit-trio` brings it back"


def _is_loaded(path: Path) -> bool:
    if not hasattr(os, "RTLD_NOLOAD"):
        return False  # Windows cannot be asked this way
    try:
        ctypes.CDLL(str(path), mode=os.RTLD_NOLOAD)
    except OSError:
        return False
    return True


def _address(library: ctypes.CDLL, symbol: str) -> int:
    return ctypes.cast(getattr(library, symbol), ctypes.c_void_p).value or 0


class _RustBuffer(ctypes.Structure):
    _fields_ = (("capacity", ctypes.c_uint64), ("length", ctypes.c_uint64), ("data", ctypes.c_void_p))


class _CallStatus(ctypes.Structure):
    _fields_ = (("code", ctypes.c_int8), ("error", _RustBuffer))


def _version(library: ctypes.CDLL) -> str:
    """What the library says that it is; empty if it does not say."""
    try:
        build_version = library.uniffi_livekit_ffi_fn_func_build_version
        free = library.ffi_livekit_ffi_rustbuffer_free
    except AttributeError:
        return ""
    build_version.argtypes, build_version.restype = [ctypes.POINTER(_CallStatus)], _RustBuffer
    free.argtypes, free.restype = [_RustBuffer, ctypes.POINTER(_CallStatus)], None
    status = _CallStatus()
    text = build_version(ctypes.byref(status))
    try:
        return ctypes.string_at(text.data, text.length).decode()
    finally:
        free(text, ctypes.byref(status))
