"""Events of the connection and of the room itself; see `_events`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from ._enums import ConnectionState, DisconnectReason


@attrs.frozen(kw_only=True)
class ConnectionStateChanged:
    """The connection to the server changed. Comes before `Reconnecting`, `Reconnected` and `Disconnected`.

    Attributes:
        connection_state: the state it is in now.
    """

    connection_state: ConnectionState


@attrs.frozen(kw_only=True)
class Reconnecting:
    """The connection was lost, and the native library tries to find it again."""


@attrs.frozen(kw_only=True)
class Reconnected:
    """The connection is back. Who left meanwhile has been reported just before."""


@attrs.frozen(kw_only=True)
class Disconnected:
    """The room has ended for us; no event follows.

    Attributes:
        reason: why.
    """

    reason: DisconnectReason


@attrs.frozen(kw_only=True)
class TokenRefreshed:
    """The server has issued another token, for reconnecting. It does so after joining and after each update of ourselves.

    Attributes:
        token: the token; not in the repr.
    """

    token: str = attrs.field(repr=False)


# ---- the room


@attrs.frozen(kw_only=True)
class RoomMetadataChanged:
    """The room's metadata changed.

    Attributes:
        old_metadata: what it was.
        new_metadata: what it is.
    """

    old_metadata: str
    new_metadata: str


@attrs.frozen(kw_only=True)
class RoomUpdated:
    """Something that the server says about the room changed: its counts, its time-outs, whether it is recorded."""


@attrs.frozen(kw_only=True)
class RecordingStatusChanged:
    """Recording of the room began or ended.

    Attributes:
        is_recording: whether it is being recorded now.
    """

    is_recording: bool


@attrs.frozen(kw_only=True)
class Moved:
    """The server has moved us to another room: name, SID and participants are that room's now."""
