"""One native event on its way to an inbox, and how much is known of it without protobuf."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, final

import attrs

from . import _wire
from ._abc import HANDLE_KEYED, LAGGED, LOGS, PANIC, READY, RING_KINDS

if TYPE_CHECKING:
    from ._abc import Event

ROOM_EVENT: Final = 1
CONNECT: Final = 5
CHUNK_KINDS: Final = frozenset({28, 35})
"""Byte and text stream readers."""

_FIRST: Final = 2
"""Of stream and reader events: the field of what was received; the field after it is the end."""
_DATA_PACKET: Final = 27
_RAW_STREAMS: Final = frozenset({30, 31, 32})
_PACKET_KIND, _USER_PACKET, _RELIABLE = 1, 4, 1
_KEYLESS: Final = frozenset({2, LOGS, PANIC})


class Sort(enum.Enum):
    """What may be done with an event when there is no room for it."""

    STATE = "never dropped"
    LOSSY = "the oldest goes"
    RELIABLE = "dropped loudly"
    RAW_STREAM = "dropped unless asked for"
    FRAME = "kept in a ring"
    STREAM_END = "the last of a ring"


@final
@attrs.define(eq=False)
class Parcel:
    """An event with what routing needs to know of it."""

    kind: int
    key: int
    stamp_ns: int
    payload: bytes = b""
    sort: Sort = Sort.STATE
    size: int = 0
    """Bytes: the encoded message and, for data packets, what their native buffer holds."""
    lost: int = 0
    """Of a LAGGED: how many events it stands for."""

    def event(self) -> Event:
        """The form in which `Inbox.take` hands it out."""
        return self.kind, self.key, self.stamp_ns, b"%d" % self.lost if self.kind == LAGGED else self.payload


def is_reply(kind: int) -> bool:
    """Whether the key of this kind is an async id."""
    return kind < READY and kind not in HANDLE_KEYED and kind not in _KEYLESS


def parse(data: bytes, stamp_ns: int) -> Parcel:
    """Read a serialised FfiEvent as far as needed.

    Raises:
        ValueError: it is none.
    """
    kind, payload = _wire.split(data)
    parcel = Parcel(kind, 0 if kind in _KEYLESS else _wire.key(payload), stamp_ns, payload, size=len(payload))
    if kind == ROOM_EVENT:
        _look_into_room_event(parcel)
    elif kind in RING_KINDS:
        parcel.sort = Sort.FRAME if _has_first(payload) else Sort.STREAM_END
    elif kind in CHUNK_KINDS and _has_first(payload):
        parcel.sort = Sort.RELIABLE
    return parcel


def _has_first(payload: bytes) -> bool:
    return any(number == _FIRST for number, _ in _wire.fields(payload))


def _look_into_room_event(parcel: Parcel) -> None:
    which, message = _wire.split(parcel.payload)
    if which in _RAW_STREAMS:
        parcel.sort = Sort.RAW_STREAM
    elif which == _DATA_PACKET:
        packet = dict(_wire.fields(message))
        user = packet.get(_USER_PACKET)
        if isinstance(user, bytes):
            reliable = packet.get(_PACKET_KIND) == _RELIABLE
            parcel.sort = Sort.RELIABLE if reliable else Sort.LOSSY
            parcel.size += _data_length(user)


def _data_length(user_packet: bytes) -> int:
    """UserPacket.data.data.data_len."""
    message: int | bytes = user_packet
    for number in (1, 2, 2):
        if not isinstance(message, bytes):
            return 0
        message = dict(_wire.fields(message)).get(number, 0)
    return message if isinstance(message, int) else 0
