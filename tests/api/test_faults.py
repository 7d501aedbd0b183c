"""A server that misbehaves: the right error, in time, and every request counted that has reached it."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
import attrs
import httpx
import pytest

from livekit_trio.api import LiveKitAPI, ServerError, SyncLiveKitAPI, TransportError, TransportErrorKind
from tests.api import fault_server
from tests.api.calls import CALLS, TLS, rows_of_methods
from tests.api.fault_server import FaultServer, open_fault_server, says

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

KEY: Final = "key", "secret" * 6
SOON: Final = 0.2
"""Seconds that a call may take here, if the server does not answer. On a busy machine it may not come as far as the server."""
AT_MOST: Final = 30.0
"""Seconds that it takes on a busy machine."""


@pytest.fixture
async def faulty() -> AsyncIterator[FaultServer]:
    async with open_fault_server() as server:
        yield server


@attrs.frozen
class Fault:
    """What the server does, and what a call makes of it."""

    answer: Any
    kind: TransportErrorKind | None = None
    status: int = 0
    code: str = ""
    text: str = ""
    also_in_threads: bool = True

    @property
    def timeout(self) -> float:
        """What the call gets: it is to run out, or it is not, on a busy machine either."""
        return SOON if self.kind is TransportErrorKind.TIMEOUT else 60.0

    @property
    def arrive(self) -> set[int]:
        """How many requests may have reached the server."""
        return {0, 1} if self.kind is TransportErrorKind.TIMEOUT else {1}

    def check(self, error: BaseException) -> None:
        if self.kind is not None:
            assert isinstance(error, TransportError)
            assert error.kind is self.kind
            assert error.sent
            assert error.url.endswith("/twirp/livekit.RoomService/ListRooms")
        else:
            assert isinstance(error, ServerError)
            assert (error.status, error.code) == (self.status, self.code)
            assert self.text in error.message


TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"
HTML: Final = "text/html"
ELSEWHERE: Final = "Location: /twirp/livekit.RoomService/DeleteRoom"

FAULTS: Final = {
    "hangs": Fault(fault_server.hangs, TransportErrorKind.TIMEOUT),
    "stops midway": Fault(fault_server.stops_midway, TransportErrorKind.TIMEOUT),
    "drips its body": Fault(fault_server.drips_its_body, TransportErrorKind.TIMEOUT),
    "drips its headers": Fault(fault_server.drips_its_headers, TransportErrorKind.TIMEOUT, also_in_threads=False),
    "hangs up": Fault(fault_server.hangs_up, TransportErrorKind.BROKEN),
    "hangs up midway": Fault(fault_server.hangs_up_midway, TransportErrorKind.BROKEN),
    "resets": Fault(fault_server.resets, TransportErrorKind.BROKEN),
    "resets midway": Fault(fault_server.resets_midway, TransportErrorKind.BROKEN),
    "no HTTP": Fault(fault_server.speaks_something_else, TransportErrorKind.BROKEN),
    "HTML": Fault(says(200, b"<html>", HTML), TransportErrorKind.MALFORMED),
    "JSON": Fault(says(200, b"{}", JSON), TransportErrorKind.MALFORMED),
    "no protobuf": Fault(says(200, b"\xff\xff"), TransportErrorKind.MALFORMED),
    "401 in plain text": Fault(says(401, b"go away\n", TEXT), status=401, code="unauthenticated", text="go away"),
    "403 in plain text": Fault(says(403, b"go away", TEXT), status=403, code="permission_denied", text="go away"),
    "404 in HTML": Fault(says(404, b"<html>", HTML), status=404, code="bad_route", text="text/html"),
    "429": Fault(says(429), status=429, code="resource_exhausted"),
    "502 in HTML": Fault(says(502, b"<html>", HTML), status=502, code="unavailable", text="text/html"),
    "418": Fault(says(418, b"short and stout", TEXT), status=418, code="unknown", text="short and stout"),
    "half JSON": Fault(says(400, b'{"code": "not_f', JSON), status=400, code="internal"),
    "JSON of another kind": Fault(says(500, b"[1]", JSON), status=500, code="unknown"),
    "JSON without a code": Fault(says(500, b'{"msg": 7}', JSON), status=500, code="unknown"),
    "JSON of other types": Fault(
        says(500, b'{"code": "x", "msg": 7, "meta": 7}', JSON), status=500, code="x", text="7"
    ),
    "deep JSON": Fault(says(500, b"[" * 100_000, JSON), status=500, code="unknown"),
    "no UTF-8": Fault(says(401, b"\xff\xfe", TEXT), status=401, code="unauthenticated", text="�"),
    "301": Fault(says(301, b"", TEXT, ELSEWHERE), status=301, code="internal", text="redirection"),
    "307": Fault(says(307, b"", TEXT, ELSEWHERE), status=307, code="internal", text="redirection"),
    "308": Fault(says(308, b"", TEXT, ELSEWHERE), status=308, code="internal", text="redirection"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_told_in_time_and_leaves_the_client_usable(name: str, faulty: FaultServer) -> None:
    fault = FAULTS[name]
    faulty.answers = [fault.answer]
    async with LiveKitAPI(faulty.url, *KEY, tls=TLS, timeout=fault.timeout) as lkapi:
        begin = time.monotonic()
        with pytest.raises((ServerError, TransportError)) as failed:
            await lkapi.room.list_rooms()
        assert time.monotonic() - begin < AT_MOST
        fault.check(failed.value)
        assert set(faulty.requests) <= {"/twirp/livekit.RoomService/ListRooms"}
        assert faulty.calls in fault.arrive
        faulty.answers = [fault_server.good]
        patient = LiveKitAPI(faulty.url, *KEY, client=lkapi._client)
        assert [room.name for room in (await patient.room.list_rooms()).rooms] == ["a room"]
    await faulty.wait_connections()


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.also_in_threads])
async def test_a_fault_is_told_in_threads_too(name: str, faulty: FaultServer) -> None:
    def call() -> None:
        with SyncLiveKitAPI(faulty.url, *KEY, tls=TLS, timeout=fault.timeout) as lkapi:
            begin = time.monotonic()
            with pytest.raises((ServerError, TransportError)) as failed:
                lkapi.room.list_rooms()
            assert time.monotonic() - begin < AT_MOST
            fault.check(failed.value)
            assert faulty.calls in fault.arrive
            faulty.answers = [fault_server.good]
            patient = SyncLiveKitAPI(faulty.url, *KEY, client=lkapi._client)
            assert [room.name for room in patient.room.list_rooms().rooms] == ["a room"]

    fault = FAULTS[name]
    faulty.answers = [fault.answer]
    await anyio.to_thread.run_sync(call)
    await faulty.wait_connections()


async def test_a_client_that_follows_redirections_does_not_here(faulty: FaultServer) -> None:
    faulty.answers = [says(307, b"", TEXT, ELSEWHERE)]
    async with httpx.AsyncClient(follow_redirects=True) as client:
        with pytest.raises(ServerError, match="redirection"):
            await LiveKitAPI(faulty.url, *KEY, client=client).room.list_rooms()
    assert faulty.calls == 1


async def test_nobody_listens() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with LiveKitAPI(f"http://127.0.0.1:{port}", *KEY) as lkapi:
        with pytest.raises(TransportError) as failed:
            await lkapi.room.list_rooms()
    assert (failed.value.kind, failed.value.sent) == (TransportErrorKind.CONNECT, False)


async def test_no_such_host() -> None:
    async with LiveKitAPI("http://nobody.invalid", *KEY) as lkapi:
        with pytest.raises(TransportError) as failed:
            await lkapi.room.list_rooms()
    assert failed.value.kind is TransportErrorKind.CONNECT


async def test_no_tls_there(faulty: FaultServer) -> None:
    """It waits for a request, in vain; the handshake is given up, and its connection closed (which is not httpx's own doing)."""
    async with LiveKitAPI(faulty.url.replace("http", "https"), *KEY, tls=TLS, timeout=SOON) as lkapi:
        with pytest.raises(TransportError) as failed:
            await lkapi.room.list_rooms()
        assert failed.value.kind is TransportErrorKind.TIMEOUT
        await faulty.wait_connections()
    assert faulty.calls == 0


async def test_a_failure_and_then_an_answer(faulty: FaultServer) -> None:
    faulty.answers = [says(503), fault_server.resets, fault_server.good]
    async with LiveKitAPI(faulty.url, *KEY, tls=TLS, failover="always") as lkapi:
        await lkapi.room.list_rooms()
    assert faulty.calls == 3


async def test_a_kept_connection_that_the_server_has_closed(faulty: FaultServer) -> None:
    faulty.answers = [fault_server.good, fault_server.hangs_up, fault_server.good, fault_server.hangs_up]
    async with LiveKitAPI(faulty.url, *KEY, tls=TLS) as lkapi:
        for _ in range(2):
            await lkapi.room.list_rooms()
        assert faulty.calls == 3
        with pytest.raises(TransportError) as failed:
            await lkapi.egress.start_egress()
    assert (failed.value.kind, faulty.calls) == (TransportErrorKind.STALE, 4)


async def test_a_kept_connection_that_the_server_has_closed_in_a_thread(faulty: FaultServer) -> None:
    def call() -> None:
        with SyncLiveKitAPI(faulty.url, *KEY, tls=TLS) as lkapi:
            for _ in range(2):
                lkapi.room.list_rooms()

    faulty.answers = [fault_server.good, fault_server.hangs_up, fault_server.good]
    await anyio.to_thread.run_sync(call)
    assert faulty.calls == 3


@pytest.mark.parametrize("name", ["502 in HTML", "resets", "resets midway", "hangs up", "hangs", "no HTTP"])
async def test_what_must_not_be_repeated_arrives_once(name: str, faulty: FaultServer) -> None:
    """Even where failover is on for every host, and other calls are tried three times."""
    faulty.answers = [FAULTS[name].answer]
    methods = {method: row.path for method, row in rows_of_methods().items() if not row.repeatable}

    async def call(method: str) -> None:
        with contextlib.suppress(ServerError, TransportError):
            await CALLS[method].make(lkapi, method)

    async def all_have_arrived() -> None:
        with anyio.fail_after(AT_MOST):
            while not set(methods.values()) <= set(faulty.requests):
                await anyio.sleep(0.01)

    async with LiveKitAPI(faulty.url, *KEY, tls=TLS, failover="always", timeout=60) as lkapi:
        async with anyio.create_task_group() as calls:
            for method in methods:
                calls.start_soon(call, method)
            if name == "hangs":  # for 60 s
                await all_have_arrived()
                calls.cancel_scope.cancel()
        assert dict(faulty.requests) == dict.fromkeys(methods.values(), 1)
        assert len(methods) > 20
        if name != "hangs":
            await call("room.list_rooms")
            # Or more: the connection on which it has asked for the regions is kept, and then stale.
            assert faulty.requests["/twirp/livekit.RoomService/ListRooms"] >= 3
