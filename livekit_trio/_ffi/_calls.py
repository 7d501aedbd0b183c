"""Calls: requests that the native side answers later.

Who waits only waits: the pump completes, undoes and disposes, whether or not anybody still waits, as the request table says.
Nothing here needs a shield, which a plain asyncio `Task.cancel()` would pierce.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, final

import anyio
import attrs

from ._requests import OnCancel, Request

if TYPE_CHECKING:
    from collections.abc import Callable


class CallKeeper(Protocol):
    """What a call needs of its runtime."""

    def parse_reply(self, request: Request, payload: bytes, /) -> Any: ...

    def reply_handles(self, request: Request, payload: bytes, /) -> list[int]: ...

    def unregister(self, async_id: int, /) -> None:
        """The pump need not look for this reply any more."""
        ...

    def abandon(self, async_id: int, /) -> None:
        """As `unregister`; the library drops what still comes."""
        ...

    def undo(self, request: Request, fields: dict[str, Any], reply: Any, payload: bytes, /) -> None:
        """Undo a reply that nobody took, and drop its handles."""
        ...


@final
@attrs.define(eq=False)
class CallGroup:
    """The pending calls that end together, such as those of one room."""

    calls: set[Call] = attrs.field(factory=lambda: set[Call]())  # noqa: PLW0108 - Call is defined below

    def fail(self, make_error: Callable[[], BaseException], /) -> None:
        """End every call: whoever waits gets an error of its own, since tasks must not share a traceback."""
        for call in list(self.calls):
            call.fail(make_error())


@final
@attrs.define(eq=False)
class Call:
    """One request that has been sent.

    It ends by exactly one of `complete` (the reply came), `fail` (its group ended) and `forsake` (its caller was cancelled).
    """

    keeper: CallKeeper
    request: Request
    fields: dict[str, Any]
    async_id: int
    group: CallGroup
    on_end: Callable[[], None] | None = None
    """Called once the native side is done with the request, or its group has ended: frees the slot of a SLOT request."""
    _answered: anyio.Event = attrs.field(factory=anyio.Event, init=False)
    _payload: bytes = attrs.field(default=b"", init=False)
    _reply: Any = attrs.field(default=None, init=False)
    _error: BaseException | None = attrs.field(default=None, init=False)
    _forsaken: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.group.calls.add(self)

    @property
    def payload(self) -> bytes:
        """The serialised reply; empty before it came."""
        return self._payload

    def owned_handles(self) -> list[int]:
        """The handles that came with the reply; whoever takes the reply takes them."""
        return self.keeper.reply_handles(self.request, self._payload)

    async def wait(self) -> Any:
        """Wait for the reply and return it. Whoever is cancelled here must call `forsake`."""
        await self._answered.wait()
        if self._error is not None:
            raise self._error
        return self._reply

    async def wait_answered(self) -> None:
        """Wait until the call has ended, however."""
        await self._answered.wait()

    def abandon(self) -> None:
        """Leave what still comes to the library; it undoes a join by itself. Nothing happens if the call has ended."""
        if not self._answered.is_set():
            self.keeper.abandon(self.async_id)
            self._end()

    def withdraw(self) -> None:
        """It could not be sent after all: nothing will come."""
        self._end()

    def complete(self, payload: bytes, /) -> None:
        """The reply is there; called by the pump."""
        self._payload = payload
        self._reply = self.keeper.parse_reply(self.request, payload)
        self._end()
        if self._forsaken:
            self.keeper.undo(self.request, self.fields, self._reply, payload)
        self._answered.set()

    def fail(self, error: BaseException, /) -> None:
        """There will be no reply that anybody could use."""
        if not self._answered.is_set():
            self._error = error
            self.keeper.abandon(self.async_id)
            self._end()
            self._answered.set()

    def forsake(self) -> None:
        """The caller was cancelled: act as the request table says."""
        if self._error is not None or self._forsaken:
            return
        self._forsaken = True
        if self._answered.is_set():
            self.keeper.undo(self.request, self.fields, self._reply, self._payload)
        elif self.request.on_cancel in (OnCancel.FINISH, OnCancel.ABANDON):
            self.keeper.abandon(self.async_id)
            self._end()

    def _end(self) -> None:
        self.keeper.unregister(self.async_id)
        self.group.calls.discard(self)
        if self.on_end is not None:
            self.on_end()
