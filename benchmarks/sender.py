"""The other end of `receive`: the same program for every SDK that is measured."""

from __future__ import annotations

import trio

from benchmarks.programs import say
from livekit_trio import rtc


def run(rate: str, seconds: str, url: str, *tokens: str) -> None:
    """Send reliable messages of 100 bytes, *rate* a second over all rooms together, for some seconds."""
    trio.run(_send, float(rate), float(seconds), url, tokens)


async def _send(rate: float, seconds: float, url: str, tokens: tuple[str, ...]) -> None:
    sent = [0]
    async with trio.open_nursery() as nursery:
        for token in tokens:
            nursery.start_soon(_send_in_one, rate / len(tokens), seconds, url, token, sent)
    say(sent=sent[0])


async def _send_in_one(rate: float, seconds: float, url: str, token: str, sent: list[int]) -> None:
    async with rtc.open_room(url, token) as room:
        receiver = await room.wait_for_participant()
        await receiver.wait_until_active()
        begin = trio.current_time()
        for number in range(int(rate * seconds)):
            await trio.sleep_until(begin + number / rate)
            await room.local_participant.publish_data(b"x" * 100)
            sent[0] += 1
        await trio.sleep(0.5)  # what was sent reliably is on its way; leaving at once would cut it off
