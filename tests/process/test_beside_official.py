"""The official SDK and ours in one process: each has a native library of its own, and messages of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from .programs.beside_official import PACKETS
from .running import run_program

if TYPE_CHECKING:
    from pathlib import Path

    from livekit_trio.testing import DevServer

OTHER_VERSION: Final = "1.1.13"
"""Before the messages that ours are generated from."""


@pytest.fixture(scope="module")
def other_official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an older official SDK, without what it depends on."""
    folder = tmp_path_factory.mktemp("official")
    uv = shutil.which("uv")
    assert uv is not None, "the suite is run by uv"
    # Elsewhere, or uv would hold it to this project's pins.
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, "--target", "."]
    subprocess.run([*install, f"livekit=={OTHER_VERSION}"], cwd=folder, check=True)
    return folder


def check(server: DevServer, first: str, folder: str, version: str) -> None:
    room = f"beside {version}, {first} first"
    tokens = server.token("ours", room), server.token("theirs", room)
    report = run_program("beside_official", first, folder, server.url, *tokens).report()
    assert report == {
        "here": [f"theirs {number}" for number in range(PACKETS)],
        "there": [f"ours {number}" for number in range(PACKETS)],
        "official": version,
    }


@pytest.mark.parametrize("first", ["ours", "official"])
def test_the_version_that_our_library_comes_from(server: DevServer, first: str) -> None:
    check(server, first, "", "1.2.0")


@pytest.mark.parametrize("first", ["ours", "official"])
def test_an_older_one(server: DevServer, other_official: Path, first: str) -> None:
    check(server, first, str(other_official), OTHER_VERSION)
