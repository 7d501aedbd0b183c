"""The room among other people's code: channels of both families, and web servers on every event loop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

from livekit_trio import rtc
from livekit_trio.testing import assert_idle

if TYPE_CHECKING:
    import trio

    from livekit_trio.testing import DevServer

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]


async def names_from_trio(channel: trio.abc.ReceiveChannel[rtc.ParticipantConnected]) -> list[str]:
    """Knows Trio's interface only."""
    names: list[str] = []
    async with channel:
        async for event in channel:
            names.append(event.participant.identity)
            if len(names) == 2:
                break
    return names


async def names_from_anyio(stream: anyio.abc.ObjectReceiveStream[rtc.ParticipantConnected]) -> list[str]:
    """Knows AnyIO's interface only."""
    names: list[str] = []
    async with stream:
        async for event in stream:
            names.append(event.participant.identity)
            if len(names) == 2:
                break
    return names


async def test_functions_of_both_families_read_our_stream(server: DevServer) -> None:
    async with rtc.open_room(server.url, server.token("ann", "interop")) as room:
        with (
            room.open_events(rtc.ParticipantConnected) as for_trio,
            room.open_events(rtc.ParticipantConnected) as for_anyio,
        ):
            async with (
                rtc.open_room(server.url, server.token("bob", "interop")),
                rtc.open_room(server.url, server.token("carl", "interop")),
            ):
                with anyio.fail_after(10):
                    assert sorted(await names_from_trio(for_trio)) == ["bob", "carl"]
                    assert sorted(await names_from_anyio(for_anyio)) == ["bob", "carl"]
    await assert_idle()


async def test_web_applications_keep_a_room(server: DevServer, tmp_path: Path) -> None:
    async with anyio.create_task_group() as group:
        for web_server in ("hypercorn-trio", "uvicorn-asyncio", "uvicorn-uvloop"):
            group.start_soon(use_a_web_application, server, web_server, tmp_path / web_server)
    await assert_idle()


async def use_a_web_application(server: DevServer, web_server: str, output_path: Path) -> None:
    name = f"web-{web_server}"
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "tests.interop.web_app",
        web_server,
        str(port),
        server.url,
        server.token("web", name),
    ]
    with (
        output_path.open("w+") as output,
        subprocess.Popen(  # noqa: ASYNC220 - it starts at once, and pipes nothing
            command, cwd=ROOT, env=os.environ, stdout=output, stderr=subprocess.STDOUT
        ) as application,
    ):
        try:
            async with (
                rtc.open_room(server.url, server.token("ann", name)) as room,
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
            ):
                with anyio.fail_after(20), room.open_events(rtc.DataReceived) as packets:
                    await (await room.wait_for_participant("web")).wait_until_active()
                    while await who(client) != ["ann"]:
                        await anyio.sleep(0.02)
                    assert (await client.post("/say/hello")).json() == name
                    packet = await packets.receive()
                    assert (packet.data, packet.topic) == (b"hello", "web")
                    application.send_signal(signal.SIGTERM)
                    await room.wait_for(rtc.ParticipantDisconnected)
        finally:
            application.terminate()
        output.seek(0)
        assert application.wait(10) in (0, -signal.SIGTERM), output.read()


async def who(client: httpx.AsyncClient) -> list[str]:
    """Who the application sees; nobody while it does not listen yet."""
    try:
        return (await client.get("/who")).json()
    except httpx.ConnectError:
        return []
