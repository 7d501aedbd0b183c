"""Native events about publications and tracks, others' and our own, and about data tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._guard import make
from . import _convert
from ._data_track import DataTrackFacts
from ._enums import StreamState, TrackKind
from ._events import (
    DataTrackPublished,
    LocalTrackPublished,
    LocalTrackRepublished,
    LocalTrackSubscribed,
    LocalTrackUnpublished,
    TrackPublished,
    TrackSubscribed,
    TrackSubscriptionFailed,
)
from ._model import refresh_publications
from ._track import RemoteAudioTrack, RemoteVideoTrack, TrackFacts, facts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ._convert import native
    from ._events import RoomEvent
    from ._model import Handler, Model
    from ._publication import LocalPublicationFacts

TRACK_CLASSES: Final = {TrackKind.KIND_AUDIO: RemoteAudioTrack, TrackKind.KIND_VIDEO: RemoteVideoTrack}


# ---- others' tracks


def track_published(model: Model, message: native.TrackPublished) -> Iterator[RoomEvent]:
    remote = model.find_remote(message.participant_identity)
    if remote is None:
        model.discard(message, "dropped")
        return
    known = remote.publications.get(message.publication.info.sid)
    if known is not None:
        model.count("duplicate")
        model.link.drop(known.handle)
        known.handle = message.publication.handle.id
        info = _convert.publication_info(message.publication.info)
        yield from model.set_muted(remote, known, info.muted)
        known.info = info
        return
    publication = model.add_publication(remote, message.publication)
    if not model.local.reconnecting:  # which would swallow it; it is said when that is over
        model.repeat_wish(publication)
    yield TrackPublished(publication=publication.view, participant=remote.view)


def track_unpublished(model: Model, message: native.TrackUnpublished) -> Iterator[RoomEvent]:
    found = model.find_publication(message.participant_identity, message.publication_sid)
    if found is not None:
        yield from model.end_publication(*found)


def track_subscribed(model: Model, message: native.TrackSubscribed) -> Iterator[RoomEvent]:
    owned = message.track
    found = model.find_publication(message.participant_identity, owned.info.sid)
    cls = TRACK_CLASSES.get(TrackKind(owned.info.kind))
    if found is None or cls is None:
        model.discard(message, "dropped")
        return
    remote, publication = found
    yield from model.end_subscription(remote, publication)
    facts = TrackFacts(
        handle=owned.handle.id,
        sid=owned.info.sid,
        name=owned.info.name,
        kind=TrackKind(owned.info.kind),
        muted=publication.info.muted,
        stream_state=StreamState(owned.info.stream_state),
        publisher=message.participant_identity,
    )
    track = make(cls, facts, model.link)
    publication.track = track
    publication.enabled = True
    if not publication.desired:
        # When we are back the server subscribes us to everything once more; or it has let us have it as we changed our mind.
        model.tell_wish(publication)
    remote.tell_watchers()
    yield TrackSubscribed(track=track, publication=publication.view, participant=remote.view)


def track_unsubscribed(model: Model, message: native.TrackUnsubscribed) -> Iterator[RoomEvent]:
    found = model.find_publication(message.participant_identity, message.track_sid)
    if found is None:
        return
    if found[1].track is None:
        model.count("duplicate")
    yield from model.end_subscription(*found)


def track_subscription_failed(model: Model, message: native.TrackSubscriptionFailed) -> Iterator[RoomEvent]:
    remote = model.find_remote(message.participant_identity)
    if remote is None:
        return
    publication = remote.publications.get(message.track_sid)
    if publication is not None:
        publication.failures += 1
        publication.failure = message.error
    yield TrackSubscriptionFailed(participant=remote.view, track_sid=message.track_sid, error=message.error)


def track_muted(model: Model, message: native.TrackMuted) -> Iterator[RoomEvent]:
    return _set_muted(model, message.participant_identity, message.track_sid, True)


def track_unmuted(model: Model, message: native.TrackUnmuted) -> Iterator[RoomEvent]:
    return _set_muted(model, message.participant_identity, message.track_sid, False)


def _set_muted(model: Model, identity: str, sid: str, muted: bool) -> Iterator[RoomEvent]:
    participant = model.find(identity)
    if participant is None:
        return
    publication = participant.publications.get(sid)
    if publication is None:
        model.count("unknown publication")
        return
    if publication.info.muted == muted:
        model.count("duplicate")  # a mute by the server comes twice
    yield from model.set_muted(participant, publication, muted)


# ---- data tracks


def data_track_published(model: Model, message: native.DataTrackPublished) -> Iterator[RoomEvent]:
    owned = message.track
    known = model.data_tracks.get(owned.info.sid)
    if known is not None:
        model.count("duplicate")
        model.link.drop(known.handle)
        known.handle = owned.handle.id
        return
    identity = owned.publisher_identity
    schema = _convert.data_track_schema(owned.info.schema) if owned.info.HasField("schema") else None
    encoding = _convert.data_track_frame_encoding(owned.info)
    track = DataTrackFacts(
        owned.handle.id,
        owned.info.sid,
        owned.info.name,
        identity,
        owned.info.uses_e2ee,
        model.link,
        schema,
        encoding,
    )
    model.data_tracks[track.sid] = track
    model.refresh_data_tracks(identity)
    yield DataTrackPublished(track=track.view)


def data_track_unpublished(model: Model, message: native.DataTrackUnpublished) -> Iterator[RoomEvent]:
    track = model.data_tracks.get(message.sid)
    if track is None:
        model.count("unknown data track")
        return
    yield model.end_data_track(track)


# ---- our own tracks


def local_track_published(model: Model, message: native.LocalTrackPublished) -> Iterator[RoomEvent]:
    publication = _find_local(model, message.track_sid, local_track_published, message)
    if publication is None:
        return
    if publication.announced:
        model.count("duplicate")
        return
    publication.announced = True
    yield LocalTrackPublished(publication=publication.view, track=publication.track)


def local_track_subscribed(model: Model, message: native.LocalTrackSubscribed) -> Iterator[RoomEvent]:
    publication = _find_local(model, message.track_sid, local_track_subscribed, message)
    if publication is None:
        return
    publication.subscribed = True
    yield LocalTrackSubscribed(track=publication.track, publication=publication.view)


def local_track_unpublished(model: Model, message: native.LocalTrackUnpublished) -> Iterator[RoomEvent]:
    publication = _find_local(model, message.publication_sid, local_track_unpublished, message)
    if publication is not None:
        yield _end_local(model, publication)


def _end_local(model: Model, publication: LocalPublicationFacts) -> RoomEvent:
    del model.local.publications[publication.info.sid]
    refresh_publications(model.local)
    publication.gone = True
    track = facts_of(publication.track)
    if track.sid == publication.info.sid:  # it may have been published again meanwhile
        track.published = False
    model.link.drop(publication.handle)
    return LocalTrackUnpublished(publication=publication.view)


def end_withdrawn(model: Model) -> Iterator[RoomEvent]:
    """The connection is back: end what was to be unpublished while it was lost.

    If the native side was asked as it was about to be lost, it has taken the track off its list, and so does not publish it
    again, but says neither that, nor always answers. Asked a little later it panics (0.13.2, measured), so it is asked now.
    """
    for publication in list(model.local.publications.values()):
        if publication.asked:
            yield _end_local(model, publication)
            publication.stop_waits()
        elif publication.withdrawn:
            model.withdraw(publication)


def local_track_republished(model: Model, message: native.LocalTrackRepublished) -> Iterator[RoomEvent]:
    handle, info = message.publication_handle, _convert.publication_info(message.info)
    publications = model.local.publications
    publication = publications.get(message.previous_sid)
    if publication is None or publications.get(info.sid, publication) is not publication:
        model.count("unknown publication")
        if all(known.handle != handle for known in publications.values()):
            model.link.drop(handle)
        return
    if publication.handle != handle:  # 0.13.2 gives another one, though it means to keep it (tests/recordings)
        model.link.drop(publication.handle)
        publication.handle = handle
    del publications[message.previous_sid]
    publication.info = info
    facts_of(publication.track).sid = info.sid
    publications[info.sid] = publication
    refresh_publications(model.local)
    publication.asked = False
    publication.stop_waits()
    yield LocalTrackRepublished(publication=publication.view, previous_sid=message.previous_sid)


def _find_local(model: Model, sid: str, handler: Handler, message: object) -> LocalPublicationFacts | None:
    """One of our publications; if there is none (yet), the event waits for it.

    The publishing task adds it when it runs, which may be after the events that followed the reply.
    """
    publication = model.local.publications.get(sid)
    if publication is None:
        model.count("deferred")
        model.early.append((sid, handler, message))
    return publication


HANDLERS: Final[Mapping[str, Handler]] = {
    "track_published": track_published,
    "track_unpublished": track_unpublished,
    "track_subscribed": track_subscribed,
    "track_unsubscribed": track_unsubscribed,
    "track_subscription_failed": track_subscription_failed,
    "track_muted": track_muted,
    "track_unmuted": track_unmuted,
    "data_track_published": data_track_published,
    "data_track_unpublished": data_track_unpublished,
    "local_track_published": local_track_published,
    "local_track_subscribed": local_track_subscribed,
    "local_track_unpublished": local_track_unpublished,
    "local_track_republished": local_track_republished,
}
