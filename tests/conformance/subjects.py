"""The native libraries under test, each behind the same controls."""

from __future__ import annotations

import os
import select
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from livekit_trio._errors import NativeRefusalError
from livekit_trio._ffi import _proto as proto, _wire
from livekit_trio._ffi._abc import OWNER_SHIFT
from livekit_trio._ffi._requests import REQUESTS
from livekit_trio.testing._fake_library import FakeLibrary, FakeRequest
from livekit_trio.testing._fake_messages import complete

from ..native.fake_control import HANDLE, SEQUENCE, FakeControl, Flood

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from livekit_trio._ffi._abc import Event, Inbox, NativeLibrary

messages: Final[Any] = proto
"""Message classes by name; Any, since tests make messages by the names of their fields."""

TIMEOUT: Final = 20.0
"""For what must come; seconds."""


class Subject(ABC):
    """A library, and what makes it do things."""

    library: NativeLibrary
    refusing = False
    """Refuse every request from now on."""
    allowed_false_drops = 0
    """How many drops of dead handles the test does itself."""
    _answer: bytes | bool = True
    _before: Sequence[bytes] = ()

    def answer(self, response: bytes, /, *, before: Sequence[bytes] = ()) -> None:
        """Answer the next request with this FfiResponse, and call back with *before* before that."""
        self._answer, self._before = response, before

    def refuse(self, reason: str, /) -> None:
        """Refuse the next request, and log why."""
        text = f"failed to handle request FfiRequest {{ message: Some(X(Y)) }}: {reason}"
        record = {"level": 0, "target": "livekit_ffi::room_apis::cabi", "message": text}
        self._answer, self._before = False, [self.event(logs={"records": [record]})]

    def next_answer(self) -> bytes | bool:
        """How to answer the request that has come: an FfiResponse, True for the default one, False for a refusal."""
        if self.refusing:
            return False
        answer, before, self._answer, self._before = self._answer, self._before, True, ()
        for data in before:
            self.emit_raw(data)
        return answer

    @abstractmethod
    def emit_raw(self, data: bytes, /) -> None:
        """Call back with these bytes. When it returns, they have been dealt with."""

    @abstractmethod
    def start_floods(self, floods: Sequence[Flood], /) -> None:
        """Call back from threads that Python does not know, one for each flood."""

    @abstractmethod
    def join_threads(self) -> None:
        """Wait for them."""

    @abstractmethod
    def new_handle(self) -> int:
        """A handle that is alive."""

    @abstractmethod
    def live_handles(self) -> int:
        """How many handles are alive."""

    @abstractmethod
    def new_buffer(self, data: bytes, /) -> dict[str, Any]:
        """An OwnedBuffer with *data* in native memory, as fields."""

    @abstractmethod
    def false_drops(self) -> int:
        """How often a handle was dropped that was not alive."""

    @abstractmethod
    def requests(self) -> list[Any]:
        """The FfiRequests since the last call, oldest first."""

    def event(self, **fields: Any) -> bytes:
        """A serialised FfiEvent; what is required is added, with handles that are alive."""
        event = messages.FfiEvent(**fields)
        complete(event, self.new_handle)
        return event.SerializeToString()

    def emit(self, **fields: Any) -> None:
        """Call back with such an event."""
        self.emit_raw(self.event(**fields))


class FakeSubject(Subject):
    """`FakeLibrary`, with Python threads."""

    def __init__(self) -> None:
        self.library = self._fake = FakeLibrary()
        self._seen = 0
        self._threads: list[threading.Thread] = []
        for name in REQUESTS:
            self._fake.on(name, self._handle)

    @override
    def emit_raw(self, data: bytes, /) -> None:
        self._fake.emit_raw(data)

    @override
    def start_floods(self, floods: Sequence[Flood], /) -> None:
        self._threads = [threading.Thread(target=self._flood, args=item) for item in enumerate(floods)]
        for thread in self._threads:
            thread.start()

    @override
    def join_threads(self) -> None:
        for thread in self._threads:
            thread.join()

    @override
    def new_handle(self) -> int:
        return self._fake.new_handle()

    @override
    def live_handles(self) -> int:
        return len(self._fake.live_handles)

    @override
    def false_drops(self) -> int:
        return len(self._fake.bad_drops)

    @override
    def new_buffer(self, data: bytes, /) -> dict[str, Any]:
        return self._fake.new_buffer(data)

    @override
    def requests(self) -> list[Any]:
        new = self._fake.requests[self._seen :]
        self._seen = len(self._fake.requests)
        return [messages.FfiRequest(**{request.name: request.message}) for request in new]

    def _handle(self, request: FakeRequest) -> None:
        answer = self.next_answer()
        if answer is False:
            request.refuse("refused")
        if isinstance(answer, bytes):
            inner = getattr(messages.FfiResponse.FromString(answer), request.name)
            request.respond(**{field.name: value for field, value in inner.ListFields()})

    def _flood(self, index: int, flood: Flood) -> None:
        for number in range(flood.count):
            data = flood.template
            while _stand_in(HANDLE) in data:
                data = data.replace(_stand_in(HANDLE), _padded(self._fake.new_handle()), 1)
            self._fake.emit_raw(data.replace(_stand_in(SEQUENCE), _padded(index << 32 | number)))


def _stand_in(number: int) -> bytes:
    return bytes(number >> shift & 0x7F | (0x80 if shift < 63 else 0) for shift in range(0, 70, 7))


_padded = _stand_in


class NativeSubject(Subject):
    """The C fake, through the library that *load* makes of its path and its entry points."""

    def __init__(self, control: FakeControl, load: Callable[[str, int, int, int, str, str], NativeLibrary]) -> None:
        self.control = control
        initialize, request, drop = (
            control.address(f"livekit_ffi_{name}") for name in ("initialize", "request", "drop_handle")
        )
        self.library = load(str(control.path), initialize, request, drop, "python", "0")
        control.set_handler(lambda _request: self.next_answer())

    @override
    def emit_raw(self, data: bytes, /) -> None:
        self.control.emit(data)

    @override
    def start_floods(self, floods: Sequence[Flood], /) -> None:
        self.control.start_floods(floods)

    @override
    def join_threads(self) -> None:
        self.control.join_threads()

    @override
    def new_handle(self) -> int:
        return self.control.new_handle()

    @override
    def live_handles(self) -> int:
        return self.control.live_handles()

    @override
    def false_drops(self) -> int:
        return self.control.false_drops()

    @override
    def new_buffer(self, data: bytes, /) -> dict[str, Any]:
        handle = self.control.new_handle(data)
        return {"handle": {"id": handle}, "data": {"data_ptr": self.control.memory(handle), "data_len": len(data)}}

    @override
    def requests(self) -> list[Any]:
        return [messages.FfiRequest.FromString(data) for data in self.control.take_requests()]


class Reader:
    """An inbox and how its loop would be woken."""

    def __init__(self, subject: Subject, wakes_by: str = "") -> None:
        self._poked = threading.Event()
        self._poll: select.poll | None = None
        self.inbox: Inbox
        if (wakes_by or subject.library.wakes_by) == "call":
            self.inbox = subject.library.open_inbox(-1, -1, self._poked.set)
        else:
            fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self.inbox = subject.library.open_inbox(fd, fd)
            self._poll = select.poll()
            self._poll.register(fd, select.POLLIN)

    def async_id(self, number: int = 1) -> int:
        """An async id whose reply comes here."""
        return self.inbox.owner << OWNER_SHIFT | number

    def woken(self, timeout: float = 0.0) -> bool:
        """Whether there is a wake that was not answered, or comes within *timeout* seconds."""
        if self._poll is None:
            return self._poked.wait(timeout)
        return bool(self._poll.poll(timeout * 1000))

    def take(self, limit: int = 10_000) -> list[Event]:
        """Take once, as the pump does it: woken by a call, it comes again by itself after a full batch."""
        self._poked.clear()
        batch = self.inbox.take(limit)
        if len(batch) == limit:
            self._poked.set()
        return batch

    def kinds(self) -> list[int]:
        """The kinds of all that waits."""
        return [kind for kind, *_ in self.take()]

    def keys(self) -> list[int]:
        """The keys of all that waits."""
        return [key for _, key, *_ in self.take()]


def drop_owned(subject: Subject, events: Sequence[Event]) -> None:
    """Drop what the taken *events* own, as whoever has taken them must."""
    for kind, _, _, payload in events:
        for handle in _wire.owned_handles(kind, payload):
            if not subject.library.drop(handle):
                raise AssertionError(f"handle {handle} was not alive")


def refused(subject: Subject, message: bytes) -> bool:
    """Whether the library refuses this request."""
    try:
        subject.library.request(message)
    except NativeRefusalError:
        return True
    return False


def request(**fields: Any) -> bytes:
    """A serialised FfiRequest; what is required is added."""
    message = messages.FfiRequest(**fields)
    complete(message, lambda: 1)
    return message.SerializeToString()
