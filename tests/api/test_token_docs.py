"""docs/tokens.md: every program in it, as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from livekit_trio import api
from livekit_trio._cli._app import app
from tests.api.conftest import ENDPOINT_PASSWORD
from tests.test_readme import main_of

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

PAGE = (Path(__file__).parents[2] / "docs" / "tokens.md").read_text()
MAKING, CHECKING, GETTING = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
[COMMAND] = re.findall(r"^```shell\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def environment(server: DevServer) -> dict[str, str]:
    return {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "ENDPOINT_PASSWORD": ENDPOINT_PASSWORD,
    }


@pytest.fixture(autouse=True)
def in_the_environment(server: DevServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)


@pytest.mark.anyio
async def test_making_one(capsys: pytest.CaptureFixture[str]) -> None:
    await main_of(MAKING)()
    assert capsys.readouterr().out == "Ann speaks en in demo\n"


def test_checking_one(capsys: pytest.CaptureFixture[str]) -> None:
    exec(CHECKING, {})
    assert capsys.readouterr().out == "ann\nnobody: the token is malformed\n"


@pytest.mark.anyio
async def test_getting_one(
    token_endpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["program.py", token_endpoint])
    await main_of(GETTING)()
    assert capsys.readouterr().out == "ann is in demo\n"


@pytest.mark.prints_secrets(reason="printing a token is what the command is for")
def test_on_the_command_line(server: DevServer) -> None:
    program, *arguments = shlex.split(COMMAND)
    assert program == "livekit-trio"
    result = CliRunner().invoke(app, arguments, env=environment(server), catch_exceptions=False)
    claims = api.TokenVerifier(server.api_key, server.api_secret).verify(result.stdout.strip())
    assert (claims.identity, claims.video) == (
        "ann",
        api.VideoGrants(room_join=True, room="demo", can_publish_data=False),
    )
