"""docs/rpc.md: its programs run as they stand there, and its table of times is that of the test of budgets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.data.test_rpc_many import BUDGETS
from tests.test_readme import running, text_until

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

TEXT: Final = (Path(__file__).parents[2] / "docs" / "rpc.md").read_text()
TEXTS, VALUES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)

once = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
"""The programs choose their event loop themselves."""


@once
@pytest.mark.anyio
async def test_a_greeting(server: DevServer, tmp_path: Path) -> None:
    async with running(TEXTS, server, tmp_path) as program:
        seen = await text_until(program)
    greeting, error = seen.splitlines()
    assert re.fullmatch(r"hello, ann; \d\.\d s were left", greeting)
    assert error == "Method not supported at destination (1400) True"


@once
@pytest.mark.anyio
async def test_values(server: DevServer, tmp_path: Path) -> None:
    async with running(VALUES, server, tmp_path) as program:
        assert await text_until(program) == "Point(x=2.0, y=1.0)\n"


def test_the_table_of_times() -> None:
    rows = re.findall(r"^\| ([\d.]+)[^|]*\| ([\d.]+)[^|]*\| (\d+) s \|", TEXT, re.MULTILINE)
    assert {tuple(map(float, row)) for row in rows} <= set(BUDGETS)
    assert len(rows) == 5
