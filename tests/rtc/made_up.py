"""Native events of every kind from a small world, so that they hit each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from hypothesis import strategies as st

from livekit_trio._ffi import _proto as native
from livekit_trio.rtc._room_state import HANDLERS, RoomState

if TYPE_CHECKING:
    from collections.abc import Callable

    from .native import Native

IDENTITIES = ("me", "bob", "eve", "bert", "alice", "")
SIDS = ("TR_0", "TR_1", "TR_2", "TR_3")


@attrs.frozen
class Spec:
    """Enough to make an event of any kind."""

    kind: str
    identity: str
    sid: str
    number: int
    flag: bool


specs: st.SearchStrategy[Spec] = st.builds(
    Spec,
    st.sampled_from(sorted(HANDLERS)),
    st.sampled_from(IDENTITIES),
    st.sampled_from(SIDS),
    st.integers(0, 3),
    st.booleans(),
)


def make_up(new: Native, spec: Spec, state: RoomState) -> native.RoomEvent:
    """The event that *spec* stands for."""
    maker = MAKERS.get(spec.kind, _names)
    fields = maker(new, spec)
    if spec.kind == "local_track_republished":
        known = state._model.local.publications.get(spec.sid)
        fields["publication_handle"] = known.handle if spec.flag and known is not None else new.link.mint()
    return new.event(spec.kind, **fields)


def _names(_new: Native, spec: Spec) -> dict[str, Any]:
    """The fields of the many kinds that name a participant, a track, or both."""
    values = {"participant_identity": spec.identity, "track_sid": spec.sid, "publication_sid": spec.sid}
    descriptor = getattr(native.RoomEvent(), spec.kind).DESCRIPTOR
    return {field.name: values[field.name] for field in descriptor.fields}


def _info(new: Native, spec: Spec) -> native.ParticipantInfo:
    attributes = {"k": str(spec.number)} if spec.flag else {}
    facts: dict[str, Any] = {"name": str(spec.number % 2), "metadata": str(spec.flag), "attributes": attributes}
    if spec.number == 2:
        facts["permission"] = None
    return new.participant_info(spec.identity, sid=f"PA_{spec.number}", state=spec.number, **facts)


def _participant(new: Native, spec: Spec) -> dict[str, Any]:
    return {"info": native.OwnedParticipant(handle=new.handle(), info=_info(new, spec))}


def _packet(new: Native, spec: Spec) -> dict[str, Any]:
    fields: dict[str, Any] = {"kind": int(spec.flag), "participant_identity": spec.identity}
    if spec.number == 1:
        fields["sip_dtmf"] = native.SipDTMF(code=1)
    elif spec.number > 1:
        buffer = native.OwnedBuffer(handle=new.handle(), data=native.BufferInfo(data_ptr=1, data_len=2))
        fields["user"] = native.UserPacket(data=buffer)
    return fields


def _text(new: Native, spec: Spec) -> dict[str, Any]:
    info = native.TextStreamInfo(stream_id="", timestamp=0, mime_type="", topic="", operation_type=0, encryption_type=0)
    reader = native.OwnedTextStreamReader(handle=new.handle(), info=info)
    return {"reader": reader, "participant_identity": spec.identity}


def _bytes(new: Native, spec: Spec) -> dict[str, Any]:
    info = native.ByteStreamInfo(stream_id="", timestamp=0, mime_type="", topic="", name="", encryption_type=0)
    reader = native.OwnedByteStreamReader(handle=new.handle(), info=info)
    return {"reader": reader, "participant_identity": spec.identity}


def _room(new: Native, spec: Spec) -> dict[str, Any]:
    info = new.room_info(metadata=str(spec.number), name=str(spec.flag), active_recording=spec.flag)
    return {field.name: value for field, value in info.ListFields()}


MAKERS: dict[str, Callable[[Native, Spec], dict[str, Any]]] = {
    "participant_connected": _participant,
    "participant_disconnected": lambda _new, spec: {
        "participant_identity": spec.identity,
        "disconnect_reason": spec.number if spec.flag else 0,
    },
    "participants_updated": lambda new, spec: {
        "participants": [_info(new, spec), new.participant_info("eve", name=str(spec.number))]
    },
    "participant_metadata_changed": lambda _new, spec: {
        "participant_identity": spec.identity,
        "metadata": str(spec.number),
    },
    "participant_name_changed": lambda _new, spec: {
        "participant_identity": spec.identity,
        "name": str(spec.number),
    },
    "participant_attributes_changed": lambda _new, spec: {
        "participant_identity": spec.identity,
        "attributes": [native.AttributesEntry(key=str(spec.number), value="v")],
    },
    "participant_permission_changed": lambda new, spec: {
        "participant_identity": spec.identity,
        **({"permission": new.permissions(can_publish=spec.flag)} if spec.number else {}),
    },
    "participant_encryption_status_changed": lambda _new, spec: {
        "participant_identity": spec.identity,
        "is_encrypted": spec.flag,
    },
    "connection_quality_changed": lambda _new, spec: {
        "participant_identity": spec.identity,
        "quality": spec.number,
    },
    "active_speakers_changed": lambda _new, spec: {
        "participant_identities": [spec.identity, *IDENTITIES[: spec.number + 1]]
    },
    "e2ee_state_changed": lambda _new, spec: {
        "participant_identity": spec.identity,
        "state": spec.number,
    },
    "connection_state_changed": lambda _new, spec: {"state": 1 + spec.number % 2},
    # not the end: the machine has a rule for that
    "disconnected": lambda _new, _spec: {"reason": 0},
    "track_published": lambda new, spec: {
        "participant_identity": spec.identity,
        "publication": new.publication(spec.sid, muted=spec.flag),
    },
    "track_subscribed": lambda new, spec: {
        "participant_identity": spec.identity,
        "track": new.track(spec.sid, spec.number % 3),
    },
    "track_subscription_failed": lambda _new, spec: {
        "participant_identity": spec.identity,
        "track_sid": spec.sid,
        "error": "e",
    },
    "data_track_published": lambda new, spec: {"track": new.data_track(f"DTR_{spec.number}", spec.identity)},
    "data_track_unpublished": lambda _new, spec: {"sid": f"DTR_{spec.number}"},
    "local_track_republished": lambda new, spec: {
        "previous_sid": spec.sid,
        "info": new.publication_info(SIDS[spec.number]),
    },
    "room_metadata_changed": lambda _new, spec: {"metadata": str(spec.number)},
    "room_sid_changed": lambda _new, spec: {"sid": f"RM_{spec.number}"},
    "room_updated": _room,
    "moved": _room,
    "token_refreshed": lambda _new, _spec: {"token": "t"},
    "data_channel_low_threshold_changed": lambda _new, spec: {"kind": 0, "threshold": spec.number},
    "data_packet_received": _packet,
    "chat_message": lambda _new, spec: {
        "message": native.ChatMessage(id="c", timestamp=0, message="m"),
        "participant_identity": spec.identity,
    },
    "transcription_received": lambda _new, spec: {
        "participant_identity": spec.identity,
        "track_sid": spec.sid,
    },
    "stream_header_received": lambda _new, spec: {
        "participant_identity": spec.identity,
        "header": native.DataStream.Header(stream_id=spec.sid, timestamp=0, mime_type="", topic=""),
    },
    "stream_chunk_received": lambda _new, spec: {
        "participant_identity": spec.identity,
        "chunk": native.DataStream.Chunk(stream_id=spec.sid, chunk_index=spec.number, content=b"c"),
    },
    "stream_trailer_received": lambda _new, spec: {
        "participant_identity": spec.identity,
        "trailer": native.DataStream.Trailer(stream_id=spec.sid, reason=""),
    },
    "text_stream_opened": _text,
    "byte_stream_opened": _bytes,
}


def remint(new: Native, message: Any) -> None:
    """Give every owned handle in there a number of its own, as the native library does also for what it says twice."""
    if isinstance(message, native.FfiOwnedHandle):
        message.id = new.link.mint()
        return
    for field, value in message.ListFields():
        if field.name == "publication_handle":
            message.publication_handle = new.link.mint()
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for inner in (value,) if hasattr(value, "ListFields") else value:
                remint(new, inner)
