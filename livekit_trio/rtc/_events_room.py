"""Events of the connection and of the room itself; see `_events`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from ._event import Event

if TYPE_CHECKING:
    from ._enums import ConnectionState, DisconnectReason


class ConnectionStateChanged(Event):
    """The connection to the server changed. Comes before `Reconnecting`, `Reconnected` and `Disconnected`.

    Attributes:
        connection_state: the state it is in now.
    """

    connection_state: ConnectionState


class Reconnecting(Event):
    """The connection was lost, and the native library tries to find it again."""


class Reconnected(Event):
    """The connection is back. Who left meanwhile has been reported just before."""


class Disconnected(Event):
    """The room has ended for us; no event follows.

    Attributes:
        reason: why.
    """

    reason: DisconnectReason


class TokenRefreshed(Event):
    """The server has issued another token, for reconnecting. It does so after joining and after each update of ourselves.

    Attributes:
        token: the token; not in the repr.
    """

    token: str

    @override
    def __repr__(self) -> str:
        return "TokenRefreshed()"


# ---- the room


class RoomMetadataChanged(Event):
    """The room's metadata changed.

    Attributes:
        old_metadata: what it was.
        new_metadata: what it is.
    """

    old_metadata: str
    new_metadata: str


class RoomUpdated(Event):
    """Something that the server says about the room changed: its counts, its time-outs, whether it is recorded."""


class RecordingStatusChanged(Event):
    """Recording of the room began or ended.

    Attributes:
        is_recording: whether it is being recorded now.
    """

    is_recording: bool


class Moved(Event):
    """The server has moved us to another room: name, SID and participants are that room's now."""
