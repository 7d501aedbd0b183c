"""Somebody who has listened to a room from the beginning, and what must be true of all that is said."""

from __future__ import annotations

from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any

import attrs

from livekit_trio import rtc

if TYPE_CHECKING:
    from livekit_trio.rtc._room_state import RoomState


@attrs.define
class Rumour:
    """What a listener knows of a participant."""

    name: str
    metadata: str
    attributes: dict[str, str]


class Listener:
    """Folds what is said into what is the case.

    Attributes:
        standing: the events of what has come and not gone: what a later comer must hear of.
        active: who became active; another session begins without, and no event tells of that.
        rumours: what was said about each participant.
        muted: what was said about each publication.
        over: whether the end was announced.
    """

    def __init__(self) -> None:
        self.standing: set[Any] = set()
        self.active: set[Any] = set()
        self.rumours: dict[Any, Rumour] = {}
        self.muted: dict[Any, bool] = {}
        self.connection_state = rtc.ConnectionState.CONN_CONNECTED
        self.reconnecting = False
        self.over = False

    def listen(self, said: list[Any]) -> None:
        for event in said:
            assert not self.over, "nothing is said after Disconnected"
            self.hear(event)

    def compare(self, state: RoomState) -> None:
        """What was heard is what is the case."""
        snapshot = list(state.snapshot_events())
        assert len(set(snapshot)) == len(snapshot)
        assert {event for event in snapshot if isinstance(event, rtc.ParticipantActive)} <= self.active
        assert {event for event in snapshot if not isinstance(event, rtc.ParticipantActive)} == self.standing
        assert set(self.rumours) == set(state.remote_participants.values())
        for who, rumour in self.rumours.items():
            assert (who.name, who.metadata, who.attributes) == (rumour.name, rumour.metadata, rumour.attributes)
            for publication in who.track_publications.values():
                assert publication.muted == self.muted[publication]
        assert self.connection_state == state.connection_state

    def _come(self, event: object) -> None:
        assert event not in self.standing, "nothing comes twice"
        self.standing.add(event)

    def _go(self, event: object) -> None:
        assert event in self.standing, "nothing goes that has not come"
        self.standing.remove(event)

    @singledispatchmethod
    def hear(self, _event: object) -> None:
        """Most events tell of something that has no end."""

    @hear.register
    def connected(self, event: rtc.ParticipantConnected) -> None:
        self._come(event)
        who = event.participant
        self.rumours[who] = Rumour(who.name, who.metadata, dict(who.attributes))

    @hear.register
    def became_active(self, event: rtc.ParticipantActive) -> None:
        assert event.participant in self.rumours
        self.active.add(event)

    @hear.register
    def disconnected(self, event: rtc.ParticipantDisconnected) -> None:
        who = event.participant
        self._go(rtc.ParticipantConnected(participant=who))
        assert all(getattr(held, "participant", None) is not who for held in self.standing), (
            "what it published goes first"
        )
        del self.rumours[who]

    @hear.register
    def renamed(self, event: rtc.ParticipantNameChanged) -> None:
        assert event.old_name != event.new_name
        if event.participant in self.rumours:
            rumour = self.rumours[event.participant]
            assert event.old_name == rumour.name
            rumour.name = event.new_name

    @hear.register
    def metadata(self, event: rtc.ParticipantMetadataChanged) -> None:
        assert event.old_metadata != event.new_metadata
        if event.participant in self.rumours:
            rumour = self.rumours[event.participant]
            assert event.old_metadata == rumour.metadata
            rumour.metadata = event.new_metadata

    @hear.register
    def attributes(self, event: rtc.ParticipantAttributesChanged) -> None:
        assert event.changed_attributes
        if event.participant in self.rumours:
            rumour = self.rumours[event.participant]
            merged = rumour.attributes | dict(event.changed_attributes)
            rumour.attributes = {key: value for key, value in merged.items() if value}

    @hear.register
    def published(self, event: rtc.TrackPublished) -> None:
        assert event.participant in self.rumours
        self._come(event)
        self.muted[event.publication] = event.publication.muted

    @hear.register
    def unpublished(self, event: rtc.TrackUnpublished) -> None:
        self._go(rtc.TrackPublished(publication=event.publication, participant=event.participant))
        open_ended = [held for held in self.standing if getattr(held, "publication", None) is event.publication]
        assert open_ended == [], "its subscription goes first"

    @hear.register
    def subscribed(self, event: rtc.TrackSubscribed) -> None:
        assert rtc.TrackPublished(publication=event.publication, participant=event.participant) in self.standing
        self._come(event)

    @hear.register
    def unsubscribed(self, event: rtc.TrackUnsubscribed) -> None:
        self._go(rtc.TrackSubscribed(track=event.track, publication=event.publication, participant=event.participant))
        assert event.track.ended

    @hear.register
    def mute(self, event: rtc.TrackMuted) -> None:
        assert not self.muted.get(event.publication, False)
        self.muted[event.publication] = True

    @hear.register
    def unmute(self, event: rtc.TrackUnmuted) -> None:
        assert self.muted.get(event.publication, True)
        self.muted[event.publication] = False

    @hear.register
    def data_track_published(self, event: rtc.DataTrackPublished) -> None:
        self._come(event)

    @hear.register
    def data_track_unpublished(self, event: rtc.DataTrackUnpublished) -> None:
        self._go(rtc.DataTrackPublished(track=event.track))
        assert not event.track.is_published

    @hear.register
    def local_published(self, event: rtc.LocalTrackPublished) -> None:
        self._come(event)

    @hear.register
    def local_subscribed(self, event: rtc.LocalTrackSubscribed) -> None:
        self.standing.add(event)  # again after a full reconnect

    @hear.register
    def local_unpublished(self, event: rtc.LocalTrackUnpublished) -> None:
        publication = event.publication
        self.standing.discard(rtc.LocalTrackPublished(publication=publication, track=publication.track))
        self.standing.discard(rtc.LocalTrackSubscribed(publication=publication, track=publication.track))

    @hear.register
    def connection_state_changed(self, event: rtc.ConnectionStateChanged) -> None:
        assert event.connection_state != self.connection_state
        self.connection_state = event.connection_state

    @hear.register
    def reconnecting_(self, _event: rtc.Reconnecting) -> None:
        assert not self.reconnecting
        assert self.connection_state == rtc.ConnectionState.CONN_RECONNECTING
        self.reconnecting = True

    @hear.register
    def reconnected(self, _event: rtc.Reconnected) -> None:
        assert self.connection_state == rtc.ConnectionState.CONN_CONNECTED
        self.reconnecting = False

    @hear.register
    def ended(self, _event: rtc.Disconnected) -> None:
        assert self.connection_state == rtc.ConnectionState.CONN_DISCONNECTED
        self.over = True
