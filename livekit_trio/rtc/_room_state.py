"""RoomState: what a room is, as a pure function of the native events.

It does no I/O and starts nothing: `apply` takes one native event, changes the state, and returns what is to be said about it.
It is total. Unknown, late, duplicate, out-of-order and missing events never raise and never cost another event; each of them
changes the state, says something, or is counted in `counters` under ``"<kind>: <why>"``. What it throws away it drops with its
handles.

    _model              the records, and the steps that several kinds share
    _reduce_*           one small function for each kind of native event, and the tables that find it
    _hold_back          leavings that a reconnect may take back; the only thing here that depends on time

The clock is the caller's: `apply` and `tick` are told the time, and `deadline` says when `tick` is wanted.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, final

from . import _convert, _reduce_data, _reduce_participants, _reduce_room, _reduce_tracks
from ._events import (
    DataTrackPublished,
    LocalTrackPublished,
    LocalTrackSubscribed,
    ParticipantActive,
    ParticipantConnected,
    TrackPublished,
    TrackSubscribed,
)
from ._model import Model, refresh_publications
from ._publication import LocalPublicationFacts
from ._track import facts_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping

    from ._convert import native
    from ._enums import ConnectionState, DisconnectReason
    from ._events import RoomEvent
    from ._link import RoomLink
    from ._local_participant import LocalParticipant
    from ._model import Handler, StreamHook
    from ._participant import RemoteFacts, RemoteParticipant
    from ._publication import LocalTrackPublication
    from ._rpc_serving import RpcServer
    from ._track import LocalTrack
    from ._unions import AnyParticipant

HANDLERS: Final[Mapping[str, Handler]] = MappingProxyType(
    {**_reduce_room.HANDLERS, **_reduce_participants.HANDLERS, **_reduce_tracks.HANDLERS, **_reduce_data.HANDLERS}
)
"""What to do with each kind of native event, by its field's name in RoomEvent."""


@final
class RoomState:
    """The state of one room."""

    def __init__(
        self,
        result: native.ConnectCallback.Result,
        link: RoomLink,
        *,
        auto_subscribe: bool = True,
        on_stream: StreamHook | None = None,
        handlers: Mapping[str, Handler] = HANDLERS,
    ) -> None:
        """Take over what the native library said when it had joined.

        Args:
            result: its reply. All handles in it but the room's own are owned from here on.
            link: the room.
            auto_subscribe: what the room was joined with.
            on_stream: called with ``"text_stream_opened"`` or ``"byte_stream_opened"`` and the message; returns True if it
                has taken the reader over. It must neither raise nor wait.
            handlers: for tests, which take some out.
        """
        self._model = Model(result, link, auto_subscribe=auto_subscribe, on_stream=on_stream)
        self._handlers = handlers
        self._closed = False

    # ---- what is known

    @property
    def name(self) -> str:
        return self._model.info.name

    @property
    def sid(self) -> str:
        return self._model.info.sid

    @property
    def metadata(self) -> str:
        return self._model.info.metadata

    @property
    def num_participants(self) -> int:
        return self._model.info.num_participants

    @property
    def num_publishers(self) -> int:
        return self._model.info.num_publishers

    @property
    def max_participants(self) -> int:
        return self._model.info.max_participants

    @property
    def creation_time(self) -> int:
        return self._model.info.creation_time

    @property
    def is_recording(self) -> bool:
        return self._model.info.is_recording

    @property
    def empty_timeout(self) -> int:
        return self._model.info.empty_timeout

    @property
    def departure_timeout(self) -> int:
        return self._model.info.departure_timeout

    @property
    def connection_state(self) -> ConnectionState:
        return self._model.state

    @property
    def disconnect_reason(self) -> DisconnectReason | None:
        """Why the room ended; None while it goes on."""
        return self._model.reason

    @property
    def local_handle(self) -> int:
        return self._model.local.handle

    @property
    def rpc(self) -> RpcServer:
        """What answers the calls of others."""
        return self._model.local.rpc

    @property
    def local_participant(self) -> LocalParticipant:
        return self._model.local.view

    @property
    def remote_participants(self) -> Mapping[str, RemoteParticipant]:
        """By identity: a snapshot, replaced by another one when somebody comes or goes."""
        return self._model.remote_views

    @property
    def active_speakers(self) -> tuple[AnyParticipant, ...]:
        """Whom the last report named, the loudest first."""
        return self._model.speakers

    @property
    def counters(self) -> Counter[str]:
        """Events that neither changed nor said anything, by kind and why."""
        return self._model.counters

    @property
    def eos(self) -> bool:
        """Whether the native library has said that no event will follow."""
        return self._model.eos

    def get_participant(self, identity: str) -> AnyParticipant | None:
        """Return the local or remote participant of that identity."""
        local = self._model.local
        return local.view if identity == local.info.identity else self._model.remote_views.get(identity)

    # ---- what happens

    def apply(self, event: native.RoomEvent, now: float) -> list[RoomEvent]:
        """Take one native event in.

        Args:
            event: the event; what it owns is owned here afterwards, or dropped.
            now: the time, in seconds, by the clock that `deadline` is for.

        Returns:
            What is to be said, in order. The state has changed already.
        """
        model = self._model
        kind = event.WhichOneof("message")
        model.kind, model.now = kind or "unknown", now
        if kind is None:  # of a newer library; its handles, if any, cannot be known
            model.count("unknown kind")
            return []
        message = getattr(event, kind)
        handler = self._handlers.get(kind)
        if self._closed or (model.reason is not None and kind != "eos"):
            model.discard(message, "after the end")
            return []
        if handler is None:
            model.discard(message, "unhandled")
            return []
        return list(handler(model, message))

    @property
    def deadline(self) -> float | None:
        """When `tick` is wanted; None: not before the next event."""
        return self._model.held.deadline

    def tick(self, now: float) -> list[RoomEvent]:
        """Believe the leavings that have been held back long enough."""
        self._model.kind, self._model.now = "tick", now
        return list(self._model.leave_all(self._model.held.take_due(now)))

    def add_local_publication(
        self, owned: native.OwnedTrackPublication, track: LocalTrack
    ) -> tuple[LocalTrackPublication, list[RoomEvent]]:
        """Take over the reply to a publish request.

        Returns:
            The publication, and what is to be said: events about it that came before the publishing task ran.
        """
        model = self._model
        info = _convert.publication_info(owned.info)
        publication = LocalPublicationFacts(owned.handle.id, info, model.link, track)
        track_facts = facts_of(track)
        track_facts.sid, track_facts.muted, track_facts.published = info.sid, info.muted, True
        model.local.publications[info.sid] = publication
        refresh_publications(model.local)
        early = [entry for entry in model.early if entry[0] == info.sid]
        for entry in early:
            model.early.remove(entry)
        return publication.view, [event for _, handler, message in early for event in handler(model, message)]

    def close(self, reason: DisconnectReason) -> list[RoomEvent]:
        """End everything; what is known stays readable. Idempotent.

        Args:
            reason: why, if no native event has told.

        Returns:
            What is to be said, if the end was not announced before.
        """
        if self._closed:
            return []
        self._closed = True
        self._model.kind = "close"
        events = list(_reduce_room.end(self._model, reason))
        self._model.drop_everything()
        return events

    # ---- for later comers

    def snapshot_events(self) -> Iterator[RoomEvent]:
        """What somebody who had listened from the beginning would have heard of what is here now, in a possible order."""
        model = self._model
        if self._closed:
            return iter(())
        events: list[RoomEvent] = []
        for publication in model.local.publications.values():
            if publication.announced:
                events.append(LocalTrackPublished(publication=publication.view, track=publication.track))
            if publication.subscribed:
                events.append(LocalTrackSubscribed(track=publication.track, publication=publication.view))
        for remote in model.remotes.values():
            events += _snapshot_of(remote)
        events += [DataTrackPublished(track=track.view) for track in model.data_tracks.values()]
        return iter(events)


def _snapshot_of(remote: RemoteFacts) -> Iterator[RoomEvent]:
    yield ParticipantConnected(participant=remote.view)
    if remote.active_announced:
        yield ParticipantActive(participant=remote.view)
    for publication in remote.publications.values():
        yield TrackPublished(publication=publication.view, participant=remote.view)
        if publication.track is not None:
            yield TrackSubscribed(track=publication.track, publication=publication.view, participant=remote.view)
