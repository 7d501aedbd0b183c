"""docs/tokens.md: every program in it, as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from typer.testing import CliRunner

from livekit_trio import api
from livekit_trio._cli._app import app
from tests.api.conftest import ENDPOINT_PASSWORD

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

PAGE = (Path(__file__).parents[2] / "docs" / "tokens.md").read_text()
MAKING, CHECKING, GETTING = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
[COMMAND] = re.findall(r"^```shell\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

in_a_process = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
"""The programs choose their event loop themselves."""


def environment(server: DevServer) -> dict[str, str]:
    return {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "ENDPOINT_PASSWORD": ENDPOINT_PASSWORD,
    }


async def run(program: str, server: DevServer, *arguments: str) -> str:
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    with anyio.fail_after(60):
        done = await anyio.run_process(command, env=os.environ | environment(server), stderr=None)
    return done.stdout.decode()


@pytest.mark.anyio
@in_a_process
async def test_making_one(server: DevServer) -> None:
    assert await run(MAKING, server) == "Ann speaks en in demo\n"


@pytest.mark.anyio
@in_a_process
async def test_checking_one(server: DevServer) -> None:
    assert await run(CHECKING, server) == "ann\nnobody: the token is malformed\n"


@pytest.mark.anyio
@in_a_process
async def test_getting_one(server: DevServer, token_endpoint: str) -> None:
    assert await run(GETTING, server, token_endpoint) == "ann is in demo\n"


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
