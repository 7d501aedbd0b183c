"""Join a room, and end the process at some moment of the join or of the joined room, in one of several ways.

Arguments: backend, way, seconds until the end, URL, token. Prints the monotonic time at which the end began.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import anyio

from livekit_trio import rtc


class PlantedError(Exception):
    """The unhandled error."""


def end() -> None:
    sys.stdout.write(str(time.monotonic()))
    sys.stdout.flush()


async def stay(url: str, token: str) -> None:
    # A server that is busy answers a goodbye late: it is our own bound that the end keeps.
    async with rtc.open_room(url, token, leave_timeout=1.5) as room:
        with room.open_events() as events:
            await room.local_participant.publish_data(b"x" * 1000)
            async for _ in events:
                pass
        raise RuntimeError("the room ended before the process")


async def returning(url: str, token: str, delay: float) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(stay, url, token)
        await anyio.sleep(delay)
        end()
        group.cancel_scope.cancel()


async def failing(url: str, token: str, delay: float) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(stay, url, token)
        await anyio.sleep(delay)
        end()
        raise PlantedError


async def exiting(url: str, token: str, delay: float) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(stay, url, token)
        await anyio.sleep(delay)
        end()
        sys.exit(1)


async def interrupted(url: str, token: str, delay: float) -> None:
    def interrupt() -> None:
        time.sleep(delay)
        end()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    await stay(url, token)


def main(backend: str, way: str, delay: float, url: str, token: str) -> None:
    if way == "thread":
        # The main thread ends and the interpreter with it, while the loop is still running elsewhere.
        threading.Thread(target=lambda: anyio.run(stay, url, token, backend=backend), daemon=True).start()
        time.sleep(delay)
        end()
        sys.exit(0)
    program = {"return": returning, "error": failing, "exit": exiting, "interrupt": interrupted}[way]
    anyio.run(program, url, token, delay, backend=backend)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4], sys.argv[5])
