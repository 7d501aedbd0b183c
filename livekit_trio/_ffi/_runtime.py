"""The runtime: one for each event loop, between the native library and what lives on that loop.

A `Runtime` owns an inbox of the native library and the pump that drains it, and exists while something holds it, see
`acquire_runtime`. All its methods run on its loop's thread, but for what it leaves in its `Estate`.

The pump never raises, runs no user code and starts no task. What a sink raises is a bug of ours: the sink is told, and the
pump goes on with the next event.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import threading
import traceback
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, final

from .._errors import (
    NativeError,
    NativePanicError,
    NativeRefusalError,
    UsedAfterForkError,
    WrongLoopError,
    internal_error,
)
from . import _logs
from ._abc import HANDLE_KEYED, LAGGED, OWNER_SHIFT, PANIC, READY, RouteLimits
from ._calls import Call, CallGroup
from ._estate import Estate
from ._load import load_library
from ._loop import current_loop, current_token
from ._messages import decode_response, event_class, event_number
from ._requests import REQUESTS, Request
from ._send import send_encoded, send_request, send_ring_request
from ._trace import open_trace
from ._wire import owned_handles

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from ._abc import Event, Inbox, NativeLibrary, Ring
    from ._loop import Loop, Signal

P = ParamSpec("P")

_logger = logging.getLogger("livekit_trio")

BATCH: Final = 256
"""Events drained in one pass, so that a flood cannot starve tasks: some milliseconds of Python at most."""

_FOR_SINKS: Final = HANDLE_KEYED | {READY, LAGGED}

_READY_PANIC = re.compile(r"timed out waiting for ReadyForRoomEventRequest.*?room_handle=(\d+)")
"""The one panic event that concerns a single room (livekit-ffi 0.13.2, measured): nothing else is broken."""


class Sink(Protocol):
    """What receives the events of one handle. Its methods run in the pump: they neither wait nor run user code."""

    def deliver(self, kind: int, stamp_ns: int, payload: bytes, /) -> None:
        """Take one event, and the handles it owns."""
        ...

    def fail(self, error: BaseException, /) -> None:
        """No event will follow: the native side panicked, or `deliver` raised."""
        ...


@final
class Runtime:
    """The native library as one event loop sees it."""

    def __init__(self, library: NativeLibrary, loop: Loop) -> None:
        self.library = library
        self.users: int = 0
        self.ignored: Counter[str] = Counter()
        """Events that found nobody, by kind; their handles were dropped."""
        self.make_signal: Callable[[], Signal] = loop.make_signal
        self._loop = loop
        self._pid = os.getpid()
        self._calls: dict[int, Call] = {}
        self._sinks: dict[int, Sink] = {}
        self._ungrouped = CallGroup()
        self._last_id = 0
        self._trace = open_trace()
        try:
            self._inbox = self._open_inbox()
        except BaseException:
            self._end_trace()
            raise
        self.estate: Estate = Estate(library, self._inbox)
        self.pumping: bool = True
        """Whether replies and events are still delivered; if not, nobody may wait for one."""
        self._stop_pump: Callable[[], None] | None = None
        if library.wakes_by == "descriptor":
            self._stop_pump = loop.start_pump(self._inbox.fileno(), self._drain, self._on_pump_stopped)
        loop.on_death(self.estate.dispose)

    @property
    def inherited(self) -> bool:
        """Whether this is the copy in a forked child, which has nothing native under it."""
        return os.getpid() != self._pid

    # ---- requests

    def request(self, name: str, /, **fields: Any) -> Any:
        """Send a request that is answered at once and return the inner response message.

        Raises:
            NativeRefusalError: the library refused it.
            UsedAfterForkError: this is a forked child.
        """
        return decode_response(self._send(name, fields))

    def send(
        self,
        name: str,
        fields: dict[str, Any],
        /,
        *,
        group: CallGroup | None = None,
        on_end: Callable[[], None] | None = None,
        encode: Callable[[int], bytes] | None = None,
    ) -> Call:
        """Send a request that is answered later; the reply finds the returned call, whenever it comes.

        Args:
            name: the request.
            fields: its fields.
            group: with which it ends.
            on_end: see `Call`.
            encode: makes the serialised FfiRequest of the async id, where that is quicker; *fields* are not looked at then.
        """
        self._last_id += 1
        async_id = self._inbox.owner << OWNER_SHIFT | self._last_id
        call = Call(self, REQUESTS[name], fields, async_id, group or self._ungrouped, on_end)
        self._calls[async_id] = call
        try:
            if encode is None:
                self._send(name, {**fields, "request_async_id": async_id})
            else:
                send_encoded(self.library, name, encode(async_id))
        except BaseException:
            call.withdraw()
            raise
        return call

    async def call(
        self,
        name: str,
        fields: dict[str, Any],
        /,
        *,
        group: CallGroup | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> Any:
        """Send a request that is answered later, wait, and return the inner callback message.

        Cancellation:
            As the request table says for this request.
        """
        call = self.send(name, fields, group=group, on_end=on_end)
        try:
            return await call.wait()
        except BaseException:
            call.forsake()
            raise

    def _send(self, name: str, fields: dict[str, Any]) -> bytes:
        return send_request(self.library, name, fields)

    # ---- routes

    def route(self, key: int, sink: Sink, limits: RouteLimits | None = None, /) -> None:
        """Deliver the events of handle *key* to *sink* from now on."""
        self._sinks[key] = sink
        self._inbox.route(key, limits or RouteLimits())

    def unroute(self, key: int, /) -> None:
        """Deliver no more events of handle *key*; idempotent."""
        if self._sinks.pop(key, None) is not None:
            self._inbox.unroute(key)
            if self._trace is not None and not _go_on_after(self._trace.record_unrouted, self._inbox.owner, key):
                self._end_trace()

    def open_ring(self, name: str, fields: dict[str, Any], capacity: int, sink: Sink, /) -> tuple[Any, Ring]:
        """Open a media stream: *sink* gets READY when its ring has something, and the caller the inner response message.

        Raises:
            NativeRefusalError: the library refused it.
            UsedAfterForkError: this is a forked child.
        """
        response, ring = send_ring_request(self.library, self._inbox, name, fields, capacity)
        self._sinks[ring.key] = sink
        return decode_response(response), ring

    def close_ring(self, ring: Ring, /) -> None:
        """Drop what is in the ring and what still comes; idempotent."""
        self._sinks.pop(ring.key, None)
        ring.close()

    @property
    def pending_calls(self) -> int:
        """How many requests have been sent and not been answered."""
        return len(self._calls)

    def inbox_statistics(self) -> Mapping[str, int]:
        """The inbox's counters, see `Inbox.statistics`."""
        return self._inbox.statistics()

    # ---- the loop

    def call_soon(self, function: Callable[[], None], /) -> None:
        """Run *function* on the loop once the running task has given way."""
        self._loop.call_soon(function)

    def call_soon_if_alive(self, function: Callable[[], None], /) -> bool:
        """As `call_soon`, from any thread; False if the loop has ended, which nobody may have told us."""
        try:
            self._loop.call_soon(function)
        except RuntimeError:
            return False
        return True

    def time(self) -> float:
        """The loop's clock, in seconds."""
        return self._loop.time()

    def check_loop(self, what: str, /) -> None:
        """Raise WrongLoopError unless this is the runtime's own loop, and UsedAfterForkError in a forked child."""
        if self.inherited:
            raise UsedAfterForkError
        if not self._loop.is_current():
            raise WrongLoopError(what)

    # ---- what calls need (CallKeeper)

    def parse_reply(self, request: Request, payload: bytes, /) -> Any:
        return event_class(request.reply).FromString(payload)

    def reply_handles(self, request: Request, payload: bytes, /) -> list[int]:
        return owned_handles(event_number(request.reply), payload)

    def unregister(self, async_id: int, /) -> None:
        self._calls.pop(async_id, None)

    def abandon(self, async_id: int, /) -> None:
        if self._calls.pop(async_id, None) is not None:
            self._inbox.abandon(async_id)

    def undo(self, request: Request, fields: dict[str, Any], reply: Any, payload: bytes, /) -> None:
        taken = 0
        steps = request.undo(fields, reply) if request.undo is not None else ()
        for name, undo_fields in steps:
            taken = undo_fields.get(REQUESTS[name].takes, taken)
            try:
                if REQUESTS[name].reply:
                    self.send(name, undo_fields).forsake()
                else:
                    self.request(name, **undo_fields)
            except NativeRefusalError as refusal:
                _logger.debug("nothing to undo: %s", refusal)  # it has ended by itself meanwhile
        self._drop_owned(event_number(request.reply), payload, keep=taken)

    # ---- the pump

    def _open_inbox(self) -> Inbox:
        if self.library.wakes_by == "call":
            return self.library.open_inbox(-1, -1, self._poke)
        read_fd, write_fd = _wake_descriptors()
        try:
            return self.library.open_inbox(read_fd, write_fd)
        except BaseException:
            for fd in {read_fd, write_fd}:
                socket.close(fd)  # os.close takes no sockets on Windows
            raise

    def _poke(self) -> None:
        self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        batch = self._inbox.take(BATCH)
        for event in batch:
            if self._trace is not None and not _go_on_after(self._trace.record, self._inbox.owner, event):
                self._end_trace()  # it would have a gap
            try:
                self._hand_over(event)
            except Exception as cause:  # noqa: BLE001 - told to the sink, and logged
                _go_on_after(self._blame, event, cause)
        if len(batch) == BATCH and self.library.wakes_by == "call":
            self._poke()
        records = self.library.take_logs()
        if records:
            _go_on_after(_logs.forward, records)

    def _hand_over(self, event: Event) -> None:
        kind, key, stamp_ns, payload = event
        if (sink := self._sinks.get(key)) is not None and kind in _FOR_SINKS:
            sink.deliver(kind, stamp_ns, payload)
        elif kind == PANIC:
            self._panic(event_class("panic").FromString(payload).message)
        elif (call := self._calls.get(key)) is not None:
            call.complete(payload)
        else:
            self._ignore(kind, payload)

    def _blame(self, event: Event, cause: Exception) -> None:
        kind, key, _, _ = event
        error = internal_error(cause)
        if (call := self._calls.get(key)) is not None:
            call.fail(error)
        elif (sink := self._sinks.get(key)) is not None:
            self.unroute(key)
            sink.fail(error)
        _logger.error("an event of kind %d could not be handled", kind, exc_info=cause)

    def _ignore(self, kind: int, payload: bytes) -> None:
        self.ignored[str(kind)] += 1
        connect = REQUESTS["connect"]
        if kind == event_number(connect.reply):  # abandoned while it was in the very batch that is being drained
            self.undo(connect, {}, self.parse_reply(connect, payload), payload)
        else:
            self._drop_owned(kind, payload)

    def _drop_owned(self, kind: int, payload: bytes, *, keep: int = 0) -> None:
        for handle in owned_handles(kind, payload):
            if handle != keep:
                self.library.drop(handle)

    def _panic(self, text: str) -> None:
        message = _logs.redact(text)
        room = _READY_PANIC.search(text)
        if room is not None:
            sink = self._sinks.get(int(room[1]))
            if sink is not None:
                sink.fail(NativeError(message))
            return
        _poisoned[id(self.library)] = (self.library, message)
        for call in list(self._calls.values()):
            call.fail(NativePanicError(message))
        for sink in list(self._sinks.values()):
            sink.fail(NativePanicError(message))
        _logger.critical("the native library panicked: %s", message)

    # ---- the end

    def release(self) -> None:
        """One user less; without any, end the pump and the inbox, and leave what is pending to the library."""
        self.users -= 1
        if not self.users and self.pumping:
            self._close()

    def _close(self) -> None:
        if self.inherited:
            return  # a forked child shares the parent's epoll: unregistering here would unregister there
        _registry.forget(self)
        self.pumping = False
        if self._stop_pump is not None:
            self._stop_pump()
        self._dispose()

    def _on_pump_stopped(self) -> None:
        if self.inherited:
            return
        # The loop has ended under our users: nobody can be told any more.
        self.pumping = False
        _registry.forget(self)
        self._dispose()

    def _dispose(self) -> None:
        self.estate.dispose()
        self._end_trace()

    def _end_trace(self) -> None:
        trace, self._trace = self._trace, None
        if trace is not None:
            _go_on_after(trace.close)


def _wake_descriptors() -> tuple[int, int]:
    if hasattr(os, "eventfd"):
        fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        return fd, fd
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


def _go_on_after(function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> bool:
    """Print what *function* raises, as `logging` does with what a handler raises; on Trio it would end the whole run.

    Returns whether it has raised nothing.

    What can fail here is what the program brings: a handler or filter of its log, the disk that a trace is written to.
    """
    try:
        function(*args, **kwargs)
    except Exception:  # noqa: BLE001 - printed: the log itself may be what is broken
        with contextlib.suppress(Exception):  # stderr may be closed, or on the disk that is full
            traceback.print_exc()
        return False
    return True


class _Registry:
    """Which runtime belongs to which loop.

    It keeps neither alive: a runtime refers to its loop, by the events that somebody waits for, and the loop must be able to
    die under it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_token: weakref.WeakKeyDictionary[Any, weakref.ref[Runtime]] = weakref.WeakKeyDictionary()

    def current(self) -> Runtime:
        token = current_token()
        with self._lock:
            reference = self._by_token.get(token)
        runtime = reference and reference()
        library = load_library() if runtime is None else runtime.library
        if id(library) in _poisoned:
            raise NativePanicError(_poisoned[id(library)][1])
        if runtime is None:
            runtime = Runtime(library, current_loop())
            with self._lock:
                self._by_token[token] = weakref.ref(runtime)
        return runtime

    def forget(self, runtime: Runtime) -> None:
        with self._lock:
            for token, known in list(self._by_token.items()):
                if known() is runtime:
                    del self._by_token[token]

    def all(self) -> list[Runtime]:
        with self._lock:
            references = list(self._by_token.values())
        return [runtime for reference in references if (runtime := reference()) is not None]


_registry: Final = _Registry()

_poisoned: Final[dict[int, tuple[NativeLibrary, str]]] = {}
"""Libraries that panicked and what they said, by id; they are kept, so that no id is used again."""


def acquire_runtime() -> Runtime:
    """The running loop's runtime, kept alive until `Runtime.release`; the native library is loaded by the first one.

    Raises:
        NativeLoadError: no native library could be loaded.
        NativePanicError: it has panicked before.
        UsedAfterForkError: this is a forked child of a process that had loaded it.
    """
    runtime = _registry.current()
    runtime.users += 1
    return runtime


@contextlib.contextmanager
def hold_runtime() -> Generator[Runtime]:
    """As `acquire_runtime`, for the length of a block."""
    runtime = acquire_runtime()
    try:
        yield runtime
    finally:
        runtime.release()


def runtimes() -> list[Runtime]:
    """Every runtime of the process that is alive."""
    return _registry.all()
