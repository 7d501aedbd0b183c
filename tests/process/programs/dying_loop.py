"""Let an asyncio loop die with a room open in it.

Arguments: ``closed`` or ``forgotten``, URL, token. Lines: says ``joined``; told to ``die`` says ``dead``; ends with its input.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import warnings

from livekit_trio import rtc
from livekit_trio._ffi._runtime import hold_runtime
from livekit_trio.rtc._connect import _join


async def stay(url: str, token: str, joined: asyncio.Event) -> None:
    async with rtc.open_room(url, token):
        joined.set()
        await asyncio.sleep(3600)


async def stay_without_scope(url: str, token: str, joined: asyncio.Event) -> None:
    with hold_runtime() as runtime:
        session = await _join(runtime, url, token, rtc.RoomOptions(), 15)
        joined.set()
        await asyncio.sleep(3600)
        session.release()


async def start(how: str, url: str, token: str) -> asyncio.Task[None]:
    joined = asyncio.Event()
    # AnyIO keeps a task that is in a cancel scope, and its loop, for ever: no such loop is ever collected.
    stays = stay if how == "closed" else stay_without_scope
    task = asyncio.create_task(stays(url, token, joined))
    await joined.wait()
    await asyncio.sleep(0)
    return task


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(how: str, url: str, token: str) -> None:
    # asyncio complains of a loop that was not closed, and of its tasks.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore", ResourceWarning)
    loop = asyncio.new_event_loop()
    task = loop.run_until_complete(start(how, url, token))
    say("joined")
    sys.stdin.readline()
    if how == "closed":
        loop.close()
    del loop, task
    gc.collect()
    say("dead")
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
