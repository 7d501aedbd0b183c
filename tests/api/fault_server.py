"""A server that answers as a test tells it, well or badly, and counts what reaches it."""

from __future__ import annotations

import socket
import struct
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeAlias, final

import anyio
from anyio.abc import SocketAttribute
from livekit.protocol.room import ListRoomsResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from anyio.abc import SocketStream

    Answer: TypeAlias = Callable[[SocketStream], Awaitable[bool]]
    """Answers one request; False: the connection is at its end."""

RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
ROOMS: Final = ListRoomsResponse(rooms=[{"name": "a room"}]).SerializeToString()
SLOWLY: Final = 0.02
"""Seconds between the bytes of what comes slowly."""


@final
class FaultServer:
    """See `open_fault_server`.

    Attributes:
        answers: what it does with the next requests; the last one is for all that follow.
        requests: how many of each path have reached it.
        connections: how many are open.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.answers: list[Answer] = [good]
        self.requests: Counter[str] = Counter()
        self.connections = 0
        self.accepted = 0
        self._changed = anyio.Event()

    @property
    def calls(self) -> int:
        """How many calls have reached it; questions for regions do not count."""
        return sum(count for path, count in self.requests.items() if "/twirp/" in path)

    async def wait_connections(self, at_most: int = 0) -> None:
        """Wait until so few are open: the server learns a moment later that a client has hung up."""
        with anyio.fail_after(60):
            while self.connections > at_most:
                await self._changed.wait()

    async def serve(self, stream: SocketStream) -> None:
        self._count(1)
        self.accepted += 1
        try:
            async with stream:
                while await self._serve_one(stream):
                    pass
        except (OSError, anyio.BrokenResourceError, anyio.EndOfStream):
            pass  # the client has hung up
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self.connections += change
        self._changed.set()
        self._changed = anyio.Event()

    async def _serve_one(self, stream: SocketStream) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            data += await stream.receive()
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        while len(body) < int(length.partition(b":")[2]):
            body += await stream.receive()
        path = head.split(maxsplit=2)[1].decode()
        self.requests[path] += 1
        if "/twirp/" not in path:
            return await says(404)(stream)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        # Whoever hangs up ends the answer: nothing else tells a server that waits.
        return await answer(stream)


@asynccontextmanager
async def open_fault_server() -> AsyncGenerator[FaultServer]:
    """Run one on a free loopback port."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    server = FaultServer(listener.extra(SocketAttribute.local_port))
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, server.serve)
        yield server
        tasks.cancel_scope.cancel()


# ---- answers


def says(status: int, body: bytes = b"", content_type: str = "application/protobuf", *headers: str) -> Answer:
    """A whole response."""

    async def answer(stream: SocketStream) -> bool:
        await stream.send(head(status, len(body), content_type, *headers) + body)
        return True

    return answer


def head(status: int, length: int, content_type: str = "application/protobuf", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {content_type}", f"Content-Length: {length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


good: Final = says(200, ROOMS)


async def hangs(stream: SocketStream) -> bool:
    """No answer, until the client hangs up."""
    await stream.receive()
    return False


async def hangs_up(stream: SocketStream) -> bool:
    """No answer, and the end of the connection."""
    return False


async def resets(stream: SocketStream) -> bool:
    """No answer, and a reset connection."""
    stream.extra(SocketAttribute.raw_socket).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    return False


async def resets_midway(stream: SocketStream) -> bool:
    await stream.send(head(200, len(ROOMS)) + ROOMS[:3])
    return await resets(stream)


async def hangs_up_midway(stream: SocketStream) -> bool:
    await stream.send(head(200, len(ROOMS)) + ROOMS[:3])
    return False


async def drips_its_headers(stream: SocketStream) -> bool:
    await stream.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send(b"X-Header: x\r\n")
        await anyio.sleep(SLOWLY)


async def drips_its_body(stream: SocketStream) -> bool:
    await stream.send(head(200, 1_000_000))
    while True:
        await stream.send(b"x")
        await anyio.sleep(SLOWLY)


async def stops_midway(stream: SocketStream) -> bool:
    await stream.send(head(200, len(ROOMS)) + ROOMS[:3])
    return await hangs(stream)


async def answers_in_pieces(stream: SocketStream) -> bool:
    """A good response, slowly."""
    response = head(200, len(ROOMS)) + ROOMS
    for start in range(0, len(response), 20):
        await stream.send(response[start : start + 20])
        await anyio.sleep(0.001)
    return True


async def speaks_something_else(stream: SocketStream) -> bool:
    await stream.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    return False
