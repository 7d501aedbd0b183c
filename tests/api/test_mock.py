"""The client against LiveKit's own mock: grants, regions that fail or may not serve, phones that are busy."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, Final

import anyio
import attrs
import httpx
import pytest
from google.protobuf.duration_pb2 import Duration

from livekit_trio import api
from livekit_trio.api import (
    LiveKitAPI,
    NotSupportedError,
    ServerError,
    SipCallError,
    SyncLiveKitAPI,
    TransportError,
    TransportErrorKind,
    _conversation,
)
from tests.api.calls import CALLS, ROWS, TLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from livekit_trio.api._rpc import Needs, Rpc
    from tests.peers.mock_server import MockServer

pytestmark = pytest.mark.anyio

NO_DELAY: Final = {"delayMs": 0}
"""Phones are answered at once, not after 11 s."""


class Watch:
    """What a client of httpx has sent and got. The mock says which region has answered."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.regions: list[str] = []

    def client(self, **mock: Any) -> httpx.AsyncClient:
        """A client that tells the mock what to do, with each request."""
        hooks: dict[str, list[Callable[..., Any]]] = {"request": [self._sent], "response": [self._got]}
        return httpx.AsyncClient(headers={"X-Lk-Mock": json.dumps(mock)}, event_hooks=hooks, verify=TLS)

    @property
    def calls(self) -> list[httpx.Request]:
        """Without the questions for regions."""
        return [request for request in self.requests if request.method == "POST"]

    async def _sent(self, request: httpx.Request) -> None:
        self.requests.append(request)

    async def _got(self, response: httpx.Response) -> None:
        self.regions.append(response.headers.get("X-Lk-Mock-Region", ""))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long they really are: tests/api/test_conversation.py."""
    monkeypatch.setattr(_conversation, "BACKOFF", 0.001)


@pytest.fixture
def watch() -> Watch:
    return Watch()


# ---- grants


def tokens_that_lack_one(row: Rpc[Any, Any], request: Any) -> Iterator[tuple[str, Needs]]:
    """What a call needs, without one of the grants each."""
    needs = row.needs
    for grant in needs.video:
        yield grant, attrs.evolve(needs, video=tuple(each for each in needs.video if each != grant))
    for grant in needs.sip:
        yield f"sip.{grant}", attrs.evolve(needs, sip=tuple(each for each in needs.sip if each != grant))
    if needs.room is not None:
        yield "room", attrs.evolve(needs, room=None)
    if needs.destination_room is not None:
        yield "destination_room", attrs.evolve(needs, destination_room=None)


def signed(mock: MockServer, needs: Needs, request: Any) -> str:
    token = mock.access_token()
    video, sip = needs.video_grants(request), needs.sip_grants()
    if video is not None:
        token.with_grants(video)
    if sip is not None:
        token.with_sip_grants(sip)
    return token.to_jwt()


@pytest.mark.parametrize("method", CALLS)
async def test_each_call_has_the_grants_that_it_needs_and_no_others(
    method: str, mock: MockServer, watch: Watch, anyio_backend_name: str
) -> None:
    """A token that lacks any one of those that the call has made for itself is refused."""
    async with watch.client(**NO_DELAY) as client:
        lkapi = LiveKitAPI(mock.http_url, mock.api_key, mock.api_secret, client=client)
        await CALLS[method].make(lkapi, method)
        [sent] = watch.calls
        row = ROWS[sent.url.path]
        request = row.request_type().FromString(sent.read())
        claims = api.TokenVerifier(mock.api_key, mock.api_secret).verify(
            sent.headers["Authorization"].removeprefix("Bearer ")
        )
        assert (claims.video, claims.sip) == (row.needs.video_grants(request), row.needs.sip_grants())
        assert claims.video is None or not claims.video.can_publish
        for lacking, needs in tokens_that_lack_one(row, request):
            if lacking == "room" and row.service == "AgentDispatchService":
                continue  # the mock does not read these requests; tests/api/test_client_real.py has it
            weak = LiveKitAPI.with_token(signed(mock, needs, request), mock.http_url, client=client)
            with pytest.raises(ServerError) as refused:
                await CALLS[method].make(weak, method)
            assert (refused.value.status, refused.value.code) == (403, "permission_denied"), lacking


async def test_no_token_of_this_server(mock: MockServer) -> None:
    async with LiveKitAPI.with_token("nonsense", mock.http_url) as lkapi:
        with pytest.raises(ServerError) as refused:
            await lkapi.room.list_rooms()
    assert (refused.value.status, refused.value.code) == (401, "unauthenticated")


# ---- failover

DEAD: Final = {"failRegions": [0], "failStatus": 503}


def client_for(mock: MockServer, client: httpx.AsyncClient, **settings: Any) -> LiveKitAPI:
    settings = {"failover": "always"} | settings
    return LiveKitAPI(mock.http_url, mock.api_key, mock.api_secret, client=client, **settings)


@pytest.mark.parametrize(
    ("failures", "region", "calls"),
    [
        ({}, "0", 1),
        ({"failRegions": [0]}, "1", 2),
        ({"failRegions": [0], "failStatus": 500}, "1", 2),
        ({"failRegions": [0], "failMode": "drop"}, "1", 2),
        ({"failRegions": [0, 1]}, "2", 3),
        ({"failRegions": [0, 1], "failMode": "drop"}, "2", 3),
    ],
)
async def test_a_call_goes_to_the_next_region(
    failures: dict[str, Any], region: str, calls: int, mock: MockServer, watch: Watch
) -> None:
    async with watch.client(**failures) as client:
        await client_for(mock, client).room.send_data(room="room", data=b"x")
    assert watch.regions[-1] == region
    assert [request.url.port for request in watch.calls] == [httpx.URL(url).port for url in mock.http_urls[:calls]]
    # The same body, nonce included, under the same id and with the same headers.
    assert len({request.read() for request in watch.calls}) == 1
    assert len({request.headers["X-Livekit-Request-Id"] for request in watch.calls}) == 1
    assert len({request.headers["Authorization"] for request in watch.requests}) == 1
    assert len({request.headers["X-Lk-Mock"] for request in watch.requests}) == 1


async def test_all_regions_fail(mock: MockServer, watch: Watch) -> None:
    async with watch.client(failRegions=[0, 1, 2]) as client:
        with pytest.raises(ServerError) as failed:
            await client_for(mock, client).room.list_rooms()
    assert (failed.value.status, failed.value.code, len(watch.calls)) == (503, "unavailable", 3)


async def test_the_connection_breaks_everywhere(mock: MockServer, watch: Watch) -> None:
    async with watch.client(failRegions=[0, 1, 2], failMode="drop") as client:
        with pytest.raises(TransportError) as failed:
            await client_for(mock, client).room.list_rooms()
    assert (failed.value.kind, len(watch.calls)) == (TransportErrorKind.BROKEN, 3)


async def test_a_refusal_is_final(mock: MockServer, watch: Watch) -> None:
    async with watch.client(failRegions=[0], failStatus=400) as client:
        with pytest.raises(ServerError) as refused:
            await client_for(mock, client).room.list_rooms()
    assert (refused.value.status, len(watch.requests)) == (400, 1)


async def test_nobody_tells_the_regions(mock: MockServer, watch: Watch) -> None:
    """Then the same server is asked again."""
    async with watch.client(failRegions=[0], regionsStatus=500) as client:
        with pytest.raises(ServerError):
            await client_for(mock, client).room.list_rooms()
    assert {str(request.url.port) for request in watch.requests} == {mock.http_url.rpartition(":")[2]}
    assert len(watch.calls) == 3


@pytest.mark.parametrize("settings", [{"failover": True}, {"failover": False}, {"timeout": 4.9}])
async def test_when_there_is_no_failover(settings: dict[str, Any], mock: MockServer, watch: Watch) -> None:
    """With a host that is not the Cloud's, when it is off, and when there is too little time for it."""
    async with watch.client(**DEAD) as client:
        with pytest.raises(ServerError):
            await client_for(mock, client, **settings).room.list_rooms()
    assert len(watch.requests) == 1


async def test_the_regions_are_asked_for_at_the_server_s_own_address(mock: MockServer, watch: Watch) -> None:
    async with watch.client(**DEAD) as client:
        lkapi = client_for(mock, client)
        await lkapi.room.list_rooms()
        await lkapi.room.list_rooms()
    # The mock's answer may not be remembered: it has no Cache-Control.
    questions = [request for request in watch.requests if request.method == "GET"]
    assert [str(request.url) for request in questions] == [f"{mock.http_url}/settings/regions"] * 2


async def test_only_what_may_be_repeated_is(mock: MockServer) -> None:
    async def call(method: str) -> None:
        watch = Watch()
        async with watch.client(**DEAD, **NO_DELAY) as client:
            with contextlib.suppress(ServerError):
                await CALLS[method].make(client_for(mock, client), method)
        row = ROWS[watch.calls[0].url.path]
        seen[method] = (len(watch.calls), watch.regions[-1])
        expected[method] = (2, "1") if row.repeatable else (1, "")

    seen: dict[str, tuple[int, str]] = {}
    expected: dict[str, tuple[int, str]] = {}
    async with anyio.create_task_group() as calls:
        for method in CALLS:
            calls.start_soon(call, method)
    assert seen == expected


# ---- a project that is pinned to other regions


@pytest.mark.parametrize("failover", [True, False, "always"])
@pytest.mark.parametrize("method", ["room.list_rooms", "sip.create_sip_participant"])
async def test_a_region_that_may_not_serve_sends_every_call_on(
    method: str, failover: Any, mock: MockServer, watch: Watch
) -> None:
    async with watch.client(pinnedRegions=["region-2"], **NO_DELAY) as client:
        await CALLS[method].make(client_for(mock, client, failover=failover), method)
    assert watch.regions[-1] == "2"
    assert len(watch.calls) == 2


async def test_none_of_the_allowed_regions_is_there(mock: MockServer, watch: Watch) -> None:
    async with watch.client(pinnedRegions=["region-99"]) as client:
        with pytest.raises(ServerError, match="not allowed in this region") as refused:
            await client_for(mock, client).room.list_rooms()
    assert (refused.value.status, len(watch.calls)) == (451, 1)


# ---- phones


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [({"code": 486, "status": "Busy Here"}, 486, "Busy Here"), ({"code": 603}, 603, "Decline")],
)
@pytest.mark.parametrize("method", ["sip.create_sip_participant", "sip.transfer_sip_participant"])
async def test_the_phone_is_busy_or_declines(
    method: str, status: dict[str, Any], code: int, words: str, mock: MockServer, watch: Watch
) -> None:
    async with watch.client(sipStatus=status, **NO_DELAY) as client:
        with pytest.raises(SipCallError) as failed:
            await CALLS[method].make(client_for(mock, client), method)
    assert failed.value.sip_status_code == code
    assert words.lower() in (failed.value.sip_status or "").lower()
    assert len(watch.calls) == 1


async def test_other_calls_fail_without_a_phone(mock: MockServer, watch: Watch) -> None:
    async with watch.client(sipStatus={"code": 486}) as client:
        await client_for(mock, client).room.list_rooms()


@pytest.mark.long
async def test_a_phone_that_is_answered_after_11_s(mock: MockServer) -> None:
    """Longer than the client's time for other calls."""
    async with LiveKitAPI(mock.http_url, mock.api_key, mock.api_secret, timeout=1.0) as lkapi:
        answered = await lkapi.sip.create_sip_participant(sip_call_to="+1", room_name="room", wait_until_answered=True)
        assert answered.room_name == "room"
        await lkapi.sip.transfer_sip_participant(room_name="room", participant_identity="i", transfer_to="tel:+1")
        with pytest.raises(TransportError) as failed:
            await lkapi.sip.create_sip_participant(
                sip_call_to="+1", room_name="room", wait_until_answered=True, ringing_timeout=Duration(seconds=5)
            )
    assert failed.value.kind is TransportErrorKind.TIMEOUT


# ---- errors of their own


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (501, "unimplemented", NotSupportedError),
        (404, "bad_route", NotSupportedError),
        (400, "failed_precondition", ServerError),
        *[
            (400, code.value, ServerError)
            for code in api.ServerErrorCode
            if code.value not in {"unimplemented", "bad_route"}
        ],
        (400, "a_code_of_the_future", ServerError),
    ],
)
async def test_codes(status: int, code: str, kind: type[ServerError], mock: MockServer, watch: Watch) -> None:
    async with watch.client(failRegions=[0], failStatus=status, failTwirpCode=code) as client:
        with pytest.raises(ServerError) as refused:
            await client_for(mock, client, failover=False).room.list_rooms()
    assert (type(refused.value), refused.value.code, refused.value.status) == (kind, code, status)


# ---- in a thread


def test_threads_go_to_the_next_region_too(mock: MockServer) -> None:
    regions: list[str | None] = []

    def got(response: httpx.Response) -> None:
        regions.append(response.headers.get("X-Lk-Mock-Region"))

    headers = {"X-Lk-Mock": json.dumps(DEAD)}
    hooks: dict[str, list[Callable[..., Any]]] = {"response": [got]}
    with httpx.Client(headers=headers, event_hooks=hooks, verify=TLS) as client:
        lkapi = SyncLiveKitAPI(mock.http_url, mock.api_key, mock.api_secret, client=client, failover="always")
        lkapi.room.list_rooms()
    assert regions[-1] == "1"
