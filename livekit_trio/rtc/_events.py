"""What happens in a room: one frozen class for each kind of event, and `RoomEvent`, their union.

An event carries the facts of its moment and references to live objects, which may be further on when it is read. The room's
state has changed before the event is delivered. Names and fields are those of the official SDK's callbacks.
"""

from __future__ import annotations

from typing import TypeAlias

from ._events_data import (
    ChatMessageReceived as ChatMessageReceived,
    DataChannelLowThresholdChanged as DataChannelLowThresholdChanged,
    DataReceived as DataReceived,
    SipDtmfReceived as SipDtmfReceived,
    TranscriptionReceived as TranscriptionReceived,
)
from ._events_participants import (
    ActiveSpeakersChanged as ActiveSpeakersChanged,
    ConnectionQualityChanged as ConnectionQualityChanged,
    ParticipantActive as ParticipantActive,
    ParticipantAttributesChanged as ParticipantAttributesChanged,
    ParticipantConnected as ParticipantConnected,
    ParticipantDisconnected as ParticipantDisconnected,
    ParticipantEncryptionStatusChanged as ParticipantEncryptionStatusChanged,
    ParticipantMetadataChanged as ParticipantMetadataChanged,
    ParticipantNameChanged as ParticipantNameChanged,
    ParticipantPermissionsChanged as ParticipantPermissionsChanged,
)
from ._events_room import (
    ConnectionStateChanged as ConnectionStateChanged,
    Disconnected as Disconnected,
    Moved as Moved,
    Reconnected as Reconnected,
    Reconnecting as Reconnecting,
    RecordingStatusChanged as RecordingStatusChanged,
    RoomMetadataChanged as RoomMetadataChanged,
    RoomUpdated as RoomUpdated,
    TokenRefreshed as TokenRefreshed,
)
from ._events_tracks import (
    DataTrackPublished as DataTrackPublished,
    DataTrackUnpublished as DataTrackUnpublished,
    E2eeStateChanged as E2eeStateChanged,
    LocalDataTrackPublished as LocalDataTrackPublished,
    LocalDataTrackUnpublished as LocalDataTrackUnpublished,
    LocalTrackPublished as LocalTrackPublished,
    LocalTrackRepublished as LocalTrackRepublished,
    LocalTrackSubscribed as LocalTrackSubscribed,
    LocalTrackUnpublished as LocalTrackUnpublished,
    TrackMuted as TrackMuted,
    TrackPublished as TrackPublished,
    TrackSubscribed as TrackSubscribed,
    TrackSubscriptionFailed as TrackSubscriptionFailed,
    TrackUnmuted as TrackUnmuted,
    TrackUnpublished as TrackUnpublished,
    TrackUnsubscribed as TrackUnsubscribed,
)
from ._unions import AnyParticipant as AnyParticipant

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
    | LocalDataTrackPublished
    | LocalDataTrackUnpublished
    | DataReceived
    | SipDtmfReceived
    | TranscriptionReceived
    | ChatMessageReceived
    | DataChannelLowThresholdChanged
)
