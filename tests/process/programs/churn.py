"""Join and leave one room again and again, as fast as it goes, and print what the process holds after each cycle.

Arguments: backend, cycles, ``data`` or ``track``, URL, token. Prints a JSON object.
"""

from __future__ import annotations

import json
import logging
import sys
import time

import anyio

from livekit_trio import rtc
from livekit_trio.testing import assert_idle
from tests.process.publishing import publish_track
from tests.process.resources import Resources, resident, resources, settle

REFERENCE = 50
"""The cycle whose memory the end is compared with."""

LINGERING = 20.0
"""Seconds. A room that is left while its publisher negotiates keeps its peer connection for 10 more, inside the library."""


async def main(cycles: int, what: str, url: str, token: str) -> None:
    async def cycle() -> None:
        async with rtc.open_room(url, token) as room:
            if what == "data":
                await room.local_participant.publish_data(b"one packet")
            else:
                await publish_track(room)

    await cycle()  # the native library starts its threads
    base = resources()
    started = time.monotonic()
    held: list[Resources] = []
    reference = 0
    for number in range(1, cycles + 1):
        await cycle()
        held.append(resources())
        if number == REFERENCE:
            reference = resident()
    took = time.monotonic() - started
    settled = await settle(base, LINGERING)
    await assert_idle()
    grown = resident() - reference
    json.dump({"base": base, "held": held, "settled": settled, "grown": grown, "seconds": took}, sys.stdout)


if __name__ == "__main__":
    # The native side complains of each room that was left before it could negotiate.
    logging.getLogger("livekit_trio").setLevel(logging.CRITICAL)
    backend, cycles, what, url, token = sys.argv[1:]
    anyio.run(main, int(cycles), what, url, token, backend=backend)
