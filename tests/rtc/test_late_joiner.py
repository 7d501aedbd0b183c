"""Whenever we join and whenever we begin to listen: the same state, and the same events, each of them once."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import AsyncExitStack, ExitStack, suppress
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.testing._fake_library import FakeLibrary
from livekit_trio.testing._fake_room import FakeParticipant, FakeTrack
from tests.peers.listener import Listener, listen
from tests.peers.tracks import publish_data_track, publish_silence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from livekit_trio.testing import DevServer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

REPLAYED: Final = (
    rtc.ParticipantConnected,
    rtc.ParticipantActive,
    rtc.TrackPublished,
    rtc.TrackSubscribed,
    rtc.DataTrackPublished,
    rtc.LocalTrackPublished,
    rtc.LocalTrackSubscribed,
)
"""What include_existing brings. SIDs differ from case to case, names do not."""


def said(event: Any) -> tuple[str, ...]:
    """An event in words that are the same in each case."""
    publication = getattr(event, "publication", None)
    if isinstance(event, rtc.DataTrackPublished):
        return "DataTrackPublished", event.track.publisher_identity, event.track.name
    who = event.participant.identity if hasattr(event, "participant") else "ourselves"
    return (type(event).__name__, who) if publication is None else (type(event).__name__, who, publication.name)


def heard_of(events: Iterable[Any]) -> Counter[tuple[str, ...]]:
    return Counter(said(event) for event in events if isinstance(event, REPLAYED))


def everything_of(identity: str) -> list[tuple[str, ...]]:
    """What there is to hear of somebody who publishes a track and a data track."""
    return [
        ("ParticipantConnected", identity),
        ("ParticipantActive", identity),
        ("TrackPublished", identity, f"{identity}'s"),
        ("TrackSubscribed", identity, f"{identity}'s"),
        ("DataTrackPublished", identity, f"{identity}'s"),
    ]


def state_of(room: rtc.Room) -> dict[str, Any]:
    return {
        identity: {
            "active": who.is_active,
            "tracks": {(track.name, track.subscribed) for track in who.track_publications.values()},
            "data tracks": {track.name for track in who.data_tracks.values()},
        }
        for identity, who in room.remote_participants.items()
    }


def whole_state(*identities: str) -> dict[str, Any]:
    return {
        identity: {"active": True, "tracks": {(f"{identity}'s", True)}, "data tracks": {f"{identity}'s"}}
        for identity in identities
    }


# ---- with the real server

ORDERS: Final = [
    "ann bob bob+ carol carol+ ann+",
    "bob bob+ carol carol+ ann ann+",
    "bob ann ann+ carol bob+ carol+",
    "carol bob ann carol+ ann+ bob+",
    "ann ann+ carol bob bob+ carol+",
    "bob bob+ ann ann+ carol carol+",
]
"""Who joins, and with a plus who publishes, when. It is ann who looks."""

EVERYTHING_OF_BOTH: Final = Counter([*everything_of("bob"), *everything_of("carol")])
OUR_OWN: Final = Counter(
    [("LocalTrackPublished", "ourselves", "ann's"), ("LocalTrackSubscribed", "ourselves", "ann's")]
)


async def test_orders_of_joining_and_publishing(server: DevServer, room_name: str) -> None:
    """All of them side by side, each in a room of its own."""

    async def play(number: int, order: str) -> None:
        rooms: dict[str, rtc.Room] = {}
        listeners: list[Listener] = []
        async with AsyncExitStack() as stack:

            def begin_to_listen() -> None:
                listeners.append(stack.enter_context(listen(rooms["ann"], include_existing=True)))

            for step in order.split():
                identity = step.rstrip("+")
                if step != identity:
                    await publish_silence(rooms[identity], f"{identity}'s")
                    if identity != "ann":
                        await publish_data_track(rooms[identity], f"{identity}'s")
                else:
                    token = server.token(identity, f"{room_name}-{number}")
                    rooms[identity] = await stack.enter_async_context(rtc.open_room(server.url, token))
                if "ann" in rooms:
                    begin_to_listen()
            ann = rooms["ann"]
            with anyio.fail_after(20):
                await ann.wait_until(lambda: state_of(ann) == whole_state("bob", "carol"))
                [own] = ann.local_participant.track_publications.values()
                await own.wait_for_subscription()
            begin_to_listen()
            # What might come twice comes before this.
            with ann.open_events(rtc.DataReceived) as events:
                await rooms["bob"].local_participant.publish_data("last")
                await events.receive()
            await ann.disconnect()
            for listener in listeners:
                await listener.hear_all()
                assert heard_of(listener.heard) == EVERYTHING_OF_BOTH + OUR_OWN, order

    async with anyio.create_task_group() as group:
        for number, order in enumerate(ORDERS):
            group.start_soon(play, number, order)


# ---- with the fake: all orders

Step = tuple[str, str]
STEPS_OF_BOB: Final = ("joins", "is active", "publishes", "data")
STEPS_OF_CAROL: Final = ("joins and is active", "publishes", "data")


def interleavings(first: tuple[Step, ...], second: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    """All orders of both in which each keeps its own."""
    for positions in itertools.combinations(range(len(first) + len(second)), len(first)):
        rest, own = iter(second), iter(first)
        yield tuple(next(own) if at in positions else next(rest) for at in range(len(first) + len(second)))


def orders_of_bob() -> list[tuple[Step, ...]]:
    """Being active, the track and the data track, in any order; the data track may even come before its publisher."""
    orders = itertools.permutations(STEPS_OF_BOB)
    return [
        tuple(("bob", step) for step in order)
        for order in orders
        if order.index("joins") < min(order.index("is active"), order.index("publishes"))
    ]


ALL_ORDERS: Final = [
    order
    for of_bob in orders_of_bob()
    for order in interleavings(of_bob, tuple(("carol", step) for step in STEPS_OF_CAROL))
]


class Stage:
    """A fake room in which steps are taken before our join, or after it."""

    def __init__(self, fake: FakeLibrary, before: Iterable[Step]) -> None:
        taken: dict[str, set[str]] = {}
        for identity, step in before:
            taken.setdefault(identity, set()).add(step)
        present = [
            FakeParticipant(
                identity,
                (FakeTrack(f"TR_{identity}", f"{identity}'s"),) if "publishes" in steps else (),
                {"state": 2 if steps & {"is active", "joins and is active"} else 1},
            )
            for identity, steps in taken.items()
            if steps & {"joins", "joins and is active"}
        ]
        self.native = fake.room(participants=present)
        # After the join come the media of what was published before, and the data tracks.
        for participant in present:
            if participant.tracks:
                self._subscribe(participant.identity)
        for identity, steps in taken.items():
            if "data" in steps:
                self.take((identity, "data"))

    def take(self, step: Step) -> None:
        identity, what = step
        if what == "joins":
            self.native.join(FakeParticipant(identity, info={"state": 1}))
        elif what == "joins and is active":
            self.take((identity, "joins"))
            self.take((identity, "is active"))
        elif what == "is active":
            self.native.emit(participant_active={"participant_identity": identity})
        elif what == "publishes":
            track = FakeTrack(f"TR_{identity}", f"{identity}'s")
            self.native.emit(track_published={"participant_identity": identity, "publication": {"info": track.info()}})
            self._subscribe(identity)
        else:
            info = {"sid": f"DTR_{identity}", "name": f"{identity}'s"}
            self.native.emit(data_track_published={"track": {"info": info, "publisher_identity": identity}})

    def _subscribe(self, identity: str) -> None:
        track = {"info": {"sid": f"TR_{identity}", "name": f"{identity}'s", "kind": 1}}
        self.native.emit(track_subscribed={"participant_identity": identity, "track": track})


async def let_it_be_known() -> None:
    """Let the pump run: a poke, then the drain."""
    for _ in range(3):
        await anyio.lowlevel.checkpoint()


async def play_on_the_fake(order: tuple[Step, ...], join_at: int) -> None:
    """Join after *join_at* steps, and begin to listen at each moment that follows."""
    fake = FakeLibrary()
    stage = Stage(fake, order[:join_at])
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            with ExitStack() as stack:
                streams: list[rtc.EventStream[Any]] = []

                def begin_to_listen() -> None:
                    streams.append(stack.enter_context(room.open_events(include_existing=True)))

                begin_to_listen()
                await let_it_be_known()
                begin_to_listen()
                for step in order[join_at:]:
                    stage.take(step)
                    begin_to_listen()
                    await let_it_be_known()
                    begin_to_listen()
                assert state_of(room) == whole_state("bob", "carol"), (order, join_at)
                for stream in streams:
                    assert heard_of(read(stream)) == EVERYTHING_OF_BOTH, (order, join_at)
    fake.check()


def read(stream: rtc.EventStream[Any]) -> Iterator[Any]:
    """What is there now."""
    with suppress(anyio.WouldBlock):
        while True:
            yield stream.receive_nowait()


@pytest.mark.parametrize("join_at", range(len(STEPS_OF_BOB) + len(STEPS_OF_CAROL) + 1))
async def test_every_order_on_the_fake(join_at: int, anyio_backend_name: str) -> None:
    """Every order at every moment on Trio; on asyncio, whose debug mode takes its time, each at two of the eight."""
    assert len(ALL_ORDERS) == 280
    step = 1 if anyio_backend_name == "trio" else 4
    for order in ALL_ORDERS[join_at % step :: step]:
        await play_on_the_fake(order, join_at)
