"""What a loop leaves behind natively if it dies with rooms still open, and its disposal.

asyncio has no hook for a loop's end: a finalizer on the loop object disposes of this. So nothing in here may refer to the
loop, not even through an event that somebody waits for; that is why it is kept apart from the runtime.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, final

import attrs

from .._errors import NativeRefusalError, UsedAfterForkError
from ._messages import encode_request

if TYPE_CHECKING:
    from ._abc import Inbox, NativeLibrary
    from ._handles import HandleSet

NOBODY: Final = 1
"""An async id of owner 0: the reply is dropped by the library."""


@final
@attrs.define(eq=False)
class Estate:
    """The native side of one runtime: its inbox, the rooms that are joined, and all their handles."""

    library: NativeLibrary
    inbox: Inbox
    rooms: dict[int, HandleSet] = attrs.field(factory=dict[int, "HandleSet"], init=False)
    """Handle of a joined room → all handles of that room."""
    _pid: int = attrs.field(factory=os.getpid, init=False)

    def dispose(self) -> None:
        """Leave every room without waiting, drop every handle, close the inbox. Idempotent; from any thread."""
        if os.getpid() != self._pid:
            return
        while self.rooms:
            room_handle, handles = self.rooms.popitem()
            self._send("ready_for_room_event", room_handle=room_handle)
            self._send("disconnect", room_handle=room_handle, request_async_id=NOBODY)
            handles.drop_all()
        self.inbox.close()

    def _send(self, name: str, **fields: Any) -> None:
        try:
            self.library.request(encode_request(name, fields))
        except (NativeRefusalError, UsedAfterForkError):
            return  # the room is gone already: nothing is left to say to it
