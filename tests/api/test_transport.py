"""What lies under a call: TLS, HTTP/2, proxies."""

from __future__ import annotations

import contextlib
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
import anyio.to_thread
import attrs
import pytest
from anyio.from_thread import start_blocking_portal
from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType]
from hypercorn.config import Config

from livekit_trio.api import LiveKitAPI, SyncLiveKitAPI, TransportError, TransportErrorKind
from tests.api.fault_server import ROOMS, open_fault_server
from tests.cancelling import SCOPE, cancel_at, ways

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope

pytestmark = pytest.mark.anyio

KEY: Final = "key", "secret" * 6
CERTIFICATE: Final = Path(__file__).with_name("tls") / "localhost.pem"
"""For 127.0.0.1, signed by itself, valid for a hundred years; its key is with it."""


@attrs.define
class TlsServer:
    """Answers every call with a list of one room; speaks HTTP/1.1 and HTTP/2."""

    url: str
    versions: list[str] = attrs.field(factory=list[str])
    """The version of HTTP of each call."""
    hold: bool = False
    """Answer never."""

    async def app(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            return
        self.versions.append(scope["http_version"])
        while (await receive()).get("more_body"):
            pass
        if self.hold:
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        headers = [(b"content-type", b"application/protobuf"), (b"content-length", b"%d" % len(ROOMS))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": ROOMS, "more_body": False})


@contextlib.asynccontextmanager
async def open_tls_server() -> AsyncGenerator[TlsServer]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = TlsServer(f"wss://127.0.0.1:{listener.getsockname()[1]}")
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.certfile = config.keyfile = str(CERTIFICATE)
    config.graceful_timeout = 0.1
    config.errorlog = None
    stop = anyio.Event()
    run = cast("Any", serve)  # its types are not complete
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: run(server.app, config, shutdown_trigger=stop.wait))
        yield server
        stop.set()


@pytest.fixture(scope="module")
def tls_server() -> Iterator[TlsServer]:
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(open_tls_server()) as server:
        yield server


@pytest.fixture
def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CERTIFICATE)


@pytest.mark.parametrize(("http2", "version"), [(False, "1.1"), (True, "2")])
async def test_tls(http2: bool, version: str, tls_server: TlsServer, trusting: ssl.SSLContext) -> None:
    async with LiveKitAPI(tls_server.url, *KEY, tls=trusting, http2=http2) as lkapi:
        async with anyio.create_task_group() as calls:
            for _ in range(20):
                calls.start_soon(lkapi.room.list_rooms)
    assert set(tls_server.versions[-20:]) == {version}

    def call() -> None:
        with SyncLiveKitAPI(tls_server.url, *KEY, tls=trusting, http2=http2) as lkapi:
            assert len(lkapi.room.list_rooms().rooms) == 1

    await anyio.to_thread.run_sync(call)
    assert tls_server.versions[-1] == version


async def test_a_certificate_that_nobody_trusts(tls_server: TlsServer) -> None:
    async with LiveKitAPI(tls_server.url, *KEY) as lkapi:
        with pytest.raises(TransportError, match="certificate") as failed:
            await lkapi.room.list_rooms()
    assert (failed.value.kind, failed.value.sent) == (TransportErrorKind.TLS, False)

    def call() -> Any:
        with SyncLiveKitAPI(tls_server.url, *KEY) as lkapi, pytest.raises(TransportError) as failed:
            lkapi.room.list_rooms()
        return failed.value.kind

    assert await anyio.to_thread.run_sync(call) is TransportErrorKind.TLS


@pytest.mark.parametrize("http2", [False, True])
async def test_cancelled_at_every_checkpoint(
    http2: bool, tls_server: TlsServer, trusting: ssl.SSLContext, anyio_backend_name: str
) -> None:
    """On a new connection. With HTTP/1.1 a call goes through afterwards even if it may not be repeated.

    With HTTP/2 a connection on which sending was cut off is broken, and httpcore finds out at the next call. There it is only
    cancelled by scopes: a plain ``Task.cancel()`` pierces the shield that it needs.
    """

    async def call() -> None:
        await lkapi.room.list_rooms()

    for way in [SCOPE] if http2 else ways(anyio_backend_name):
        at = 1
        reached = True
        while reached:
            async with LiveKitAPI(tls_server.url, *KEY, tls=trusting, http2=http2, max_connections=2) as lkapi:
                reached = await cancel_at(call, at, way)
                with anyio.fail_after(60):
                    await (lkapi.room.list_rooms() if http2 else lkapi.egress.start_egress())
            at += 1 if at < 20 else 7
        assert at > 5


@pytest.mark.parametrize("http2", [False, True])
async def test_cancelled_at_20_moments(http2: bool, tls_server: TlsServer, trusting: ssl.SSLContext) -> None:
    """In the handshake, while sending, while waiting."""
    async with LiveKitAPI(tls_server.url, *KEY, tls=trusting, http2=http2, max_connections=2) as lkapi:
        tls_server.hold = True
        try:
            for moment in range(20):
                with anyio.move_on_after(moment * 0.002) as scope:
                    await lkapi.room.list_rooms()
                assert scope.cancelled_caught
        finally:
            tls_server.hold = False
        with anyio.fail_after(60):
            async with anyio.create_task_group() as calls:
                for _ in range(5):
                    calls.start_soon(lkapi.room.list_rooms)


async def test_through_a_proxy() -> None:
    """It stands for the server, which does not exist."""
    async with open_fault_server() as proxy:
        async with LiveKitAPI("ws://livekit.invalid", *KEY, proxy=proxy.url) as lkapi:
            assert len((await lkapi.room.list_rooms()).rooms) == 1
    assert dict(proxy.requests) == {"http://livekit.invalid/twirp/livekit.RoomService/ListRooms": 1}


async def test_an_unusable_proxy() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with LiveKitAPI("https://livekit.invalid", *KEY, proxy=f"http://127.0.0.1:{port}") as lkapi:
        with pytest.raises(TransportError) as failed:
            await lkapi.room.list_rooms()
    assert (failed.value.kind, failed.value.sent) == (TransportErrorKind.CONNECT, False)
