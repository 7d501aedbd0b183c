"""The address of a Python object's bytes, for the few requests that take a pointer."""

from __future__ import annotations

import ctypes  # noqa: TID251 - for addresses; nothing native is called here


def address_of(data: bytes) -> int:
    """Return where *data* lies; valid for as long as the caller holds *data*."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0


def read_at(address: int, length: int) -> bytes:
    """Copy native memory that is known to be alive."""
    return ctypes.string_at(address, length)
