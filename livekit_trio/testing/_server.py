"""A real LiveKit server for tests and demos, on loopback."""

from __future__ import annotations

import contextlib
import json
import random
import secrets
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, final

import anyio
import anyio.from_thread
import anyio.to_thread
import attrs
from typing_extensions import override

from .. import api
from ._admin import RoomAdmin
from ._find_server import find_server
from ._server_errors import ServerStartError
from ._server_process import POLL_INTERVAL, ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

START_TIMEOUT: Final = 30.0
"""It takes 40 to 90 ms here (measured); a cold disk or a busy machine may need seconds."""
ANSWER_TIMEOUT: Final = 1.0
"""For one question; then it is looked whether the server still runs, and asked again."""
SETTLING_TIME: Final = 0.15
"""A server that listens takes note of signals, but for 100 ms does not act on them (``time.Sleep`` in its service/server.go)."""
START_ATTEMPTS: Final = 5
"""Between choosing a port and the server's listening on it another program may take it."""
PORTS: Final = range(20_000, 32_000)
"""Below every system's ephemeral ports: no outgoing connection can take one while the server restarts."""


@final
class DevServer(RoomAdmin):
    """A running local server; see `open_server`.

    It has a few calls of the server API for tests: `list_participants`, `delete_room`, `remove_participant`,
    `update_participant`, `mute_track`, and `call_room_service` for the others.

    Attributes:
        url: its address for `livekit_trio.rtc.open_room`, ``ws://127.0.0.1:…``.
        http_url: its address for the server API, ``http://127.0.0.1:…``.
        api_key: its one API key.
        api_secret: the key's secret.
        process: the child, to be killed, suspended and so on by a test.
    """

    def __init__(self, port: int, api_key: str, api_secret: str, process: ServerProcess) -> None:
        super().__init__(f"http://127.0.0.1:{port}", api_key, api_secret)
        self.url: str = f"ws://127.0.0.1:{port}"
        self.process = process

    @override
    def __repr__(self) -> str:
        return f"<DevServer {self.url}, {self.process!r}>"

    @property
    def log_path(self) -> Path:
        """The file that has everything the server printed, over all its restarts. It goes when `open_server` ends."""
        return self.process.log_path

    def token(self, identity: str, room: str, **grants: Any) -> str:
        """A token that lets *identity* join *room*.

        Args:
            identity: the participant's identity.
            room: the room's name.
            grants: further fields of `livekit_trio.api.VideoGrants`, such as ``can_publish=False``.
        """
        joins = attrs.evolve(api.VideoGrants(room_join=True, room=room), **grants)
        return self.access_token().with_identity(identity).with_grants(joins).to_jwt()

    def access_token(self) -> api.AccessToken:
        """A builder for tokens with the server's key, for all that `token` does not cover."""
        return api.AccessToken(self.api_key, self.api_secret)

    async def restart(self) -> None:
        """End it, if it still runs, and start it again: same address, same key, no rooms.

        On Linux it also ends with the thread that has (re)started it; so restart only a server of your own event loop.

        Raises:
            ServerStartError: it did not start.

        Cancellation:
            It is not running.
        """
        await self.process.stop()
        await self.start()

    async def start(self) -> None:
        """Start it and wait until it answers; for a server that has ended.

        Raises:
            ServerStartError: it did not start.

        Cancellation:
            It is not running.
        """
        begin = self.log_path.stat().st_size if self.log_path.exists() else 0
        self.process.start()
        try:
            await self._wait_for_answer(begin)
            await anyio.sleep(SETTLING_TIME)
        except BaseException:
            self.process.kill()
            await self.process.stop()  # noqa: ASYNC102 - shielded and bounded itself
            raise

    async def _wait_for_answer(self, begin: int) -> None:
        """Wait until it answers; *begin* is where the log of this life begins."""
        with anyio.move_on_after(START_TIMEOUT):
            while True:
                await anyio.sleep(POLL_INTERVAL)
                # Asking with the key makes sure that it is this server that answers, and not another program on its port;
                # that one may as well accept the connection and say nothing.
                with contextlib.suppress(OSError, anyio.BrokenResourceError), anyio.move_on_after(ANSWER_TIMEOUT):
                    await self.call_room_service("ListRooms", {})
                    return
                if self.process.returncode is not None:
                    break
        output = self.log_path.read_bytes()[begin:].decode(errors="replace")
        raise ServerStartError(self.process.returncode, output[-2000:])


@contextlib.asynccontextmanager
async def open_server(
    *,
    webhook_urls: Sequence[str] = (),
    redis: str | None = None,
    settings: Mapping[str, Any] | None = None,
    port: int | None = None,
    api_key: str | None = None,
    api_secret: str | None = None,
) -> AsyncGenerator[DevServer]:
    """Run a real livekit-server as a child process, on free loopback ports and with keys of its own.

    The server program is found, or built once, by `find_server`. However the block is left, the server has ended afterwards.

    Args:
        webhook_urls: where it sends its webhooks, signed with `api_key`.
        redis: the address of a Redis, ``127.0.0.1:6379``, which several servers may share; default none.
        settings: further settings, merged into the server's configuration (the keys of its YAML file).
        port: the HTTP port; default a free one.
        api_key: default a random one.
        api_secret: of at least 32 characters, or the server warns; default a random one.

    Raises:
        ServerNotFoundError: there is no livekit-server and none can be built.
        ServerStartError: it did not start; what it printed is in the error.

    Cancellation:
        While the server is being built, the build is given up. Afterwards the server is ended.
    """
    program = await anyio.to_thread.run_sync(lambda: find_server(checkpoint=anyio.from_thread.check_cancelled))
    key = api_key or f"API{secrets.token_hex(6)}"
    secret = api_secret or secrets.token_urlsafe(32)
    with tempfile.TemporaryDirectory(prefix="livekit-server-") as directory:
        config_path = Path(directory, "config.yaml")
        process = ServerProcess((str(program), "--config", str(config_path)), Path(directory, "log"))
        further = _further(webhook_urls, redis, key, settings)
        server = await _start(process, config_path, port, key, secret, further)
        try:
            yield server
        finally:
            await process.stop()  # noqa: ASYNC102 - shielded and bounded itself


async def _start(
    process: ServerProcess, config_path: Path, port: int | None, key: str, secret: str, further: Mapping[str, Any]
) -> DevServer:
    """Start the server, on other ports if those it was given are taken meanwhile."""
    attempts = 0
    while True:  # noqa: ASYNC913 - start() is a checkpoint
        http = port or _free_port(socket.SOCK_STREAM)
        configuration = _configuration(http, _free_port(socket.SOCK_STREAM), _free_port(socket.SOCK_DGRAM))
        # JSON is YAML.
        config_path.write_text(  # noqa: ASYNC240 - a few hundred bytes
            json.dumps(_merge(configuration | {"keys": {key: secret}}, further))
        )
        server = DevServer(http, key, secret, process)
        try:
            await server.start()
        except ServerStartError as error:
            attempts += 1
            if not error.port_taken or port is not None or attempts == START_ATTEMPTS:
                raise
        else:
            return server


def _configuration(http: int, tcp: int, udp: int) -> dict[str, Any]:
    """What keeps a server on loopback."""
    return {
        "port": http,
        "bind_addresses": ["127.0.0.1"],
        "logging": {"level": "info"},
        "enable_participant_data_blob": True,  # for schemas of data tracks
        "rtc": {
            "tcp_port": tcp,
            "udp_port": udp,
            "node_ip": "127.0.0.1",
            "use_external_ip": False,
            "enable_loopback_candidate": True,
            "interfaces": {"includes": ["lo", "lo0"]},  # Linux, macOS
            # Nobody answers there. Without it clients are sent to a public STUN server, and libwebrtc keeps a resolver
            # thread and a socket for each candidate for some 10 s after each join, which looks like a leak.
            "stun_servers": ["127.0.0.1:3478"],
        },
    }


def _further(
    webhook_urls: Sequence[str], redis: str | None, key: str, settings: Mapping[str, Any] | None
) -> dict[str, Any]:
    further: dict[str, Any] = {}
    if webhook_urls:
        further["webhook"] = {"api_key": key, "urls": list(webhook_urls)}
    if redis is not None:
        further["redis"] = {"address": redis}
    return _merge(further, settings or {})


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """*base* with *changes* laid over it, mapping by mapping."""
    merged = dict(base)
    for name, value in changes.items():
        old = merged.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[name] = _merge(cast("dict[str, Any]", old), cast("dict[str, Any]", value))
        else:
            merged[name] = value
    return merged


def _free_port(kind: socket.SocketKind) -> int:
    """A port that nobody listens on at this moment."""
    while True:
        port = random.choice(PORTS)  # noqa: S311 - no secret
        with socket.socket(socket.AF_INET, kind) as probe, contextlib.suppress(OSError):
            probe.bind(("", port))  # of every interface: the server listens on all of them for media over TCP
            return port
