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
        network.pull_the_cable()
        group.start_soon(notice_and_leave, ann)
        group.start_soon(notice_and_leave, bob)


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
