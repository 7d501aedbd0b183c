"""Our clients beside livekit-api 1.2.2: the same calls of the same server have the same results and the same errors."""

from __future__ import annotations

import copy
import itertools
import pickle
from typing import TYPE_CHECKING, Any, Final, cast

import aiohttp
import anyio
import anyio.to_thread
import attrs
import livekit.api
import pytest
from anyio.from_thread import start_blocking_portal
from livekit.protocol.agent_dispatch import AgentDispatch
from livekit.protocol.models import ListUpdate
from livekit.protocol.room import SendDataRequest
from livekit.protocol.sip import CreateSIPParticipantRequest, ListSIPInboundTrunkRequest, SIPOutboundConfig

from livekit_trio.api import LiveKitAPI, SyncLiveKitAPI, TokenVerifier, TransportError, TransportErrorKind, VideoGrants
from tests.api.calls import CALLS, ONLY_OURS, Call
from tests.api.redis_nodes import open_nodes
from tests.api.script import IDENTITY, Outcome, Space, outcome_of, script, slow_calls
from tests.peers.driver import open_official_peer
from tests.peers.reachable import until_reachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from livekit_trio.testing import DevServer
    from tests.api.script import Step

    Perform = Callable[[str, Call], Awaitable[Any]]
    Play = Callable[[Space, Perform], Awaitable[list[Outcome]]]

pytestmark = pytest.mark.anyio

each_player = pytest.mark.parametrize(
    ("anyio_backend", "player"),
    [("trio", "an event loop"), ("asyncio", "an event loop"), ("trio", "a thread")],
    indirect=["anyio_backend"],
)
"""The client for threads knows no event loop."""
TIMEOUT: Final = 60.0

ATTEMPTS: Final = 30
"""More than connections are kept: each of them can be stale once, one that is opened anew is not."""

_numbers = itertools.count(1)


# ---- what differs on purpose


def same_but_for_the_result(ours: Outcome, theirs: Outcome) -> bool:
    return theirs.result is None and ours.result == {}


def as_the_race_ends(ours: Outcome, theirs: Outcome) -> bool:
    """With egress the server waits 10 s for a worker and gives the request 10 s: a room, or ``canceled``, for either client."""
    return {each.error["status"] if each.error else each.result["name"] for each in (ours, theirs)} == {
        408,
        "room-of-<space>-2",
    }


DIFFERENCES: Final[dict[str, tuple[str, Callable[[Outcome, Outcome], bool]]]] = {
    "room.create_room": ("the server itself has a race there", as_the_race_ends),
    "room.forward_participant": ("the response is returned, though it is empty yet", same_but_for_the_result),
    "room.move_participant": ("the response is returned, though it is empty yet", same_but_for_the_result),
}
"""Where outcomes may differ, by method, and why. What is sent differs too; those differences have tests of their own below."""


def differs_in_words(ours: Outcome, theirs: Outcome) -> bool:
    """An answer that is not Twirp's, such as Go's "404 page not found": livekit-api says ``unknown`` and drops its text."""
    assert ours.error is not None
    assert theirs.error is not None
    return not theirs.is_twirp and ours.error["status"] == theirs.error["status"]


def check_equal(ours: list[Outcome], theirs: list[Outcome]) -> None:
    assert [each.method for each in ours] == [each.method for each in theirs]
    for our, their in zip(ours, theirs, strict=True):
        if our == their:
            continue
        allowed = our.method in DIFFERENCES and DIFFERENCES[our.method][1](our, their)
        assert allowed or (our.error and their.error and differs_in_words(our, their)), (
            our.method,
            list(differing_fields(attrs.asdict(our), attrs.asdict(their))),
        )


def differing_fields(ours: Any, theirs: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two outcomes differ: path, our value, theirs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        our_fields, their_fields = cast("dict[str, Any]", ours), cast("dict[str, Any]", theirs)
        for key in our_fields | their_fields:
            yield from differing_fields(our_fields.get(key), their_fields.get(key), f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        pairs = itertools.zip_longest(cast("list[Any]", ours), cast("list[Any]", theirs))
        for place, (our, their) in enumerate(pairs):
            yield from differing_fields(our, their, f"{path}[{place}]")
    elif ours != theirs:
        yield path, ours, theirs


# ---- playing


async def play_script(space: Space, perform: Perform) -> list[Outcome]:
    outcomes: list[Outcome] = []
    steps = script(space)
    method, call = next(steps)
    while True:
        result = await attempt(perform, method, call)
        outcomes.append(outcome_of(method, space, result))
        try:
            method, call = steps.send(result)
        except StopIteration:
            return outcomes


async def play_side_by_side(steps: list[Step], space: Space, perform: Perform) -> list[Outcome]:
    async def play_one(place: int, method: str, call: Call) -> None:
        outcomes[place] = outcome_of(method, space, await attempt(perform, method, call))

    outcomes: dict[int, Outcome] = {}
    async with anyio.create_task_group() as players:
        for place, (method, call) in enumerate(steps):
            players.start_soon(play_one, place, method, call)
    return [outcome for _, outcome in sorted(outcomes.items())]


async def play_slow_ones(space: Space, perform: Perform) -> list[Outcome]:
    return await play_side_by_side(slow_calls(space), space, perform)


async def attempt(perform: Perform, method: str, call: Call) -> Any:
    """What a call returns or raises. The player's own copy of the request: livekit-api writes into it.

    A call that the server cannot have seen, since it had just closed the connection kept for it, is made again: what is not
    repeatable our client leaves to its caller.
    """
    outcome: Any = None
    for _ in range(ATTEMPTS):
        try:
            return await perform(method, copy.deepcopy(call))
        except Exception as error:  # noqa: BLE001 - `outcome_of` and the comparison tell what kind it is
            outcome = error
            if not isinstance(error, TransportError) or error.kind is not TransportErrorKind.STALE:
                break
    return outcome


async def play(server: DevServer, play_it: Play, perform: Perform) -> list[Outcome]:
    """Let one client play in a room of its own, where somebody is already, with a track."""
    number = next(_numbers)
    space = Space(f"space{number}", f"+1555{number:06}", "")
    async with open_official_peer() as peer:
        await peer.ask("join", url=server.url, token=server.token(IDENTITY, space.room, can_update_own_metadata=True))
        space = attrs.evolve(space, track_sid=await peer.ask("publish_audio"))

        async def is_heard() -> bool:
            return any(each["tracks"] for each in await server.list_participants(space.room))

        await until(is_heard)
        return await play_it(space, perform)


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what the server takes note of a moment later, and tells nobody."""
    with anyio.fail_after(60):
        while not await is_so():
            await anyio.sleep(0.02)


async def play_theirs(server: DevServer, play_it: Play) -> list[Outcome]:
    credentials = server.http_url, server.api_key, server.api_secret
    # Without Redis, `update_ingress` makes the server panic and close its connection. livekit-api fails at the next call.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT), connector=connector) as session:
        lkapi = livekit.api.LiveKitAPI(*credentials, session=session)
        return await play(server, play_it, lambda method, call: call.make(lkapi, method))


async def play_ours(server: DevServer, play_it: Play, player: str) -> list[Outcome]:
    credentials = server.url, server.api_key, server.api_secret
    if player == "a thread":
        with SyncLiveKitAPI(*credentials, timeout=TIMEOUT) as blocking:
            return await play(
                server, play_it, lambda method, call: anyio.to_thread.run_sync(call.make, blocking, method)
            )
    async with LiveKitAPI(*credentials, timeout=TIMEOUT) as lkapi:
        return await play(server, play_it, lambda method, call: call.make(lkapi, method))


class Theirs:
    """What livekit-api's outcomes are, found out once for each server, on an asyncio loop in a thread."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Play], list[Outcome]] = {}

    async def play(self, server: DevServer, play_it: Play) -> list[Outcome]:
        if (server.url, play_it) not in self._known:
            run = lambda: anyio.run(play_theirs, server, play_it, backend="asyncio")  # noqa: E731
            self._known[server.url, play_it] = await anyio.to_thread.run_sync(run)
        return self._known[server.url, play_it]


@pytest.fixture(scope="module")
def theirs() -> Theirs:
    return Theirs()


# ---- the comparison


def test_every_method_is_played() -> None:
    space = Space("space", "+1", "TR_1")
    steps = script(space)
    played = {next(steps)[0]}
    with pytest.raises(StopIteration):
        while True:
            played.add(steps.send(AgentDispatch(id="AD_1"))[0])
    played |= {method for method, _ in slow_calls(space)}
    assert played == set(CALLS) - ONLY_OURS


@each_player
async def test_alone(player: str, server: DevServer, theirs: Theirs) -> None:
    await compare(server, play_script, player, theirs)


@pytest.mark.long
@each_player
async def test_slow_ones_alone(player: str, server: DevServer, theirs: Theirs) -> None:
    await compare(server, play_slow_ones, player, theirs)


@pytest.mark.redis
@pytest.mark.parametrize("play_it", [play_script, play_slow_ones])
@each_player
async def test_with_redis(player: str, play_it: Play, nodes: tuple[DevServer, DevServer], theirs: Theirs) -> None:
    await compare(nodes[0], play_it, player, theirs)


async def compare(server: DevServer, play_it: Play, player: str, theirs: Theirs) -> None:
    """Play it on our client and on theirs, side by side."""

    async def play_on_theirs() -> None:
        expected.extend(await theirs.play(server, play_it))

    expected: list[Outcome] = []
    ours: list[Outcome] = []
    async with anyio.create_task_group() as players:
        players.start_soon(play_on_theirs)
        ours.extend(await play_ours(server, play_it, player))
    check_equal(ours, expected)
    assert len({outcome.method for outcome in ours}) > 5


# ---- what is sent otherwise, on purpose


class Echo:
    """livekit-api's client, whose requests go nowhere: it shows what it would send."""

    def __init__(self) -> None:
        self.sent: Any = None
        self.headers: dict[str, str] = {}

    async def request(
        self, _service: str, _method: str, data: Any, headers: dict[str, str], response: Any, **_settings: Any
    ) -> Any:
        self.sent, self.headers = copy.deepcopy(data), headers
        return response()


@pytest.fixture
async def echo() -> AsyncIterator[tuple[livekit.api.LiveKitAPI, Echo]]:
    echo = Echo()
    async with livekit.api.LiveKitAPI("http://host", "key", "secret" * 6) as lkapi:
        for service in (lkapi.room, lkapi.sip):
            service._client = echo  # pyright: ignore[reportAttributeAccessIssue]
        yield lkapi, echo


on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)


@on_asyncio
async def test_they_write_into_the_caller_s_request(echo: tuple[livekit.api.LiveKitAPI, Echo]) -> None:
    """Ours does not: tests/api/test_methods.py."""
    request = SendDataRequest(room="room")
    await echo[0].room.send_data(request)
    assert request != SendDataRequest(room="room")


@on_asyncio
async def test_they_fail_at_a_trunk_beside_the_request(echo: tuple[livekit.api.LiveKitAPI, Echo]) -> None:
    """Ours sends it: tests/api/test_methods.py."""
    with pytest.raises(AttributeError):
        await echo[0].sip.create_sip_participant(
            CreateSIPParticipantRequest(), outbound_trunk_config=SIPOutboundConfig(hostname="host")
        )


@on_asyncio
async def test_they_drop_an_empty_list_in_an_update(echo: tuple[livekit.api.LiveKitAPI, Echo]) -> None:
    """Ours clears the list: tests/api/test_methods.py."""
    await echo[0].sip.update_inbound_trunk_fields("ST_1", numbers=[])
    assert echo[1].sent.update.numbers == ListUpdate()


@on_asyncio
async def test_they_grant_more_than_a_call_needs(echo: tuple[livekit.api.LiveKitAPI, Echo]) -> None:
    """Ours grants what the call needs, for ten minutes: tests/api/test_mock.py."""
    await echo[0].sip.list_inbound_trunk(ListSIPInboundTrunkRequest())
    claims = TokenVerifier("key", "secret" * 6).verify(echo[1].headers["authorization"].removeprefix("Bearer "))
    assert claims.video == VideoGrants(can_publish=True, can_subscribe=True, can_publish_data=True)


def test_their_errors_cannot_be_pickled() -> None:
    """Ours can: tests/test_errors.py."""
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(livekit.api.ServerError("not_found", "no room", status=404)))


# ---- several nodes


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[DevServer, DevServer]]:
    """Two servers that share a Redis."""
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(open_nodes()) as running:
        yield running


@pytest.mark.redis
async def test_a_room_of_one_node_is_seen_and_changed_through_the_other(nodes: tuple[DevServer, DevServer]) -> None:
    one, other = nodes
    name = f"shared-{next(_numbers)}"
    async with (
        LiveKitAPI(one.url, one.api_key, one.api_secret) as here,
        LiveKitAPI(other.url, other.api_key, other.api_secret) as there,
        open_official_peer() as peer,
    ):
        room = await here.room.create_room(name=name, metadata="old")
        assert [each.sid for each in (await there.room.list_rooms(names=[name])).rooms] == [room.sid]
        await peer.ask("join", url=one.url, token=one.token(IDENTITY, name))
        assert (await there.room.update_room_metadata(room=name, metadata="new")).metadata == "new"

        async def seen_here() -> bool:
            return [each.metadata for each in (await here.room.list_rooms(names=[name])).rooms] == ["new"]

        await until(seen_here)
        assert [each.identity for each in (await there.room.list_participants(room=name)).participants] == [IDENTITY]
        changed = await there.room.update_participant(room=name, identity=IDENTITY, attributes={"key": "value"})
        assert dict(changed.attributes) == {"key": "value"}

        async def changed_here() -> bool:
            seen = await here.room.get_participant(room=name, identity=IDENTITY)
            return dict(seen.attributes) == {"key": "value"}

        await until(changed_here)
        await until_reachable(other, name, IDENTITY)
        await there.room.send_data(room=name, data=b"hello", topic="topic")
        assert (await peer.wait_for("data_received"))["data"] == "hello"
        await there.room.delete_room(room=name)
        assert list((await here.room.list_rooms(names=[name])).rooms) == []
