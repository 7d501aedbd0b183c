"""Send or receive one file, and watch what this process holds meanwhile. The other end is `tests/process/test_transfer.py`.

Arguments: ``send`` or ``receive``, backend, URL, token, the file to send or the directory to save to. Says, as a JSON object,
the resident memory at the beginning, its most, sampled every second, the progress that it was told of, and how long it took.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import anyio

from livekit_trio import rtc
from tests.process.resources import resident


class Watch:
    """Samples memory, and is told the progress."""

    def __init__(self) -> None:
        self.base = resident()
        self.most = 0
        self.began = time.monotonic()
        self.steps: list[tuple[int, int | None]] = []

    async def sample(self) -> None:
        while True:
            self.most = max(self.most, resident())
            await anyio.sleep(1)

    def progress(self, done: int, total: int | None) -> None:
        self.steps.append((done, total))

    def report(self) -> str:
        return json.dumps(
            {
                "grown": max(self.most, resident()) - self.base,
                "seconds": time.monotonic() - self.began,
                "in_order": self.steps == sorted(self.steps),
                "first": self.steps[0],
                "last": self.steps[-1],
            }
        )


async def main(role: str, url: str, token: str, path: Path) -> None:
    async with rtc.open_room(url, token) as room, anyio.create_task_group() as group:
        with room.accept_byte_streams("files") as incoming:
            if role == "send":
                # That of somebody else, and not of the very first packet: a reconnect in between would not be noticed.
                await (await room.wait_for_participant("receive")).wait_until_active()
            watch = Watch()
            group.start_soon(watch.sample)
            if role == "send":
                await room.local_participant.send_file(path, topic="files", progress=watch.progress)
                await room.wait_for(rtc.ParticipantDisconnected)
            else:
                await (await incoming.receive()).save_to(path, progress=watch.progress)
            print(watch.report())  # noqa: T201
            group.cancel_scope.cancel()


if __name__ == "__main__":
    role, backend, url, token, path = sys.argv[1:]
    anyio.run(main, role, url, token, Path(path), backend=backend)
