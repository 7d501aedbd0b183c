"""docs/recipes.md, docs/tutorial.md and docs/api.md: every program in them, as it stands there, on both event loops; links and names lead somewhere."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.testing import assert_idle
from tests.test_names import is_here
from tests.test_readme import running, text_until

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
    with anyio.fail_after(120):
        async with (
            rtc.open_room(server.url, server.token("ann", room, can_update_own_metadata=True)) as ann,
            rtc.open_room(server.url, server.token("bob", room, can_update_own_metadata=True)) as bob,
        ):
            await server.update_participant(
                room, "bob", name="Bob"
            )  # so that ann hears of him now, and not up to 3 s later
            seen = await ann.wait_for_participant("bob")
            await seen.wait_until_active()
            await ann.wait_until(lambda: seen.name)
            await (await bob.wait_for_participant("ann")).wait_until_active()
            await names[name](ann, bob)
        await assert_idle()
    assert capsys.readouterr().out == recipe["output"]


@pytest.mark.anyio
async def test_server_api(
    server: DevServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIVEKIT_URL", server.url)
    monkeypatch.setenv("LIVEKIT_API_KEY", server.api_key)
    monkeypatch.setenv("LIVEKIT_API_SECRET", server.api_secret)
    [page] = BLOCKS.finditer((DOCS / "api.md").read_text())
    names: dict[str, Any] = {"__name__": "program"}
    exec(page["program"], names)
    await names["main"]()
    assert capsys.readouterr().out == page["output"]


JOIN, BOT, GUEST = re.findall(r"^```python\n(.*?)^```$", (DOCS / "tutorial.md").read_text(), re.MULTILINE | re.DOTALL)


def on(backend: str, program: str) -> str:
    """A program of the tutorial, changed as the page says to run on another event loop."""
    assert program.endswith('backend="trio")\n')
    return program.replace('backend="trio")', f'backend="{backend}")')


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
@pytest.mark.parametrize("backend", ["trio", "asyncio"])
async def test_tutorial(backend: str, server: DevServer, tmp_path: Path) -> None:
    async with running(on(backend, JOIN), server, tmp_path) as program:
        assert await text_until(program) == "visitor is in tutorial\nand out again: CLIENT_INITIATED\n"
    async with running(on(backend, BOT), server, tmp_path) as bot:
        await text_until(bot, "the bot is there\n")
        (tmp_path / "guest").mkdir()
        async with running(on(backend, GUEST), server, tmp_path / "guest") as guest:
            said = (await text_until(guest)).splitlines()
        assert said[:4] == ["you said hello", "6", "440 Hz come back", "and connected again"]
        assert said[-1] == "bot has gone"
        assert await text_until(bot) == "the bot has left\n"


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*DOCS.glob("*.md"), DOCS.parent / "README.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", text):
        target = page.parent / link if link else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), f"{link}#{anchor}"


def test_the_names_that_take_the_place_of_older_ones_are_here() -> None:
    rows = re.findall(r"^\| .+ \| .+ \| (.+) \|$", (DOCS / "versions.md").read_text(), re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`([A-Z]\w+(?:\.\w+)*)`", row)]
    assert len(names) > 50
    assert [name for name in names if not is_here(name)] == []


def test_the_index_names_every_page() -> None:
    linked = set(re.findall(r"\]\((\w+\.md)\)", (DOCS / "index.md").read_text()))
    assert linked == {page.name for page in DOCS.glob("*.md")} - {"index.md"}
