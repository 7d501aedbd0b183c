"""A native library in Python: no WebRTC, no server, no thread; what it does is what the test says.

Everything happens in the call that causes it: a request is answered before `request` returns, an emitted event is in its
inbox before `emit` returns, and the event loop is woken by a call. So a room on a `FakeLibrary` runs under Trio's autojump
clock, and a test decides in which gap an event comes::

    fake = FakeLibrary()
    room = fake.room(participants=[FakeParticipant("bob")])
    with fake.installed():
        async with open_room("ws://fake", "token") as joined:
            held = fake.hold("set_local_metadata")     # … start a call: it waits
            room.emit(room_metadata_changed={"metadata": "new"})
            held.release()                             # … now it is answered
    fake.check()                                       # every handle was dropped, and once

Unless told otherwise every request succeeds, and rooms behave as those of the real library do, see `FakeRoom`.
"""

from __future__ import annotations

import itertools
import weakref
from array import array
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias, final

import attrs

from .._errors import NativeRefusalError, UsedAfterForkError
from .._ffi import _wire
from .._ffi._load import use_library
from .._ffi._memory import read_at
from .._ffi._py_router import Router
from .._ffi._requests import REQUESTS
from ._fake_media import FakeMedia
from ._fake_messages import complete
from ._fake_room import FakeParticipant, FakeRoom, FakeRooms

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from typing_extensions import Buffer

    from .._ffi._abc import NativeBuffer
    from .._ffi._py_inbox import PyInbox

LOG_ERROR: Final = 0

_RESPONSES: Final = {"edit_chat_message": "send_chat_message"}
"""Responses that are not named like their request."""


@final
@attrs.define(eq=False)
class FakeRequest:
    """One request that the library was sent.

    Attributes:
        name: which, such as ``publish_track``.
        message: the request message of that name.
        data: what its ``data_ptr`` pointed to.
    """

    library: FakeLibrary
    name: str
    message: Any
    data: bytes = b""
    _response: dict[str, Any] = attrs.field(factory=dict[str, Any], init=False)

    @property
    def async_id(self) -> int:
        """Under which the reply is waited for; 0 if this request is answered at once."""
        return getattr(self.message, "request_async_id", 0)

    def respond(self, **fields: Any) -> None:
        """Set fields of the response, which goes out when the handler returns; required ones are added."""
        self._response.update(fields)

    def reply(self, **fields: Any) -> None:
        """Send the reply of a request that is answered later; without *fields* it is a success."""
        event = REQUESTS[self.name].reply
        if not event:
            raise ValueError(f"{self.name} is answered by its response, see respond()")
        self.library.emit(**{event: {**fields, "async_id": self.async_id}})

    def refuse(self, text: str = 'InvalidRequest("handle not found")') -> NoReturn:
        """Refuse it, as the real library does: handle 0, and a log record with the reason. To be called by a handler."""
        printed = f"failed to handle request FfiRequest {{ message: Some({self.name}(…)) }}: {text}"
        self.library.log(LOG_ERROR, "livekit_ffi::room_apis::cabi", printed)
        raise NativeRefusalError

    def serialised_response(self) -> bytes:
        """The FfiResponse."""
        name = _RESPONSES.get(self.name, self.name)
        response = _messages().FfiResponse(**{name: self._response})
        inner = getattr(response, name)
        inner.SetInParent()
        if self.async_id and "async_id" in inner.DESCRIPTOR.fields_by_name:
            inner.async_id = self.async_id
        complete(inner, self.library.new_handle)
        data = response.SerializeToString()
        self.library.live_handles.update(_wire.owned_response_handles(data))
        return data


Handler: TypeAlias = "Callable[[FakeRequest], object]"
"""Does what a request does: calls `FakeRequest.reply`, `respond` or `refuse`, emits events. Without a reply none comes."""


@final
@attrs.define(eq=False)
class Hold:
    """Requests of one name that wait to be handled, see `FakeLibrary.hold`."""

    library: FakeLibrary
    name: str
    handler: Handler
    requests: list[FakeRequest] = attrs.field(factory=list[FakeRequest], init=False)

    def release(self) -> None:
        """Handle what waits, oldest first, and hold nothing any more."""
        self.library.on(self.name, self.handler)
        while self.requests:
            self.handler(self.requests.pop(0))

    def lose(self) -> None:
        """Never answer what waits, and hold nothing any more."""
        self.library.on(self.name, self.handler)
        self.requests.clear()


@final
class FakeLibrary:
    """See the module's text; and `_abc.NativeLibrary` for the contract."""

    def __init__(self) -> None:
        self.name: Final = "fake"
        self.path: Final = ""
        self.wakes_by: Final = "call"
        self.requests: list[FakeRequest] = []
        """Everything that was asked, oldest first."""
        self.live_handles: set[int] = set()
        """Handles that were given out and not dropped or taken over."""
        self.bad_drops: list[int] = []
        """Handles that were dropped although they were not alive."""
        self.rooms: Final = FakeRooms(self)
        self.media: Final = FakeMedia(self)
        self._router = Router(self.request, self.drop)
        self._handlers: dict[str, Handler] = self.rooms.handlers() | self.media.handlers()
        self._memory: dict[int, array[int]] = {}
        self._handle_numbers = itertools.count(1)
        self._disowned = False

    # ---- what a test says

    @contextmanager
    def installed(self) -> Generator[FakeLibrary]:
        """Let this be the process's native library for a block."""
        with use_library(self):
            yield self

    def on(self, name: str, handler: Handler, /) -> None:
        """Let *handler* do what request *name* does."""
        if name not in REQUESTS:
            raise ValueError(f"there is no request {name}")
        self._handlers[name] = handler

    def handler(self, name: str, /) -> Handler:
        """What does request *name* now, for a handler that adds to it."""
        return self._handlers.get(name, _succeed)

    def hold(self, name: str, /) -> Hold:
        """Let requests *name* wait from now on; their responses say that they are under way."""
        hold = Hold(self, name, self.handler(name))
        self.on(name, hold.requests.append)
        return hold

    def refuse(self, name: str, text: str = 'InvalidRequest("handle not found")', /) -> None:
        """Refuse requests *name* from now on."""
        self.on(name, lambda request: request.refuse(text))

    def fail(self, name: str, error: str, /) -> None:
        """Answer requests *name* with an error from now on."""
        self.on(name, lambda request: request.reply(error=error))

    def room(
        self, name: str = "room", identity: str = "me", participants: Iterable[FakeParticipant] = (), **info: Any
    ) -> FakeRoom:
        """Say what the next `connect` joins, beyond those said already. *info*: fields of RoomInfo."""
        return self.rooms.expect(FakeRoom(self, name, identity, participants, info))

    def emit(self, event: Any = None, /, **fields: Any) -> None:
        """Call back with an FfiEvent, or one of these *fields*; what is required is added, its handles are alive then."""
        event = _messages().FfiEvent(**fields) if event is None else event
        complete(event, self.new_handle)
        data = event.SerializeToString()
        self.live_handles.update(_wire.owned_handles(*_wire.split(data)))
        self._router.receive(data)

    def emit_raw(self, data: bytes, /) -> None:
        """Call back with these bytes, whatever they are."""
        self._router.receive(data)

    def log(self, level: int, target: str, message: str, /) -> None:
        """Write a log record of native LogLevel *level*."""
        self.emit(logs={"records": [{"level": level, "target": target, "message": message}]})

    def panic(self, message: str, /) -> None:
        """Emit a panic event."""
        self.emit(panic={"message": message})

    def new_handle(self) -> int:
        """A handle that is alive."""
        handle = next(self._handle_numbers)
        self.live_handles.add(handle)
        return handle

    def new_buffer(self, data: bytes, /) -> dict[str, Any]:
        """An OwnedBuffer with *data* in native memory, as fields."""
        handle, memory = self.new_handle(), array("B", data)
        self._memory[handle] = memory
        return {"handle": {"id": handle}, "data": {"data_ptr": memory.buffer_info()[0], "data_len": len(data)}}

    def requested(self, name: str, /) -> list[FakeRequest]:
        """All requests of one name, oldest first."""
        return [request for request in self.requests if request.name == name]

    def check(self) -> None:
        """Raise AssertionError unless every handle was dropped, and none twice."""
        if self.live_handles or self.bad_drops:
            raise AssertionError(f"not dropped: {sorted(self.live_handles)}; dropped in vain: {self.bad_drops}")

    # ---- the contract

    def request(self, message: Buffer, /) -> bytes:
        if self._disowned:
            raise UsedAfterForkError
        outer = _messages().FfiRequest.FromString(bytes(message))
        name = outer.WhichOneof("message") or ""
        inner = getattr(outer, name)
        request = FakeRequest(self, name, inner)
        if name == "publish_data":
            request.data = read_at(inner.data_ptr, inner.data_len)
        elif name == "capture_audio_frame":
            buffer = inner.buffer
            request.data = read_at(buffer.data_ptr, 2 * buffer.num_channels * buffer.samples_per_channel)
        self.requests.append(request)
        self._check_handles(request)
        self.handler(name)(request)
        return request.serialised_response()

    def drop(self, handle: int, /) -> bool:
        if self._router.silent:
            return False
        memory = self._memory.pop(handle, None)
        if memory is not None:
            self.media.overwrite(memory)
        if handle not in self.live_handles:
            self.bad_drops.append(handle)
            return False
        self.live_handles.remove(handle)
        return True

    def buffer(self, handle: int, address: int, length: int, /) -> NativeBuffer:
        import numpy as np

        memory = self._memory[handle]
        if (address, length) != (memory.buffer_info()[0], len(memory)):
            raise ValueError("the buffer of this handle is elsewhere")
        # An object of its own between the memory and its views: it dies with the last of them, and the memory after it.
        view = np.frombuffer(memory, np.uint8)
        weakref.finalize(view, self.drop, handle).atexit = False
        return view.data.toreadonly()

    def open_inbox(self, read_fd: int, write_fd: int, poke: Callable[[], None] | None = None, /) -> PyInbox:
        return self._router.open_inbox(read_fd, write_fd, poke)

    def set_log_level(self, level: int, /) -> None:
        self._router.set_log_level(level)

    def take_logs(self) -> list[bytes]:
        return self._router.take_logs()

    def statistics(self) -> Mapping[str, int]:
        return self._router.statistics()

    def silence(self) -> None:
        self._router.silence()

    def disown(self) -> None:
        self._disowned = True
        self._router.disown()

    # ---- helpers

    def _check_handles(self, request: FakeRequest) -> None:
        for field, value in request.message.ListFields():
            if field.name.endswith("_handle") and value not in self.live_handles:
                request.refuse()
        taken = REQUESTS[request.name].takes
        if taken:
            self.live_handles.remove(getattr(request.message, taken))


def _messages() -> Any:
    # Not at import; and Any, since messages are made here by the names of their fields.
    from .._ffi import _proto

    return _proto


def _succeed(request: FakeRequest) -> None:
    if REQUESTS[request.name].reply:
        request.reply()
