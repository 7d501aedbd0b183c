"""Replaying a trace: what a room said, out of what the native library had said to it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast, final

import attrs

from .._errors import RoomClosedError
from .._ffi._trace import UNROUTED
from .._guard import make
from ..rtc._enums import DisconnectReason, TrackKind
from ..rtc._room_state import RoomState
from ..rtc._track import LocalAudioTrack, LocalVideoTrack, TrackFacts

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from ..rtc._events import RoomEvent
    from ..rtc._link import RoomLink

ROOM_EVENT: Final = 1
CONNECT_REPLY: Final = 5
PUBLISH_REPLY: Final = 9


def replay(trace: str | os.PathLike[str], *, room: str | None = None) -> Iterator[tuple[float, RoomEvent]]:
    """Say again what was said in a room, out of the trace that a program has left.

    A program that is run with ``LIVEKIT_TRIO_TRACE=FILE`` appends to this file whatever the native library tells it. Replaying
    needs no server, no native library and no event loop, and takes no time: it shows on another machine what became of a
    room. What an event refers to is there and can be read, as it was at that moment; nothing can be asked of it. What came
    in streams, calls and media is not told.

    Args:
        trace: the file.
        room: the name of the room; default the first one that was joined. Of several visits the first is replayed.

    Yields:
        Seconds since the room was joined, and the event, in the order in which `livekit_trio.rtc.Room.open_events` had them with
        ``include_existing``. A trace that breaks off ends without ``Disconnected``.

    Raises:
        ValueError: no such room was joined in this trace, or the file is no trace.
        OSError: the file cannot be read.
    """
    records = _read(Path(trace))
    visit = _join(records, room)
    yield from visit.say(visit.begin, visit.state.snapshot_events())
    for record in records:
        if record.owner == visit.owner:
            yield from visit.tick(record.at)
            yield from visit.say(record.at, visit.apply(record))
            if visit.is_over(record):
                yield from visit.say(record.at, visit.state.close(DisconnectReason.CLIENT_INITIATED))
                return
    yield from visit.tick(float("inf"))


@final
@attrs.frozen
class _Record:
    """One line of a trace: one event."""

    at: float
    owner: int
    kind: int
    key: int
    payload: bytes
    data: bytes


def _read(path: Path) -> Iterator[_Record]:
    with path.open(encoding="ascii") as file:
        for line in file:
            try:
                fields = json.loads(line)
                payload, data = (base64.b64decode(fields.get(name, "")) for name in ("payload", "data"))
                yield _Record(fields["t"] / 1e9, fields["owner"], fields["kind"], fields["key"], payload, data)
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise ValueError(f"{path} is not a trace: {line[:80]!r}") from error


def _join(records: Iterator[_Record], room: str | None) -> _Visit:
    from .._ffi._proto import ConnectCallback

    for record in records:
        if record.kind == CONNECT_REPLY:
            reply = ConnectCallback.FromString(record.payload)
            if reply.HasField("result") and room in (None, reply.result.room.info.name):
                return _Visit(record, reply.result)
    raise ValueError("no room was joined in this trace" if room is None else f"nobody joined {room!r} in this trace")


@final
class _Visit:
    """One room, from when it was joined."""

    def __init__(self, joined: _Record, result: Any) -> None:
        self.begin = joined.at
        self.owner = joined.owner
        self._room_handle: int = result.room.handle.id
        self._link = _PaperLink()
        self.state = RoomState(result, cast("RoomLink", self._link))

    def say(self, at: float, events: Iterator[RoomEvent] | list[RoomEvent]) -> Iterator[tuple[float, RoomEvent]]:
        for event in events:
            yield at - self.begin, event

    def tick(self, until: float) -> Iterator[tuple[float, RoomEvent]]:
        """What the reducer's clock makes it say before *until*."""
        while (deadline := self.state.deadline) is not None and deadline <= until:
            yield from self.say(deadline, self.state.tick(deadline))

    def is_over(self, record: _Record) -> bool:
        """Whether the room has ended, natively or for us, who heard no more of it after the reply to leaving."""
        return self.state.eos or (record.kind, record.key) == (UNROUTED, self._room_handle)

    def apply(self, record: _Record) -> list[RoomEvent]:
        from .._ffi._proto import PublishTrackCallback, RoomEvent as NativeRoomEvent

        if record.kind == ROOM_EVENT and record.key == self._room_handle:
            self._link.data = record.data
            return self.state.apply(NativeRoomEvent.FromString(record.payload), record.at)
        if record.kind == PUBLISH_REPLY:
            reply = PublishTrackCallback.FromString(record.payload)
            if reply.HasField("publication"):
                info = reply.publication.info
                facts = TrackFacts(handle=0, sid=info.sid, name=info.name, kind=TrackKind(info.kind))
                track = make(LocalVideoTrack if facts.kind == TrackKind.KIND_VIDEO else LocalAudioTrack, facts)
                return self.state.add_local_publication(reply.publication, track)[1]
        return []


@final
class _PaperLink:
    """What the objects of a recorded room know of it: that nothing can be asked of it."""

    def __init__(self) -> None:
        self.data = b""
        """What the buffer held of the event that is just applied."""

    def drop(self, handle: int, /) -> None:
        pass

    def read_buffer(self, _handle: int, _address: int, _length: int, /) -> bytes:
        return self.data

    def __getattr__(self, name: str) -> NoReturn:
        raise RoomClosedError(DisconnectReason.UNKNOWN_REASON)
