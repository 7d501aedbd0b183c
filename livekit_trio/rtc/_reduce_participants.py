"""Native events about participants: coming, going, and what is said of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs

from . import _convert
from ._enums import ConnectionQuality, ConnectionState, DisconnectReason, EncryptionState, ParticipantState
from ._events import (
    ActiveSpeakersChanged,
    ConnectionQualityChanged,
    E2eeStateChanged,
    ParticipantActive,
    ParticipantAttributesChanged,
    ParticipantConnected,
    ParticipantEncryptionStatusChanged,
    ParticipantMetadataChanged,
    ParticipantNameChanged,
    ParticipantPermissionsChanged,
)
from ._participant import RemoteFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ._convert import native
    from ._events import RoomEvent
    from ._local_participant import LocalFacts
    from ._model import Handler, Model
    from ._values import ParticipantInfo


def participant_connected(model: Model, message: native.ParticipantConnected) -> Iterator[RoomEvent]:
    info = _convert.participant_info(message.info.info)
    if info.identity == model.local.info.identity:
        model.discard(message, "our own identity")
        return
    remote = model.remotes.get(info.identity)
    if remote is None:
        remote = model.add_remote(message.info.handle.id, info)
        yield ParticipantConnected(participant=remote.view)
        return
    model.link.drop(remote.handle)
    remote.handle = message.info.handle.id
    if not model.held.release(info.identity):
        model.count("duplicate")
        if info.sid != remote.info.sid:  # another session; nobody told of the first one's end
            yield from model.end_publications(remote)
    if info.sid != remote.info.sid:
        remote.active_announced = False
    yield from _replace_info(model, remote, info)


def participant_disconnected(model: Model, message: native.ParticipantDisconnected) -> Iterator[RoomEvent]:
    identity = message.participant_identity
    reason = DisconnectReason(message.disconnect_reason)
    remote = model.find_remote(identity)
    if remote is None:
        return
    if reason != DisconnectReason.UNKNOWN_REASON:
        model.held.release(identity)
        yield from model.leave(remote, reason)
    elif identity in model.held:
        model.count("duplicate")
    else:
        is_reconnecting = model.state == ConnectionState.CONN_RECONNECTING
        model.held.hold(identity, model.now, reconnecting=is_reconnecting)
        yield from model.end_publications(remote)


def participant_active(model: Model, message: native.ParticipantActive) -> Iterator[RoomEvent]:
    remote = model.find_remote(message.participant_identity)
    if remote is None:
        return
    if remote.active_announced:
        model.count("duplicate")
        return
    remote.info = attrs.evolve(remote.info, state=ParticipantState.PARTICIPANT_STATE_ACTIVE)
    remote.active_announced = True
    yield ParticipantActive(participant=remote.view)


def participants_updated(model: Model, message: native.ParticipantsUpdated) -> Iterator[RoomEvent]:
    for update in message.participants:
        participant = model.find(update.identity)
        if participant is None:
            continue
        becomes_active = isinstance(participant, RemoteFacts) and not participant.active
        yield from _update(model, participant, _convert.participant_info(update))
        if isinstance(participant, RemoteFacts) and becomes_active and participant.active:
            participant.active_announced = True
            yield ParticipantActive(participant=participant.view)


def _replace_info(model: Model, participant: LocalFacts | RemoteFacts, new: ParticipantInfo) -> Iterator[RoomEvent]:
    """Take over what the server says now, and say what is different and was not said before."""
    old = participant.info
    if new.permissions is None:  # left out: not said, rather than taken away
        new = attrs.evolve(new, permissions=old.permissions)
    participant.info = new
    if isinstance(participant, RemoteFacts) and not participant.active:
        participant.active_announced = False
    view = participant.view
    if new.name != old.name:
        yield ParticipantNameChanged(participant=view, old_name=old.name, new_name=new.name)
    if new.metadata != old.metadata:
        yield ParticipantMetadataChanged(participant=view, old_metadata=old.metadata, new_metadata=new.metadata)
    if new.attributes != old.attributes:
        changed = _changed(old.attributes, new.attributes)
        yield ParticipantAttributesChanged(changed_attributes=changed, participant=view)
    if new.permissions is not None and new.permissions != old.permissions:
        if participant is model.local:
            model.withdraw_forbidden()
        yield ParticipantPermissionsChanged(participant=view, permissions=new.permissions)


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> Mapping[str, str]:
    """What *new* sets, and what it lacks as empty."""
    removed = dict.fromkeys(old.keys() - new.keys(), "")
    return MappingProxyType({key: value for key, value in new.items() if old.get(key) != value} | removed)


def participant_metadata_changed(model: Model, message: native.ParticipantMetadataChanged) -> Iterator[RoomEvent]:
    participant = model.find(message.participant_identity)
    if participant is not None:
        yield from _update(model, participant, attrs.evolve(participant.info, metadata=message.metadata))


def participant_name_changed(model: Model, message: native.ParticipantNameChanged) -> Iterator[RoomEvent]:
    participant = model.find(message.participant_identity)
    if participant is not None:
        yield from _update(model, participant, attrs.evolve(participant.info, name=message.name))


def participant_attributes_changed(model: Model, message: native.ParticipantAttributesChanged) -> Iterator[RoomEvent]:
    # The event's own list of changes is not read: ours tells the same, also if an earlier event was lost.
    participant = model.find(message.participant_identity)
    if participant is not None:
        attributes = _convert.attributes(message.attributes)
        yield from _update(model, participant, attrs.evolve(participant.info, attributes=attributes))


def participant_permission_changed(model: Model, message: native.ParticipantPermissionChanged) -> Iterator[RoomEvent]:
    participant = model.find(message.participant_identity)
    if participant is not None:
        permissions = _convert.permissions(message.permission) if message.HasField("permission") else None
        yield from _update(model, participant, attrs.evolve(participant.info, permissions=permissions))


def _update(model: Model, participant: LocalFacts | RemoteFacts, info: ParticipantInfo) -> Iterator[RoomEvent]:
    old = participant.info
    yield from _replace_info(model, participant, info)
    if participant.info == old:
        model.count("unchanged")


def participant_encryption_status_changed(
    model: Model, message: native.ParticipantEncryptionStatusChanged
) -> Iterator[RoomEvent]:
    participant = model.find(message.participant_identity)
    if participant is None:
        return
    if participant.encrypted == message.is_encrypted:
        model.count("unchanged")
        return
    participant.encrypted = message.is_encrypted
    yield ParticipantEncryptionStatusChanged(participant=participant.view, is_encrypted=message.is_encrypted)


def connection_quality_changed(model: Model, message: native.ConnectionQualityChanged) -> Iterator[RoomEvent]:
    participant = model.find(message.participant_identity)
    if participant is None:
        return
    quality = ConnectionQuality(message.quality)
    if participant.quality == quality:
        model.count("unchanged")
        return
    participant.quality = quality
    yield ConnectionQualityChanged(participant=participant.view, quality=quality)


def active_speakers_changed(model: Model, message: native.ActiveSpeakersChanged) -> Iterator[RoomEvent]:
    speaking = [
        model.find(identity) for identity in reversed(message.participant_identities)
    ]  # natively the softest first
    known = list(dict.fromkeys(participant for participant in speaking if participant is not None))
    for participant in (model.local, *model.remotes.values()):
        participant.speaking = participant in known
    model.speakers = tuple(participant.view for participant in known)
    yield ActiveSpeakersChanged(speakers=model.speakers)


def e2ee_state_changed(model: Model, message: native.E2eeStateChanged) -> Iterator[RoomEvent]:
    participant = model.find(message.participant_identity)
    view = None if participant is None else participant.view
    yield E2eeStateChanged(participant=view, state=EncryptionState(message.state))


HANDLERS: Final[Mapping[str, Handler]] = {
    "participant_connected": participant_connected,
    "participant_disconnected": participant_disconnected,
    "participant_active": participant_active,
    "participants_updated": participants_updated,
    "participant_metadata_changed": participant_metadata_changed,
    "participant_name_changed": participant_name_changed,
    "participant_attributes_changed": participant_attributes_changed,
    "participant_permission_changed": participant_permission_changed,
    "participant_encryption_status_changed": participant_encryption_status_changed,
    "connection_quality_changed": connection_quality_changed,
    "active_speakers_changed": active_speakers_changed,
    "e2ee_state_changed": e2ee_state_changed,
}
