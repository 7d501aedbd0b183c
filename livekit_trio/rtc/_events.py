"""What happens in a room: one frozen class for each kind of event, and `RoomEvent`, their union.

An event carries the facts of its moment and references to live objects, which may be further on when it is read. The room's
state has changed before the event is delivered. Names and fields are those of the official SDK's callbacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._data_track import RemoteDataTrack
    from ._enums import ConnectionQuality, ConnectionState, DataPacketKind, DisconnectReason, EncryptionState
    from ._local_participant import LocalParticipant
    from ._participant import RemoteParticipant
    from ._publication import LocalTrackPublication, RemoteTrackPublication
    from ._track import LocalTrack, RemoteTrack
    from ._values import ChatMessage, ParticipantPermission, ServerSender, TranscriptionSegment, UnknownSender

    AnyParticipant: TypeAlias = LocalParticipant | RemoteParticipant
    AnyPublication: TypeAlias = LocalTrackPublication | RemoteTrackPublication
    Sender: TypeAlias = RemoteParticipant | ServerSender | UnknownSender


# ---- the connection


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


# ---- participants


@attrs.frozen(kw_only=True)
class ParticipantConnected:
    """Somebody joined. What it publishes is reported next.

    Attributes:
        participant: who.
    """

    participant: RemoteParticipant


@attrs.frozen(kw_only=True)
class ParticipantActive:
    """Somebody's media connection is up: it can receive tracks and data from now on.

    Attributes:
        participant: who.
    """

    participant: RemoteParticipant


@attrs.frozen(kw_only=True)
class ParticipantDisconnected:
    """Somebody left. The end of what it had published has been reported just before.

    Attributes:
        participant: who; not among the room's participants any more.
        reason: why; UNKNOWN_REASON if the server did not say.
    """

    participant: RemoteParticipant
    reason: DisconnectReason


@attrs.frozen(kw_only=True)
class ParticipantMetadataChanged:
    """A participant's metadata changed.

    Attributes:
        participant: whose; may be ourselves.
        old_metadata: what it was.
        new_metadata: what it became.
    """

    participant: AnyParticipant
    old_metadata: str
    new_metadata: str


@attrs.frozen(kw_only=True)
class ParticipantNameChanged:
    """A participant's name changed.

    Attributes:
        participant: whose; may be ourselves.
        old_name: what it was.
        new_name: what it became.
    """

    participant: AnyParticipant
    old_name: str
    new_name: str


@attrs.frozen(kw_only=True)
class ParticipantAttributesChanged:
    """Some of a participant's attributes changed.

    Attributes:
        changed_attributes: the changed ones; a removed one has an empty value.
        participant: whose; may be ourselves. Its `attributes` are all of them.
    """

    changed_attributes: Mapping[str, str]
    participant: AnyParticipant


@attrs.frozen(kw_only=True)
class ParticipantPermissionsChanged:
    """What a participant may do changed.

    Attributes:
        participant: who; may be ourselves.
        permissions: what it may do now.
    """

    participant: AnyParticipant
    permissions: ParticipantPermission


@attrs.frozen(kw_only=True)
class ParticipantEncryptionStatusChanged:
    """A participant began or ceased to encrypt all that it sends end to end.

    Attributes:
        participant: who; may be ourselves.
        is_encrypted: whether all it has published, and all data seen from it, is encrypted.
    """

    participant: AnyParticipant
    is_encrypted: bool


@attrs.frozen(kw_only=True)
class ConnectionQualityChanged:
    """The server's opinion of a participant's connection changed.

    Attributes:
        participant: whose; may be ourselves.
        quality: how good it is now.
    """

    participant: AnyParticipant
    quality: ConnectionQuality


@attrs.frozen(kw_only=True)
class ActiveSpeakersChanged:
    """Some began or ceased to speak, or speak louder or softer.

    The server reports changes, and the native library leaves out of them who ceased to speak. So this is who is known to
    speak now; somebody who goes on at the same level may be missing.

    Attributes:
        speakers: the loudest first; may contain ourselves.
    """

    speakers: tuple[AnyParticipant, ...]


# ---- tracks of others


@attrs.frozen(kw_only=True)
class TrackPublished:
    """Somebody offers a track.

    Attributes:
        publication: the offer; not subscribed to yet.
        participant: who.
    """

    publication: RemoteTrackPublication
    participant: RemoteParticipant


@attrs.frozen(kw_only=True)
class TrackUnpublished:
    """Somebody does not offer a track any more.

    Attributes:
        publication: the offer.
        participant: who.
    """

    publication: RemoteTrackPublication
    participant: RemoteParticipant


@attrs.frozen(kw_only=True)
class TrackSubscribed:
    """The media of a track begins to arrive.

    Attributes:
        track: the track, a new object for each subscription.
        publication: its publication.
        participant: who publishes it.
    """

    track: RemoteTrack
    publication: RemoteTrackPublication
    participant: RemoteParticipant


@attrs.frozen(kw_only=True)
class TrackUnsubscribed:
    """The media of a track does not arrive any more.

    Attributes:
        track: the track; it has ended.
        publication: its publication; it may be subscribed to again while it is published.
        participant: who publishes it.
    """

    track: RemoteTrack
    publication: RemoteTrackPublication
    participant: RemoteParticipant


@attrs.frozen(kw_only=True)
class TrackSubscriptionFailed:
    """Media arrived, but the publication it belongs to did not, within 5 s.

    Attributes:
        participant: who sends it.
        track_sid: the track's SID.
        error: the native library's words.
    """

    participant: RemoteParticipant
    track_sid: str
    error: str


@attrs.frozen(kw_only=True)
class TrackMuted:
    """A track was muted, by its publisher or by the server.

    Attributes:
        participant: who publishes it; may be ourselves.
        publication: the track's publication.
    """

    participant: AnyParticipant
    publication: AnyPublication


@attrs.frozen(kw_only=True)
class TrackUnmuted:
    """A track is not muted any more.

    Attributes:
        participant: who publishes it; may be ourselves.
        publication: the track's publication.
    """

    participant: AnyParticipant
    publication: AnyPublication


@attrs.frozen(kw_only=True)
class E2eeStateChanged:
    """The end-to-end encryption of one of a participant's tracks is in another state.

    Attributes:
        participant: who; None if it is not in the room as far as we know.
        state: the state.
    """

    participant: AnyParticipant | None
    state: EncryptionState


@attrs.frozen(kw_only=True)
class DataTrackPublished:
    """Somebody offers a data track.

    Attributes:
        track: the data track; its publisher may not be known here yet.
    """

    track: RemoteDataTrack


@attrs.frozen(kw_only=True)
class DataTrackUnpublished:
    """Somebody does not offer a data track any more.

    Attributes:
        sid: its SID.
        track: the data track.
    """

    sid: str
    track: RemoteDataTrack


# ---- our own tracks


@attrs.frozen(kw_only=True)
class LocalTrackPublished:
    """A track of ours is published.

    Attributes:
        publication: its publication.
        track: the track.
    """

    publication: LocalTrackPublication
    track: LocalTrack


@attrs.frozen(kw_only=True)
class LocalTrackUnpublished:
    """A track of ours is not published any more; leaving the room unpublishes all of them.

    Attributes:
        publication: what was its publication.
    """

    publication: LocalTrackPublication


@attrs.frozen(kw_only=True)
class LocalTrackRepublished:
    """A full reconnect has published a track of ours again. The objects are the same, the SID is another one.

    Attributes:
        publication: its publication.
        previous_sid: the SID that it had before.
    """

    publication: LocalTrackPublication
    previous_sid: str


@attrs.frozen(kw_only=True)
class LocalTrackSubscribed:
    """Somebody has subscribed to a track of ours, for the first time since it was published.

    Attributes:
        track: the track.
        publication: its publication.
    """

    track: LocalTrack
    publication: LocalTrackPublication


# ---- data


@attrs.frozen(kw_only=True)
class DataReceived:
    """A data packet arrived.

    Attributes:
        data: the payload.
        topic: what it is about; empty if its sender gave none.
        kind: whether it was sent reliably.
        sender: who sent it: a participant, the server API, or somebody who is not in the room as far as we know.
    """

    data: bytes
    topic: str
    kind: DataPacketKind
    sender: Sender


@attrs.frozen(kw_only=True)
class SipDtmfReceived:
    """A telephone key was pressed.

    Attributes:
        code: the tone's number.
        digit: the key.
        sender: who pressed it.
    """

    code: int
    digit: str
    sender: Sender


@attrs.frozen(kw_only=True)
class TranscriptionReceived:
    """Somebody's words as text.

    Attributes:
        segments: the words.
        participant: who spoke, if it is in the room as far as we know.
        publication: what was heard, if it is published.
    """

    segments: tuple[TranscriptionSegment, ...]
    participant: AnyParticipant | None
    publication: AnyPublication | None


@attrs.frozen(kw_only=True)
class ChatMessageReceived:
    """A message of the chat protocol, or a new version of one.

    Attributes:
        message: the message.
        sender: who sent it.
    """

    message: ChatMessage
    sender: Sender


@attrs.frozen(kw_only=True)
class DataChannelLowThresholdChanged:
    """The mark below which a data channel counts as drained was set.

    Attributes:
        kind: which of the two channels.
        threshold: the mark, in bytes.
    """

    kind: DataPacketKind
    threshold: int


RoomEvent: TypeAlias = (
    ConnectionStateChanged
    | Reconnecting
    | Reconnected
    | Disconnected
    | TokenRefreshed
    | RoomMetadataChanged
    | RoomUpdated
    | RecordingStatusChanged
    | Moved
    | ParticipantConnected
    | ParticipantActive
    | ParticipantDisconnected
    | ParticipantMetadataChanged
    | ParticipantNameChanged
    | ParticipantAttributesChanged
    | ParticipantPermissionsChanged
    | ParticipantEncryptionStatusChanged
    | ConnectionQualityChanged
    | ActiveSpeakersChanged
    | TrackPublished
    | TrackUnpublished
    | TrackSubscribed
    | TrackUnsubscribed
    | TrackSubscriptionFailed
    | TrackMuted
    | TrackUnmuted
    | E2eeStateChanged
    | DataTrackPublished
    | DataTrackUnpublished
    | LocalTrackPublished
    | LocalTrackUnpublished
    | LocalTrackRepublished
    | LocalTrackSubscribed
    | DataReceived
    | SipDtmfReceived
    | TranscriptionReceived
    | ChatMessageReceived
    | DataChannelLowThresholdChanged
)
