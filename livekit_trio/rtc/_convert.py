"""Between the native library's messages and our values.

The only module of `rtc` that knows the generated messages, and it needs them for type checkers alone: it reads attributes and
makes dicts, which the runtime turns into requests. Nothing here loads protobuf.
"""

from __future__ import annotations

from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import attrs

from .. import __version__
from .._errors import DataTrackErrorKind
from ._data_track_types import DataTrackFrameEncoding, DataTrackSchema, DataTrackSchemaEncoding
from ._enums import (
    AudioTrackFeature,
    DisconnectReason,
    EncryptionType,
    FrameMetadataFeature,
    ParticipantKind,
    ParticipantKindDetail,
    ParticipantState,
    TrackKind,
    TrackSource,
)
from ._stream_info import ByteStreamInfo, TextStreamInfo, TextStreamOperation
from ._values import (
    ChatMessage,
    ParticipantInfo,
    ParticipantPermission,
    PublicationInfo,
    RoomInfo,
    TranscriptionSegment,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from google.protobuf.message import Message

    from .._ffi import _proto as native
    from ._options import E2EEOptions, IceServer, ParticipantTrackPermission, RoomOptions, RtcConfiguration

OTHER_SDKS: Final = f"livekit_trio:{__version__}"
"""How servers list us among a client's SDKs: ``name:version`` (ClientInfo.other_sdks of livekit_models.proto)."""


# ---- from messages


def room_info(message: native.RoomInfo) -> RoomInfo:
    return RoomInfo(
        sid=message.sid,
        name=message.name,
        metadata=message.metadata,
        empty_timeout=message.empty_timeout,
        departure_timeout=message.departure_timeout,
        max_participants=message.max_participants,
        creation_time=message.creation_time,
        num_participants=message.num_participants,
        num_publishers=message.num_publishers,
        is_recording=message.active_recording,
    )


def participant_info(message: native.ParticipantInfo) -> ParticipantInfo:
    return ParticipantInfo(
        sid=message.sid,
        identity=message.identity,
        name=message.name,
        metadata=message.metadata,
        attributes=MappingProxyType(dict(message.attributes)),
        kind=ParticipantKind(message.kind),
        kind_details=tuple(map(ParticipantKindDetail, message.kind_details)),
        state=ParticipantState(message.state),
        joined_at_ms=message.joined_at,
        permissions=permissions(message.permission) if message.HasField("permission") else None,
        disconnect_reason=DisconnectReason(message.disconnect_reason),
        client_protocol=message.client_protocol,
    )


def permissions(message: native.ParticipantPermission) -> ParticipantPermission:
    return ParticipantPermission(
        can_subscribe=message.can_subscribe,
        can_publish=message.can_publish,
        can_publish_data=message.can_publish_data,
        hidden=message.hidden,
        can_publish_sources=tuple(map(TrackSource, message.can_publish_sources)),
        can_update_metadata=message.can_update_metadata,
        can_subscribe_metrics=message.can_subscribe_metrics,
        can_manage_agent_session=message.can_manage_agent_session,
    )


def publication_info(message: native.TrackPublicationInfo) -> PublicationInfo:
    return PublicationInfo(
        sid=message.sid,
        name=message.name,
        kind=TrackKind(message.kind),
        source=TrackSource(message.source),
        simulcasted=message.simulcasted,
        width=message.width,
        height=message.height,
        mime_type=message.mime_type,
        muted=message.muted,
        encryption_type=EncryptionType(message.encryption_type),
        audio_features=tuple(map(AudioTrackFeature, message.audio_features)),
        frame_metadata_features=tuple(map(FrameMetadataFeature, message.frame_metadata_features)),
    )


def attributes(entries: Iterable[native.AttributesEntry]) -> Mapping[str, str]:
    return MappingProxyType({entry.key: entry.value for entry in entries})


def transcription_segment(message: native.TranscriptionSegment) -> TranscriptionSegment:
    return TranscriptionSegment(
        id=message.id,
        text=message.text,
        start_time=message.start_time,
        end_time=message.end_time,
        final=message.final,
        language=message.language,
    )


def data_track_error(error: Any) -> tuple[DataTrackErrorKind, str]:
    """What the four kinds of errors of data tracks have in common."""
    code = error.DESCRIPTOR.fields_by_name["code"].enum_type.values_by_number.get(error.code)
    name = "" if code is None else code.name.partition("ERROR_CODE_")[2].replace("TRACK_UNPUBLISHED", "UNPUBLISHED")
    return DataTrackErrorKind.__members__.get(name, DataTrackErrorKind.OTHER), error.message


def data_track_schema(schema: native.DataTrackSchemaId) -> DataTrackSchema:
    encoding: DataTrackSchemaEncoding | str | None = None
    if schema.HasField("encoding"):
        known = {int(member.value): member for member in DataTrackSchemaEncoding}
        encoding = known.get(schema.encoding.well_known, schema.encoding.custom or None)
    return DataTrackSchema(schema.name, encoding)


def data_track_frame_encoding(info: native.DataTrackInfo) -> DataTrackFrameEncoding | str | None:
    known = {int(member.value): member for member in DataTrackFrameEncoding}
    return known.get(info.frame_encoding.well_known, info.frame_encoding.custom or None)


def data_track_schema_fields(schema: DataTrackSchema) -> dict[str, Any]:
    return {"name": schema.name, "encoding": data_track_encoding_fields(schema.encoding)}


def data_track_encoding_fields(
    encoding: DataTrackSchemaEncoding | DataTrackFrameEncoding | str | None,
) -> dict[str, Any] | None:
    if encoding is None:
        return None
    return {"custom": encoding} if isinstance(encoding, str) else {"well_known": encoding.value}


def transcription_segment_fields(segment: TranscriptionSegment) -> dict[str, Any]:
    return attrs.asdict(segment)


def chat_message_fields(message: ChatMessage) -> dict[str, Any]:
    return attrs.asdict(message)


def chat_message(message: native.ChatMessage) -> ChatMessage:
    return ChatMessage(
        id=message.id,
        timestamp=message.timestamp,
        message=message.message,
        edit_timestamp=message.edit_timestamp if message.HasField("edit_timestamp") else None,
        deleted=message.deleted,
        generated=message.generated,
    )


def text_stream_info(message: native.TextStreamInfo) -> TextStreamInfo:
    return TextStreamInfo(
        **_stream_info(message),
        operation=TextStreamOperation(message.operation_type),
        version=message.version,
        reply_to_id=message.reply_to_stream_id if message.HasField("reply_to_stream_id") else None,
        attachments=tuple(message.attached_stream_ids),
        generated=message.generated,
    )


def byte_stream_info(message: native.ByteStreamInfo) -> ByteStreamInfo:
    return ByteStreamInfo(**_stream_info(message), name=message.name)


def _stream_info(message: native.TextStreamInfo | native.ByteStreamInfo) -> dict[str, Any]:
    return {
        "stream_id": message.stream_id,
        "topic": message.topic,
        "mime_type": message.mime_type,
        "timestamp": message.timestamp,
        "size": message.total_length if message.HasField("total_length") else None,
        "attributes": MappingProxyType(dict(message.attributes)),
        "encryption_type": EncryptionType(message.encryption_type),
    }


_BROUGHT: Final = {
    path.partition(".")[0]: attrgetter(path)
    for path in (
        "participant_connected.info.handle.id",
        "track_published.publication.handle.id",
        "track_subscribed.track.handle.id",
        "data_packet_received.user.data.handle.id",
        "byte_stream_opened.reader.handle.id",
        "text_stream_opened.reader.handle.id",
        "data_track_published.track.handle.id",
        # A plain number, which no generated table knows: 0.13.2 gives a new one after a full reconnect.
        "local_track_republished.publication_handle",
    )
}


def brought_handle(event: native.RoomEvent, kind: str | None) -> int:
    """The handle that a room event hands over, or 0. As `owned_handles`, in a tenth of its time: it is asked of each packet."""
    get = _BROUGHT.get(kind or "")
    return 0 if get is None else get(event)


def owned_handles(message: Message) -> Iterator[int]:
    """Every handle that *message* hands over to its receiver."""
    for field, value in message.ListFields():
        kind = field.message_type
        if field.name == "publication_handle":  # of LocalTrackRepublished, the one that comes bare
            yield value
        if kind is None or kind.GetOptions().map_entry:
            continue
        for inner in (value,) if hasattr(value, "ListFields") else value:
            if kind.name == "FfiOwnedHandle":
                yield inner.id
            else:
                yield from owned_handles(inner)


# ---- to requests


def room_options(options: RoomOptions, *, connect_timeout_ms: int, join_retries: int) -> dict[str, Any]:
    """The RoomOptions message of a ConnectRequest.

    Args:
        options: what the program wants.
        connect_timeout_ms: the native bound for one attempt to reach the server.
        join_retries: the native retries; the program's own are made by `open_room`.
    """
    fields: dict[str, Any] = {
        "auto_subscribe": options.auto_subscribe,
        "adaptive_stream": options.adaptive_stream,
        "dynacast": options.dynacast,
        "join_retries": join_retries,
        "connect_timeout_ms": connect_timeout_ms,
        "other_sdks": OTHER_SDKS,
    }
    if options.encryption is not None:
        fields["encryption"] = _encryption(options.encryption)
    if options.rtc_config is not None:
        fields["rtc_config"] = _rtc_config(options.rtc_config)
    if options.single_peer_connection is not None:
        fields["single_peer_connection"] = options.single_peer_connection
    if options.data_stream is not None and options.data_stream.max_payload_byte_length is not None:
        fields["data_stream"] = {"max_payload_byte_length": options.data_stream.max_payload_byte_length}
    return fields


def track_permission(permission: ParticipantTrackPermission) -> dict[str, Any]:
    """One entry of a SetTrackSubscriptionPermissionsRequest."""
    return {
        "participant_identity": permission.participant_identity,
        "allow_all": permission.allow_all,
        "allowed_track_sids": list(permission.allowed_track_sids),
    }


def _encryption(options: E2EEOptions) -> dict[str, Any]:
    keys = options.key_provider_options
    provider: dict[str, Any] = {
        "ratchet_window_size": keys.ratchet_window_size,
        "ratchet_salt": keys.ratchet_salt,
        "failure_tolerance": keys.failure_tolerance,
        "key_ring_size": keys.key_ring_size,
        "key_derivation_function": int(keys.key_derivation_function),
    }
    if keys.shared_key is not None:
        provider["shared_key"] = keys.shared_key
    return {"encryption_type": int(options.encryption_type), "key_provider_options": provider}


def _rtc_config(config: RtcConfiguration) -> dict[str, Any]:
    return {
        "ice_transport_type": int(config.ice_transport_type),
        "continual_gathering_policy": int(config.continual_gathering_policy),
        "ice_servers": [_ice_server(server) for server in config.ice_servers],
    }


def _ice_server(server: IceServer) -> dict[str, Any]:
    fields: dict[str, Any] = {"urls": list(server.urls)}
    if server.username:
        fields["username"] = server.username
    if server.password:
        fields["password"] = server.password
    return fields
