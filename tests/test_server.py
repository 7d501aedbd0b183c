"""The real local server: it starts, does what it is told, and never outlives its block."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import httpx
import pytest

from livekit_trio import api, rtc
from livekit_trio.testing import (
    AdminCallError,
    DevServer,
    ServerNotFoundError,
    ServerProcess,
    ServerStartError,
    _server,
    _server_process,
    find_server,
    open_server,
)
from tests.cancelling import cancel_at, ways
from tests.peers.tracks import publish_silence

pytestmark = pytest.mark.anyio


def is_gone(pid: int) -> bool:
    """Whether there is no such process, not even as a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture
def pids(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The servers started since, one after the other."""
    pids: list[int] = []
    start = ServerProcess.start

    def recording_start(process: ServerProcess) -> None:
        start(process)
        pids.append(process.pid)

    monkeypatch.setattr(ServerProcess, "start", recording_start)
    return pids


async def test_it_answers_those_with_its_key(server: DevServer) -> None:
    assert await server.list_participants("nobody-was-here") == []
    async with httpx.AsyncClient(base_url=server.http_url, trust_env=False) as client:
        assert (await client.get("/")).text == "OK"
        for token, status in ((server.token("a", "r"), 200), ("x", 401)):
            response = await client.get("/rtc/validate", params={"access_token": token})
            assert response.status_code == status


def test_token_takes_further_grants(server: DevServer) -> None:
    token = server.token("a", "r", can_publish=False, hidden=True)
    claims = api.TokenVerifier(server.api_key, server.api_secret).verify(token)
    assert claims.identity == "a"
    assert claims.video == api.VideoGrants(room_join=True, room="r", can_publish=False, hidden=True)


def test_the_secret_is_in_no_repr(server: DevServer) -> None:
    assert len(server.api_secret) >= 32
    assert server.api_secret not in repr(server) + repr(server.process) + repr(server.access_token())


async def test_admin_calls(server: DevServer) -> None:
    await server.call_room_service("CreateRoom", {"name": "admin-calls"})
    rooms = (await server.call_room_service("ListRooms", {"names": ["admin-calls"]}))["rooms"]
    assert [room["name"] for room in rooms] == ["admin-calls"]
    with pytest.raises(AdminCallError) as refused:
        await server.remove_participant("admin-calls", "nobody")
    assert (refused.value.status, refused.value.code) == (404, "not_found")
    await server.delete_room("admin-calls")
    assert (await server.call_room_service("ListRooms", {"names": ["admin-calls"]}))["rooms"] == []


async def test_admin_calls_about_a_participant(server: DevServer) -> None:
    async with rtc.open_room(server.url, server.token("a", "admin-calls-2")) as room:
        assert [who["identity"] for who in await server.list_participants("admin-calls-2")] == ["a"]
        with room.open_events(rtc.ParticipantMetadataChanged) as changes:
            await server.update_participant("admin-calls-2", "a", metadata="m")
            await changes.receive()
        assert room.local_participant.metadata == "m"
        await server.remove_participant("admin-calls-2", "a")
        assert await room.wait_closed() == rtc.DisconnectReason.PARTICIPANT_REMOVED


async def test_muting_a_track(server: DevServer) -> None:
    async def muted() -> dict[str, bool]:
        [participant] = await server.list_participants("muting")
        return {track["sid"]: track["muted"] for track in participant["tracks"]}

    async with rtc.open_room(server.url, server.token("a", "muting")) as room:
        publication = await publish_silence(room)
        with anyio.fail_after(10):
            while await muted() != {publication.sid: False}:  # noqa: ASYNC110 - listed a moment later
                await anyio.sleep(0.02)
            await server.mute_track("muting", "a", publication.sid)
            while await muted() != {publication.sid: True}:  # noqa: ASYNC110
                await anyio.sleep(0.02)


async def test_it_ends_at_once_with_participants_in_it(pids: list[int]) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(open_server())
        async with rtc.open_room(server.url, server.token("a", "r")) as room:
            before = anyio.current_time()
            await stack.aclose()
            assert anyio.current_time() - before < _server_process.STOP_TIMEOUT
            assert [is_gone(pid) for pid in pids] == [True]
            await room.disconnect()
    assert server.process.returncode == 0


async def test_terminated_once_it_waits_for_its_participants() -> None:
    async with open_server() as server:
        async with rtc.open_room(server.url, server.token("a", "r")):
            server.process.terminate()
            with anyio.move_on_after(0.2):
                await server.process.wait()
            assert server.process.returncode is None
        with anyio.fail_after(20):
            assert await server.process.wait() == 0


async def test_two_servers_know_nothing_of_each_other() -> None:
    async with open_server() as one, open_server() as other:
        await one.call_room_service("CreateRoom", {"name": "r"})
        assert (await other.call_room_service("ListRooms", {}))["rooms"] == []
        stranger = DevServer(int(one.url.rpartition(":")[2]), other.api_key, other.api_secret, other.process)
        with pytest.raises(AdminCallError) as refused:
            await stranger.list_participants("r")
        assert refused.value.status == 401


async def test_settings_are_merged_into_the_configuration() -> None:
    async with open_server(settings={"room": {"max_participants": 3}, "logging": {"level": "debug"}}) as server:
        room = await server.call_room_service("CreateRoom", {"name": "r"})
        assert room["max_participants"] == 3
        assert "DEBUG" in server.log_path.read_text()


async def test_kill_and_restart() -> None:
    async with open_server() as server:
        first = server.process.pid
        server.process.kill()
        assert await server.process.wait() == -signal.SIGKILL
        with pytest.raises(OSError, match="All connection attempts failed"):
            await server.list_participants("r")
        await server.restart()
        assert server.process.pid != first
        assert await server.list_participants("r") == []
        second = server.process.pid
        await server.restart()
        assert is_gone(second)
        assert await server.list_participants("r") == []


async def test_suspend_and_resume() -> None:
    async with open_server() as server:
        server.process.suspend()
        with anyio.move_on_after(0.2) as patience:
            await server.list_participants("r")
        assert patience.cancelled_caught
        server.process.resume()
        assert await server.list_participants("r") == []
        server.process.suspend()
    assert is_gone(server.process.pid)


async def test_webhooks_are_signed_with_its_key() -> None:
    received: list[bytes] = []
    arrived = anyio.Event()

    async def take_request(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            request = b""
            async for chunk in stream:
                request += chunk
                if b"room_started" in request:
                    received.append(request)
                    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    arrived.set()
                    break

    key, secret = "APIhook", "a-secret-of-more-than-thirty-two-characters"
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, take_request)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with open_server(
            webhook_urls=[f"http://127.0.0.1:{port}/hook"], api_key=key, api_secret=secret
        ) as server:
            await server.call_room_service("CreateRoom", {"name": "r"})
            with anyio.fail_after(10):
                await arrived.wait()
        tasks.cancel_scope.cancel()
    headers = dict(line.split(": ", 1) for line in received[0].decode().split("\r\n\r\n")[0].split("\r\n")[1:])
    claims = api.TokenVerifier(key, secret).verify(headers["Authorization"])
    assert claims.sha256
    assert claims.video is None


@pytest.mark.parametrize("error", [ValueError("from the body"), KeyboardInterrupt()])
async def test_a_failing_body_leaves_no_child(error: BaseException, pids: list[int]) -> None:
    with pytest.raises(type(error)) as raised:
        async with open_server():
            raise error
    assert raised.value is error
    assert [is_gone(pid) for pid in pids] == [True]


async def test_cancelled_at_any_checkpoint_it_leaves_no_child(
    anyio_backend: tuple[str, object], pids: list[int]
) -> None:
    async def program() -> None:
        async with open_server() as server:
            await server.list_participants("r")

    for way in ways(anyio_backend[0]):
        at = 1
        while await cancel_at(program, at, way):
            assert all(is_gone(pid) for pid in pids), f"cancelled by {way} at suspension {at}"
            at += 1
        assert len(pids) > 1
        pids.clear()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
def test_a_killed_parent_leaves_no_child() -> None:
    program = """
import trio
from livekit_trio.testing import open_server

async def main():
    async with open_server() as server:
        print(server.process.pid, flush=True)
        await trio.sleep_forever()

trio.run(main)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not is_gone(child)
        parent.kill()
    deadline = time.monotonic() + 10
    while not _is_dead(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _is_dead(child)


def _is_dead(pid: int) -> bool:
    """Whether it runs no more. In a container nobody may reap what has lost its parent."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


async def test_taken_ports_are_exchanged(monkeypatch: pytest.MonkeyPatch, pids: list[int]) -> None:
    free_port = _server._free_port
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([free_port(socket.SOCK_STREAM), taken.getsockname()[1]])

        def next_port(kind: socket.SocketKind) -> int:
            return next(ports, None) or free_port(kind)

        monkeypatch.setattr(_server, "_free_port", next_port)
        async with open_server() as server:
            assert await server.list_participants("r") == []
    assert len(pids) == 2
    assert all(is_gone(pid) for pid in pids)


async def test_a_taken_port_of_the_users_own_choice_is_an_error(pids: list[int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(ServerStartError, match="address already in use") as error:
            async with open_server(port=taken.getsockname()[1]):
                pytest.fail("it cannot have started")
    assert error.value.port_taken
    assert all(is_gone(pid) for pid in pids)


async def test_a_wrong_setting_is_an_error_with_the_servers_words(pids: list[int]) -> None:
    with pytest.raises(ServerStartError, match="no_such_setting") as error:
        async with open_server(settings={"no_such_setting": 1}):
            pytest.fail("it cannot have started")
    assert error.value.returncode is not None
    assert not error.value.port_taken
    assert [is_gone(pid) for pid in pids] == [True]


async def test_a_wrong_file_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIVEKIT_SERVER", str(tmp_path / "nothing"))
    with pytest.raises(ServerNotFoundError, match=r"LIVEKIT_SERVER: .*/nothing is not an executable file"):
        async with open_server():
            pytest.fail("it cannot have started")


def test_the_environment_names_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = write_program(tmp_path / "my-server", "exit 1")
    monkeypatch.setenv("LIVEKIT_SERVER", str(program))
    assert find_server() == program


@pytest.mark.parametrize(("version", "suits"), [("1.13.0", True), ("1.12.9", False), ("1.130.0", False), ("?", False)])
def test_a_server_on_path_must_be_of_the_right_series(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, suits: bool
) -> None:
    on_path = write_program(tmp_path / "bin" / "livekit-server", f"echo livekit-server version {version}")
    monkeypatch.delenv("LIVEKIT_SERVER", raising=False)
    monkeypatch.setenv("PATH", f"{on_path.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cached = write_program(tmp_path / "cache" / "livekit-trio" / "livekit-server-1.13.5" / "livekit-server", "exit 1")
    assert find_server() == (on_path if suits else cached)


def write_program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
