"""As much of protobuf's wire format as is needed to find keys and handles in a message without building it.

For where a whole message would cost too much or protobuf is not imported: what is thrown away must still give up its handles.
A message that does not parse raises ValueError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._handle_paths import EVENT_HANDLE_PATHS, RESPONSE_HANDLE_PATHS

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARINT, _BYTES = 0, 2
_FIXED_LENGTHS = {1: 8, 5: 4}


def split(message: bytes) -> tuple[int, bytes]:
    """(kind, payload) of an FfiEvent or FfiResponse: which field of its oneof is set, and that inner message, serialised."""
    for number, value in fields(message):
        if isinstance(value, bytes):
            return number, value
    raise ValueError("no message inside")


def key(payload: bytes) -> int:
    """Field 1 of an inner message, a native handle or an async id; 0 if it is not there, or no number."""
    for number, value in fields(payload):
        if number == 1 and isinstance(value, int):
            return value
    return 0


def owned_handles(kind: int, payload: bytes) -> list[int]:
    """The handles that whoever receives this event owns. *payload* is the inner message of *kind*."""
    return _handles(payload, _EVENT_HANDLES.get(kind, _NONE))


def owned_response_handles(response: bytes) -> list[int]:
    """The handles that whoever receives this serialised FfiResponse owns."""
    kind, payload = split(response)
    return _handles(payload, _RESPONSE_HANDLES.get(kind, _NONE))


class _Tree(dict[int, "_Tree"]):
    """Handle paths with their common beginnings together: below each field number what may follow; nothing below a handle."""


def _tree(paths: tuple[tuple[int, ...], ...]) -> _Tree:
    tree = _Tree()
    for path in paths:
        node = tree
        for number in path:
            node = node.setdefault(number, _Tree())
    return tree


_NONE: Final = _Tree()
_EVENT_HANDLES: Final = {kind: _tree(paths) for kind, paths in EVENT_HANDLE_PATHS.items()}
_RESPONSE_HANDLES: Final = {kind: _tree(paths) for kind, paths in RESPONSE_HANDLE_PATHS.items()}


def _handles(message: bytes, tree: _Tree) -> list[int]:
    found: list[int] = []
    if tree:
        for number, value in fields(message):
            below = tree.get(number)
            if below is None:
                continue
            if isinstance(value, bytes):
                found += _handles(value, below)
            elif not below:
                found.append(value)
    return found


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of each varint, as an int, and of each string, bytes or message, as bytes. Fixed-width numbers are left out."""
    position, end = 0, len(message)
    while position < end:
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire_type == _BYTES:
            length, position = _varint(message, position)
        elif wire_type in _FIXED_LENGTHS:
            length = _FIXED_LENGTHS[wire_type]
        else:
            raise ValueError(f"wire type {wire_type} before byte {position}")
        if position + length > end:
            raise ValueError(f"field {number} ends after the message")
        if wire_type == _BYTES:
            yield number, message[position : position + length]
        position += length


def _varint(message: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while shift < 64:
        if position >= len(message):
            raise ValueError("the message ends within a number")
        byte = message[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7
    raise ValueError(f"a number longer than ten bytes at byte {position}")
