"""Where tokens come from: kept while they are valid, asked for where a real endpoint is, and the ways in which that fails."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import anyio.lowlevel
import httpx
import pytest
from livekit.protocol.agent_dispatch import RoomAgentDispatch
from livekit.protocol.room import RoomConfiguration

from livekit_trio import api, rtc
from livekit_trio.api import TransportErrorKind as Kind
from tests.api.calls import TLS
from tests.api.conftest import ENDPOINT_PASSWORD as PASSWORD

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit_trio.testing import DevServer

pytestmark = pytest.mark.anyio

KEY = "APIkey"
SECRET = "a-secret-that-nobody-may-ever-see-printed"


def make_token(ttl: float = 3600) -> str:
    return api.AccessToken(KEY, SECRET).with_identity("a").with_ttl(timedelta(seconds=ttl)).to_jwt()


class Maker:
    """A function for a source, and what was asked of it."""

    def __init__(self, ttl: float = 3600) -> None:
        self.ttl = ttl
        self.requests: list[api.TokenSourceRequest] = []

    def plain(self, request: api.TokenSourceRequest) -> api.TokenSourceResponse:
        self.requests.append(request)
        return api.TokenSourceResponse(f"ws://number-{len(self.requests)}", make_token(self.ttl))

    async def slow(self, request: api.TokenSourceRequest) -> api.TokenSourceResponse:
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        return self.plain(request)


# ---- what is remembered


async def test_a_literal_source_has_one_token() -> None:
    source = api.TokenSource.literal("ws://there", "no token at all")
    for request in (None, api.TokenSourceRequest(room_name="r")):
        assert await source.fetch(request, force=True) == api.TokenSourceResponse("ws://there", "no token at all")


@pytest.mark.parametrize("kind", ["plain", "slow"])
async def test_a_token_is_kept_while_the_same_is_wanted(kind: str) -> None:
    maker = Maker()
    source = api.TokenSource(getattr(maker, kind))
    request = api.TokenSourceRequest(room_name="r", participant_attributes={"a": "b"})
    first = await source.fetch(request)
    assert await source.fetch(api.TokenSourceRequest(room_name="r", participant_attributes={"a": "b"})) is first
    assert (await source.fetch(request, force=True)).server_url == "ws://number-2"
    assert (await source.fetch()).server_url == "ws://number-3"
    assert (await source.fetch(request)).server_url == "ws://number-4"
    assert maker.requests == [request, request, api.TokenSourceRequest(), request]


async def test_a_request_that_was_changed_is_another() -> None:
    config = RoomConfiguration(name="small")
    source = api.TokenSource(Maker().plain)
    request = api.TokenSourceRequest(room_config=config)
    await source.fetch(request)
    config.name = "big"
    assert (await source.fetch(request)).server_url == "ws://number-2"


@pytest.mark.parametrize(("ttl", "calls"), [(3600, 1), (120, 1), (59, 2), (-5, 2)])
async def test_a_token_about_to_expire_is_not_handed_out_again(ttl: float, calls: int) -> None:
    maker = Maker(ttl)
    source = api.TokenSource(maker.plain)
    await source.fetch()
    await source.fetch()
    assert len(maker.requests) == calls


@pytest.mark.parametrize("token", ["", "a.b.c", "nonsense", "\ud800"])
async def test_what_cannot_be_read_is_handed_out_once(token: str) -> None:
    calls: list[object] = []

    def get(request: api.TokenSourceRequest) -> api.TokenSourceResponse:
        calls.append(request)
        return api.TokenSourceResponse("ws://there", token)

    source = api.TokenSource(get)
    for _ in range(2):
        assert (await source.fetch()).participant_token == token
    assert len(calls) == 2


async def test_those_who_ask_at_once_share_one_request() -> None:
    maker = Maker()
    source = api.TokenSource(maker.slow)
    urls: list[str] = []

    async def fetch() -> None:
        urls.append((await source.fetch()).server_url)

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(fetch)
    assert urls == ["ws://number-1"] * 20


async def test_who_is_cancelled_or_fails_leaves_the_source_usable() -> None:
    maker = Maker()

    async def get(request: api.TokenSourceRequest) -> api.TokenSourceResponse:
        if request.room_name == "never":
            await anyio.sleep_forever()
        if request.room_name == "wrong":
            raise LookupError
        return await maker.slow(request)

    source = api.TokenSource(get)
    async with anyio.create_task_group() as group:
        with anyio.move_on_after(0.01) as scope:
            await source.fetch(api.TokenSourceRequest(room_name="never"))
        assert scope.cancelled_caught
        group.start_soon(source.fetch, api.TokenSourceRequest(room_name="never"))
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0.01) as scope:  # while another one has its turn
            await source.fetch()
        assert scope.cancelled_caught
        group.cancel_scope.cancel()
    with pytest.raises(LookupError):
        await source.fetch(api.TokenSourceRequest(room_name="wrong"))
    assert (await source.fetch()).server_url == "ws://number-1"


async def test_fetching_is_a_checkpoint_even_if_there_is_a_token() -> None:
    source = api.TokenSource.literal("ws://there", make_token())
    await source.fetch()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await source.fetch()
    assert scope.cancelled_caught


async def test_no_secret_in_any_repr() -> None:
    token = make_token()
    literal = api.TokenSource.literal("ws://there", token)
    endpoint = api.TokenSource.endpoint(f"http://there/token?key={SECRET}", headers={"authorization": PASSWORD})
    said = f"{literal!r} {endpoint!r} {await literal.fetch()!r} {api.TokenSource(Maker().plain)!r}"
    assert token not in said
    assert SECRET not in said
    assert PASSWORD not in said
    assert "<TokenSource that asks http://there/token>" in said
    assert "<TokenSource of Maker.plain>" in said


@pytest.mark.parametrize("url", ["", "there", "ws://there", "http://", "http://user:password@there/"])
async def test_an_endpoint_has_a_url(url: str) -> None:
    with pytest.raises(ValueError, match="url must be"):
        api.TokenSource.endpoint(url)


# ---- a real endpoint


async def test_a_room_is_joined_with_what_a_real_endpoint_gives(
    server: DevServer, token_endpoint: str, anyio_backend_name: str
) -> None:
    request = api.TokenSourceRequest(
        room_name=f"source-{anyio_backend_name}",
        participant_identity="bot",
        participant_name="Bot",
        participant_metadata="m",
        participant_attributes={"mood": "good"},
        room_config=RoomConfiguration(
            metadata="small", agents=[RoomAgentDispatch(agent_name="helper", metadata="help")]
        ),
    )
    source = api.TokenSource.endpoint(token_endpoint, headers={"authorization": PASSWORD})
    found = await source.fetch(request)
    assert await source.fetch(request) is found
    with pytest.raises(api.ServerError, match="nobody let you in") as refused:
        await api.TokenSource.endpoint(token_endpoint).fetch()
    assert refused.value.status == 403
    claims = api.TokenVerifier(server.api_key, server.api_secret).verify(found.participant_token)
    assert claims.room_config == request.room_config
    async with rtc.open_room(found.server_url, found.participant_token) as room:
        me = room.local_participant
        assert (room.name, me.identity, me.name, me.metadata) == (request.room_name, "bot", "Bot", "m")
        assert dict(me.attributes) == {"mood": "good"}


# ---- an endpoint that fails


class Endpoint:
    """Answers each request with the same bytes; with None not at all."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer
        self.url = ""
        self.requests: list[tuple[bytes, bytes]] = []
        """The head and the body of each."""
        self.asked = anyio.Event()

    async def serve(self, stream: anyio.abc.SocketStream) -> None:
        async with stream:
            received = b""
            while b"\r\n\r\n" not in received or not received.endswith(b"}"):
                received += await stream.receive()
            head, _, body = received.partition(b"\r\n\r\n")
            self.requests.append((head, body))
            self.asked.set()
            if self._answer is None:
                await anyio.sleep_forever()
            else:
                await stream.send(self._answer)


@asynccontextmanager
async def open_endpoint(answer: bytes | None) -> AsyncGenerator[Endpoint]:
    endpoint = Endpoint(answer)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    endpoint.url = f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}/token?key={SECRET}"
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, endpoint.serve)
        yield endpoint
        group.cancel_scope.cancel()


def answer(status: str, body: object, kind: str = "application/json") -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(raw)}\r\n\r\n".encode() + raw


async def test_the_request_is_the_standard_one() -> None:
    said = {"serverUrl": "wss://there", "participantToken": make_token(), "roomName": "r"}
    config = RoomConfiguration(empty_timeout=5, agents=[RoomAgentDispatch(agent_name="helper")])
    async with open_endpoint(answer("200 OK", said)) as endpoint:
        source = api.TokenSource.endpoint(endpoint.url, headers={"X-Password": PASSWORD})
        found = await source.fetch(api.TokenSourceRequest(room_name="r", participant_name="", room_config=config))
        assert (found.server_url, found.participant_token) == (said["serverUrl"], said["participantToken"])
        await source.fetch()
        [(head, body), (_, empty)] = endpoint.requests
    assert head.startswith(b"POST /token?key=")
    lines = head.lower().splitlines()
    assert b"content-type: application/json" in lines
    assert b"x-password: " + PASSWORD.lower().encode() in lines
    assert json.loads(body) == {
        "room_name": "r",
        "participant_name": "",
        "room_config": {"empty_timeout": 5, "agents": [{"agent_name": "helper"}]},
    }
    assert json.loads(empty) == {}


TOKEN = make_token()
MALFORMED: dict[str, bytes] = {
    "no JSON": answer("200 OK", TOKEN.encode()),
    "not UTF-8": answer("200 OK", b"\xff"),
    "no object": answer("200 OK", [TOKEN]),
    "no token": answer("200 OK", {"server_url": "ws://there"}),
    "no URL": answer("200 OK", {"participant_token": TOKEN}),
    "another type": answer("200 OK", {"server_url": 5, "participant_token": TOKEN}),
    "nested too deep": answer("200 OK", b"[" * 100_000),
    "nothing": answer("204 No Content", b""),
}


@pytest.mark.parametrize("fault", MALFORMED)
async def test_an_answer_that_is_none_is_refused_without_being_quoted(fault: str) -> None:
    async with open_endpoint(MALFORMED[fault]) as endpoint:
        with pytest.raises(api.TransportError, match="no JSON object with") as refused:
            async with httpx.AsyncClient(verify=TLS) as client:
                await api.TokenSource.endpoint(endpoint.url, client=client).fetch()
    error = refused.value
    assert (error.kind, error.url) == (Kind.MALFORMED, endpoint.url.partition("?")[0])
    assert error.__context__ is None
    assert TOKEN not in f"{error!r} {error}"
    assert SECRET not in f"{error!r} {error}"


REFUSALS = {
    "400 Bad Request": 400,
    "401 Unauthorized": 401,
    "404 Not Found": 404,
    "500 Internal Server Error": 500,
    "302 Found\r\nLocation: http://127.0.0.1:1/": 302,
}


@pytest.mark.parametrize("status", REFUSALS)
async def test_a_refusal_has_its_status(status: str) -> None:
    async with open_endpoint(answer(status, b"no", "text/plain")) as endpoint:
        with pytest.raises(api.ServerError) as refused:
            async with httpx.AsyncClient(verify=TLS) as client:
                await api.TokenSource.endpoint(endpoint.url, client=client).fetch()
        assert refused.value.status == REFUSALS[status]
        assert len(endpoint.requests) == 1


async def test_an_endpoint_that_is_silent_or_absent_is_given_up() -> None:
    async with open_endpoint(None) as endpoint:
        with pytest.raises(api.TransportError) as late:
            await api.TokenSource.endpoint(endpoint.url, timeout=0.5).fetch()
        await endpoint.asked.wait()
    with pytest.raises(api.TransportError) as absent:
        await api.TokenSource.endpoint(endpoint.url).fetch()
    assert (late.value.kind, absent.value.kind) == (Kind.TIMEOUT, Kind.CONNECT)
    assert SECRET not in f"{late.value!r} {absent.value!r} {absent.value.__cause__!r}"


async def test_cancelled_at_the_endpoint_nothing_is_left() -> None:
    async with httpx.AsyncClient() as client:
        for given in (None, client):
            async with open_endpoint(None) as endpoint, anyio.create_task_group() as group:
                group.start_soon(api.TokenSource.endpoint(endpoint.url, client=given).fetch)
                await endpoint.asked.wait()
                group.cancel_scope.cancel()
        transport: Any = client._transport
        assert not transport._pool.connections


async def test_a_client_that_was_given_is_used_and_not_closed() -> None:
    said: dict[str, Any] = {"server_url": "ws://there", "participant_token": make_token()}
    async with open_endpoint(answer("200 OK", said)) as endpoint, httpx.AsyncClient() as client:
        source = api.TokenSource.endpoint(endpoint.url, client=client)
        await source.fetch()
        await source.fetch(force=True)
        assert not client.is_closed
