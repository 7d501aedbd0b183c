"""Be in a room, and say when what happens there.

Arguments: the event loop, URL, token, and ``with-calls`` to have calls pending until the room ends. What comes on standard input is sent to the others; its end means to leave the room.
Prints JSON lines: what, when (by the monotonic clock, which all processes share), and about whom or what.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from contextlib import redirect_stdout

import anyio

from livekit_trio import rtc
from tests.rtc.ending import Ending, lasting_calls

LEAVE_TIMEOUT = 2.0
LARGE_PACKET = bytes(60_000)


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


async def publish_while_cut(room: rtc.Room) -> None:
    """From when the network is missed until nothing can be sent any more: that call stays pending."""
    await room.wait_for(rtc.Reconnecting)
    while True:
        await room.local_participant.publish_data(LARGE_PACKET)


async def tell_end_of_calls(room: rtc.Room) -> None:
    """Have calls pending, of the native library too; tell when all have ended as they must."""
    ending = Ending(room)
    ending.watch()
    calls = {**lasting_calls(room), "publish_data": lambda: publish_while_cut(room)}
    async with anyio.create_task_group() as group:
        for name, call in calls.items():
            group.start_soon(ending.pend, name, call)
    assert room.disconnect_reason is not None
    with redirect_stdout(sys.stderr):
        ending.check(set(calls), room.disconnect_reason)
    tell("calls ended", room.disconnect_reason.name)


async def main(url: str, token: str, *, with_calls: bool) -> None:
    async with anyio.create_task_group() as outliving, rtc.open_room(url, token, leave_timeout=LEAVE_TIMEOUT) as room:
        if with_calls:
            outliving.start_soon(tell_end_of_calls, room)
        async with anyio.create_task_group() as group:
            with room.open_events(include_existing=True) as events:
                group.start_soon(tell_events, events)
                while message := await read_input():
                    await room.local_participant.publish_data(message)
                group.cancel_scope.cancel()
        tell("leaving", room.connection_state.name)
    tell("left", "" if room.disconnect_reason is None else room.disconnect_reason.name)


if __name__ == "__main__":
    backend, url, token, *options = sys.argv[1:]
    anyio.run(functools.partial(main, url, token, with_calls=options == ["with-calls"]), backend=backend)
