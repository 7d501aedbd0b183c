"""Every public name says what it does, how it fails, and what cancelling it leaves behind."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import itertools
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import attrs
import httpx
import pytest
import trio

import livekit_trio
from livekit_trio import _errors, api, rtc, testing
from livekit_trio.rtc import stats
from livekit_trio.rtc._event import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

PACKAGES: Final = (rtc, stats, api, testing)

ASKS_THE_NATIVE_SIDE: Final = {"call", "request"}
"""Methods of `RoomLink`: whoever uses them can meet a closed room, and says which message it sends."""
WAITS_FOR_THE_ROOM: Final = ASKS_THE_NATIVE_SIDE | {"wait_until"}

ABSTRACT: Final = "NotImplementedError"


@attrs.frozen
class Place:
    """A public function, method or property: where it is and what it says."""

    name: str
    function: Callable[..., Any]
    doc: str
    owner: type | None = None

    def section(self, title: str) -> str | None:
        """The text of one section of the docstring, without its title."""
        found = re.search(rf"^{title}:\n((?:[ \t]+.*\n?|\n)+)", self.doc, re.MULTILINE)
        return found and found[1]

    def raises(self) -> set[str]:
        """The errors that the docstring names."""
        section = textwrap.dedent(self.section("Raises") or "")
        return {name for line in re.findall(r"^([\w., ]+):", section, re.MULTILINE) for name in line.split(", ")}


def shown(package: ModuleType) -> dict[str, Any]:
    return {name: getattr(package, name) for name in dir(package) if not name.startswith("_")}


def places() -> Iterator[Place]:
    for package in PACKAGES:
        for name, value in shown(package).items():
            if inspect.isclass(value):
                yield from members(value)
            elif inspect.isfunction(value):
                yield Place(f"{package.__name__}.{name}", inspect.unwrap(value), inspect.getdoc(value) or "")


def members(cls: type) -> Iterator[Place]:
    """The public methods and properties of *cls*, those of its bases of ours among them."""
    ours = [base for base in cls.__mro__ if base.__module__.startswith("livekit_trio")]
    for name in sorted({name for base in ours for name in vars(base) if not name.startswith("_")}):
        value = inspect.getattr_static(cls, name)
        if isinstance(value, property):
            assert value.fget is not None
            yield Place(f"{cls.__name__}.{name}", value.fget, inspect.getdoc(value) or "", cls)
        elif inspect.isfunction(value):
            yield Place(f"{cls.__name__}.{name}", inspect.unwrap(value), inspect.getdoc(getattr(cls, name)) or "", cls)


PLACES: Final = {place.name: place for place in places()}
FUNCTIONS: Final = [place for place in PLACES.values() if not place.function.__code__.co_filename.startswith("<")]


@functools.cache
def syntax(function: Callable[..., Any]) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def reached(place: Place) -> Iterator[ast.AST]:
    """All that is in the function and in the private ones of its class and module that it calls."""
    waiting = [place.function]
    seen: set[Callable[..., Any]] = set()
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        for node in ast.walk(syntax(function)):
            yield node
            callee = private_callee(node, place.owner, function)
            if callee is not None:
                waiting.append(callee)


def private_callee(node: ast.AST, owner: type | None, caller: Callable[..., Any]) -> Callable[..., Any] | None:
    if not isinstance(node, ast.Call):
        return None
    found: object = None
    match node.func:
        case ast.Attribute(value=ast.Name(id="self"), attr=name) if name.startswith("_"):
            found = getattr(owner, name, None)
        case ast.Name(id=name) if name.startswith("_"):
            found = caller.__globals__.get(name)
        case _:
            pass
    return inspect.unwrap(found) if inspect.isfunction(found) else None


def raised(place: Place) -> set[str]:
    """The errors that it and its private helpers raise by name, but for those that one of them catches."""
    names: set[str] = set()
    caught: set[str] = set()
    for node in reached(place):
        match node:
            case ast.Raise(exc=ast.Name(id=name) | ast.Call(func=ast.Name(id=name))) if name[0].isupper():
                names.add(name)
            case ast.ExceptHandler(type=ast.expr() as kinds):
                caught |= {kind.id for kind in ast.walk(kinds) if isinstance(kind, ast.Name)}
            case _:
                pass
    return names - caught - {ABSTRACT}


def asks(place: Place) -> set[str]:
    """Which methods of its room's link the function uses."""
    return {
        node.func.attr
        for node in reached(place)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Attribute)
        and node.func.value.attr in {"link", "_session"}
    }


def error_named(name: str) -> type[BaseException]:
    module, _, rest = name.rpartition(".")
    spaces = {"anyio": anyio, "httpx": httpx, "trio": trio}
    candidates = [spaces[module]] if module else [_errors, api, rtc, testing, builtins]
    return next(getattr(space, rest) for space in candidates if hasattr(space, rest))


# ---- the checks


def lacking(check: Callable[[Place], object]) -> list[str]:
    return [place.name for place in FUNCTIONS if not check(place)]


def test_there_is_something_to_check() -> None:
    assert len(FUNCTIONS) > 150


@pytest.mark.parametrize("package", [livekit_trio, *PACKAGES], ids=lambda package: package.__name__)
def test_packages_and_classes_have_docstrings(package: ModuleType) -> None:
    assert inspect.getdoc(package)
    assert [
        name for name, value in shown(package).items() if inspect.isclass(value) and not vars(value).get("__doc__")
    ] == []


def test_each_begins_with_a_sentence_that_says_what_it_does() -> None:
    assert lacking(lambda place: re.match(r"[A-Z…].+?[.:](\s|$)", place.doc)) == []


def test_each_says_what_cancelling_it_leaves_behind() -> None:
    def waits(place: Place) -> bool:
        return inspect.iscoroutinefunction(place.function) or inspect.isasyncgenfunction(place.function)

    assert lacking(lambda place: not waits(place) or place.section("Cancellation")) == []


def test_each_names_the_errors_that_it_raises() -> None:
    for place in FUNCTIONS:
        documented = tuple(error_named(name) for name in place.raises())
        missing = [name for name in raised(place) if not issubclass(error_named(name), documented)]
        assert missing == [], place.name


def test_what_needs_the_room_says_that_it_may_have_ended() -> None:
    assert lacking(lambda place: not asks(place) & WAITS_FOR_THE_ROOM or "RoomClosedError" in place.raises()) == []


def test_what_asks_the_native_side_names_the_message() -> None:
    def names_it(place: Place) -> bool:
        return re.search(r"\w+Request", place.section("Source") or "") is not None

    assert lacking(lambda place: not asks(place) & ASKS_THE_NATIVE_SIDE or names_it(place)) == []


def test_every_field_is_explained() -> None:
    unexplained = [
        f"{cls.__name__}.{field}"
        for cls, field in fields()
        if not any(field in documented_fields(base) for base in cls.__mro__ if base.__name__ in CLASSES)
    ]
    assert unexplained == []


def fields() -> Iterator[tuple[type, str]]:
    """The fields of values, and the facts that errors are made of."""
    for package in PACKAGES:
        for value in shown(package).values():
            if not inspect.isclass(value):
                continue
            if issubclass(value, Event):
                yield from ((value, field) for field in value._fields)
            elif attrs.has(value):
                yield from ((value, field.name) for field in attrs.fields(value) if not field.name.startswith("_"))
            elif issubclass(value, _errors.LiveKitError):
                facts = inspect.signature(value).parameters
                yield from ((value, fact) for fact in facts if fact not in {"args", "kwargs"})


def documented_fields(cls: type) -> set[str]:
    """Those in the docstring's list, and those with a docstring of their own."""
    listed = re.findall(r"^    ([\w, ]+): ", inspect.getdoc(cls) or "", re.MULTILINE)
    own = [
        before.target.id
        for before, after in itertools.pairwise(CLASSES[cls.__name__].body)
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name) and isinstance(after, ast.Expr)
    ]
    return {name for names in listed for name in names.split(", ")} | set(own)


def class_syntax() -> dict[str, ast.ClassDef]:
    files = Path(livekit_trio.__file__).parent.rglob("*.py")
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    return {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}


CLASSES: Final = class_syntax()
