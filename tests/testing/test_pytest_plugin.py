"""The pytest plug-in, in a project of its own: docs/testing.md's."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
[EXAMPLE] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

ON_TRIO = """
import pytest
from livekit_trio.testing import assert_idle

ROOMS = []

@pytest.fixture
async def idle():
    yield
    await assert_idle()

@pytest.mark.trio
@pytest.mark.parametrize("number", [1, 2])
async def test_rooms_of_their_own(idle, livekit_room, livekit_server, number):
    assert livekit_room.local_participant.identity == "me"
    assert not livekit_room.remote_participants
    ROOMS.append(livekit_room.name)
    assert len(set(ROOMS)) == number
    assert [who["identity"] for who in await livekit_server.list_participants(livekit_room.name)] == ["me"]
"""

FAILING = """
import pytest
from livekit_trio.testing import assert_idle

@pytest.mark.anyio
async def test_wrong(livekit_room):
    raise LookupError("as it is")

@pytest.mark.anyio
async def test_nothing_is_left():
    await assert_idle()
"""


def run_project(directory: Path, *programs: str) -> str:
    """Run pytest in a directory with these files alone; what it prints."""
    for number, program in enumerate(programs):
        (directory / f"test_{number}.py").write_text(program)
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", "-rf"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120).stdout


def test_the_example_passes_on_both_event_loops(tmp_path: Path) -> None:
    assert " 4 passed in " in run_project(tmp_path, EXAMPLE)


def test_failing_tests_leave_their_rooms_and_pytest_trio_will_do_too(tmp_path: Path) -> None:
    said = run_project(tmp_path, FAILING, ON_TRIO)
    assert " 2 failed, 4 passed in " in said
    assert "test_wrong[asyncio] - LookupError: as it is" in said
    assert "test_wrong[trio] - LookupError: as it is" in said


def test_the_fixtures_are_there_for_the_asking(livekit_server: DevServer) -> None:
    """In this project too, which has pytest's assertion rewriting and warnings as errors."""
    assert livekit_server.token("somebody", "somewhere")


def test_it_imports_nothing_before_it_is_used() -> None:
    program = "import sys, livekit_trio._pytest_plugin; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "livekit_trio._pytest_plugin" in loaded
    assert {"anyio", "google.protobuf", "httpx", "livekit_trio.testing", "trio"} & set(loaded) == set()
