"""docs/names.md: a row for every public name of the official SDK, and nothing in it that is not so."""

from __future__ import annotations

import enum
import inspect
import re
import typing
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
from livekit import rtc as official
from livekit.rtc import participant as official_participant, room as official_room

import livekit_trio
from livekit_trio import rtc

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE: Final = Path(__file__).parents[1] / "docs" / "names.md"
ROW: Final = re.compile(r"\| `(?P<official>[^`]+)` \| (?:`(?P<other>[^`]+)`|(?P<same>same)|–) \|(?P<note>.*)\|")


@attrs.frozen
class Row:
    official: str
    ours: str | None
    note: str


def read_rows() -> Iterator[Row]:
    for line in TABLE.read_text().splitlines():
        if line.startswith("| `livekit.rtc`") or not line.startswith("| `"):
            continue
        row = ROW.fullmatch(line)
        assert row is not None, line
        ours = row["official"] if row["same"] else row["other"]
        yield Row(row["official"], ours, row["note"].strip())


ROOM: Any = official.Room
ROWS: Final = tuple(read_rows())


def own_members(cls: type) -> set[str]:
    """The public members that *cls* itself defines: in its body, as a field, or on ``self`` in its ``__init__``."""
    init = vars(cls).get("__init__")
    try:
        source = inspect.getsource(init) if inspect.isfunction(init) else ""
    except OSError:  # generated
        source = ""
    names = {
        *vars(cls),
        *vars(cls).get("__annotations__", {}),
        *re.findall(r"^ +self\.(\w+)(?:: .+)? = ", source, re.MULTILINE),
    }
    return {name for name in names if not name.startswith("_")}


def official_members(cls: Any) -> set[str]:
    """What *cls* adds to the bases that are public too. Members of enums are left to a test of their own."""
    if hasattr(cls, "DESCRIPTOR"):
        return {field.name for field in cls.DESCRIPTOR.fields}
    if issubclass(cls, enum.Enum):
        return set()
    ancestors = [base for base in cls.__mro__ if base.__module__.startswith("livekit.")]
    public = [base for base in ancestors[1:] if base.__name__ in official.__all__]
    private = [base for base in ancestors if base not in public]
    members: set[str] = set()
    return members.union(*map(own_members, private)).difference(*map(own_members, public))


def official_names() -> Iterator[str]:
    public = {name: getattr(official, name) for name in official.__all__}
    errors = {
        f"participant.{name}": value
        for name, value in vars(official_participant).items()
        if name.endswith("Error") and value.__module__ == official_participant.__name__
    }
    for name, value in (public | errors).items():
        yield name
        if inspect.isclass(value):
            yield from (f"{name}.{member}" for member in official_members(value))
    yield from (f'"{event}"' for event in typing.get_args(official_room.EventTypes))


def is_here(name: str) -> bool:
    """Whether *name* leads somewhere: dotted from `livekit_trio.rtc`, with a parameter in parentheses."""
    function, _, parameter = name.rstrip(")").partition("(")
    if parameter:
        return parameter in inspect.signature(getattr(rtc, function)).parameters
    place: Any = livekit_trio if name.startswith("livekit_trio.") else rtc
    for part in name.removeprefix("livekit_trio.").split("."):
        if hasattr(place, part):
            place = getattr(place, part)
        elif not (inspect.isclass(place) and any(part in own_members(base) for base in place.__mro__)):
            return False
    return True


def test_each_official_name_has_one_row_and_each_row_a_name() -> None:
    rows = Counter(row.official for row in ROWS)
    names = set(official_names())
    assert len(names) > 400
    assert names - set(rows) == set()
    assert set(rows) - names == set()
    assert {name for name, count in rows.items() if count > 1} == set()


def test_what_is_carried_is_here() -> None:
    carried = [row.ours for row in ROWS if row.ours is not None]
    assert [name for name in carried if not is_here(name)] == []


def test_what_is_not_carried_says_why() -> None:
    assert [row.official for row in ROWS if row.ours is None and not row.note] == []


def test_carried_enums_have_the_same_members() -> None:
    carried = [row.official for row in ROWS if row.ours == row.official and "." not in row.official]
    enums = [
        name for name in carried if inspect.isclass(getattr(rtc, name)) and issubclass(getattr(rtc, name), enum.Enum)
    ]
    assert len(enums) > 15
    for name in enums:
        theirs = members_of(getattr(official, name))
        assert {member.name: member.value for member in getattr(rtc, name)} == theirs


def members_of(theirs: Any) -> dict[str, int | str]:
    """Of an enum, or of protobuf's wrapper of one."""
    return {key: getattr(value, "value", value) for key, value in getattr(theirs, "__members__", theirs).items()}


def documented_arguments() -> dict[str, set[str]]:
    """Of the official callbacks, from the docstring that lists them."""
    listing = inspect.getdoc(ROOM.on) or ""
    found: list[tuple[str, str]] = re.findall(
        r'- \*\*"(\w+)"\*\*.*?- Arguments:? (.*?)$', listing, re.MULTILINE | re.DOTALL
    )
    return {event: set(re.findall(r"`(\w+)` \(", arguments)) for event, arguments in found}


def test_events_have_the_arguments_as_fields() -> None:
    ours = {row.official.strip('"'): row.ours for row in ROWS if row.official.startswith('"')}
    checked = 0
    for event, arguments in documented_arguments().items():
        name = ours[event]
        if name is not None and not arguments & {"data_packet", "sip_dtmf"}:  # they have rows of their own
            assert arguments <= set(getattr(rtc, name)._fields), event
            checked += 1
    assert checked > 25
