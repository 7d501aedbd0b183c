"""Several event loops in one process: at once, one after the other, one inside the other, and one that just dies."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import anyio
import pytest
import trio

from livekit_trio import rtc
from livekit_trio.testing import assert_idle

from .running import running_program

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

BACKENDS = ("trio", "asyncio")


async def talk(server: DevServer, room_name: str, own: str, other: str) -> str:
    """Join, wait for the other, say hello to it and return what it said."""
    async with rtc.open_room(server.url, server.token(own, room_name)) as room:
        with room.open_events(rtc.DataReceived) as packets:
            await (await room.wait_for_participant(other)).wait_until_active()
            await room.local_participant.publish_data(f"{own} greets {other}".encode(), destination_identities=[other])
            return (await packets.receive()).data.decode()


async def join_and_leave(server: DevServer, room_name: str, own: str) -> None:
    async with rtc.open_room(server.url, server.token(own, room_name)) as room:
        await room.local_participant.publish_data(b"x")


def test_two_loops_in_two_threads(server: DevServer) -> None:
    with ThreadPoolExecutor(2) as pool:
        on_trio = pool.submit(anyio.run, talk, server, "two threads", "t", "a", backend="trio")
        on_asyncio = pool.submit(anyio.run, talk, server, "two threads", "a", "t", backend="asyncio")
    assert on_trio.result() == "a greets t"
    assert on_asyncio.result() == "t greets a"
    anyio.run(assert_idle)


def test_many_loops_in_many_threads(server: DevServer) -> None:
    with ThreadPoolExecutor(8) as pool:
        done: list[Future[str]] = []
        for number in range(4):
            room = f"many threads {number}"
            done.append(pool.submit(anyio.run, talk, server, room, "a", "b", backend=BACKENDS[number % 2]))
            done.append(pool.submit(anyio.run, talk, server, room, "b", "a", backend="trio"))
    assert [each.result() for each in done] == ["b greets a", "a greets b"] * 4
    anyio.run(assert_idle)


def test_one_run_after_the_other(server: DevServer) -> None:
    for number, backend in enumerate(BACKENDS * 3):
        anyio.run(join_and_leave, server, "runs", f"p{number}", backend=backend)
        anyio.run(assert_idle, backend=backend)


def test_trio_as_a_guest_of_asyncio(server: DevServer) -> None:
    """Two loops in one thread: what belongs to which cannot be told by the thread."""

    async def host() -> tuple[str, str]:
        loop = asyncio.get_running_loop()
        guest_ended = loop.create_future()
        trio.lowlevel.start_guest_run(
            talk,
            server,
            "guests",
            "guest",
            "host",
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=guest_ended.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        heard_here = await talk(server, "guests", "host", "guest")
        return heard_here, (await guest_ended).unwrap()

    assert asyncio.run(host()) == ("guest greets host", "host greets guest")
    anyio.run(assert_idle)


@pytest.mark.parametrize("how", ["closed", "forgotten"])
def test_a_loop_that_dies_with_a_room_open(server: DevServer, how: str) -> None:
    room = f"dying loop, {how}"

    async def identities() -> list[str]:
        return [each["identity"] for each in await server.list_participants(room)]

    async def wait_until_empty() -> None:
        with anyio.fail_after(3):
            while await identities():
                await anyio.sleep(0.01)

    with running_program("dying_loop", how, server.url, server.token("ann", room)) as (ask, program):
        assert ask() == "joined"
        assert anyio.run(identities) == ["ann"]
        assert ask("die") == "dead"
        anyio.run(wait_until_empty)
        assert program.poll() is None
