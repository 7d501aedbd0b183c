"""The web application for webhooks: by itself, and in real web servers that get real webhooks."""

from __future__ import annotations

import json
import logging
import math
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
import pytest
import trio

from livekit_trio import api
from livekit_trio.testing import open_server
from tests.api.test_webhook import KEY, OLD, SECRET, event_body, make_receiver, sign
from tests.peers.driver import open_official_peer
from tests.peers.web_servers import open_web_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    import httpx

    from livekit_trio.testing import DevServer

pytestmark = pytest.mark.anyio
once = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
"""The event loops are those of the web servers."""

BODY = event_body()
ALTERED = BODY.replace(b"EV_1", b"EV_2")
TIMEOUT = 120.0


# ---- by itself


def chunks(*parts: bytes, end: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """A request's body in parts; *end* comes instead of its last one."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    return [*messages, end or {"type": "http.request"}]


async def ask(
    app: Any,
    messages: Sequence[dict[str, Any]] = (),
    *,
    method: str = "POST",
    length: int | None = None,
    token: str = "",
) -> tuple[int | None, int, dict[bytes, bytes]]:
    """Send a request; the status, how many of its messages were read, and the headers of the answer."""
    waiting = list(messages)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await anyio.lowlevel.checkpoint()
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        await anyio.lowlevel.checkpoint()
        sent.append(message)

    headers = [(b"authorization", token.encode())]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    await app({"type": "http", "method": method, "headers": headers}, receive, send)
    if not sent:
        return None, len(messages) - len(waiting), {}
    start, body = sent
    assert (start["type"], body["type"], body.get("more_body", False)) == (
        "http.response.start",
        "http.response.body",
        False,
    )
    answer = dict(start["headers"])
    assert int(answer[b"content-length"]) == len(body["body"])
    return start["status"], len(messages) - len(waiting), answer


async def post(app: Any, body: bytes, token: str | None = None) -> int | None:
    status, _, _ = await ask(app, chunks(body), length=len(body), token=sign(body) if token is None else token)
    return status


@pytest.mark.parametrize(
    ("anyio_backend", "open_channel"),
    [
        ("trio", trio.open_memory_channel),
        ("trio", anyio.create_memory_object_stream),
        ("asyncio", anyio.create_memory_object_stream),
    ],
    indirect=["anyio_backend"],
)
async def test_a_verified_event_goes_into_the_channel(open_channel: Callable[[int], Any]) -> None:
    send, receive = open_channel(10)
    async with send, receive:
        app = api.webhook_app(make_receiver(), send)
        for number in range(3):
            assert await post(app, event_body(id=f"EV_{number}")) == 200
        send.close()
        assert [event.id async for event in receive] == ["EV_0", "EV_1", "EV_2"]


async def test_a_body_may_come_in_parts() -> None:
    send, receive = anyio.create_memory_object_stream[Any](1)
    async with send, receive:
        parts = [bytes([byte]) for byte in BODY]
        status, read, _ = await ask(api.webhook_app(make_receiver(), send), chunks(*parts), token=sign(BODY))
        assert (status, read) == (200, len(BODY) + 1)
        assert receive.receive_nowait().id == "EV_1"


async def test_each_refusal_has_its_status_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    send, receive = anyio.create_memory_object_stream[Any](math.inf)
    async with send, receive:
        app = api.webhook_app(make_receiver(refuse_replays=True, max_size=10_000), send)
        with caplog.at_level(logging.WARNING, "livekit_trio"):
            assert await post(app, BODY, token="") == 401
            assert await post(app, BODY + b" ", token=sign(BODY)) == 401
            assert await post(app, OLD) == 401
            assert await post(app, b"[]") == 400
            assert await post(app, b" " * 10_001) == 413
            assert await post(app, BODY) == 200
            assert await post(app, BODY) == 409
        assert send.statistics().current_buffer_used == 1
        assert [record.message for record in caplog.records if record.name == "livekit_trio"] == [
            "refused a webhook: the token is malformed",
            "refused a webhook: the token signs another body",
            "refused a webhook: the event is older than 0:05:00",
            "refused a webhook: the body is no webhook event",
            "refused a webhook: the body is longer than 10000 bytes",
            "refused a webhook: the event was here before",
        ]


async def test_only_posting_is_allowed() -> None:
    send, receive = anyio.create_memory_object_stream[Any](1)
    async with send, receive:
        status, read, headers = await ask(api.webhook_app(make_receiver(), send), chunks(BODY), method="GET")
        assert (status, read, headers[b"allow"]) == (405, 0, b"POST")


@pytest.mark.parametrize(("length", "read"), [(10_001, 0), (None, 11)])
async def test_too_large_a_body_is_not_read_to_its_end(length: int | None, read: int) -> None:
    send, receive = anyio.create_memory_object_stream[Any](1)
    async with send, receive:
        app = api.webhook_app(make_receiver(max_size=10_000), send)
        outcome = await ask(app, chunks(*[b" " * 1000] * 100), length=length, token=sign(BODY))
        assert outcome[:2] == (413, read)


async def test_a_client_that_goes_away_gets_no_answer() -> None:
    send, receive = anyio.create_memory_object_stream[Any](1)
    async with send, receive:
        app = api.webhook_app(make_receiver(), send)
        status, _, _ = await ask(app, chunks(BODY, end={"type": "http.disconnect"}), token=sign(BODY))
        assert status is None
        assert send.statistics().current_buffer_used == 0


async def test_a_full_channel_puts_events_off_and_takes_them_later(caplog: pytest.LogCaptureFixture) -> None:
    send, receive = anyio.create_memory_object_stream[Any](1)
    async with send, receive:
        app = api.webhook_app(make_receiver(refuse_replays=True), send)
        other = event_body(id="EV_2")
        assert await post(app, BODY) == 200
        with caplog.at_level(logging.WARNING, "livekit_trio"):
            assert await post(app, other) == 503
        assert "put off a webhook of the event participant_joined: WouldBlock" in caplog.messages
        assert receive.receive_nowait().id == "EV_1"
        assert await post(app, other) == 200
        assert receive.receive_nowait().id == "EV_2"


@pytest.mark.parametrize("end", ["send", "receive"])
async def test_events_wait_at_the_server_while_nobody_reads(end: str) -> None:
    send, receive = anyio.create_memory_object_stream[Any](1)
    async with send, receive:
        (send if end == "send" else receive).close()
        assert await post(api.webhook_app(make_receiver(), send), BODY) == 503


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
async def test_anything_but_http_is_refused_as_asgi_wants(kind: str) -> None:
    send, receive = anyio.create_memory_object_stream[Any](1)
    async with send, receive:
        with pytest.raises(RuntimeError, match=f"not {kind}"):
            await api.webhook_app(make_receiver(), send)({"type": kind}, receive.receive, send.send)


async def test_cancelled_while_the_body_comes_nothing_is_received() -> None:
    send, receive = anyio.create_memory_object_stream[Any](1)
    async with send, receive:
        app = api.webhook_app(make_receiver(), send)
        with anyio.CancelScope() as scope:

            async def hang() -> dict[str, Any]:
                scope.cancel()
                await anyio.sleep_forever()
                raise AssertionError

            await app({"type": "http", "method": "POST", "headers": []}, hang, send.send)
        assert scope.cancelled_caught
        assert send.statistics().current_buffer_used == 0


# ---- in web servers

WEB_SERVERS = ("hypercorn-trio", "hypercorn-asyncio", "uvicorn-asyncio")
APP = "tests.peers.webhook_app:app"


def environment(capacity: int) -> dict[str, str]:
    return {"WEBHOOK_KEY": KEY, "WEBHOOK_SECRET": SECRET, "WEBHOOK_CAPACITY": str(capacity)}


async def next_event(client: httpx.AsyncClient) -> dict[str, Any]:
    return (await client.get("/next")).json()


async def state_of(client: httpx.AsyncClient) -> dict[str, Any]:
    return (await client.get("/state")).json()


async def events_until(client: httpx.AsyncClient, last: str) -> list[dict[str, Any]]:
    events = [await next_event(client)]
    while events[-1]["event"] != last:
        events.append(await next_event(client))
    return events


async def exchange(client: httpx.AsyncClient, request: bytes) -> bytes:
    """Send exactly these bytes; the head of the answer."""
    address = urlsplit(str(client.base_url))
    assert address.hostname is not None
    assert address.port is not None
    answer = b""
    async with await anyio.connect_tcp(address.hostname, address.port) as stream:
        await stream.send(request)
        while b"\r\n\r\n" not in answer:
            answer += await stream.receive()
    return answer


def head(token: str, *headers: str) -> bytes:
    lines = ("POST /hooks/ HTTP/1.1", "Host: localhost", f"Authorization: {token}", *headers)
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


@asynccontextmanager
async def open_call(server: DevServer) -> AsyncGenerator[None]:
    """Somebody has joined and publishes; afterwards they have left, and the room is deleted."""
    async with open_official_peer() as peer:
        await peer.ask("join", url=server.url, token=server.token("caller", "demo"))
        await peer.ask("publish_audio", name="voice")
        yield
        await peer.ask("leave")
    await server.delete_room("demo")


@once
async def test_real_web_servers_receive_what_is_real_and_refuse_what_is_none() -> None:
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(open_web_server(name, APP, environment(100))) for name in WEB_SERVERS
        }
        urls = [str(client.base_url.join("/hooks/")) for client in clients.values()]
        server = await stack.enter_async_context(open_server(webhook_urls=urls, api_key=KEY, api_secret=SECRET))
        with anyio.fail_after(TIMEOUT):
            async with open_call(server):
                # It is told of when its first sound has come: who leaves before then has published nothing.
                begins = [await events_until(client, "track_published") for client in clients.values()]
            for client, begin in zip(clients.values(), begins, strict=True):
                events = begin + await events_until(client, "room_finished")
                wanted = ["room_started", "participant_joined", "track_published", "participant_left", "room_finished"]
                assert [event["event"] for event in events if event["event"] in wanted] == wanted
                assert {event["room"]["name"] for event in events} == {"demo"}
                assert {event["participant"]["identity"] for event in events if "participant" in event} == {"caller"}
                [published] = [event for event in events if event["event"] == "track_published"]
                assert published["track"]["name"] == "voice"
                assert set((await state_of(client))["answers"]) == {200}
                await check_refusals(client)


async def check_refusals(client: httpx.AsyncClient) -> None:
    """One webhook is right, and arrives."""
    requests = {
        "forged": (401, BODY, sign(BODY, secret="another-secret-of-more-than-32-characters")),
        "altered by one byte": (401, ALTERED, sign(BODY)),
        "truncated": (401, BODY[:-5], sign(BODY)),
        "too old": (401, OLD, sign(OLD)),
        "right": (200, BODY, sign(BODY)),
        "replayed": (409, BODY, sign(BODY)),
    }
    for name, (status, body, token) in requests.items():
        answer = await client.post("/hooks/", content=body, headers={"authorization": token})
        assert answer.status_code == status, name
    # Not a byte of the first one is sent, nor the end of the second.
    said_large = await exchange(client, head(sign(BODY), "Content-Length: 100000000"))
    endless = (b"10000\r\n" + bytes(0x10000) + b"\r\n") * 17
    turned_out_large = await exchange(client, head(sign(BODY), "Transfer-Encoding: chunked") + endless)
    assert said_large.split()[1] == turned_out_large.split()[1] == b"413"
    assert (await next_event(client))["id"] == "EV_1"
    assert (await state_of(client))["waiting"] == 0


@once
async def test_what_a_full_channel_puts_off_the_server_sends_again() -> None:
    async with (
        open_web_server("hypercorn-trio", APP, environment(1)) as client,
        open_server(webhook_urls=[str(client.base_url.join("/hooks/"))], api_key=KEY, api_secret=SECRET) as server,
    ):
        with anyio.fail_after(TIMEOUT):
            async with open_call(server):
                while 503 not in (await state_of(client))["answers"]:
                    await anyio.sleep(0.01)
                events = await events_until(client, "track_published")
            events += await events_until(client, "room_finished")
        names = [event["event"] for event in events]
        assert names[0] == "room_started"
        assert len(names) == len({event["id"] for event in events})
        assert {"participant_joined", "track_published", "participant_left"} <= set(names)
        answers = (await state_of(client))["answers"]
        assert answers.count(200) == len(names)
        assert set(answers) == {200, 503}, json.dumps(answers)
