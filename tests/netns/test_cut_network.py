"""A network that goes away under two rooms, one on Trio and one on asyncio, in processes of their own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.netns.client import LEAVE_TIMEOUT
from tests.netns.network import Client, open_scene

if TYPE_CHECKING:
    from pathlib import Path

STILL_TRYING = 75.0
"""Seconds after the cut."""

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.netns,
    # The loops that matter are the clients'.
    pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True),
]


async def test_a_dead_network_is_noticed_and_can_be_left(tmp_path: Path) -> None:
    async def notice_and_leave(client: Client) -> None:
        noticed = await client.hear("Reconnecting", within=25) - begin
        left_within = await client.leave("CONN_RECONNECTING")
        print(f"{client.identity}: noticed after {noticed:.1f} s, left within {left_within:.3f} s")  # noqa: T201
        assert noticed > 0
        assert left_within < LEAVE_TIMEOUT + 0.5

    async with open_scene(tmp_path) as (network, ann, bob), anyio.create_task_group() as group:
        begin = time.monotonic()
        network.pull_the_cable(at=network.server)
        group.start_soon(notice_and_leave, ann)
        group.start_soon(notice_and_leave, bob)


@pytest.mark.long
async def test_a_silent_network_is_tried_for_longer_than_a_minute(tmp_path: Path) -> None:
    async def keep_trying(client: Client) -> None:
        await client.hear("Reconnecting", within=25)
        with pytest.raises(TimeoutError):
            while time.monotonic() < begin + STILL_TRYING:
                await client.hear("Disconnected", within=begin + STILL_TRYING - time.monotonic())
        left_within = await client.leave("CONN_RECONNECTING")
        assert client.has_told("calls ended", "CLIENT_INITIATED")
        print(f"{client.identity}: tried for {STILL_TRYING:.0f} s, left within {left_within:.3f} s")  # noqa: T201

    async with open_scene(tmp_path, "with-calls") as (network, ann, bob), anyio.create_task_group() as group:
        begin = time.monotonic()
        network.pull_the_cable(at=network.server)
        group.start_soon(keep_trying, ann)
        group.start_soon(keep_trying, bob)


@pytest.mark.long
async def test_a_client_without_a_network_gives_up(tmp_path: Path) -> None:
    async def give_up(client: Client) -> None:
        ended = await client.hear("Disconnected", within=90) - begin
        await client.hear("calls ended", "UNKNOWN_REASON", within=5)
        await client.leave("CONN_DISCONNECTED", "UNKNOWN_REASON")
        print(f"{client.identity}: given up after {ended:.1f} s")  # noqa: T201
        assert ended > 15

    async with open_scene(tmp_path, "with-calls") as (network, ann, bob), anyio.create_task_group() as group:
        begin = time.monotonic()
        network.pull_the_cable(at=network.clients)
        group.start_soon(give_up, ann)
        group.start_soon(give_up, bob)


async def test_a_signal_cut_of_3_seconds(tmp_path: Path) -> None:
    """Resuming is refused as well, so both join anew; for the program the room goes on."""
    async with open_scene(tmp_path) as (network, ann, bob):
        begin = time.monotonic()
        with network.cut_signal():
            for client in (ann, bob):
                noticed = await client.hear("Reconnecting")
                print(f"{client.identity}: noticed after {noticed - begin:.1f} s")  # noqa: T201
            await anyio.sleep(3)
        mended = time.monotonic()
        for client in (ann, bob):
            back = await client.hear("Reconnected")
            print(f"{client.identity}: back {back - mended:.1f} s after the cut")  # noqa: T201
        for source, target in ((ann, bob), (bob, ann)):
            await source.say("hello")
            await target.hear("DataReceived", "hello")
        for client in (ann, bob):
            assert await client.leave("CONN_CONNECTED") < LEAVE_TIMEOUT + 0.5
