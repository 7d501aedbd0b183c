"""Calls that are cancelled, and many at once: the pool stays usable, no connection and no task is left."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest
import trio

from livekit_trio.api import LiveKitAPI
from tests.api import fault_server
from tests.api.calls import TLS
from tests.api.fault_server import FaultServer, open_fault_server
from tests.cancelling import cancel_at, ways

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from livekit_trio.testing import DevServer

pytestmark = pytest.mark.anyio

KEY: Final = "key", "secret" * 6
MAX_CONNECTIONS: Final = 2


@pytest.fixture
async def faulty() -> AsyncIterator[FaultServer]:
    async with open_fault_server() as server:
        yield server


async def tasks_living(backend: str) -> int:
    """How many there are, once all that have something to do have done it."""
    await anyio.wait_all_tasks_blocked()
    return trio.lowlevel.current_statistics().tasks_living if backend == "trio" else len(asyncio.all_tasks())


async def check_usable(lkapi: LiveKitAPI, server: FaultServer) -> None:
    """As many calls at once as there may be connections, and some more."""

    async def call() -> None:
        assert len((await lkapi.room.list_rooms()).rooms) == 1

    server.answers = [fault_server.good]
    with anyio.fail_after(60):
        async with anyio.create_task_group() as calls:
            for _ in range(MAX_CONNECTIONS + 2):
                calls.start_soon(call)
    await server.wait_connections(MAX_CONNECTIONS)


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
async def test_cancelled_at_every_checkpoint(warm: bool, faulty: FaultServer, anyio_backend_name: str) -> None:
    """On a new connection, and on one that has served before."""

    async def call() -> None:
        assert len((await lkapi.room.list_rooms()).rooms) == 1

    before = await tasks_living(anyio_backend_name)
    for way in ways(anyio_backend_name):
        at = 1
        reached = True
        while reached:
            async with LiveKitAPI(faulty.url, *KEY, tls=TLS, max_connections=MAX_CONNECTIONS) as lkapi:
                if warm:
                    await call()
                faulty.answers = [fault_server.answers_in_pieces]
                reached = await cancel_at(call, at, way)
                await check_usable(lkapi, faulty)
            await faulty.wait_connections()
            at += 1
        assert at > 3
    assert await tasks_living(anyio_backend_name) == before


@pytest.mark.parametrize("answer", [fault_server.hangs, fault_server.drips_its_body, fault_server.drips_its_headers])
async def test_cancelled_at_20_moments(answer: Any, faulty: FaultServer, anyio_backend_name: str) -> None:
    before = await tasks_living(anyio_backend_name)
    async with LiveKitAPI(faulty.url, *KEY, tls=TLS, max_connections=MAX_CONNECTIONS) as lkapi:
        for moment in range(20):
            faulty.answers = [answer]
            with anyio.move_on_after(moment * 0.004) as scope:
                await lkapi.room.list_rooms()
            assert scope.cancelled_caught
        await check_usable(lkapi, faulty)
    await faulty.wait_connections()
    assert await tasks_living(anyio_backend_name) == before


async def test_cancelled_while_it_waits_for_a_connection(faulty: FaultServer) -> None:
    faulty.answers = [fault_server.hangs]
    async with LiveKitAPI(faulty.url, *KEY, tls=TLS, max_connections=MAX_CONNECTIONS) as lkapi:
        async with anyio.create_task_group() as calls:
            for _ in range(3 * MAX_CONNECTIONS):
                calls.start_soon(lkapi.room.list_rooms)
            await anyio.wait_all_tasks_blocked()
            calls.cancel_scope.cancel()
        await check_usable(lkapi, faulty)


async def test_a_large_request_cut_off_while_it_is_sent(faulty: FaultServer) -> None:
    """httpx's own body would stay behind, an unfinished async generator, and Trio would warn."""
    faulty.answers = [fault_server.hangs]
    async with LiveKitAPI(faulty.url, *KEY, tls=TLS, max_connections=MAX_CONNECTIONS) as lkapi:
        for delay in (0, 0.001, 0.01, 0.05):
            with anyio.move_on_after(delay):
                await lkapi.room.send_data(room="room", data=bytes(20_000_000))
        await check_usable(lkapi, faulty)
    await faulty.wait_connections()


async def test_closed_while_calls_run(faulty: FaultServer) -> None:
    faulty.answers = [fault_server.hangs]
    lkapi = LiveKitAPI(faulty.url, *KEY, tls=TLS)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await lkapi.aclose()
    await faulty.wait_connections()
    await lkapi.aclose()


@pytest.mark.parametrize(
    "anyio_backend", [("trio", {}), ("asyncio", {})]
)  # asyncio's debug mode takes four times as long
async def test_1000_at_once(server: DevServer) -> None:
    done = 0

    async def call() -> None:
        nonlocal done
        await lkapi.room.list_rooms(names=["nobody"])
        done += 1

    async with LiveKitAPI(server.url, server.api_key, server.api_secret, timeout=240) as lkapi:
        async with anyio.create_task_group() as calls:
            for _ in range(1000):
                calls.start_soon(call)
    assert done == 1000
