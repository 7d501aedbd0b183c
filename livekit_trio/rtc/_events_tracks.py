"""Events of tracks and publications, others' and our own, and of data tracks; see `_events`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._event import Event

if TYPE_CHECKING:
    from ._data_track import RemoteDataTrack
    from ._data_tracks import LocalDataTrack
    from ._enums import EncryptionState
    from ._participant import RemoteParticipant
    from ._publication import LocalTrackPublication, RemoteTrackPublication
    from ._track import LocalTrack, RemoteTrack
    from ._unions import AnyParticipant, AnyPublication


class TrackPublished(Event):
    """Somebody offers a track.

    Attributes:
        publication: the offer; not subscribed to yet.
        participant: who.
    """

    publication: RemoteTrackPublication
    participant: RemoteParticipant


class TrackUnpublished(Event):
    """Somebody does not offer a track any more.

    Attributes:
        publication: the offer.
        participant: who.
    """

    publication: RemoteTrackPublication
    participant: RemoteParticipant


class TrackSubscribed(Event):
    """The media of a track begins to arrive.

    Attributes:
        track: the track, a new object for each subscription.
        publication: its publication.
        participant: who publishes it.
    """

    track: RemoteTrack
    publication: RemoteTrackPublication
    participant: RemoteParticipant


class TrackUnsubscribed(Event):
    """The media of a track does not arrive any more.

    Attributes:
        track: the track; it has ended.
        publication: its publication; it may be subscribed to again while it is published.
        participant: who publishes it.
    """

    track: RemoteTrack
    publication: RemoteTrackPublication
    participant: RemoteParticipant


class TrackSubscriptionFailed(Event):
    """Media arrived, but the publication it belongs to did not, within 5 s.

    Attributes:
        participant: who sends it.
        track_sid: the track's SID.
        error: the native library's words.
    """

    participant: RemoteParticipant
    track_sid: str
    error: str


class TrackMuted(Event):
    """A track was muted, by its publisher or by the server.

    Attributes:
        participant: who publishes it; may be ourselves.
        publication: the track's publication.
    """

    participant: AnyParticipant
    publication: AnyPublication


class TrackUnmuted(Event):
    """A track is not muted any more.

    Attributes:
        participant: who publishes it; may be ourselves.
        publication: the track's publication.
    """

    participant: AnyParticipant
    publication: AnyPublication


class E2eeStateChanged(Event):
    """The end-to-end encryption of one of a participant's tracks is in another state.

    Attributes:
        participant: who; None if it is not in the room as far as we know.
        state: the state.
    """

    participant: AnyParticipant | None
    state: EncryptionState


class DataTrackPublished(Event):
    """Somebody offers a data track.

    Attributes:
        track: the data track; its publisher may not be known here yet.
    """

    track: RemoteDataTrack


class DataTrackUnpublished(Event):
    """Somebody does not offer a data track any more.

    Attributes:
        sid: its SID.
        track: the data track.
    """

    sid: str
    track: RemoteDataTrack


# ---- our own tracks


class LocalTrackPublished(Event):
    """A track of ours is published.

    Attributes:
        publication: its publication.
        track: the track.
    """

    publication: LocalTrackPublication
    track: LocalTrack


class LocalTrackUnpublished(Event):
    """A track of ours is not published any more; leaving the room unpublishes all of them.

    Attributes:
        publication: what was its publication.
    """

    publication: LocalTrackPublication


class LocalTrackRepublished(Event):
    """A full reconnect has published a track of ours again. The objects are the same, the SID is another one.

    Attributes:
        publication: its publication.
        previous_sid: the SID that it had before.
    """

    publication: LocalTrackPublication
    previous_sid: str


class LocalTrackSubscribed(Event):
    """Somebody has subscribed to a track of ours, for the first time since it was published.

    Attributes:
        track: the track.
        publication: its publication.
    """

    track: LocalTrack
    publication: LocalTrackPublication


class LocalDataTrackPublished(Event):
    """A data track of ours is published.

    Attributes:
        track: the track.
    """

    track: LocalDataTrack


class LocalDataTrackUnpublished(Event):
    """A data track of ours is not published any more: we have withdrawn it.

    Attributes:
        track: the track.
    """

    track: LocalDataTrack
