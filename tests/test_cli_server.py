"""The commands that call a server, against a real one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from typer.testing import CliRunner

from livekit_trio import rtc
from livekit_trio._cli import main
from livekit_trio._cli._app import app
from tests.peers.driver import open_official_peer
from tests.peers.listener import TIMEOUT
from tests.peers.reachable import until_reachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anyio.from_thread import BlockingPortal

    from livekit_trio.testing import DevServer

UNSET = {"LIVEKIT_URL": "", "LIVEKIT_API_KEY": "", "LIVEKIT_API_SECRET": "", "LIVEKIT_TOKEN": ""}


@pytest.fixture
def credentials(server: DevServer) -> dict[str, str]:
    return {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "LIVEKIT_TOKEN": "",
        "COLUMNS": "200",
    }


@pytest.fixture
def run(credentials: dict[str, str]) -> Callable[..., str]:
    """Run a command; what it prints."""

    def run(*arguments: str, stdin: bytes = b"") -> str:
        result = CliRunner().invoke(app, arguments, env=credentials, input=stdin, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return run


@pytest.fixture
def ask(run: Callable[..., str]) -> Callable[..., Any]:
    """Run a command with ``--json``; what it says."""
    return lambda *arguments: json.loads(run(*arguments, "--json"))


@pytest.fixture
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal("trio") as portal:
        yield portal


@pytest.fixture
def bob(portal: BlockingPortal, server: DevServer, room_name: str) -> Iterator[rtc.Room]:
    """Somebody in the room, on another thread's event loop."""
    token = server.token("bob", room_name)
    with portal.wrap_async_context_manager(rtc.open_room(server.url, token)) as room:
        yield room


@pytest.fixture
def room_name(request: pytest.FixtureRequest) -> str:
    return re.sub(r"\W", "-", request.node.name)


def test_rooms_are_created_listed_changed_and_deleted(run: Callable[..., str], ask: Callable[..., Any]) -> None:
    made = ask(
        *("rooms", "create", "cli-a", "--metadata", "old", "--max-participants", "3"),
        *("--empty-timeout", "60", "--departure-timeout", "5"),
    )
    assert (made["name"], made["metadata"], made["max_participants"]) == ("cli-a", "old", 3)
    assert (made["empty_timeout"], made["departure_timeout"], made["num_participants"]) == (60, 5, 0)
    assert ask("rooms", "update", "cli-a", "--metadata", "[red]new[/]")["metadata"] == "[red]new[/]"
    assert "cli-b" in run("rooms", "create", "cli-b")
    assert [room["name"] for room in ask("rooms", "list", "cli-a", "cli-c")] == ["cli-a"]
    assert {"cli-a", "cli-b"} <= {room["name"] for room in ask("rooms", "list")}
    table = run("rooms", "list")
    assert re.search(r"name .* sid .* participants", table)
    assert re.search(rf"cli-a .* {made['sid']} .* 0 .* 0 .* \d\d:\d\d:\d\d .* \[red\]new\[/\]", table)
    assert run("rooms", "delete", "cli-a", "cli-b") == ""
    assert ask("rooms", "list", "cli-a", "cli-b") == []


def test_participants_are_listed_shown_and_changed(
    run: Callable[..., str], ask: Callable[..., Any], bob: rtc.Room
) -> None:
    assert re.search(r"bob .* STANDARD .* ACTIVE", run("participants", "list", bob.name))
    assert [who["identity"] for who in ask("participants", "list", bob.name)] == ["bob"]
    changed = ask(
        *("participants", "update", bob.name, "bob", "--name", "Bob", "--metadata", "m", "--attribute", "mood=good"),
        *("--no-can-publish", "--can-update-metadata"),
    )
    assert (changed["name"], changed["metadata"], changed["attributes"]) == ("Bob", "m", {"mood": "good"})
    permission = {name for name, value in changed["permission"].items() if value is True}
    assert permission == {"can_subscribe", "can_publish_data", "can_update_metadata"}
    again = ask("participants", "update", bob.name, "bob", "--attribute", "mood=", "--can-publish")
    assert (again["name"], again["attributes"], again["permission"]["can_publish"]) == ("Bob", {}, True)
    shown = run("participants", "get", bob.name, "bob")
    assert re.search(r"metadata .* m ", shown)
    assert "can_subscribe, can_publish, can_publish_data, can_update_metadata" in shown
    assert ask("participants", "get", bob.name, "bob")["sid"] in shown


def test_data_are_sent(run: Callable[..., str], bob: rtc.Room, portal: BlockingPortal, server: DevServer) -> None:
    def send_and_receive(*arguments: str, stdin: bytes = b"") -> rtc.DataReceived:
        async def receive() -> rtc.DataReceived:
            with bob.open_events(rtc.DataReceived) as events, anyio.fail_after(TIMEOUT):
                await anyio.to_thread.run_sync(partial(run, "participants", "send", bob.name, *arguments, stdin=stdin))
                return await events.receive()

        return portal.call(receive)

    portal.call(until_reachable, server, bob.name, "bob")
    packet = send_and_receive("hellö", "--topic", "greeting", "--to", "bob", "--to", "nobody")
    assert (packet.data, packet.topic, packet.kind) == ("hellö".encode(), "greeting", rtc.DataPacketKind.KIND_RELIABLE)
    packet = send_and_receive("-", "--lossy", stdin=b"\x00\xff")
    assert (packet.data, packet.kind) == (b"\x00\xff", rtc.DataPacketKind.KIND_LOSSY)


def test_participants_are_muted_and_removed(
    run: Callable[..., str], ask: Callable[..., Any], portal: BlockingPortal, server: DevServer, room_name: str
) -> None:
    with portal.wrap_async_context_manager(open_official_peer()) as peer:
        portal.call(partial(peer.ask, "join", url=server.url, token=server.token("ann", room_name)))
        voice = portal.call(partial(peer.ask, "publish_audio", name="voice"))
        portal.call(partial(peer.ask, "publish_audio", name="music"))

        def muted() -> dict[str, bool]:
            tracks = ask("participants", "get", room_name, "ann")["tracks"]
            return {track["name"]: track["muted"] for track in tracks}

        while len(muted()) < 2:  # the server lists a track somewhat after its publisher knows of it
            pass
        run("participants", "mute", room_name, "ann", "--track", voice)
        assert muted() == {"voice": True, "music": False}
        run("participants", "mute", room_name, "ann")
        assert muted() == {"voice": True, "music": True}
        assert re.search(r"voice .* AUDIO .* True", run("participants", "get", room_name, "ann"))
        assert "voice, music" in run("participants", "list", room_name).replace("music, voice", "voice, music")
        assert "remote unmute" in fail("participants", "mute", room_name, "ann", "--unmute", server=server).lower()
        run("participants", "remove", room_name, "ann")
        portal.call(partial(peer.wait_for, "disconnected"))
    assert ask("participants", "list", room_name) == []


def fail(*arguments: str, server: DevServer) -> str:
    """Run a command that fails, as the program does; its one line."""
    options = ("--url", server.url, "--api-key", server.api_key, "--api-secret", server.api_secret)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["livekit-trio", *arguments, *options])
        with pytest.raises(SystemExit) as ended:
            main()
    said = str(ended.value.code)
    assert said.startswith("livekit-trio: ")
    assert "\n" not in said
    return said


def test_what_the_server_refuses_is_said_in_a_line(server: DevServer) -> None:
    assert "not_found (404)" in fail("participants", "get", "no-such-room", "nobody", server=server)
    assert "not_found (404)" in fail("rooms", "update", "no-such-room", "--metadata", "m", server=server)


def program(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "livekit_trio._cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=UNSET | env, timeout=60)


def test_the_program_fails_with_one_line_and_no_traceback(server: DevServer) -> None:
    lacking = program("rooms", "list")
    assert (lacking.returncode, lacking.stdout) == (2, "")
    assert lacking.stderr == "livekit-trio: url must be given, or LIVEKIT_URL be set\n"
    wrong = program(
        "rooms", "list", "--url", server.url, "--api-key", server.api_key, "--api-secret", "x" * 32, COLUMNS="200"
    )
    assert (wrong.returncode, wrong.stdout, len(wrong.stderr.splitlines())) == (1, "", 1)
    assert wrong.stderr.startswith("livekit-trio: unauthenticated (401): invalid token: <token>")
    nobody = program("rooms", "list", "--url", "ws://127.0.0.1:1", "--api-key", "k", "--api-secret", "x" * 32)
    assert (nobody.returncode, nobody.stdout, len(nobody.stderr.splitlines())) == (1, "", 1)
    assert "http://127.0.0.1:1" in nobody.stderr


def test_a_token_from_the_environment_is_enough(server: DevServer) -> None:
    from livekit_trio import api

    token = server.access_token().with_grants(api.VideoGrants(room_list=True)).to_jwt()
    listed = program("rooms", "list", "no-such-room", "--json", LIVEKIT_URL=server.url, LIVEKIT_TOKEN=token)
    assert (listed.returncode, listed.stdout, listed.stderr) == (0, "[]\n", "")
    refused = program("participants", "list", "no-such-room", LIVEKIT_URL=server.url, LIVEKIT_TOKEN=token)
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (1, "", 1)
    assert re.match(r"livekit-trio: (unauthenticated|permission_denied) \(40[13]\): ", refused.stderr)
