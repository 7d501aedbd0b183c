"""A peer that sends as many streams as it can: what it makes us hold is bounded, and others are served meanwhile."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import anyio
import anyio.to_thread
import pytest

from livekit_trio import rtc
from livekit_trio.rtc._incoming_streams import MAX_STREAMS, SHARE, STREAM_BYTES
from livekit_trio.rtc._inflow import SMALLEST
from tests.data.conftest import few_or_many, tell_of
from tests.process.running import running_program

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine

    from livekit_trio.testing import DevServer

    Ask: TypeAlias = "Callable[..., Awaitable[str]]"

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

BOUND: Final = 64 << 20
"""Resident bytes above those at the beginning. 10 000 headers take 30 MB of the native library, whatever becomes of them."""

AT_ONCE: Final = 250
ENDLESS: Final = STREAM_BYTES + 2_000_000
"""Bytes of a stream that never ends: more than is held of one."""


async def flood(room: rtc.Room, *, count: int, kind: str, topic: str) -> None:
    """Send headers of streams that nothing follows; ``{}`` in *topic* becomes their number."""
    me = room.local_participant
    content = {"text_header": {"operation_type": 0}} if kind == "text" else {"byte_header": {"name": "n"}}
    pending: list[Any] = []
    for number in range(count):
        stream_id, name = f"{kind}-{topic}-{number}", topic.format(number)
        header = {"stream_id": stream_id, "timestamp": 1, "mime_type": "x/y", "topic": name, **content}
        fields: dict[str, Any] = {"local_participant_handle": me._local.handle, "header": header}
        fields |= {"destination_identities": ["besieged"], "sender_identity": me.identity}
        pending.append(room._session.send("send_stream_header", **fields))
        if len(pending) == AT_ONCE:
            while pending:
                assert not (await pending.pop().wait()).error


async def drip(room: rtc.Room, *, count: int) -> None:
    """Write one byte at a time to a stream that is never read and never ends."""
    writer = await room.local_participant.stream_bytes(topic="accepted").__aenter__()
    for _ in range(count):
        await writer.write(b"x")


async def pour(room: rtc.Room, *, count: int) -> None:
    """Write to streams that are never read and never end."""
    for _ in range(count):
        writer = await room.local_participant.stream_bytes(topic="accepted").__aenter__()
        await writer.write(bytes(ENDLESS))


async def call_names(room: rtc.Room, *, count: int) -> None:
    for number in range(count):
        await room.local_participant.send_bytes(b"x", name=f"{number:04}" * 1000, topic="accepted")


ATTACKS: Final[dict[str, tuple[Callable[..., Coroutine[Any, Any, None]], int, int]]] = {
    "nobody accepts it": (partial(flood, kind="text", topic="other"), 500, 10_000),
    "a topic for each": (partial(flood, kind="bytes", topic="topic {}"), 500, 10_000),
    "accepted texts": (partial(flood, kind="text", topic="accepted"), 500, 10_000),
    "accepted bytes": (partial(flood, kind="bytes", topic="accepted"), 500, 10_000),
    "endless": (pour, 1, 6),
    "drops": (drip, 300, STREAM_BYTES // SMALLEST + 100),
    "long names": (call_names, 30, 1_000),
}
"""What eve does, and how often; in the `long` tier more often."""


@asynccontextmanager
async def open_besieged(server: DevServer, room_name: str, backend: str) -> AsyncGenerator[Ask]:
    with running_program("besieged", backend, server.url, server.token("besieged", room_name)) as (program, _):

        async def ask(line: str = "") -> str:
            return await anyio.to_thread.run_sync(program, line)

        assert await ask() == "joined"
        yield ask


@few_or_many
async def test_what_a_peer_makes_us_hold_is_bounded(
    server: DevServer, room_name: str, anyio_backend_name: str, *, many: bool
) -> None:
    async with (
        open_besieged(server, room_name, anyio_backend_name) as ask,
        rtc.open_room(server.url, server.token("friend", room_name)) as friend,
    ):
        await tell_of(server, room_name, "besieged")
        await (await friend.wait_for_participant("besieged")).wait_until_active()
        before = json.loads(await ask("look"))

        async def befriend(text: str) -> None:
            await friend.local_participant.send_text(text, topic="accepted")
            assert await ask(text) == "came"

        for name, (attack, *counts) in ATTACKS.items():
            count = counts[many]
            async with rtc.open_room(server.url, server.token("eve", room_name)) as eve:
                await (await eve.wait_for_participant("besieged")).wait_until_active()
                async with anyio.create_task_group() as group:
                    group.start_soon(partial(attack, eve, count=count))
                    await befriend(f"during {name}")
                await eve.local_participant.send_text(f"after {name}", topic="marker")
                assert await ask(f"after {name}") == "came"  # and so has all that eve sent before
                await befriend(f"and then {name}")
                after = json.loads(await ask("look"))
            assert after["resident"] - before["resident"] < BOUND, name
            assert after["handles"] < 10, "those of the room and the people in it, and none of a stream"
            check_bounds(name, count, {key: after[key] - before[key] for key in after})
            before |= {key: after[key] for key in ("refused", "unclaimed")}


def check_bounds(name: str, count: int, held: dict[str, int]) -> None:
    share = MAX_STREAMS // SHARE
    if name in ("nobody accepts it", "a topic for each"):
        assert (held["held"], held["unclaimed"]) == (0, count)
    elif name == "endless":
        assert held["held"] == held["lagged"] == count
        assert held["waiting"] <= min(count, SHARE) * STREAM_BYTES
    elif name == "drops":
        assert held["held"] == 1
        assert held["waiting"] == min(count, STREAM_BYTES // SMALLEST)
    else:
        assert held["held"] == min(count, share)
        assert held["refused"] == max(0, count - share)
