"""Cancel open_room at every suspension, in every way, whatever the native side does meanwhile: nothing is left."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from livekit_trio import rtc
from livekit_trio.testing import assert_idle
from livekit_trio.testing._fake_library import FakeLibrary, FakeRequest
from tests.cancelling import Program, cancel_at, ways

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


class Delays:
    """When the fake answers: its replies to some requests wait until somebody lets them go."""

    def __init__(self, fake: FakeLibrary, *names: str) -> None:
        self.waiting: list[Callable[[], object]] = []
        for name in names:
            self._delay(fake, name)

    def _delay(self, fake: FakeLibrary, name: str) -> None:
        handler = fake.handler(name)

        def later(request: FakeRequest) -> None:
            self.waiting.append(lambda: handler(request))

        fake.on(name, later)

    def let_go(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


async def visit() -> None:
    """Join, use the room a little, leave."""
    async with rtc.open_room("ws://fake", "token", leave_timeout=0.1) as room:
        with room.open_events() as events:
            await anyio.lowlevel.checkpoint()
            await events.receive()
        await room.local_participant.set_name("me")
        await room.disconnect()


@pytest.mark.parametrize(
    "delayed", [(), ("connect",), ("disconnect",), ("set_local_name",), ("ready_for_room_event",)], ids=str
)
@pytest.mark.parametrize("late", [False, True], ids=["answered meanwhile", "answered after the end"])
async def test_cancelled_at_every_suspension(anyio_backend_name: str, delayed: tuple[str, ...], late: bool) -> None:
    for way in ways(anyio_backend_name):
        for at in itertools.count(1):
            fake = FakeLibrary()
            with fake.installed():
                reached = await cancel_once(Delays(fake, *delayed), way, at, late=late)
                await assert_idle()
            fake.check()
            assert len(fake.requested("disconnect")) == len(fake.requested("connect")), f"{way} at {at}"
            if not reached:
                assert at > 5
                break


async def cancel_once(delays: Delays, way: str, at: int, *, late: bool, program: Program = visit) -> bool:
    """Cancel one visit, or another *program*; delayed replies are let go whenever everything waits, but not after the cancel if *late*."""
    cancelled = False

    def on_cancel() -> None:
        nonlocal cancelled
        cancelled = True

    async def help_on() -> None:
        while not (late and cancelled):
            await anyio.wait_all_tasks_blocked()
            delays.let_go()
            await anyio.lowlevel.checkpoint()

    reached = False
    async with anyio.create_task_group() as group:
        group.start_soon(help_on)
        reached = await cancel_at(program, at, way, on_cancel)
        group.cancel_scope.cancel()
    delays.let_go()
    return reached
