"""Accept streams while a peer sends as many as it can. The other end is `tests/data/test_hostile.py`.

Arguments: backend, URL, token. It accepts the topic ``accepted`` for texts and bytes, reads what ``friend`` sends there, and
holds what others send without ever reading it. What comes to the topic ``marker`` it reads from everybody. Lines: says
``joined``; told to ``look`` says what it holds as a JSON object, and lets go of it; everything else that it is told is a text
that it waits for.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from livekit_trio import rtc
from tests.process.resources import resident

if TYPE_CHECKING:
    from livekit_trio._streams import MailboxStream


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Besieged:
    """What has come, and what is held of it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.held: list[Any] = []
        self.came = anyio.Event()

    async def accept(self, incoming: MailboxStream[Any]) -> None:
        async for reader in incoming:
            if reader.sender_identity == "friend" or reader.info.topic == "marker":
                self.texts.append(await reader.read_all())
                self.came.set()
                self.came = anyio.Event()
            else:
                self.held.append(reader)

    def look(self) -> dict[str, int]:
        facts = {
            "resident": resident(),
            "held": len(self.held),
            "waiting": sum(reader.statistics().buffered for reader in self.held),
            "lagged": sum(reader.statistics().dropped > 0 for reader in self.held),
            "handles": rtc.runtime_statistics().live_handles,
        }
        while self.held:
            self.held.pop().close()
        return facts

    async def wait_for(self, text: str) -> None:
        while text not in self.texts:
            await self.came.wait()


async def main(url: str, token: str) -> None:
    besieged = Besieged()
    async with rtc.open_room(url, token) as room, anyio.create_task_group() as group:
        with (
            room.accept_text_streams("accepted") as texts,
            room.accept_byte_streams("accepted") as files,
            room.accept_text_streams("marker") as markers,
        ):
            for incoming in (texts, files, markers):
                group.start_soon(besieged.accept, incoming)
            say("joined")
            while line := (await anyio.to_thread.run_sync(sys.stdin.readline)).strip():
                if line == "look":
                    refused = texts.statistics().dropped + files.statistics().dropped
                    say(json.dumps({**besieged.look(), "refused": refused, "unclaimed": unclaimed(room)}))
                else:
                    await besieged.wait_for(line)
                    say("came")
            group.cancel_scope.cancel()


def unclaimed(room: rtc.Room) -> int:
    """How many streams were dropped as they opened."""
    counters = room._session.state.counters
    return sum(count for why, count in counters.items() if why.endswith("opened: unclaimed"))


if __name__ == "__main__":
    backend, url, token = sys.argv[1:]
    anyio.run(main, url, token, backend=backend)
