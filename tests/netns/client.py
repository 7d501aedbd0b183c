"""Be in a room, and say when what happens there.

Arguments: the event loop, URL, token. What comes on standard input is sent to the others; its end means to leave the room.
Prints JSON lines: what, when (by the monotonic clock, which all processes share), and about whom or what.
"""

from __future__ import annotations

import json
import os
import sys
import time

import anyio

from livekit_trio import rtc

LEAVE_TIMEOUT = 2.0


def tell(what: str, about: str = "") -> None:
    sys.stdout.write(json.dumps({"what": what, "at": time.monotonic(), "about": about}) + "\n")
    sys.stdout.flush()


async def tell_events(events: rtc.EventStream[rtc.RoomEvent]) -> None:
    async for event in events:
        match event:
            case rtc.DataReceived():
                tell("DataReceived", event.data.decode())
            case rtc.ParticipantConnected():
                tell("ParticipantConnected", event.participant.identity)
            case rtc.ConnectionStateChanged():
                tell("ConnectionStateChanged", event.connection_state.name)
            case rtc.Reconnecting() | rtc.Reconnected() | rtc.Disconnected():
                tell(type(event).__name__)
            case _:
                pass


async def read_input() -> bytes:
    await anyio.wait_readable(sys.stdin)
    return os.read(sys.stdin.fileno(), 1000)


async def main(url: str, token: str) -> None:
    async with rtc.open_room(url, token, leave_timeout=LEAVE_TIMEOUT) as room, anyio.create_task_group() as group:
        with room.open_events(include_existing=True) as events:
            group.start_soon(tell_events, events)
            while message := await read_input():
                await room.local_participant.publish_data(message)
            group.cancel_scope.cancel()
        tell("leaving", room.connection_state.name)
    tell("left", "" if room.disconnect_reason is None else room.disconnect_reason.name)


if __name__ == "__main__":
    backend, url, token = sys.argv[1:]
    anyio.run(main, url, token, backend=backend)
