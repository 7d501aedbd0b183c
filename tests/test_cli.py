"""The command line, as people and scripts use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest
from typer.testing import CliRunner

from livekit_trio import api
from livekit_trio._cli._app import app
from livekit_trio._cli._token import OTHER_GRANTS

KEY = "APIkey"
SECRET = "a-secret-that-nobody-may-ever-see-printed"
PROGRAM = [sys.executable, "-c", "from livekit_trio._cli import main; main()"]

prints_a_token = pytest.mark.prints_secrets(reason="printing a token is what the command is for")


def run_token(*arguments: str, env: dict[str, str] | None = None) -> Any:
    credentials = {"LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET} if env is None else env
    return CliRunner().invoke(app, ["token", *arguments], env=credentials)


def claims_of(*arguments: str) -> api.Claims:
    result = run_token(*arguments)
    assert result.exit_code == 0, result.output
    return api.TokenVerifier(KEY, SECRET).verify(result.stdout.strip())


@prints_a_token
def test_token_joins_a_room() -> None:
    claims = claims_of("--identity", "a", "--room", "r")
    assert claims == api.Claims(identity="a", video=api.VideoGrants(room_join=True, room="r"), attributes={}, sha256="")


@prints_a_token
def test_token_has_an_option_for_every_grant() -> None:
    claims = claims_of(
        *("--room", "r", "--room-admin", "--room-create", "--room-list", "--room-record", "--no-room-join"),
        *("--no-can-publish", "--no-can-subscribe", "--no-can-publish-data", "--can-update-own-metadata"),
        *("--can-publish-source", "camera", "--can-publish-source", "microphone", "--can-manage-agent-session"),
        *("--can-subscribe-metrics", "--destination-room", "d", "--ingress-admin", "--hidden", "--recorder", "--agent"),
    )
    assert claims.video == api.VideoGrants(
        room_join=False,
        room="r",
        room_admin=True,
        room_create=True,
        room_list=True,
        room_record=True,
        can_publish=False,
        can_subscribe=False,
        can_publish_data=False,
        can_update_own_metadata=True,
        can_publish_sources=("camera", "microphone"),
        can_manage_agent_session=True,
        can_subscribe_metrics=True,
        destination_room="d",
        ingress_admin=True,
        hidden=True,
        recorder=True,
        agent=True,
    )


@prints_a_token
def test_token_describes_the_participant() -> None:
    claims = claims_of(
        *("--identity", "a", "--name", "Alice", "--metadata", "m", "--kind", "agent"),
        *("--attribute", "x=1", "--attribute", "y=2=3"),
    )
    assert (claims.name, claims.metadata, claims.kind) == ("Alice", "m", "agent")
    assert claims.attributes == {"x": "1", "y": "2=3"}


@prints_a_token
def test_token_has_an_option_for_every_other_grant() -> None:
    claims = claims_of(
        *("--sip-admin", "--sip-call", "--inference-perform", "--observability-write", "--agent-admin"),
        *("--agent-simulation-admin", "--agent-database-admin", "--agent-dispatch-admin", "--agent-endpoint-call"),
        *("--agent-endpoint-agent-name", "a", "--agent-endpoint-deployment", "d", "--agent-thread-all"),
        *("--agent-thread-scope", "s", "--agent-thread-thread-ids", "1", "--agent-thread-thread-ids", "2"),
        *("--agent-thread-list", "--agent-thread-create", "--agent-thread-write", "--agent-thread-read"),
        "--agent-thread-delete",
    )
    for prefix, grants in OTHER_GRANTS.items():
        default = grants()
        granted = getattr(claims, prefix)
        untouched = [
            field.name for field in attrs.fields(grants) if getattr(granted, field.name) == getattr(default, field.name)
        ]
        assert untouched == [], prefix
    assert claims.agent_thread is not None
    assert claims.agent_thread.thread_ids == ("1", "2")


@prints_a_token
def test_token_configures_the_room() -> None:
    config = '{"emptyTimeout": 7, "agents": [{"agentName": "helper"}]}'
    claims = claims_of("--identity", "a", "--room", "r", "--room-preset", "big", "--room-config", config)
    assert claims.room_preset == "big"
    assert claims.room_config is not None
    assert (claims.room_config.empty_timeout, claims.room_config.agents[0].agent_name) == (7, "helper")
    assert claims.sip is None


@prints_a_token
def test_token_as_json() -> None:
    said = json.loads(run_token("--identity", "a", "--room", "r", "--ttl", "60", "--json").stdout)
    assert api.TokenVerifier(KEY, SECRET).verify(said["token"]).identity == said["identity"] == "a"
    assert (said["issuer"], said["ttl"], said["claims"]["video"]["roomJoin"]) == (KEY, 60, True)


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        (["--identity", "a"], {"LIVEKIT_API_KEY": "", "LIVEKIT_API_SECRET": SECRET}, "LIVEKIT_API_KEY"),
        (["--attribute", "x"], None, "NAME=VALUE"),
        (["--kind", "king"], None, "king"),
        (["--room-config", '{"agents": 5}'], None, "--room-config"),
        (["--room-join", "--room", "r"], None, "identity and room must be set"),
    ],
)
def test_token_refuses(arguments: list[str], env: dict[str, str] | None, words: str) -> None:
    result = run_token(*arguments, env=env)
    assert result.exit_code != 0
    assert words in result.output + str(result.exception)
    assert SECRET not in result.output + str(result.exception)


def test_no_command_shows_its_secret_in_its_help() -> None:
    result = run_token("--help")
    assert result.exit_code == 0
    assert SECRET not in result.output


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def children_of(pid: int) -> list[int]:
    return [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the server is found by its parent in /proc")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_server_runs_until_it_is_told_to_end(ending: signal.Signals) -> None:
    with start("server", "--json", "--identity", "a", "--room", "r") as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        assert facts["url"].startswith("ws://127.0.0.1:")
        assert api.TokenVerifier(facts["api_key"], facts["api_secret"]).verify(facts["token"]).identity == "a"
        [server] = children_of(process.pid)
        process.send_signal(ending)
        rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest, errors) == (0, "", "")
    assert not is_running(server)


@pytest.mark.skipif(sys.platform != "linux", reason="the server is found by its parent in /proc")
def test_server_tells_when_it_has_ended_by_itself() -> None:
    with start("server", "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        [server] = children_of(process.pid)
        os.kill(server, signal.SIGKILL)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (1, "the server has ended with status -9\n")


def test_server_prints_each_value_on_one_line() -> None:
    with start("server") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().rstrip() for _ in range(5)]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    facts = dict(line.split(maxsplit=1) for line in lines[:4])
    assert list(facts) == ["url", "api_key", "api_secret", "token"]
    assert api.TokenVerifier(facts["api_key"], facts["api_secret"]).verify(facts["token"]).identity == "user"
    assert "Ctrl-C" in lines[4]


def test_server_says_why_there_is_none(tmp_path: Path) -> None:
    result = subprocess.run(
        [*PROGRAM, "server"],
        env={"LIVEKIT_SERVER": str(tmp_path / "nothing")},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("livekit-trio: no livekit-server was found")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; from livekit_trio._cli import main; main()"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr == f"livekit-trio: the command line needs {missing}: pip install 'livekit-trio[cli]'\n"
