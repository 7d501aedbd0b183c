"""docs/rpc.md: its programs run as they stand there, and its table of times is that of the test of budgets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.data.test_rpc_many import BUDGETS
from tests.test_readme import main_of

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

TEXT: Final = (Path(__file__).parents[2] / "docs" / "rpc.md").read_text()
TEXTS, VALUES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def environment(server: DevServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_URL", server.url)
    monkeypatch.setenv("LIVEKIT_API_KEY", server.api_key)
    monkeypatch.setenv("LIVEKIT_API_SECRET", server.api_secret)


@pytest.mark.anyio
async def test_a_greeting(capsys: pytest.CaptureFixture[str]) -> None:
    await main_of(TEXTS)()
    greeting, error = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"hello, ann; \d\.\d s were left", greeting)
    assert error == "Method not supported at destination (1400) True"


@pytest.mark.anyio
async def test_values(capsys: pytest.CaptureFixture[str]) -> None:
    await main_of(VALUES)()
    assert capsys.readouterr().out == "Point(x=2.0, y=1.0)\n"


def test_the_table_of_times() -> None:
    rows = re.findall(r"^\| ([\d.]+)[^|]*\| ([\d.]+)[^|]*\| (\d+) s \|", TEXT, re.MULTILINE)
    assert {tuple(map(float, row)) for row in rows} <= set(BUDGETS)
    assert len(rows) == 5
