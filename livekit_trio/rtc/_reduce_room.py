"""Native events about the connection and the room itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from . import _convert
from ._enums import ConnectionState, DataPacketKind, DisconnectReason
from ._events import (
    ConnectionStateChanged,
    DataChannelLowThresholdChanged,
    Disconnected,
    Moved,
    Reconnected,
    Reconnecting,
    RecordingStatusChanged,
    RoomMetadataChanged,
    RoomUpdated,
    TokenRefreshed,
)
from ._reduce_tracks import end_withdrawn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ._convert import native
    from ._events import RoomEvent
    from ._model import Handler, Model


def connection_state_changed(model: Model, message: native.ConnectionStateChanged) -> Iterator[RoomEvent]:
    state = ConnectionState(message.state)
    if state == model.state:
        model.count("unchanged")  # the native library also says CONNECTED right after joining
    yield from _enter(model, state)


def _enter(model: Model, state: ConnectionState) -> Iterator[RoomEvent]:
    if state == model.state:
        return
    model.state = state
    if state == ConnectionState.CONN_RECONNECTING:
        model.held.on_reconnecting()
    elif state == ConnectionState.CONN_CONNECTED:
        model.held.on_connected(model.now)
    yield ConnectionStateChanged(connection_state=state)


def reconnecting(model: Model, _message: native.Reconnecting) -> Iterator[RoomEvent]:
    if model.local.reconnecting:
        model.count("duplicate")
        return
    model.local.reconnecting = True
    yield from _enter(model, ConnectionState.CONN_RECONNECTING)
    yield Reconnecting()


def reconnected(model: Model, _message: native.Reconnected) -> Iterator[RoomEvent]:
    if not model.local.reconnecting and model.state == ConnectionState.CONN_CONNECTED:
        model.count("duplicate")
        return
    model.local.reconnecting = False
    yield from _enter(model, ConnectionState.CONN_CONNECTED)
    yield from model.leave_all(model.held.take_all())
    model.repeat_wishes()
    yield from end_withdrawn(model)
    yield Reconnected()


def disconnected(model: Model, message: native.Disconnected) -> Iterator[RoomEvent]:
    yield from end(model, DisconnectReason(message.reason))


def end(model: Model, reason: DisconnectReason) -> Iterator[RoomEvent]:
    """The room is over for us. Nobody is reported as having left: everything stays readable as it was."""
    if model.reason is not None:
        return
    model.reason = reason
    for _ in model.held.take_all():
        model.count("held back at the end")
    model.local.info = attrs.evolve(model.local.info, disconnect_reason=reason)
    yield from _enter(model, ConnectionState.CONN_DISCONNECTED)
    yield Disconnected(reason=reason)


def eos(model: Model, _message: native.RoomEOS) -> Iterator[RoomEvent]:
    if model.eos:
        model.count("duplicate")
    model.eos = True
    yield from ()


def room_sid_changed(model: Model, message: native.RoomSidChanged) -> Iterator[RoomEvent]:
    if message.sid == model.info.sid:
        model.count("unchanged")
    model.info = attrs.evolve(model.info, sid=message.sid)
    yield from ()


def room_metadata_changed(model: Model, message: native.RoomMetadataChanged) -> Iterator[RoomEvent]:
    old = model.info.metadata
    if message.metadata == old:
        model.count("unchanged")
        return
    model.info = attrs.evolve(model.info, metadata=message.metadata)
    yield RoomMetadataChanged(old_metadata=old, new_metadata=message.metadata)


def room_updated(model: Model, message: native.RoomInfo) -> Iterator[RoomEvent]:
    yield from _replace_info(model, message)
    yield RoomUpdated()


def moved(model: Model, message: native.RoomInfo) -> Iterator[RoomEvent]:
    # Everybody of the new room has been reported before; whoever is still held back stayed in the old one.
    yield from model.leave_all(model.held.take_all())
    yield from _replace_info(model, message)
    yield Moved()


def _replace_info(model: Model, message: native.RoomInfo) -> Iterator[RoomEvent]:
    old, new = model.info, _convert.room_info(message)
    if not new.sid:
        new = attrs.evolve(new, sid=old.sid)
    model.info = new
    if new.metadata != old.metadata:
        yield RoomMetadataChanged(old_metadata=old.metadata, new_metadata=new.metadata)
    if new.is_recording != old.is_recording:
        yield RecordingStatusChanged(is_recording=new.is_recording)


def token_refreshed(_model: Model, message: native.TokenRefreshed) -> Iterator[RoomEvent]:
    yield TokenRefreshed(token=message.token)


def data_channel_low_threshold_changed(
    _model: Model, message: native.DataChannelBufferedAmountLowThresholdChanged
) -> Iterator[RoomEvent]:
    yield DataChannelLowThresholdChanged(kind=DataPacketKind(message.kind), threshold=message.threshold)


HANDLERS: Final[Mapping[str, Handler]] = {
    "connection_state_changed": connection_state_changed,
    "reconnecting": reconnecting,
    "reconnected": reconnected,
    "disconnected": disconnected,
    "eos": eos,
    "room_sid_changed": room_sid_changed,
    "room_metadata_changed": room_metadata_changed,
    "room_updated": room_updated,
    "moved": moved,
    "token_refreshed": token_refreshed,
    "data_channel_low_threshold_changed": data_channel_low_threshold_changed,
}
