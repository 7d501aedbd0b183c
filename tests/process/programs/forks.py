"""Fork, and start processes, with a room open; print what the children and the parent saw as a JSON object.

Arguments: backend, URL, tokens of the parent, of the child that was forked first, of the spawned and of the forkserver's child.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import traceback
from multiprocessing.context import ForkProcess, ForkServerProcess, SpawnProcess
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from livekit_trio import rtc

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess

WELL = 7
"""A child's exit code if everything went as it should; 1 would be an unhandled exception."""


class ChildLeavesError(Exception):
    """Takes the child out of the parent's scopes."""


def forked(function: Callable[[], None]) -> int:
    """Run *function* in a forked child and return the child's exit code."""
    child = os.fork()
    if child == 0:
        try:
            function()
            os._exit(WELL)
        except BaseException:  # noqa: BLE001 - the child ends here
            traceback.print_exc()
        finally:
            os._exit(1)
    return exit_code(child)


def exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


async def join(url: str, token: str) -> None:
    async with rtc.open_room(url, token) as room:
        await room.local_participant.publish_data(b"to nobody")


def join_in_new_loop(backend: str, url: str, token: str) -> None:
    anyio.run(join, url, token, backend=backend)


async def talk(url: str, token: str) -> None:
    async with rtc.open_room(url, token) as room:
        with room.open_events(rtc.DataReceived) as events:
            await room.local_participant.publish_data(b"from a child")
            await events.receive()  # the parent's answer: what is still on its way as we leave can be lost


def talk_or_fail(backend: str, url: str, token: str) -> None:
    anyio.run(talk, url, token, backend=backend)
    sys.exit(WELL)


def expect_refusal(backend: str, url: str, token: str) -> None:
    signal.set_wakeup_fd(-1)  # the parent's loop has one, which Trio would warn of
    try:
        join_in_new_loop(backend, url, token)
    except rtc.UsedAfterForkError:
        sys.exit(WELL)


def use_everything(room: rtc.Room) -> None:
    """In a child: calls say why they cannot work; what dies there does so in silence."""
    try:
        room.local_participant.set_track_subscription_permissions(allow_all_participants=True)
    except rtc.UsedAfterForkError:
        pass
    else:
        raise AssertionError("a request was sent")
    publishing = room.local_participant.publish_data(b"x")
    try:
        publishing.send(None)
    except rtc.UsedAfterForkError:
        pass
    else:
        raise AssertionError("a call was sent")
    gc.collect()
    rtc.runtime_statistics()


async def started(
    method: Callable[..., BaseProcess], target: Callable[[str, str, str], None], *arguments: str
) -> int | None:
    process = method(target=target, args=arguments)
    await anyio.to_thread.run_sync(process.start)
    await anyio.to_thread.run_sync(process.join)
    return process.exitcode


async def answer_children(room: rtc.Room, heard: list[str]) -> None:
    with room.open_events(rtc.DataReceived) as events:
        for _ in range(2):
            heard.append((await events.receive()).data.decode())
            await room.local_participant.publish_data(b"heard")


async def main(backend: str, url: str, ours: str, spawned: str, served: str, first: int) -> None:
    report: dict[str, object] = {"before any room": first}
    async with rtc.open_room(url, ours) as room:
        report["a call"] = forked(lambda: use_everything(room))
        report["fork"] = await started(ForkProcess, expect_refusal, backend, url, spawned)
        report["packets"] = heard = list[str]()
        async with anyio.create_task_group() as group:
            group.start_soon(answer_children, room, heard)
            report["spawn"] = await started(SpawnProcess, talk_or_fail, backend, url, spawned)
            report["forkserver"] = await started(ForkServerProcess, talk_or_fail, backend, url, served)
        await room.local_participant.set_name("still here")
        report["name"] = room.local_participant.name
        report["connected"] = room.connected
    if backend == "trio":  # no task group of asyncio's can be left in a forked child
        await leave_in_child(url, ours, report)
    json.dump(report, sys.stdout)


async def leave_in_child(url: str, token: str, report: dict[str, object]) -> None:
    """End the process at once: the child may have taken what the parent waits for from the epoll that they share."""
    try:
        async with rtc.open_room(url, token):
            child = os.fork()
            if child == 0:
                raise ChildLeavesError
            report["leaving"] = exit_code(child)
            json.dump(report, sys.stdout)
            sys.stdout.flush()
            os._exit(0)
    except ChildLeavesError:
        os._exit(WELL)


if __name__ == "__main__":
    backend, url, ours, forked_first, spawned, served = sys.argv[1:]
    first = forked(lambda: join_in_new_loop(backend, url, forked_first))
    anyio.run(main, backend, url, ours, spawned, served, first, backend=backend)
