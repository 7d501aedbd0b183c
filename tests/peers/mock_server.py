"""LiveKit's own mock of its server (``cmd/test-server`` of the livekit-server module), which the SDKs are tested with.

It keeps nothing: what it does is chosen by each request. So one for the whole run is enough (the fixture ``mock``), and many
tests may use it at once. Its README, in the Go module, explains it all; in short:

* Server API: every Twirp call gets an answer that fits its request, and needs the grants that the real server wants. A header
  ``X-Lk-Mock``, a JSON object, chooses something else: ``{"failRegions": [0], "failStatus": 503}`` (by region, so that the next
  region succeeds), ``{"failMode": "drop"}``, ``{"delayMs": 500}``, ``{"response": {…}}``, ``{"sipStatus": {"code": 486}}``,
  ``{"pinnedRegions": ["region-1"]}`` (the others answer 451), ``{"skipAuth": true}``. Who answered says ``X-Lk-Mock-Region``.
  Dialling and transferring take 11 s; ``delayMs`` replaces that.
* Regions: each of `MockServer.http_urls` is one, ``region-0`` first; ``GET /settings/regions`` lists them all.
* Signal connections: the participant attribute ``lk.mock`` of the token chooses; `MockServer.token` sets it. There is no media:
  a client that is let in waits for a peer connection that never comes about.
"""

from __future__ import annotations

import json
import secrets
import socket
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, final

import anyio
import anyio.from_thread
import anyio.to_thread

from livekit_trio import api
from livekit_trio.testing import ServerProcess, ServerStartError
from livekit_trio.testing._find_server import find_mock
from livekit_trio.testing._server import START_TIMEOUT, _free_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SignalMode: TypeAlias = Literal[
    "happy",
    "validate_500",
    "validate_service_not_found",
    "room_not_found",
    "no_first_message",
    "no_pong",
    "close_before_join",
    "close_when_connected",
    "drop_when_connected",
    "leave_when_connected",
    "leave_first_message",
    "leave_during_reconnect",
    "drop_on_close",
]
LeaveAction: TypeAlias = Literal["DISCONNECT", "RESUME", "RECONNECT"]


@final
class MockServer:
    """A running mock; see `open_mock_server`.

    Attributes:
        http_urls: where each region answers, ``http://127.0.0.1:…``, the first one first.
        api_key: any would do.
        api_secret: what tokens must be signed with.
        process: the child.
    """

    def __init__(self, ports: list[int], api_secret: str, process: ServerProcess) -> None:
        self.http_urls = [f"http://127.0.0.1:{port}" for port in ports]
        self.api_key = "APImock"
        self.api_secret = api_secret
        self.process = process

    @property
    def http_url(self) -> str:
        """Where the first region answers API calls."""
        return self.http_urls[0]

    @property
    def url(self) -> str:
        """Where the first region takes signal connections, ``ws://127.0.0.1:…``."""
        return self.http_url.replace("http:", "ws:")

    def token(
        self,
        identity: str = "a",
        room: str = "r",
        *,
        signal: SignalMode = "happy",
        leave_action: LeaveAction = "DISCONNECT",
    ) -> str:
        """A token that lets *identity* join *room*, where *signal* then happens.

        Args:
            identity: the participant's identity.
            room: the room's name.
            signal: what the mock does.
            leave_action: what the client is told to do by those modes that tell it to leave.
        """
        return (
            self.access_token()
            .with_identity(identity)
            .with_grants(api.VideoGrants(room_join=True, room=room))
            .with_attributes({"lk.mock": json.dumps({"signal": signal, "leaveAction": leave_action})})
            .to_jwt()
        )

    def access_token(self) -> api.AccessToken:
        """A builder for tokens, for all that `token` does not cover."""
        return api.AccessToken(self.api_key, self.api_secret)


@asynccontextmanager
async def open_mock_server(*, regions: int = 3) -> AsyncGenerator[MockServer]:
    """Run the mock as a child process, on free loopback ports and with a secret of its own.

    Args:
        regions: how many there are, each with a port.
    """
    program = await anyio.to_thread.run_sync(lambda: find_mock(checkpoint=anyio.from_thread.check_cancelled))
    with tempfile.TemporaryDirectory(prefix="livekit-mock-") as directory:
        mock = await _start(program, regions, Path(directory, "log"))
        try:
            yield mock
        finally:
            await mock.process.stop()  # noqa: ASYNC102 - shielded and bounded itself


async def _start(program: Path, regions: int, log: Path) -> MockServer:
    """Start it, on other ports if one of them is taken meanwhile."""
    while True:
        ports = [_free_port(socket.SOCK_STREAM) for _ in range(regions)]
        secret = secrets.token_urlsafe(32)
        listed = ",".join(map(str, ports))
        command = (str(program), "--bind", "127.0.0.1", "--ports", listed, "--api-secret", secret)
        process = ServerProcess(command, log)
        process.start()
        listens = False
        try:
            listens = await _listens(process, ports)
        finally:
            if not listens:
                await process.stop()  # noqa: ASYNC102 - shielded and bounded itself
        if listens:
            return MockServer(ports, secret, process)
        error = ServerStartError(process.returncode, log.read_text())  # noqa: ASYNC240 - a few lines
        if not error.port_taken:
            raise error
        log.unlink()  # noqa: ASYNC240


async def _listens(process: ServerProcess, ports: list[int]) -> bool:
    """Wait until *process* listens on all its ports; False: it has ended, or takes too long."""
    with anyio.move_on_after(START_TIMEOUT):
        for port in ports:
            while process.returncode is None and not await _is_open(port):
                await anyio.sleep(0.01)
        return process.returncode is None
    return False


async def _is_open(port: int) -> bool:
    try:
        await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
    except OSError:
        return False
    return True
