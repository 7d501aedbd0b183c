"""Room: what a program sees of a joined room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast, final, overload

from typing_extensions import override

from .._errors import OperationError
from .._guard import make
from .._streams import EventStream
from ._accept_streams import StreamAccepting
from ._e2ee import E2EEManager
from ._session import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from ._enums import ConnectionState, DisconnectReason, ParticipantKind, SimulateScenarioKind
    from ._events import AnyParticipant, RoomEvent
    from ._local_participant import LocalParticipant
    from ._options import E2EEOptions
    from ._participant import RemoteParticipant
    from ._session import RoomSession
    from ._stats import RoomStats

T1 = TypeVar("T1", bound="RoomEvent")
T2 = TypeVar("T2", bound="RoomEvent")
T3 = TypeVar("T3", bound="RoomEvent")
T4 = TypeVar("T4", bound="RoomEvent")


@final
class Room(StreamAccepting):
    """A joined room; made by `open_room`, and never used again once it has ended.

    Properties show the present state and stay readable, in their last state, after the end. Mappings are immutable
    snapshots: iterating over one with ``await`` inside is safe. A room and everything that comes from it belong to the event
    loop that opened it: a call from elsewhere raises `WrongLoopError`.
    """

    def __init__(self, session: RoomSession, encryption: E2EEOptions | None) -> None:
        self._session = session
        self._e2ee_manager = make(E2EEManager, session, session.room_handle, encryption)

    # ---- state

    @property
    def name(self) -> str:
        """The room's name."""
        return self._session.state.name

    @property
    def sid(self) -> str:
        """The server's identifier of this session of the room (``RM_…``)."""
        return self._session.state.sid

    @property
    def metadata(self) -> str:
        """The room's metadata, an arbitrary text set through the server API."""
        return self._session.state.metadata

    @property
    def connection_state(self) -> ConnectionState:
        """CONN_CONNECTED, CONN_RECONNECTING or CONN_DISCONNECTED."""
        return self._session.state.connection_state

    @property
    def connected(self) -> bool:
        """True until the room has ended or is being left, also while it reconnects."""
        return self._session.phase is Phase.JOINED

    @property
    def disconnect_reason(self) -> DisconnectReason | None:
        """Why the room ended; None while it goes on."""
        return self._session.state.disconnect_reason

    @property
    def local_participant(self) -> LocalParticipant:
        """This program's own participant."""
        return self._session.state.local_participant

    @property
    def remote_participants(self) -> Mapping[str, RemoteParticipant]:
        """Everybody else, by identity: a snapshot."""
        return self._session.state.remote_participants

    @property
    def active_speakers(self) -> tuple[AnyParticipant, ...]:
        """Whom the last `ActiveSpeakersChanged` named, the loudest first. The native library reports changes, without levels."""
        return self._session.state.active_speakers

    @property
    def num_participants(self) -> int:
        """How many participants the server counts; it updates the number every few seconds."""
        return self._session.state.num_participants

    @property
    def num_publishers(self) -> int:
        """How many of them publish; updated every few seconds."""
        return self._session.state.num_publishers

    @property
    def max_participants(self) -> int:
        """How many may be in the room; 0 for no limit."""
        return self._session.state.max_participants

    @property
    def creation_time(self) -> datetime | None:
        """When the room was created, in UTC; None if the server does not say."""
        from datetime import UTC, datetime

        milliseconds = self._session.state.creation_time
        return datetime.fromtimestamp(milliseconds / 1000, tz=UTC) if milliseconds else None

    @property
    def is_recording(self) -> bool:
        """Whether the room is being recorded (by an egress)."""
        return self._session.state.is_recording

    @property
    def e2ee_manager(self) -> E2EEManager:
        """The end-to-end encryption of this room, if `RoomOptions.encryption` asked for it."""
        return self._e2ee_manager

    @property
    def empty_timeout(self) -> int:
        """Seconds for which the room stays open before anybody has joined."""
        return self._session.state.empty_timeout

    @property
    def departure_timeout(self) -> int:
        """Seconds for which the room stays open after the last participant has left."""
        return self._session.state.departure_timeout

    def get_participant(self, identity: str) -> AnyParticipant | None:
        """Return the participant of that identity, local or remote, or None."""
        return self._session.state.get_participant(identity)

    def get_participant_by_sid(self, sid: str) -> AnyParticipant | None:
        """Return the participant of that SID, local or remote, or None. SIDs change when somebody joins anew."""
        return next((found for found in self._everybody() if found.sid == sid), None)

    def get_participants_by_name(self, name: str) -> tuple[AnyParticipant, ...]:
        """Return all participants of that display name, which need not be unique."""
        return tuple(found for found in self._everybody() if found.name == name)

    # ---- events

    @overload
    def open_events(
        self,
        *,
        where: Callable[[RoomEvent], object] | None = None,
        include_existing: bool = False,
        capacity: int = 1024,
    ) -> EventStream[RoomEvent]: ...
    @overload
    def open_events(
        self,
        type1: type[T1],
        /,
        *,
        where: Callable[[T1], object] | None = None,
        include_existing: bool = False,
        capacity: int = 1024,
    ) -> EventStream[T1]: ...
    @overload
    def open_events(
        self,
        type1: type[T1],
        type2: type[T2],
        /,
        *,
        where: Callable[[T1 | T2], object] | None = None,
        include_existing: bool = False,
        capacity: int = 1024,
    ) -> EventStream[T1 | T2]: ...
    @overload
    def open_events(
        self,
        type1: type[T1],
        type2: type[T2],
        type3: type[T3],
        /,
        *,
        where: Callable[[T1 | T2 | T3], object] | None = None,
        include_existing: bool = False,
        capacity: int = 1024,
    ) -> EventStream[T1 | T2 | T3]: ...
    @overload
    def open_events(
        self,
        type1: type[T1],
        type2: type[T2],
        type3: type[T3],
        type4: type[T4],
        /,
        *,
        where: Callable[[T1 | T2 | T3 | T4], object] | None = None,
        include_existing: bool = False,
        capacity: int = 1024,
    ) -> EventStream[T1 | T2 | T3 | T4]: ...
    @overload
    def open_events(
        self,
        *types: type[RoomEvent],
        where: Callable[[RoomEvent], object] | None = None,
        include_existing: bool = False,
        capacity: int = 1024,
    ) -> EventStream[RoomEvent]: ...
    def open_events(
        self,
        *types: type[Any],
        where: Callable[[Any], object] | None = None,
        include_existing: bool = False,
        capacity: int = 1024,
    ) -> EventStream[Any]:
        """Subscribe to what happens in the room.

        ::

            with room.open_events(rtc.TrackSubscribed, include_existing=True) as events:
                async for event in events:
                    ...

        Args:
            *types: the event classes wanted; none means all.
            where: asked for each event, in the reader's own task; what it declines is skipped.
            include_existing: first replay what is in the room already, as the events that an earlier joiner saw.
            capacity: how many unread events may wait.

        Returns:
            A stream that subscribes when its ``with`` block is entered. On a room that has ended it is empty.

        Backpressure:
            See `EventStream`: a reader that falls behind by more than *capacity* gets `StreamLaggedError`; nobody else
            notices.

        Raises:
            ValueError: *capacity* is below 1.
            TypeError: a type is not an event class.
        """
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        for wanted in types:
            if not isinstance(cast("object", wanted), type):
                raise TypeError(f"event classes are wanted, not {wanted!r}")
        accepts = types or (object,)

        def subscribe(stream: EventStream[Any]) -> Iterable[Any]:
            existing = self._existing(accepts) if include_existing else ()
            self._session.subscribe(stream)
            return existing

        return make(
            EventStream,
            subscribe=subscribe,
            unsubscribe=self._session.unsubscribe,
            check_loop=self._check_loop,
            accepts=accepts,
            where=where,
            capacity=capacity,
        )

    async def wait_for(
        self,
        type: type[T1],  # noqa: A002 - the name that it has for its callers
        where: Callable[[T1], object] | None = None,
        include_existing: bool = False,
    ) -> T1:
        """Wait for one event and return it.

        Args:
            type: the event class.
            where: which of them; all if None.
            include_existing: what is in the room already counts too.

        Raises:
            RoomClosedError: the room ended first, or had ended.

        Cancellation:
            Nothing is left behind; the event, if it came, is in the other streams as usual.
        """
        with self.open_events(type, where=where, include_existing=include_existing) as events:
            async for event in events:
                return event
        raise self._session.closed_error()

    async def wait_until(self, predicate: Callable[[], object]) -> None:
        """Return once *predicate* is true. It is asked now and again after what happens in the room, in this task.

        A state that lasts for less than one batch of events may be missed: use `wait_for` for events.

        Raises:
            RoomClosedError: the room ended first, or had ended.

        Cancellation:
            Nothing is left behind.
        """
        await self._session.wait_until(predicate)

    async def wait_for_participant(
        self, identity: str | None = None, *, kind: ParticipantKind | None = None
    ) -> RemoteParticipant:
        """Return a remote participant, waiting for one to join if need be.

        Args:
            identity: whom to wait for; None for whoever it is.
            kind: of which kind; None for any.

        Raises:
            RoomClosedError: the room ended first, or had ended.

        Cancellation:
            Nothing is left behind.
        """
        found: list[RemoteParticipant] = []

        def look() -> bool:
            found[:] = [
                participant
                for participant in self.remote_participants.values()
                if identity in (None, participant.identity) and kind in (None, participant.kind)
            ]
            return bool(found)

        await self._session.wait_until(look)
        return found[0]

    async def wait_closed(self) -> DisconnectReason:
        """Wait until the room has ended, by whomever, and return why.

        Cancellation:
            Nothing is left behind; the room goes on.
        """
        self._check_loop()
        await self._session.closed.wait()
        return self._session.reason

    # ---- actions

    async def disconnect(self) -> None:
        """Leave the room now instead of at the end of its block. Idempotent, from any number of tasks.

        Streams end once they have been read to their end; everything else of the room raises `RoomClosedError`.

        Cancellation:
            The room is being left all the same; only the wait for the native side's confirmation is cut short.

        Source:
            DisconnectRequest (livekit-ffi room.proto).
        """
        self._check_loop()
        self._session.start_leaving()
        await self._session.closed.wait()

    async def simulate_scenario(self, scenario: SimulateScenarioKind) -> None:
        """Let the server or the native side act out a fault, for tests of one's own program.

        Raises:
            OperationError: the native side refused it.
            RoomClosedError: the room ended.

        Cancellation:
            The scenario takes its course.

        Source:
            SimulateScenarioRequest (livekit-ffi room.proto).
        """
        reply = await self._session.call(
            "simulate_scenario",
            room_handle=self._session.room_handle,
            scenario=int(scenario),
        )
        if reply.error:
            raise OperationError(reply.error)

    async def get_stats(self) -> RoomStats:
        """Return what the native library has measured of the room's media and connections; see `rtc.stats`.

        Raises:
            OperationError: the native side could not tell.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            Nothing is left behind.

        Source:
            GetSessionStatsRequest (livekit-ffi room.proto).
        """
        from ._stats import ask_room

        return await ask_room(self._session, self._session.room_handle)

    @override
    def __repr__(self) -> str:
        return f"rtc.Room(sid={self.sid}, name={self.name}, connection_state={self.connection_state.name})"

    def _everybody(self) -> tuple[AnyParticipant, ...]:
        return (self.local_participant, *self.remote_participants.values())

    def _existing(self, accepts: tuple[type[Any], ...]) -> tuple[RoomEvent, ...]:
        if self._session.phase is not Phase.JOINED:
            return ()
        return tuple(event for event in self._session.state.snapshot_events() if isinstance(event, accepts))

    def _check_loop(self) -> None:
        self._session.runtime.check_loop("a room")
