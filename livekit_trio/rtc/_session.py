"""One joined room as the native side sees it: its routes, its pending calls, its life and its end.

`RoomSession` is the room's sink in the pump and the `RoomLink` of its parts. It feeds native events to the reducer and
what comes out to the subscribers. All of it runs on the loop that opened the room.

The life of a room: JOINED → LEAVING → ENDED → CLOSED, without LEAVING when somebody else ends it (`_MOVES`). ENDED means that
nothing of it will happen any more, CLOSED that nothing of it is left: routes, calls, handles. Reconnecting is a state of the
connection (`RoomState.connection_state`), not of the session: nothing here depends on it.
"""

from __future__ import annotations

import enum
import logging
from typing import TYPE_CHECKING, Any, Final, final

import anyio
import anyio.lowlevel

from .._errors import NativeError, NativePanicError, NativeRefusalError, RoomClosedError, internal_error
from .._ffi._abc import LAGGED
from .._ffi._calls import CallGroup
from .._ffi._handles import HandleSet, retire_room
from .._ffi._requests import REQUESTS, OnCancel
from .._ffi._wire import owned_handles
from ._convert import brought_handle
from ._enums import DataPacketKind, DisconnectReason
from ._events import DataReceived, Disconnected, RoomEvent
from ._incoming_streams import StreamDesk
from ._room_state import RoomState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .._ffi._calls import Call
    from .._ffi._runtime import Runtime, Sink
    from .._streams import EventStream
    from ._publication import LocalTrackPublication
    from ._track import LocalTrack

_logger = logging.getLogger("livekit_trio")

ROOM_EVENT: Final = 1
CONNECT_REPLY: Final = 5
ENGINE_CLOSED: Final = "engine is closed"
"""How the native library's words end when what was asked failed because the room is ending; a call pending while it
reconnects in vain gets them a moment before the room's last event (measured with livekit-ffi 0.13.2)."""
END_OF_ROOM_WITHIN: Final = 1.0
"""Seconds. It comes at once; without it the call's own error stands."""


class Phase(enum.Enum):
    """How far a room's life has come."""

    JOINED = "joined"
    LEAVING = "leaving"
    ENDED = "ended"
    CLOSED = "closed"


_MOVES: Final = {
    (Phase.JOINED, Phase.LEAVING),
    (Phase.JOINED, Phase.ENDED),
    (Phase.LEAVING, Phase.ENDED),
    (Phase.ENDED, Phase.CLOSED),
}


@final
class RoomSession:
    """See the module's text."""

    def __init__(self, runtime: Runtime, reply: Any, payload: bytes, *, auto_subscribe: bool) -> None:
        self.runtime = runtime
        self.phase: Phase = Phase.JOINED
        self.closed: anyio.Event = anyio.Event()
        self.failure: BaseException | None = None
        """Why the room ended if it was neither us nor the server: a native panic, or a bug of ours."""
        self._room_handle: int = reply.result.room.handle.id
        self._handles = HandleSet(runtime.library)
        self._handles.adopt(owned_handles(CONNECT_REPLY, payload))
        self._calls = CallGroup()
        self._slots: dict[str, Callable[[], object]] = {}
        """By SLOT request: whether the one whose caller was cancelled is over."""
        self._subscribers: list[EventStream[Any]] = []
        self._waiters: list[anyio.Event] = []
        self._timer_wanted = anyio.Event()
        self._ready_sent = False
        self._disconnecting = False
        """Whether the reply to our own leaving is still to come, which is then the end."""
        self.streams: StreamDesk = StreamDesk(runtime, self)
        self.state: RoomState = RoomState(
            reply.result, self, auto_subscribe=auto_subscribe, on_stream=self.streams.open
        )
        runtime.estate.rooms[self._room_handle] = self._handles
        runtime.route(self._room_handle, self)
        self._local_handle = self.state.local_handle
        runtime.route(self._local_handle, self.state.rpc)

    # ---- RoomLink: what the parts of the room ask for

    def check_open(self) -> None:
        self.runtime.check_loop("a room")
        if self.phase is not Phase.JOINED:
            raise self.closed_error()

    def request(self, name: str, /, **fields: Any) -> Any:
        self.check_open()
        self._hand_over(name, fields)
        return self.runtime.request(name, **fields)

    def send(self, name: str, /, **fields: Any) -> Call:
        self.check_open()
        self._hand_over(name, fields)
        return self.runtime.send(name, fields, group=self._calls)

    def tell(self, name: str, /, **fields: Any) -> None:
        if self.phase is Phase.CLOSED or self.runtime.inherited:
            return
        try:
            self.runtime.request(name, **fields)
        except NativeError as error:
            _logger.debug("%s came too late: %s", name, error)

    async def call(self, name: str, /, **fields: Any) -> Any:
        self.check_open()
        await anyio.lowlevel.checkpoint_if_cancelled()
        call = self.send(name, **fields)
        try:
            reply = await call.wait()
        except BaseException:
            call.forsake()
            raise
        self._take_over(call)
        if _says_that_the_room_ends(reply):
            await self._wait_for_the_end()
        return reply

    async def call_unless(self, done: Callable[[], object], name: str, /, **fields: Any) -> Any | None:
        self.check_open()
        await anyio.lowlevel.checkpoint_if_cancelled()
        answered = False

        def on_end() -> None:
            nonlocal answered
            answered = True
            self._wake_waiters()

        call = self.runtime.send(name, fields, group=self._calls, on_end=on_end)
        try:
            await self.wait_until(lambda: answered or done())
            if done():
                call.forsake()
                return None
            reply = await call.wait()
        except BaseException:
            call.forsake()
            if call.request.on_cancel is OnCancel.SLOT:
                self._slots[name] = lambda: answered or done()
            raise
        self._take_over(call)
        if _says_that_the_room_ends(reply):
            await self._wait_for_the_end()
        return reply

    async def wait_for_slot(self, name: str, /) -> None:
        await self.wait_until(self._slots.get(name, lambda: True))
        self._slots.pop(name, None)

    async def _wait_for_the_end(self) -> None:
        """The native side has failed a call because the room is ending, and says that next: let it be the reason."""
        with anyio.move_on_after(END_OF_ROOM_WITHIN):
            await self.wait_until(lambda: False)

    def _take_over(self, call: Call) -> None:
        """Own what a reply brought, unless the room ended before the caller ran again: then the reply is undone."""
        if self.phase in (Phase.ENDED, Phase.CLOSED):
            call.forsake()
            raise self.closed_error()
        self._handles.adopt(call.owned_handles())

    def add_publication(self, owned: Any, track: LocalTrack, /) -> LocalTrackPublication:
        publication, events = self.state.add_local_publication(owned, track)
        self._publish(events)
        return publication

    async def wait_until(self, predicate: Callable[[], object], /) -> None:
        self.runtime.check_loop("a room")
        await anyio.lowlevel.checkpoint()
        while not predicate():
            self.check_open()
            changed = anyio.Event()
            self._waiters.append(changed)
            try:
                await changed.wait()
            finally:
                if changed in self._waiters:
                    self._waiters.remove(changed)

    def announce(self, event: RoomEvent, /) -> None:
        self._publish((event,))

    def route(self, handle: int, sink: Sink, /) -> None:
        self._handles.adopt((handle,))
        self.runtime.route(handle, sink)

    def unroute(self, handle: int, /) -> None:
        self.runtime.unroute(handle)
        self._handles.drop(handle)

    def drop(self, handle: int, /) -> None:
        self._handles.drop(handle)

    def read_buffer(self, handle: int, address: int, length: int, /) -> bytes:
        self._handles.forget(handle)
        return bytes(self.runtime.library.buffer(handle, address, length))

    # ---- what the room itself needs

    @property
    def room_handle(self) -> int:
        return self._room_handle

    @property
    def reason(self) -> DisconnectReason:
        """Why the room ended; while it goes on, what leaving it now would be."""
        reason = self.state.disconnect_reason
        return DisconnectReason.CLIENT_INITIATED if reason is None else reason

    def subscribe(self, stream: EventStream[Any]) -> None:
        """Let *stream* have what comes from now on; if the room has ended it ends at once."""
        if self.phase in (Phase.ENDED, Phase.CLOSED):
            self._finish_stream(stream)
        else:
            self._subscribers.append(stream)

    def unsubscribe(self, stream: EventStream[Any]) -> None:
        if stream in self._subscribers:
            self._subscribers.remove(stream)

    async def run_hold_back_timer(self) -> None:
        """Service task: let the reducer's clock tick when it has asked for it."""
        while True:
            deadline = self.state.deadline
            if deadline is None:
                self._timer_wanted = anyio.Event()
                await self._timer_wanted.wait()
            else:
                await anyio.sleep_until(deadline)
                try:
                    self._publish(self.state.tick(self.runtime.time()))
                except Exception as cause:  # noqa: BLE001 - a bug of ours; it ends the room, and open_room raises it
                    self.fail(internal_error(cause))
                    return

    # ---- Sink: what the pump brings

    def deliver(self, kind: int, stamp_ns: int, payload: bytes, /) -> None:
        if kind == LAGGED:
            self._lag(int(payload))
        elif kind == ROOM_EVENT:
            from .._ffi._proto import RoomEvent as NativeRoomEvent

            event = NativeRoomEvent.FromString(payload)
            kind_of_event = event.WhichOneof("message")
            if handle := brought_handle(event, kind_of_event):
                self._handles.adopt((handle,))
            self._publish(self.state.apply(event, self.runtime.time()))
            if self.state.deadline is not None:
                self._timer_wanted.set()
            if kind_of_event == "eos":
                self._on_native_end()

    def fail(self, error: BaseException, /) -> None:
        self.failure = error
        self._end(DisconnectReason.UNKNOWN_REASON)
        self.release()

    # ---- the end

    def send_ready(self) -> None:
        """Let the native side send what it has kept back since the join. Idempotent."""
        if not self._ready_sent and self.phase is not Phase.CLOSED and not self.runtime.inherited:
            self._ready_sent = True
            try:
                self.runtime.request("ready_for_room_event", room_handle=self._room_handle)
            except NativeRefusalError as error:
                self.fail(error)

    def start_leaving(self, reason: DisconnectReason = DisconnectReason.CLIENT_INITIATED) -> None:
        """Send all that leaving needs; nothing that follows has to be waited for. Idempotent."""
        if self.phase is Phase.JOINED:
            self.send_ready()  # without it the native side would take 15 s to disconnect, and panic
        if self.phase is not Phase.JOINED:
            return
        if self.runtime.inherited:
            self.release()  # the parent's room goes on
            return
        self.state.rpc.end()
        self._move(Phase.LEAVING)
        self._disconnecting = True
        self.streams.end(self.closed_error)
        fields = {"room_handle": self._room_handle, "reason": int(reason)}
        try:
            self.runtime.send("disconnect", fields, on_end=self.release)
        except NativeRefusalError:
            self.release()  # the native side knows nothing of this room any more
        self._calls.fail(self.closed_error)
        self._wake_waiters()

    def release(self) -> None:
        """Nothing is left of the room natively, or nobody waits for that any longer: end everything. Idempotent."""
        if self.phase is Phase.CLOSED:
            return
        self._end(self.reason)
        self._move(Phase.CLOSED)
        self.runtime.unroute(self._room_handle)
        self.runtime.unroute(self._local_handle)
        self.runtime.estate.rooms.pop(self._room_handle, None)
        self._handles.forget(self._room_handle)
        self._handles.drop_all()
        retire_room(self.runtime.library, self._room_handle)
        self.closed.set()

    def _on_native_end(self) -> None:
        self._end(self.reason)
        if not self._disconnecting:
            self.release()

    def _end(self, reason: DisconnectReason) -> None:
        if self.phase in (Phase.ENDED, Phase.CLOSED):
            return
        self.state.rpc.end()
        self._move(Phase.ENDED)
        self._deliver(self.state.close(reason))
        self.streams.end(self.closed_error)
        self._calls.fail(self.closed_error)
        for stream in self._subscribers:
            self._finish_stream(stream)
        self._subscribers.clear()
        self._wake_waiters()

    def _move(self, to: Phase) -> None:
        if (self.phase, to) not in _MOVES:
            raise RuntimeError(f"a room cannot go from {self.phase} to {to}")
        self.phase = to

    # ---- helpers

    def _hand_over(self, name: str, fields: Mapping[str, Any]) -> None:
        """Some requests take a handle of ours over."""
        if taken := REQUESTS[name].takes:
            self._handles.forget(fields[taken])

    def _publish(self, events: Iterable[RoomEvent]) -> None:
        """Deliver events of the live room, whose state is up to date already."""
        ended: DisconnectReason | None = None
        for event in events:
            self._deliver((event,))
            if isinstance(event, Disconnected):
                ended = event.reason
        if ended is not None:
            self._end(ended)
        else:
            self._wake_waiters()

    def _deliver(self, events: Iterable[RoomEvent]) -> None:
        for event in events:
            size, fleeting = 0, False
            if isinstance(event, DataReceived):
                size, fleeting = len(event.data), event.kind == DataPacketKind.KIND_LOSSY
            for stream in self._subscribers:
                if isinstance(event, stream.accepts):
                    stream.mailbox.put(event, size=size, fleeting=fleeting)

    def _lag(self, count: int) -> None:
        for stream in self._subscribers:
            if issubclass(DataReceived, stream.accepts):
                stream.mailbox.lag(count)

    def _finish_stream(self, stream: EventStream[Any]) -> None:
        if self.failure is not None:
            stream.mailbox.fail(self.closed_error())
        else:
            stream.mailbox.finish()

    def _wake_waiters(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.set()

    def closed_error(self) -> RoomClosedError | NativePanicError:
        """A new error that says why the room is of no use any more."""
        if isinstance(self.failure, NativePanicError):
            return NativePanicError(self.failure.message)
        error = RoomClosedError(self.reason)
        error.__cause__ = self.failure
        return error


def _says_that_the_room_ends(reply: Any) -> bool:
    error = getattr(reply, "error", None)
    return isinstance(error, str) and error.endswith(ENGINE_CLOSED)
