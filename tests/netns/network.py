"""Two network namespaces of our own, with a cable between them: a real server at one end, rooms of ours at the other.

Nothing gets out of them: they have loopback, the cable, and no route to anywhere else.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import anyio
import anyio.to_thread
import attrs
from anyio.streams.buffered import BufferedByteReceiveStream

from livekit_trio import api
from livekit_trio.testing import ServerProcess, find_server
from livekit_trio.testing._server import SETTLING_TIME, _configuration, _merge

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from anyio.abc import Process

ROOT: Final = Path(__file__).parents[2]
ADDRESS: Final = "10.231.0.1"
"""The server's; the clients' is the next one. Each pair of namespaces has these addresses for itself."""
SIGNAL_PORT: Final = 7880
KEY: Final = "key"
SECRET: Final = "no secret: nobody else is in this network"

_numbers = itertools.count(1)


def run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@attrs.frozen
class Network:
    """Two ends of a cable, by the names of their namespaces."""

    server: str
    clients: str

    def pull_the_cable(self, *, at: str) -> None:
        """For good, at this end, `server` or `clients`.

        At the server's end, the clients still have a network, in which nobody answers: the native library still tries after
        75 s. At their own end each attempt fails at once, as unreachable, and the room ends 30 to 47 s after the cut (both measured).
        """
        run("ip", "-n", at, "link", "set", "cable", "down")

    @contextmanager
    def cut_signal(self) -> Generator[None]:
        """Reset what the clients say to the server over the signal connection; media stays up."""
        rule = ("OUTPUT", "-p", "tcp", "--dport", str(SIGNAL_PORT), "-j", "REJECT", "--reject-with", "tcp-reset")
        iptables = ("ip", "netns", "exec", self.clients, "iptables", "--wait")
        run(*iptables, "-A", *rule)
        try:
            yield
        finally:
            run(*iptables, "-D", *rule)


@contextmanager
def lay_network() -> Generator[Network]:
    """Both namespaces, for a block; what runs in them has to end before."""
    name = f"livekit-trio-{os.getpid()}-{next(_numbers)}"
    network = Network(f"{name}-server", f"{name}-clients")
    with ExitStack() as removals:
        for namespace in (network.server, network.clients):
            run("ip", "netns", "add", namespace)
            removals.callback(run, "ip", "netns", "delete", namespace)
        ends = ("name", "cable", "netns", network.clients)
        run("ip", "link", "add", "cable", "netns", network.server, "type", "veth", "peer", *ends)
        for namespace, address in ((network.server, ADDRESS), (network.clients, "10.231.0.2")):
            run("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", "cable")
            for device in ("lo", "cable"):
                run("ip", "-n", namespace, "link", "set", device, "up")
        yield network


@asynccontextmanager
async def open_server(network: Network, directory: Path) -> AsyncGenerator[ServerProcess]:
    """A real livekit-server at its end of the cable."""
    on_cable = {"bind_addresses": [ADDRESS], "rtc": {"node_ip": ADDRESS, "interfaces": {"includes": ["cable"]}}}
    configuration = _merge(_configuration(SIGNAL_PORT, 7881, 7882) | {"keys": {KEY: SECRET}}, on_cable)
    config_path = directory / "config.yaml"
    config_path.write_text(json.dumps(configuration))
    program = await anyio.to_thread.run_sync(find_server)
    command = ("ip", "netns", "exec", network.server, str(program), "--config", str(config_path))
    process = ServerProcess(command, directory / "log")
    process.start()
    try:
        listening = ("ss", "--net", network.server, "--no-header", "--listening", "--tcp", f"sport = {SIGNAL_PORT}")
        with anyio.fail_after(30):
            while not run(*listening):
                assert process.returncode is None, process.log_path.read_text()
                await anyio.sleep(0.05)
        await anyio.sleep(SETTLING_TIME)
        yield process
    finally:
        await process.stop()


@final
class Client:
    """A process of `tests/netns/client.py`."""

    def __init__(self, identity: str, process: Process) -> None:
        assert process.stdout is not None
        self.identity = identity
        self.process = process
        self._lines = BufferedByteReceiveStream(process.stdout)
        self.told: list[dict[str, Any]] = []
        """Everything, in order."""
        self._passed_over: list[dict[str, Any]] = []
        """What came while something else was waited for."""

    async def hear(self, what: str, about: str | None = None, *, within: float = 20) -> float:
        """Wait until it tells this, if it has not already; return when it happened, by the monotonic clock."""

        def is_wanted(line: dict[str, Any]) -> bool:
            return line["what"] == what and about in (None, line["about"])

        for line in self._passed_over:
            if is_wanted(line):
                self._passed_over.remove(line)
                return line["at"]
        try:
            with anyio.fail_after(within):
                while True:
                    line = json.loads(await self._lines.receive_until(b"\n", 65_536))
                    self.told.append(line)
                    if is_wanted(line):
                        return line["at"]
                    self._passed_over.append(line)
        except (TimeoutError, anyio.IncompleteRead) as error:
            error.add_note(f"{self.identity} has not told {what!r}, but {self.told}")
            raise

    def has_told(self, what: str, about: str) -> bool:
        """Whether this was among what has been heard."""
        return any((line["what"], line["about"]) == (what, about) for line in self.told)

    async def say(self, message: str) -> None:
        """Have it send *message* to the others."""
        assert self.process.stdin is not None
        await self.process.stdin.send(message.encode())

    async def leave(self, state: str, reason: str = "CLIENT_INITIATED") -> float:
        """Have it leave the room, from this state of connection, and end; return how many seconds leaving took.

        *reason* is why the room has ended then.
        """
        assert self.process.stdin is not None
        await self.process.stdin.aclose()
        begin = await self.hear("leaving", state)
        end = await self.hear("left", reason)
        with anyio.fail_after(10):
            assert await self.process.wait() == 0
        return end - begin


@asynccontextmanager
async def open_client(network: Network, identity: str, backend: str, *options: str) -> AsyncGenerator[Client]:
    """A room of ours in a process at the other end of the cable, on this event loop."""
    grants = api.VideoGrants(room_join=True, room="room")
    token = api.AccessToken(KEY, SECRET).with_identity(identity).with_grants(grants).to_jwt()
    program = (sys.executable, "-m", "tests.netns.client", backend, f"ws://{ADDRESS}:{SIGNAL_PORT}", token, *options)
    process = await anyio.open_process(("ip", "netns", "exec", network.clients, *program), cwd=ROOT, stderr=None)
    try:
        yield Client(identity, process)
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.aclose()


@asynccontextmanager
async def open_scene(directory: Path, *options: str) -> AsyncGenerator[tuple[Network, Client, Client]]:
    """ann on Trio and bob on asyncio, in one room, behind one cable; *options* are those of `tests/netns/client.py`."""
    begin = time.monotonic()
    with lay_network() as network:
        async with (
            open_server(network, directory),
            open_client(network, "ann", "trio", *options) as ann,
            open_client(network, "bob", "asyncio", *options) as bob,
        ):
            await ann.hear("ParticipantConnected", "bob")
            await bob.hear("ParticipantConnected", "ann")
            print(f"the scene is set after {time.monotonic() - begin:.1f} s")  # noqa: T201
            yield network, ann, bob
