"""Conversations without a network and without time: each is told what came of its requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest
from livekit.protocol.room import ListRoomsRequest, ListRoomsResponse

from livekit_trio.api import ServerError, TransportError, TransportErrorKind, _rpcs
from livekit_trio.api._conversation import Caller, Pause
from livekit_trio.api._settings import complete_settings
from livekit_trio.api._twirp import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from livekit_trio.api._rpc import Rpc

    Reply = HttpResponse | TransportError

HERE: Final = "https://project.livekit.cloud"
EAST: Final = "https://project.east.production.livekit.cloud"
WEST: Final = "https://project.west.production.livekit.cloud"


def response(status: int, body: bytes = b"", **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse("", status, {"content-type": "application/protobuf"} | named, body)


GOOD: Final = response(200)
DOWN: Final = response(503, b"{}", content_type="application/json")
PINNED: Final = response(451, b"elsewhere", content_type="text/plain")


def failure(kind: TransportErrorKind) -> TransportError:
    return TransportError(kind, "url", "text")


def regions(*urls: str, **headers: str) -> HttpResponse:
    return response(200, json.dumps({"regions": [{"region": "r", "url": url} for url in urls]}).encode(), **headers)


@attrs.define
class World:
    """A server with regions, and a clock; it keeps what happens."""

    servers: dict[str, Any]
    """What each answers, one after the other; the last one for ever."""
    lasts: float = 0.0
    """Seconds that each answer takes; a timeout takes as long as it was given."""
    now: float = 100.0
    log: list[str] = attrs.field(factory=list[str])
    timeouts: list[float] = attrs.field(factory=list[float])

    def caller(self, url: str = HERE, **settings: Any) -> Caller:
        given: dict[str, Any] = {"failover": True, "timeout": 10.0} | settings
        return Caller(complete_settings(url, "key", "secret" * 6, None, **given), lambda: self.now)

    def carry_out(self, caller: Caller, rpc: Rpc[Any, Any] = _rpcs.LIST_ROOMS, timeout: float | None = None) -> Any:
        conversation = caller.call(rpc, None, {}, timeout)
        answer: Reply | None = None
        while True:
            try:
                step = conversation.send(answer)
            except StopIteration as end:
                return end.value
            answer = self._pause(step) if isinstance(step, Pause) else self._answer(step)

    def _pause(self, step: Pause) -> None:
        self.now += step.seconds
        self.log.append(f"pause {step.seconds:g}")

    def _answer(self, request: HttpRequest) -> Reply:
        self.log.append(request.url.replace(_rpcs.LIST_ROOMS.path, " call").replace("/settings/regions", " regions"))
        if request.method == "POST":
            self.timeouts.append(request.timeout)
        answers = self.servers[self.log[-1]]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        hangs = isinstance(answer, TransportError) and answer.kind is TransportErrorKind.TIMEOUT
        self.now += request.timeout if hangs else self.lasts
        return answer


def test_one_try_is_enough() -> None:
    world = World({f"{HERE} call": [response(200, ListRoomsResponse(rooms=[{"name": "n"}]).SerializeToString())]})
    answer = world.carry_out(world.caller())
    assert [room.name for room in answer.rooms] == ["n"]
    assert (world.log, world.timeouts) == ([f"{HERE} call"], [pytest.approx(10 / 3)])


@pytest.mark.parametrize(
    "answer",
    [DOWN, response(500), *(failure(kind) for kind in TransportErrorKind if kind is not TransportErrorKind.STALE)],
    ids=lambda each: str(each)[:50],
)
def test_every_failure_goes_on_in_the_next_region(answer: Reply) -> None:
    world = World({f"{HERE} call": [answer], f"{HERE} regions": [regions(HERE, EAST)], f"{EAST} call": [GOOD]})
    world.carry_out(world.caller())
    assert world.log == [f"{HERE} call", f"{HERE} regions", "pause 0.2", f"{EAST} call"]


def test_the_pauses_grow() -> None:
    servers = {key: [DOWN] for key in (f"{HERE} call", f"{EAST} call", f"{WEST} call")}
    world = World(servers | {f"{HERE} regions": [regions(HERE, EAST, WEST, cache_control="max-age=60")]})
    with pytest.raises(ServerError):
        world.carry_out(world.caller())
    assert world.log == [f"{HERE} call", f"{HERE} regions", "pause 0.2", f"{EAST} call", "pause 0.4", f"{WEST} call"]


def test_regions_without_an_answer_have_a_share_of_the_time_each() -> None:
    hangs: list[Reply] = [failure(TransportErrorKind.TIMEOUT)]
    world = World({f"{HERE} call": hangs, f"{HERE} regions": [regions(HERE)], f"{EAST} call": [GOOD]})
    with pytest.raises(TransportError):
        world.carry_out(world.caller())
    assert world.timeouts == pytest.approx([10 / 3, (20 / 3 - 0.2) / 2, (20 / 3 - 0.2) / 2 - 0.4])
    assert world.now == pytest.approx(110)


def test_what_may_not_be_repeated_has_all_the_time() -> None:
    world = World({f"{HERE}{_rpcs.PERFORM_RPC.path}": [failure(TransportErrorKind.TIMEOUT)]})
    with pytest.raises(TransportError):
        world.carry_out(world.caller(), _rpcs.PERFORM_RPC)
    assert world.timeouts == [10]


@pytest.mark.parametrize("kind", [TransportErrorKind.CONNECT, TransportErrorKind.TLS])
def test_what_may_not_be_repeated_goes_on_if_it_was_not_sent(kind: TransportErrorKind) -> None:
    path = _rpcs.START_EGRESS.path
    world = World({f"{HERE}{path}": [failure(kind)], f"{HERE} regions": [regions(EAST)], f"{EAST}{path}": [GOOD]})
    world.carry_out(world.caller(), _rpcs.START_EGRESS)
    assert world.log[-1] == f"{EAST}{path}"


@pytest.mark.parametrize("answer", [DOWN, failure(TransportErrorKind.BROKEN), failure(TransportErrorKind.TIMEOUT)])
def test_what_may_not_be_repeated_ends_if_it_may_have_been_sent(answer: Reply) -> None:
    world = World({f"{HERE}{_rpcs.START_EGRESS.path}": [answer]})
    with pytest.raises((ServerError, TransportError)):
        world.carry_out(world.caller(), _rpcs.START_EGRESS)
    assert len(world.log) == 1


@pytest.mark.parametrize(
    ("url", "tries"),
    [
        ("https://project.livekit.cloud", 3),
        ("https://PROJECT.LiveKit.Cloud:443", 3),
        ("wss://project.livekit.cloud/path/", 3),
        ("https://cloud-api.livekit.io", 3),
        ("https://cloud-api.staging.livekit.io", 3),
        ("https://livekit.cloud.example.com", 1),
        ("https://notlivekit.cloud", 1),
        ("https://example.com", 1),
    ],
)
def test_which_hosts_are_the_cloud_s(url: str, tries: int) -> None:
    world = World(always(DOWN))
    with pytest.raises(ServerError):
        world.carry_out(world.caller(url))
    assert len([line for line in world.log if line.endswith(" call")]) == tries
    if "cloud-api" in url:
        assert not any("regions" in line for line in world.log)


def test_the_same_server_keeps_its_path() -> None:
    world = World(always(DOWN))
    with pytest.raises(ServerError):
        world.carry_out(world.caller("wss://host:1234/some/path/", failover="always"))
    assert {line for line in world.log if line.endswith("call")} == {"https://host:1234/some/path call"}
    assert "https://host:1234 regions" in world.log


def always(answer: Reply) -> Any:
    class Everywhere(dict[str, "list[Reply]"]):
        def __missing__(self, _: str) -> list[Reply]:
            return [answer]

    return Everywhere()


def test_a_stale_connection_costs_no_try() -> None:
    stale = failure(TransportErrorKind.STALE)
    world = World({f"{HERE} call": [stale, GOOD]})
    world.carry_out(world.caller(failover=False))
    assert world.log == [f"{HERE} call"] * 2
    world = World({f"{HERE} call": [stale, stale, GOOD]})
    with pytest.raises(TransportError):
        world.carry_out(world.caller(failover=False))
    assert len(world.log) == 2
    world = World({f"{HERE}{_rpcs.START_EGRESS.path}": [stale]})
    with pytest.raises(TransportError):
        world.carry_out(world.caller(), _rpcs.START_EGRESS)
    assert len(world.log) == 1


# ---- what the regions are remembered by


@pytest.mark.parametrize(
    ("cache_control", "questions"),
    [("max-age=60", 1), ("private, Max-Age=60", 1), ("max-age=0", 2), ("no-store", 2), ("max-age=soon", 2), ("", 2)],
)
def test_regions_are_remembered_as_long_as_they_may_be(cache_control: str, questions: int) -> None:
    known = regions(HERE, EAST, cache_control=cache_control)
    world = World({f"{HERE} call": [DOWN], f"{HERE} regions": [known], f"{EAST} call": [GOOD]})
    caller = world.caller()
    world.carry_out(caller)
    world.carry_out(caller)
    assert world.log.count(f"{HERE} regions") == questions


@pytest.mark.parametrize(
    "answer",
    [
        response(500),
        failure(TransportErrorKind.BROKEN),
        response(200, b"{"),
        response(200, b"[]"),
        response(200, b"[" * 99_999),
    ],
    ids=["500", "broken", "no JSON", "no object", "deep"],
)
def test_old_regions_are_better_than_none(answer: Reply) -> None:
    world = World({f"{HERE} call": [DOWN], f"{HERE} regions": [regions(HERE, EAST), answer], f"{EAST} call": [GOOD]})
    caller = world.caller()
    world.carry_out(caller)
    world.carry_out(caller)
    assert world.log.count(f"{EAST} call") == 2


def test_the_addresses_of_regions_may_be_those_of_web_sockets() -> None:
    listed = regions("wss://project.livekit.cloud", EAST.replace("https", "wss") + "/rtc")
    world = World({f"{HERE} call": [DOWN], f"{HERE} regions": [listed], f"{EAST} call": [GOOD]})
    world.carry_out(world.caller())


# ---- 451


@pytest.mark.parametrize("rpc", [_rpcs.LIST_ROOMS, _rpcs.CREATE_SIP_PARTICIPANT])
def test_a_pinned_project_is_served_elsewhere_at_once(rpc: Rpc[Any, Any]) -> None:
    world = World(always(GOOD))
    world.servers[f"{HERE}{rpc.path}".replace(_rpcs.LIST_ROOMS.path, " call")] = [PINNED]
    world.servers[f"{HERE} regions"] = [regions(WEST)]
    world.carry_out(world.caller(failover=False), rpc)
    assert len(world.log) == 3
    assert world.log[-1].startswith(WEST)


def test_what_was_remembered_of_the_regions_is_no_good_then() -> None:
    world = World({f"{HERE} call": [DOWN, PINNED], f"{EAST} call": [GOOD], f"{WEST} call": [GOOD]})
    world.servers[f"{HERE} regions"] = [regions(HERE, EAST, cache_control="max-age=60"), regions(WEST)]
    caller = world.caller()
    world.carry_out(caller)
    world.carry_out(caller)
    assert world.log[-3:] == [f"{HERE} call", f"{HERE} regions", f"{WEST} call"]


def test_a_project_that_nobody_may_serve() -> None:
    world = World(always(PINNED))
    world.servers[f"{HERE} regions"] = [regions(EAST, WEST, "https://elsewhere")]
    with pytest.raises(ServerError) as refused:
        world.carry_out(world.caller())
    assert refused.value.status == 451
    assert len([line for line in world.log if line.endswith(" call")]) == 3


# ---- time


def test_a_call_s_time_is_for_all_its_tries() -> None:
    world = World(always(DOWN), lasts=4.0)
    with pytest.raises(ServerError):
        world.carry_out(world.caller())
    assert sum(world.timeouts) < 10
    assert all(timeout >= 0 for timeout in world.timeouts)


def test_a_request_is_read_when_the_call_is_made() -> None:
    world = World({})
    request = ListRoomsRequest(names=["before"])
    conversation = world.caller().call(_rpcs.LIST_ROOMS, request, {}, None)
    request.names[:] = ["after"]
    sent = next(conversation)
    assert isinstance(sent, HttpRequest)
    assert ListRoomsRequest.FromString(sent.body).names == ["before"]


def test_no_repr_has_a_token() -> None:
    conversation = World({}).caller().call(_rpcs.LIST_ROOMS, None, {}, None)
    assert "Bearer" not in repr(next(conversation))
