"""Block the loop while a peer floods the room. The other end is `tests/process/test_flood.py`.

Arguments: ``sleep`` or ``gil``, seconds, URL, token. Lines: says ``joined`` once the peer is there; told to ``block`` says
``awake`` afterwards; then it reads everything up to the peer's last change of name and says what it saw as a JSON object.
"""

from __future__ import annotations

import json
import sys
import time

import anyio
import anyio.to_thread

from livekit_trio import rtc
from tests.process.resources import resident

LAST_NAME = "last"


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def block(how: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    if how == "sleep":
        time.sleep(seconds)
        return
    usual = sys.getswitchinterval()
    sys.setswitchinterval(2 * seconds)
    while time.monotonic() < end:
        pass
    sys.setswitchinterval(usual)


class Seen:
    """What the subscribers saw."""

    def __init__(self) -> None:
        self.reliable: list[int] = []
        self.lossy: list[int] = []
        self.names: list[str] = []
        self.lagged = 0
        self.facts: dict[str, int] = {}

    async def read_packets(self, events: rtc.EventStream[rtc.DataReceived]) -> None:
        try:
            async for packet in events:
                numbers = self.lossy if packet.kind == rtc.DataPacketKind.KIND_LOSSY else self.reliable
                numbers.append(int(packet.data[:10]))
        except rtc.StreamLaggedError as error:
            self.lagged = error.dropped

    async def read_names(self, events: rtc.EventStream[rtc.ParticipantNameChanged]) -> None:
        async for change in events:
            self.names.append(change.new_name)
            if change.new_name == LAST_NAME:
                return


async def main(how: str, seconds: float, url: str, token: str) -> None:
    seen = Seen()
    async with rtc.open_room(url, token) as room, anyio.create_task_group() as group:
        with (
            room.open_events(rtc.DataReceived) as packets,
            room.open_events(rtc.ParticipantNameChanged, capacity=100_000) as names,
        ):
            await room.wait_for_participant("peer")
            say("joined")
            await anyio.to_thread.run_sync(sys.stdin.readline)
            before = resident()
            block(how, seconds)
            grown = resident() - before
            statistics = rtc.runtime_statistics()
            [inbox] = statistics.inboxes
            say("awake")
            group.start_soon(seen.read_packets, packets)
            await seen.read_names(names)
            group.cancel_scope.cancel()
        seen.facts = {
            "grown": grown,
            "callback_max_ns": statistics.native["callback_max_ns"],
            "dropped_lossy": inbox["dropped_lossy"],
            "dropped_reliable": inbox["dropped_reliable"],
        }
    say(
        json.dumps(
            {
                **seen.facts,
                "reliable": seen.reliable,
                "lossy": seen.lossy,
                "names": seen.names,
                "lagged": seen.lagged,
            }
        )
    )


if __name__ == "__main__":
    how, seconds, url, token = sys.argv[1:]
    anyio.run(main, how, float(seconds), url, token, backend="trio")
