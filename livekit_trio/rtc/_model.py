"""The room as the reducer knows it: the records, and the few steps that several kinds of events have in common.

Owned here: the native handles of participants, publications, remote tracks and remote data tracks, each dropped once, when its
object goes. A step that is a generator changes the state and yields what is to be said about that.
"""

from __future__ import annotations

from collections import Counter, deque
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from .._errors import NativeRefusalError, RoomClosedError
from . import _convert
from ._enums import ConnectionState, DisconnectReason, EncryptionType, ParticipantState
from ._events import (
    DataTrackUnpublished,
    ParticipantDisconnected,
    TrackMuted,
    TrackUnmuted,
    TrackUnpublished,
    TrackUnsubscribed,
)
from ._hold_back import HoldBack
from ._local_participant import LocalFacts
from ._participant import RemoteFacts
from ._publication import LocalPublicationFacts, RemotePublicationFacts, unpublishing
from ._track import facts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ._convert import native
    from ._data_track import DataTrackFacts
    from ._events import RoomEvent
    from ._link import RoomLink
    from ._participant import RemoteParticipant
    from ._unions import AnyParticipant
    from ._values import ParticipantInfo

    Handler: TypeAlias = Callable[["Model", Any], Iterable[RoomEvent]]
    """What to do with one kind of native event: change the model, return what is to be said."""
    StreamHook: TypeAlias = Callable[[str, Any], bool]

MAX_FORMER: Final = 32
"""Unpublished publications that a participant's record keeps, for a full reconnect to bring back."""

MAX_EARLY: Final = 64
"""Events about local publications that wait for the publishing task. Of a publish that was cancelled they wait for nobody."""


class Model:
    """Everything that is known of the room."""

    def __init__(
        self,
        result: native.ConnectCallback.Result,
        link: RoomLink,
        *,
        auto_subscribe: bool,
        on_stream: StreamHook | None,
    ) -> None:
        self.link = link
        self.auto_subscribe = auto_subscribe
        self.on_stream = on_stream
        self.info = _convert.room_info(result.room.info)
        self.state = ConnectionState.CONN_CONNECTED
        self.reason: DisconnectReason | None = None
        self.eos = False
        self.speakers: tuple[AnyParticipant, ...] = ()
        self.held = HoldBack()
        self.counters: Counter[str] = Counter()
        self.kind = "connect"
        self.now = 0.0
        self.data_tracks: dict[str, DataTrackFacts] = {}
        self.early: deque[tuple[str, Handler, Any]] = deque(maxlen=MAX_EARLY)
        local = result.local_participant
        self.local = LocalFacts(local.handle.id, _convert.participant_info(local.info), link)
        self.remotes: dict[str, RemoteFacts] = {}
        self.remote_views: Mapping[str, RemoteParticipant] = MappingProxyType({})
        for entry in result.participants:
            self._add_initial(entry)

    def _add_initial(self, entry: native.ConnectCallback.ParticipantWithTracks) -> None:
        remote = self.add_remote(entry.participant.handle.id, _convert.participant_info(entry.participant.info))
        remote.active_announced = remote.active
        for owned in entry.publications:
            self.add_publication(remote, owned)
        # Reported for later comers; for those who were there before us the native library computes it and tells nobody.
        infos = [publication.info for publication in remote.publications.values()]
        remote.encrypted = bool(infos) and all(info.encryption_type != EncryptionType.NONE for info in infos)

    # ---- counting

    def count(self, why: str) -> None:
        """The event at hand, or a part of it, changes nothing and says nothing."""
        self.counters[f"{self.kind}: {why}"] += 1

    def discard(self, message: Any, why: str) -> None:
        """Count the event at hand and drop what it brought."""
        self.count(why)
        ours = {publication.handle for publication in self.local.publications.values()}  # may come again, republished
        for handle in set(_convert.owned_handles(message)) - ours:
            self.link.drop(handle)

    # ---- looking up

    def find(self, identity: str) -> LocalFacts | RemoteFacts | None:
        """The participant of that identity, counted if there is none."""
        found = self.local if identity == self.local.info.identity else self.remotes.get(identity)
        if found is None:
            self.count("unknown participant")
        return found

    def find_remote(self, identity: str) -> RemoteFacts | None:
        """The remote participant of that identity, counted if there is none."""
        found = self.remotes.get(identity)
        if found is None:
            self.count("unknown participant")
        return found

    def find_publication(self, identity: str, sid: str) -> tuple[RemoteFacts, RemotePublicationFacts] | None:
        """A remote publication and its publisher, counted if there is none."""
        remote = self.find_remote(identity)
        if remote is None:
            return None
        publication = remote.publications.get(sid)
        if publication is None:
            self.count("unknown publication")
            return None
        return remote, publication

    # ---- participants

    def add_remote(self, handle: int, info: ParticipantInfo) -> RemoteFacts:
        remote = RemoteFacts(handle, info, self.link)
        self.remotes[info.identity] = remote
        self._refresh_remotes()
        self.refresh_data_tracks(info.identity)
        return remote

    def leave(self, remote: RemoteFacts, reason: DisconnectReason) -> Iterator[RoomEvent]:
        """Somebody has left for good."""
        identity = remote.info.identity
        yield from self.end_publications(remote)
        for track in [track for track in self.data_tracks.values() if track.publisher_identity == identity]:
            yield self.end_data_track(track)
        del self.remotes[identity]
        self._refresh_remotes()
        self.speakers = tuple(speaker for speaker in self.speakers if speaker is not remote.view)
        remote.gone = True
        remote.speaking = False
        remote.info = attrs.evolve(
            remote.info, state=ParticipantState.PARTICIPANT_STATE_DISCONNECTED, disconnect_reason=reason
        )
        self.link.drop(remote.handle)
        remote.tell_watchers()
        yield ParticipantDisconnected(participant=remote.view, reason=reason)

    def leave_all(self, identities: Iterable[str]) -> Iterator[RoomEvent]:
        """Those whose leaving was held back have left."""
        for identity in identities:
            yield from self.leave(self.remotes[identity], DisconnectReason.UNKNOWN_REASON)

    def _refresh_remotes(self) -> None:
        self.remote_views = MappingProxyType({identity: remote.view for identity, remote in self.remotes.items()})

    # ---- publications and tracks

    def add_publication(self, remote: RemoteFacts, owned: native.OwnedTrackPublication) -> RemotePublicationFacts:
        """Add a publication, or bring back the one that a reconnect had unpublished."""
        info = _convert.publication_info(owned.info)
        publication = remote.former.pop(info.sid, None)
        if publication is None:
            publication = RemotePublicationFacts(owned.handle.id, info, self.link, self.auto_subscribe)
        else:
            publication.handle, publication.info, publication.gone = owned.handle.id, info, False
        remote.publications[info.sid] = publication
        refresh_publications(remote)
        return publication

    def repeat_wish(self, publication: RemotePublicationFacts) -> None:
        """Say again what the program wants of a track, if that is not what the room does by itself.

        With each new connection everything begins anew, in the native library and in the server.
        """
        if publication.desired != self.auto_subscribe:
            self.tell_wish(publication)

    def tell_wish(self, publication: RemotePublicationFacts) -> None:
        """Say what the program wants of a track."""
        try:
            self.link.request("set_subscribed", subscribe=publication.desired, publication_handle=publication.handle)
        except (NativeRefusalError, RoomClosedError):
            self.count("wish not told")

    def repeat_wishes(self) -> None:
        for remote in self.remotes.values():
            for publication in remote.publications.values():
                self.repeat_wish(publication)

    def end_subscription(self, remote: RemoteFacts, publication: RemotePublicationFacts) -> Iterator[RoomEvent]:
        """No media of it will come any more, if any did."""
        track = publication.track
        if track is None:
            return
        publication.track = None
        facts = facts_of(track)
        facts.end()
        self.link.drop(facts.handle)
        yield TrackUnsubscribed(track=track, publication=publication.view, participant=remote.view)

    def end_publication(self, remote: RemoteFacts, publication: RemotePublicationFacts) -> Iterator[RoomEvent]:
        yield from self.end_subscription(remote, publication)
        sid = publication.info.sid
        del remote.publications[sid]
        refresh_publications(remote)
        publication.gone = True
        publication.unpublished += 1
        remote.former[sid] = publication
        if len(remote.former) > MAX_FORMER:
            del remote.former[next(iter(remote.former))]
        self.link.drop(publication.handle)
        yield TrackUnpublished(publication=publication.view, participant=remote.view)

    def end_publications(self, remote: RemoteFacts) -> Iterator[RoomEvent]:
        for publication in list(remote.publications.values()):
            yield from self.end_publication(remote, publication)

    def set_muted(
        self,
        participant: LocalFacts | RemoteFacts,
        publication: LocalPublicationFacts | RemotePublicationFacts,
        muted: bool,
    ) -> Iterator[RoomEvent]:
        if publication.info.muted == muted:
            return
        publication.info = attrs.evolve(publication.info, muted=muted)
        if publication.track is not None:
            facts_of(publication.track).muted = muted
        event = TrackMuted if muted else TrackUnmuted
        yield event(participant=participant.view, publication=publication.view)

    def withdraw_forbidden(self) -> None:
        """Unpublish those of our tracks that we may publish no longer.

        The server has taken them off and tells nobody here: natively they are published still, and could not be published
        again (measured).
        """
        permissions = self.local.info.permissions
        for publication in self.local.publications.values():
            if permissions is not None and permissions.why_not(publication.info.source) is not None:
                publication.withdrawn = True
                if not self.local.reconnecting:
                    self.withdraw(publication)

    def withdraw(self, publication: LocalPublicationFacts) -> None:
        """Ask for the end of a track of ours; nobody waits for the answer."""
        publication.asked = True
        try:
            self.link.send("unpublish_track", **unpublishing(self.local.handle, publication.info.sid))
        except (NativeRefusalError, RoomClosedError):
            self.count("not withdrawn")

    # ---- data tracks

    def end_data_track(self, track: DataTrackFacts) -> RoomEvent:
        del self.data_tracks[track.sid]
        track.end()
        self.link.drop(track.handle)
        self.refresh_data_tracks(track.publisher_identity)
        return DataTrackUnpublished(sid=track.sid, track=track.view)

    def refresh_data_tracks(self, identity: str) -> None:
        remote = self.remotes.get(identity)
        if remote is not None:
            tracks = (track for track in self.data_tracks.values() if track.publisher_identity == identity)
            remote.data_tracks = MappingProxyType({track.sid: track.view for track in tracks})

    # ---- the end

    def drop_everything(self) -> None:
        """End all tracks and drop all handles; what is known stays readable."""
        for remote in self.remotes.values():
            for publication in remote.publications.values():
                if publication.track is not None:
                    facts = facts_of(publication.track)
                    facts.end()
                    self.link.drop(facts.handle)
                self.link.drop(publication.handle)
            self.link.drop(remote.handle)
            remote.tell_watchers()
        for track in self.data_tracks.values():
            track.end()
            self.link.drop(track.handle)
        for own in self.local.data_tracks.values():
            own.ended = True
            self.link.drop(own.handle)
        for publication in self.local.publications.values():
            facts_of(publication.track).published = False
            self.link.drop(publication.handle)
        self.link.drop(self.local.handle)


def refresh_publications(participant: LocalFacts | RemoteFacts) -> None:
    """Show the program what is published now."""
    participant.views = MappingProxyType({sid: facts.view for sid, facts in participant.publications.items()})
