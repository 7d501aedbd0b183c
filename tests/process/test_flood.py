"""A loop that is blocked for ten seconds while a real peer floods its room. (`test_stall.py`: while native threads do.)"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from livekit_trio import rtc
from livekit_trio._ffi._load import load_library

from .programs.blocked import LAST_NAME
from .running import running_program

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit_trio.testing import DevServer

SECONDS: Final = 10
PAYLOAD: Final = b"x" * 15_000


class Peer:
    """Sends packets and changes its name for as long as it is let."""

    def __init__(self, room: rtc.Room) -> None:
        self.me = room.local_participant
        self.sent = {True: 0, False: 0}
        self.names: list[str] = []

    async def send(self, *, reliable: bool) -> None:
        while True:
            number = self.sent[reliable]
            self.sent[reliable] += 1
            await self.me.publish_data(b"%010d" % number + PAYLOAD, reliable=reliable)

    async def send_reliable(self) -> None:
        await self.send(reliable=True)

    async def send_lossy(self) -> None:
        await self.send(reliable=False)

    async def change_name(self) -> None:
        while True:
            self.names.append(f"name {len(self.names):06}")
            await self.me.set_name(self.names[-1])


async def flood(server: DevServer, room_name: str, programs: list[Callable[..., str]]) -> tuple[Peer, list[Any]]:
    """Join, let all programs block, flood them until all are awake again, and collect what they saw."""
    answers: list[Any] = []

    async def ask(program: Callable[..., str], line: str = "") -> str:
        return await anyio.to_thread.run_sync(program, line, abandon_on_cancel=True)

    async def let_block(program: Callable[..., str]) -> None:
        assert await ask(program, "block") == "awake"

    async def collect(program: Callable[..., str]) -> None:
        answers.append(json.loads(await ask(program)))

    token = server.token("peer", room_name, can_update_own_metadata=True)
    async with rtc.open_room(server.url, token) as room:
        peer = Peer(room)
        for program in programs:
            assert await ask(program) == "joined"
        async with anyio.create_task_group() as flooding:
            for send in (*[peer.send_reliable] * 4, peer.send_lossy, peer.change_name):
                flooding.start_soon(send)
            async with anyio.create_task_group() as blocked:
                for program in programs:
                    blocked.start_soon(let_block, program)
            flooding.cancel_scope.cancel()
        await peer.me.set_name(LAST_NAME)
        async with anyio.create_task_group() as collecting:
            for program in programs:
                collecting.start_soon(collect, program)
    return peer, answers


def test_a_peer_floods_a_blocked_loop(server: DevServer) -> None:
    room = "flooded"
    # Through ctypes callbacks wait for the GIL, and the library keeps what comes meanwhile.
    hows = ("sleep", "gil") if load_library().name == "bridge" else ("sleep",)
    with ExitStack() as stack:
        programs = [
            stack.enter_context(running_program("blocked", how, SECONDS, server.url, server.token(how, room)))[0]
            for how in hows
        ]
        peer, answers = anyio.run(flood, server, room, programs)
    for seen in answers:
        print(  # noqa: T201 - the figures, for a run with -rP
            f"sent {peer.sent[True]} reliable and {peer.sent[False]} lossy packets, {len(peer.names)} names;",
            f"grown {seen['grown'] / 2**20:.1f} MiB, longest callback {seen['callback_max_ns'] / 1e6:.1f} ms,",
            f"read {len(seen['reliable'])}, {len(seen['lossy'])} and {len(seen['names'])}, lost {seen['lagged']}",
        )
        assert seen["grown"] < 16 * 2**20
        assert seen["callback_max_ns"] < 1e9  # none has waited for Python
        # More came than is kept: what is there is a beginning without a gap, and the loss is said.
        assert 0 < len(seen["reliable"]) < peer.sent[True]
        assert seen["reliable"] == list(range(len(seen["reliable"])))
        assert seen["lagged"] >= seen["dropped_reliable"] > 0
        assert seen["lossy"] == sorted(seen["lossy"])
        assert seen["dropped_lossy"] > 0
        # The server itself tells changes out of order now and then; the last one is the last.
        assert seen["names"][-1] == LAST_NAME
        assert len(seen["names"]) > 100
