"""What participants, publications and tracks know of their room: a way to ask the native side, and its clock.

`Room` implements it; the reducer's tests have a small one of their own. A lower module gets it as an argument and imports
nothing from above.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._ffi._calls import Call
    from .._ffi._runtime import Sink
    from ._events import RoomEvent
    from ._publication import LocalTrackPublication
    from ._track import LocalTrack


class RoomLink(Protocol):
    """The room's side towards its own parts. All of it belongs to the loop that opened the room."""

    def check_open(self) -> None:
        """Raise if nothing can be asked of the room any more: before any other reason why an operation cannot be done.

        Raises:
            RoomClosedError: the room has ended.
            WrongLoopError: called from another event loop.
        """
        ...

    def request(self, name: str, /, **fields: Any) -> Any:
        """Send a request that is answered at once; returns the inner response message.

        Args:
            name: the field's name in FfiRequest, such as ``set_subscribed``.
            **fields: the inner message's fields; a dict stands for a nested message.

        Raises:
            RoomClosedError: the room has ended.
            WrongLoopError: called from another event loop.
            NativeRefusalError: the native side refused it.
        """
        ...

    def send(self, name: str, /, **fields: Any) -> Call:
        """Send a request that is answered by a callback, and leave the waiting to the caller, who must forsake it if cancelled.

        Raises what `request` raises.
        """
        ...

    def tell(self, name: str, /, **fields: Any) -> None:
        """Send a request that is answered at once, also while the room is being left. Never raises.

        For what the native side must be told if it is still there, such as the answer that it waits for.
        """
        ...

    async def call(self, name: str, /, **fields: Any) -> Any:
        """Send a request that is answered by a callback; returns the inner callback message, its ``error`` unread.

        What cancelling means stands in the request table. Raises what `request` raises, and RoomClosedError if the room
        ends meanwhile.
        """
        ...

    async def call_unless(self, done: Callable[[], object], name: str, /, **fields: Any) -> Any | None:
        """As `call` for a request whose effect shows in the room: None as soon as *done* says so, answered or not."""
        ...

    async def wait_for_slot(self, name: str, /) -> None:
        """Wait until neither effect nor answer of a `call_unless` *name* is missing whose caller was cancelled.

        Raises:
            RoomClosedError: the room has ended.
        """
        ...

    async def wait_until(self, predicate: Callable[[], object], /) -> None:
        """Return once *predicate* is true; it is asked again after each native event of this room.

        Raises:
            RoomClosedError: the room has ended.
        """
        ...

    def add_publication(self, owned: Any, track: LocalTrack, /) -> LocalTrackPublication:
        """Take over the reply to a publish request, and say what is to be said about it."""
        ...

    def announce(self, event: RoomEvent, /) -> None:
        """Say what we have done ourselves and the native side says nothing of."""
        ...

    def route(self, handle: int, sink: Sink, /) -> None:
        """Own a handle that a response has brought, and let *sink* have its events; `unroute` ends both."""
        ...

    def unroute(self, handle: int, /) -> None:
        """Let no more events of *handle* come, and drop it. Idempotent."""
        ...

    def drop(self, handle: int, /) -> None:
        """Drop a native handle; never raises."""
        ...

    def read_buffer(self, handle: int, address: int, length: int, /) -> bytes:
        """Copy native memory that *handle* owns, and drop the handle."""
        ...
