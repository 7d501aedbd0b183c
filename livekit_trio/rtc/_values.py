"""Small values that events and properties carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@attrs.frozen(kw_only=True)
class ParticipantPermission:
    """What the server lets a participant do.

    Attributes:
        can_subscribe: receive others' tracks.
        can_publish: publish tracks.
        can_publish_data: send data packets, data streams and RPCs.
        hidden: be in the room unseen.
        can_publish_sources: the sources it may publish; empty: all of them.
        can_update_metadata: change its own metadata, name and attributes.
        can_subscribe_metrics: receive metrics.
        can_manage_agent_session: manage an agent session.
    """

    can_subscribe: bool
    can_publish: bool
    can_publish_data: bool
    hidden: bool
    can_publish_sources: tuple[TrackSource, ...]
    can_update_metadata: bool
    can_subscribe_metrics: bool
    can_manage_agent_session: bool

    def why_not(self, source: TrackSource) -> str | None:
        """What speaks against publishing a track of *source*; None: nothing."""
        if not self.can_publish:
            return "no permission to publish"
        if self.can_publish_sources and source not in self.can_publish_sources:
            allowed = ", ".join(allowed.name for allowed in self.can_publish_sources)
            return f"no permission to publish {source.name}, only {allowed}"
        return None


@attrs.frozen
class ServerSender:
    """The server API, or a participant of whom the server has not told us yet: the packet names nobody.

    What a participant sends before it was announced, up to 3 s after it joined, arrives without its identity, just as what the
    server sends does. So this is no proof that the server API sent it: never grant anything on the strength of it.
    """


@attrs.frozen
class UnknownSender:
    """A sender that is not in the room as far as we know (yet, or any more).

    Attributes:
        identity: the identity that the message names.
    """

    identity: str


@attrs.frozen(kw_only=True)
class TranscriptionSegment:
    """A piece of what somebody said.

    Attributes:
        id: a later segment of the same id replaces this one.
        text: the words.
        start_time: when they began, in milliseconds; 0 if the transcriber does not say.
        end_time: when they ended, in milliseconds; 0 if the transcriber does not say.
        final: whether no better version of this segment will come.
        language: such as ``en``; may be empty.
    """

    id: str
    text: str
    start_time: int = 0
    end_time: int = 0
    final: bool = True
    language: str = ""


@attrs.frozen(kw_only=True)
class Transcription:
    """What somebody said, heard on one track.

    Attributes:
        participant_identity: who speaks.
        track_sid: the track that it was heard on.
        segments: the words.
    """

    participant_identity: str
    track_sid: str
    segments: tuple[TranscriptionSegment, ...] = attrs.field(converter=tuple)


@attrs.frozen(kw_only=True)
class ChatMessage:
    """A message of the chat protocol.

    Attributes:
        id: an edited message keeps it.
        timestamp: when it was sent, in milliseconds since 1970.
        message: the text.
        edit_timestamp: when it was edited, in milliseconds since 1970; None if it was not.
        deleted: whether its author took it back.
        generated: whether a program wrote it.
    """

    id: str
    timestamp: int
    message: str
    edit_timestamp: int | None = None
    deleted: bool = False
    generated: bool = False


@attrs.frozen(kw_only=True)
class RoomInfo:
    """What the server says about a room."""

    sid: str
    name: str
    metadata: str
    empty_timeout: int
    departure_timeout: int
    max_participants: int
    creation_time: int
    num_participants: int
    num_publishers: int
    is_recording: bool


@attrs.frozen(kw_only=True)
class ParticipantInfo:
    """What the server says about a participant."""

    sid: str
    identity: str
    name: str
    metadata: str
    attributes: Mapping[str, str]
    kind: ParticipantKind
    kind_details: tuple[ParticipantKindDetail, ...]
    state: ParticipantState
    joined_at_ms: int
    permissions: ParticipantPermission | None
    disconnect_reason: DisconnectReason
    client_protocol: int


@attrs.frozen(kw_only=True)
class PublicationInfo:
    """What the server says about a published track."""

    sid: str
    name: str
    kind: TrackKind
    source: TrackSource
    simulcasted: bool
    width: int
    height: int
    mime_type: str
    muted: bool
    encryption_type: EncryptionType
    audio_features: tuple[AudioTrackFeature, ...]
    frame_metadata_features: tuple[FrameMetadataFeature, ...]
