"""``livekit-trio demo``: two participants in a real room, and what each of them saw."""

from __future__ import annotations

from typing import Any

import trio
from rich.console import Console
from rich.text import Text

from .. import rtc
from ..testing import DevServer, open_server

TIME_LIMIT = 60.0
COLOURS = {"alice": "cyan", "bob": "magenta"}


def demo() -> None:
    """Start a local server, let two participants join a room, and print the events that each of them saw."""
    trio.run(_main)


async def _main() -> None:
    console = Console()
    async with open_server() as server:
        console.print(f"A LiveKit server runs at {server.url}.")
        with trio.fail_after(TIME_LIMIT):
            async with rtc.open_room(server.url, _token(server, "alice")) as alice, trio.open_nursery() as nursery:
                with alice.open_events(rtc.ParticipantDisconnected) as departures:
                    nursery.start_soon(_print_events, console, "alice", alice)
                    await _visit(console, server, alice)
                    await departures.receive()
                await alice.disconnect()
    console.print("Both have left, and the server has ended.")


async def _visit(console: Console, server: DevServer, alice: rtc.Room) -> None:
    """Bob looks in: joins, is seen by alice, says hello, leaves."""
    async with rtc.open_room(server.url, _token(server, "bob")) as bob, trio.open_nursery() as nursery:
        nursery.start_soon(_print_events, console, "bob", bob)
        # The server announces those who publish nothing up to 3 s late, and not at all if they have left by then.
        await alice.wait_for_participant("bob")
        await bob.local_participant.set_attributes({"mood": "curious"})
        await bob.local_participant.publish_data("hello", topic="demo")
        await bob.disconnect()


async def _print_events(console: Console, name: str, room: rtc.Room) -> None:
    """Print what happens in the room until it ends, from what was there before on."""
    with room.open_events(include_existing=True) as events:
        async for event in events:
            line = Text.assemble((f"{name:<6}", COLOURS[name]), (type(event).__name__, "bold"), " ", _facts(event))
            console.print(line, soft_wrap=True)


def _facts(event: rtc.RoomEvent) -> str:
    if isinstance(event, rtc.TokenRefreshed):
        return ""  # a secret
    facts: dict[str, Any] = vars(event)
    return " ".join(f"{name}={getattr(value, 'identity', value)!r}" for name, value in facts.items())


def _token(server: DevServer, identity: str) -> str:
    return server.token(identity, "demo", can_update_own_metadata=True)
