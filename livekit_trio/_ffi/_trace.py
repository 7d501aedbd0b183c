"""LIVEKIT_TRIO_TRACE: a record of every native event, for `testing.replay` and bug reports.

One JSON object a line: ``t`` the bridge's stamp in ns, ``owner`` the loop, ``kind`` and ``key`` of the event, ``payload`` the
serialised message in base64, and for data packets ``data``, what their native buffer held. Media frames are in native
memory, so a trace has no samples. Tokens are blanked; what users send each other is not.
"""

from __future__ import annotations

import base64
import os
import threading
from typing import TYPE_CHECKING, Any, Final, final

from ._memory import read_at

if TYPE_CHECKING:
    from ._abc import Event

VARIABLE: Final = "LIVEKIT_TRIO_TRACE"

_ROOM_EVENT: Final = 1


@final
class Trace:
    """A file that events are appended to, from any loop."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "a", encoding="ascii", buffering=1)  # noqa: SIM115 - see close
        self._lock = threading.Lock()

    def record(self, owner: int, event: Event, /) -> None:
        """Append one event, before anything has taken what it owns."""
        import json

        kind, key, stamp_ns, payload = event
        line: dict[str, Any] = {"t": stamp_ns, "owner": owner, "kind": kind, "key": key}
        if kind == _ROOM_EVENT:
            payload = self._look_into(payload, line)
        line["payload"] = base64.b64encode(payload).decode("ascii")
        with self._lock:
            self._file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        """End the record; another loop's, in the same file, goes on."""
        self._file.close()

    def _look_into(self, payload: bytes, line: dict[str, Any]) -> bytes:
        from ._proto import RoomEvent

        event = RoomEvent.FromString(payload)
        which = event.WhichOneof("message")
        if which == "token_refreshed":
            event.token_refreshed.token = ""
            return event.SerializeToString()
        if which == "data_packet_received" and event.data_packet_received.WhichOneof("value") == "user":
            buffer = event.data_packet_received.user.data.data
            line["data"] = base64.b64encode(read_at(buffer.data_ptr, buffer.data_len)).decode("ascii")
        return payload


def open_trace() -> Trace | None:
    """The trace that the environment asks for, if any."""
    path = os.environ.get(VARIABLE, "")
    return Trace(path) if path else None
