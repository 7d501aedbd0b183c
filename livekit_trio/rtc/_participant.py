"""Participants: read-only views of what the reducer knows of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, final

import attrs
from typing_extensions import TypeVar, override

from .._errors import OperationError
from .._guard import MadeByTheRoom, make
from ._enums import (
    ConnectionQuality,
    DisconnectReason,
    ParticipantKind,
    ParticipantKindDetail,
    ParticipantState,
    TrackSource,
)
from ._participant_streams import ParticipantStreams
from ._publication import PublicationFacts, RemotePublicationFacts, RemoteTrackPublication, TrackPublication

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from ._data_track import RemoteDataTrack
    from ._link import RoomLink
    from ._values import ParticipantInfo, ParticipantPermission

PublicationT_co = TypeVar("PublicationT_co", bound=TrackPublication, covariant=True, default=TrackPublication)
PublicationFactsT = TypeVar("PublicationFactsT", bound=PublicationFacts)


@attrs.define(eq=False)
class ParticipantFacts(Generic[PublicationFactsT]):
    """What is known of one participant; only the reducer changes it."""

    handle: int
    info: ParticipantInfo
    link: RoomLink
    quality: ConnectionQuality = attrs.field(default=ConnectionQuality.QUALITY_UNKNOWN, init=False)
    speaking: bool = attrs.field(default=False, init=False)
    encrypted: bool = attrs.field(default=False, init=False)
    gone: bool = attrs.field(default=False, init=False)
    publications: dict[str, PublicationFactsT] = attrs.field(factory=dict[str, PublicationFactsT], init=False)
    views: Mapping[str, Any] = attrs.field(factory=lambda: MappingProxyType({}), init=False)
    """The publications as the program sees them: replaced when one comes or goes."""

    @property
    def active(self) -> bool:
        return self.info.state == ParticipantState.PARTICIPANT_STATE_ACTIVE


@attrs.define(eq=False)
class RemoteFacts(ParticipantFacts[RemotePublicationFacts]):
    active_announced: bool = attrs.field(default=False, init=False)
    former: dict[str, RemotePublicationFacts] = attrs.field(factory=dict[str, RemotePublicationFacts], init=False)
    """Unpublished ones, which a full reconnect brings back under their SID."""
    data_tracks: Mapping[str, RemoteDataTrack] = attrs.field(factory=lambda: MappingProxyType({}), init=False)
    watchers: list[Callable[[], None]] = attrs.field(factory=list["Callable[[], None]"], init=False)
    """Called when a track has come, and when the participant or the room has gone. They must neither raise nor wait."""
    view: RemoteParticipant = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.view = make(RemoteParticipant, self)

    def tell_watchers(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()


class Participant(Generic[PublicationT_co], metaclass=MadeByTheRoom):
    """Somebody in the room, ourselves included. Stays readable, in its last state, after it has left."""

    def __init__(self, facts: ParticipantFacts[Any]) -> None:
        self._facts = facts

    @property
    def is_local(self) -> bool:
        """Whether it is this program."""
        raise NotImplementedError

    @property
    def track_publications(self) -> Mapping[str, PublicationT_co]:
        """All it has published, subscribed or not, by SID: a snapshot, replaced when one comes or goes."""
        return self._facts.views

    @property
    def sid(self) -> str:
        """The server's name for its session; another one after it has joined again, or after a full reconnect."""
        return self._facts.info.sid

    @property
    def identity(self) -> str:
        """The application's name for it, from its token. Unique in the room; never changes."""
        return self._facts.info.identity

    @property
    def name(self) -> str:
        """A name to show; may be empty, need not be unique."""
        return self._facts.info.name

    @property
    def metadata(self) -> str:
        """Anything the application has put there; may be empty."""
        return self._facts.info.metadata

    @property
    def attributes(self) -> Mapping[str, str]:
        """Key-value pairs: a snapshot, replaced by another one when something changes."""
        return self._facts.info.attributes

    @property
    def kind(self) -> ParticipantKind:
        """Whether it is a person's program, an agent, a telephone or something else."""
        return self._facts.info.kind

    @property
    def kind_details(self) -> tuple[ParticipantKindDetail, ...]:
        """What `kind` leaves open."""
        return self._facts.info.kind_details

    @property
    def is_agent(self) -> bool:
        """Whether it is an agent."""
        return self.kind == ParticipantKind.PARTICIPANT_KIND_AGENT

    @property
    def state(self) -> ParticipantState:
        """How far it has come in joining."""
        return self._facts.info.state

    @property
    def is_active(self) -> bool:
        """Whether its media connection is up, so that it can receive tracks and data."""
        return self._facts.active

    @property
    def joined_at(self) -> datetime | None:
        """When it joined, in UTC; None if the server does not say."""
        from datetime import UTC, datetime

        milliseconds = self._facts.info.joined_at_ms
        if not milliseconds:
            return None
        return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)

    @property
    def permissions(self) -> ParticipantPermission | None:
        """What the server lets it do; None if the server has not said."""
        return self._facts.info.permissions

    @property
    def client_protocol(self) -> int:
        """What its SDK understands: 0 nothing of these, 1 RPC of any size, 2 data streams with their data in the header."""
        return self._facts.info.client_protocol

    @property
    def connection_quality(self) -> ConnectionQuality:
        """How good the server last said its connection is; QUALITY_UNKNOWN before."""
        return self._facts.quality

    @property
    def disconnect_reason(self) -> DisconnectReason | None:
        """Why it left; None while it is there, or if the server did not say."""
        reason = self._facts.info.disconnect_reason
        return None if reason == DisconnectReason.UNKNOWN_REASON else reason

    @property
    def is_speaking(self) -> bool:
        """Whether the last `ActiveSpeakersChanged` named it."""
        return self._facts.speaking

    @property
    def is_encrypted(self) -> bool:
        """Whether all it has published, and all data seen from it, is encrypted end to end."""
        return self._facts.encrypted

    @property
    def is_camera_enabled(self) -> bool:
        """Whether it has published a camera that is not muted."""
        return self._is_enabled(TrackSource.SOURCE_CAMERA)

    @property
    def is_microphone_enabled(self) -> bool:
        """Whether it has published a microphone that is not muted."""
        return self._is_enabled(TrackSource.SOURCE_MICROPHONE)

    @property
    def is_screen_share_enabled(self) -> bool:
        """Whether it has published a screen that is not muted."""
        return self._is_enabled(TrackSource.SOURCE_SCREENSHARE)

    def get_track_publication(self, source: TrackSource) -> PublicationT_co | None:
        """Return the first publication of *source*, if there is one."""
        return next((found for found in self.track_publications.values() if found.source == source), None)

    def get_track_publication_by_name(self, name: str) -> PublicationT_co | None:
        """Return the first publication of that name, if there is one."""
        return next((found for found in self.track_publications.values() if found.name == name), None)

    def get_track_publication_by_sid(self, sid: str) -> PublicationT_co | None:
        """Return the publication of that SID, if there is one."""
        return self.track_publications.get(sid)

    async def wait_until_active(self) -> None:
        """Return once its media connection is up; at once if it is.

        What is sent to a participant before that may be lost.

        Raises:
            OperationError: it has left.
            RoomClosedError: the room has ended.

        Cancellation:
            Nothing is left behind.
        """
        facts = self._facts
        await facts.link.wait_until(lambda: facts.active or facts.gone)
        if facts.gone:
            facts.link.check_open()
            raise OperationError(f"participant {self.identity!r} has left")

    def _is_enabled(self, source: TrackSource) -> bool:
        infos = (publication.info for publication in self._facts.publications.values())
        return any(info.source == source and not info.muted for info in infos)

    @override
    def __repr__(self) -> str:
        return f"rtc.{type(self).__name__}(sid={self.sid}, identity={self.identity}, name={self.name})"


@final
class RemoteParticipant(ParticipantStreams, Participant[RemoteTrackPublication]):
    """Somebody else in the room. Keeps being the same object while its identity is in the room, through reconnects."""

    def __init__(self, facts: RemoteFacts) -> None:
        super().__init__(facts)
        self._remote = facts

    @property
    @override
    def is_local(self) -> bool:
        return False

    @property
    def data_tracks(self) -> Mapping[str, RemoteDataTrack]:
        """The data tracks it has published, by SID: a snapshot, replaced when something changes."""
        return self._remote.data_tracks
