"""LIVEKIT_TRIO_TRACE: a record of every native event, for `testing.replay` and bug reports.

One JSON object a line: ``t`` the bridge's stamp in ns, ``owner`` the loop, ``kind`` and ``key`` of the event, ``payload`` the
serialised message in base64, and for data packets ``data``, what their native buffer held. Media frames are in native
memory, so a trace has no samples. Tokens are blanked; what users send each other is not. A line of kind `UNROUTED` is
ours: nobody listens to the handle ``key`` from then on, such as when the reply to leaving came before the room's last event.
"""

from __future__ import annotations

import base64
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final, final

from ._memory import read_at

if TYPE_CHECKING:
    from ._abc import Event

VARIABLE: Final = "LIVEKIT_TRIO_TRACE"

UNROUTED: Final = 0
"""The number of no field of FfiEvent."""

_ROOM_EVENT: Final = 1


@final
class Trace:
    """A file that events are appended to, from any loop."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "a", encoding="ascii", buffering=1)  # noqa: SIM115 - see close
        self._lock = threading.Lock()

    def record(self, owner: int, event: Event, /) -> None:
        """Append one event, before anything has taken what it owns."""
        kind, key, stamp_ns, payload = event
        line: dict[str, Any] = {"t": stamp_ns, "owner": owner, "kind": kind, "key": key}
        if kind == _ROOM_EVENT:
            payload = self._look_into(payload, line)
        self._write(line, payload)

    def record_unrouted(self, owner: int, key: int, /) -> None:
        """Append that the events of this handle are nobody's from now on."""
        self._write({"t": time.monotonic_ns(), "owner": owner, "kind": UNROUTED, "key": key}, b"")

    def close(self) -> None:
        """End the record; another loop's, in the same file, goes on."""
        self._file.close()

    def _write(self, line: dict[str, Any], payload: bytes) -> None:
        import json

        line["payload"] = base64.b64encode(payload).decode("ascii")
        with self._lock:
            self._file.write(json.dumps(line) + "\n")

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
