"""docs/api_names.md: a row for every public name of livekit-api, and nothing in it that is not so."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
from google.protobuf.message import Message
from livekit import api as official
from livekit.api import access_token

from livekit_trio import api

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = (Path(__file__).parents[1] / "docs" / "api_names.md").read_text()
ROW: Final = re.compile(r"\| `(?P<official>[^`]+)` \| (?:`(?P<other>[^`]+)`|(?P<same>same)|–) \|(?P<note>.*)\|")

OLDER_NAMES: Final = {"TwirpError", "TwirpErrorCode"}
"""The same objects as the newer ones."""
SERVICES: Final = tuple(
    value
    for name, value in vars(official).items()
    if re.fullmatch(r"[a-z]\w*_service", name) and inspect.ismodule(value)
)


def read_rows() -> Iterator[tuple[str, str | None, str]]:
    for line in PAGE.splitlines():
        if line.startswith("| `") and not line.startswith("| `livekit.api`"):
            row = ROW.fullmatch(line)
            assert row is not None, line
            yield row["official"], row["official"] if row["same"] else row["other"], row["note"].strip()


ROWS: Final = tuple(read_rows())


def official_classes() -> Iterator[type]:
    """What the package shows, the classes of its services, and that of what a verified token says."""
    for name, value in vars(official).items():
        ours = inspect.isclass(value) and value.__module__.startswith("livekit.api.") and name not in OLDER_NAMES
        if ours and not issubclass(value, Message):
            yield value
    for module in SERVICES:
        names: dict[str, Any] = vars(module)
        yield from (value for value in names.values() if inspect.isclass(value) and value.__module__ == module.__name__)
    yield access_token.Claims


def official_names() -> Iterator[str]:
    for cls in official_classes():
        yield cls.__name__
        members = {*vars(cls), *getattr(cls, "__dataclass_fields__", ())}
        yield from (f"{cls.__name__}.{member}" for member in members if not member.startswith("_"))


def facts_of(cls: Any) -> set[str]:
    """Fields without a default, and what an error is made of: neither is an attribute of the class."""
    return {field.name for field in attrs.fields(cls)} if attrs.has(cls) else set(inspect.signature(cls).parameters)


def is_here(name: str) -> bool:
    place: Any = api
    for part in name.split("."):
        if not hasattr(place, part):
            return inspect.isclass(place) and part in facts_of(place)
        place = getattr(place, part)
    return True


def test_there_are_six_services() -> None:
    assert len(SERVICES) == 6


def test_each_official_name_has_one_row_and_each_row_a_name() -> None:
    rows = Counter(official_name for official_name, _, _ in ROWS)
    names = set(official_names())
    assert len(names) > 150
    assert names - set(rows) == set()
    assert set(rows) - names == set()
    assert {name for name, count in rows.items() if count > 1} == set()


def test_what_is_carried_is_here() -> None:
    assert [name for _, name, _ in ROWS if name is not None and not is_here(name)] == []


def test_what_is_not_carried_says_why() -> None:
    assert [name for name, ours, note in ROWS if ours is None and not note] == []


def test_what_is_said_to_be_only_here_is_here_and_only_here() -> None:
    [paragraph] = re.findall(r"^What is only here: (.*?)\.$", PAGE, re.MULTILINE | re.DOTALL)
    names = re.findall(r"`([^`]+)`", paragraph)
    assert len(names) > 8
    names = [f"SipService.{name}" if name.startswith("get_") else name for name in names]
    assert [name for name in names if not is_here(name)] == []
    assert set(names) & set(official_names()) == set()


def test_older_names_are_the_same_objects() -> None:
    assert official.TwirpError is official.ServerError
    assert official.TwirpErrorCode is official.ServerErrorCode
