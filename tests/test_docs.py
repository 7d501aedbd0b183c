"""docs/recipes.md and docs/tutorial.md: every program in them, as it stands there, on both event loops; docs/index.md names all pages."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.testing import assert_idle

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

DOCS: Final = Path(__file__).parents[1] / "docs"
BLOCKS: Final = re.compile(
    r"^```python\n(?P<program>.*?)^```$(?:\n\n^```text\n(?P<output>.*?)^```$)?", re.MULTILINE | re.DOTALL
)

BEGINNING, *RECIPES = BLOCKS.finditer((DOCS / "recipes.md").read_text())
NAMES: Final = [re.findall(r"^async def (\w+)\(ann: ", recipe["program"], re.MULTILINE)[0] for recipe in RECIPES]
_numbers = count(1)


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "recipe"), list(zip(NAMES, RECIPES, strict=True)), ids=NAMES)
async def test_recipe(
    name: str,
    recipe: re.Match[str],
    server: DevServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIVEKIT_URL", server.url)
    monkeypatch.setenv("LIVEKIT_API_KEY", server.api_key)
    monkeypatch.setenv("LIVEKIT_API_SECRET", server.api_secret)
    names: dict[str, Any] = {}
    exec(BEGINNING["program"] + recipe["program"], names)
    room = f"recipe-{next(_numbers)}"
    with anyio.fail_after(60):
        async with (
            rtc.open_room(server.url, server.token("ann", room, can_update_own_metadata=True)) as ann,
            rtc.open_room(server.url, server.token("bob", room, can_update_own_metadata=True)) as bob,
        ):
            await server.update_participant(
                room, "bob", name="Bob"
            )  # so that ann hears of him now, and not up to 3 s later
            await (await ann.wait_for_participant("bob")).wait_until_active()
            await (await bob.wait_for_participant("ann")).wait_until_active()
            await names[name](ann, bob)
        await assert_idle()
    assert capsys.readouterr().out == recipe["output"]
