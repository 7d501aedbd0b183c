"""Make the reference, in Markdown, out of the docstrings. It fails where a public name has no place in it."""

import argparse
import inspect
import re
import sys
import textwrap
from enum import EnumType
from importlib import import_module
from pathlib import Path

import griffe

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from livekit_trio._guard import MadeByTheRoom  # noqa: E402

PAGES = {
    "rtc": "`livekit_trio.rtc`: rooms, participants, tracks, media, data",
    "events": "`livekit_trio.rtc`: what happens in a room",
    "enums": "`livekit_trio.rtc`: enumerations",
    "stats": "`livekit_trio.rtc.stats`: statistics of media and connections",
    "errors": "Errors, of `livekit_trio.rtc` and `livekit_trio.api`",
    "api": "`livekit_trio.api`: tokens, server API, webhooks",
    "testing": "`livekit_trio.testing`: tests of your own programs",
}
PACKAGES = ("rtc", "rtc.stats", "api", "testing")
LEFT_OUT = {"Source"}  # sections for whoever changes the code
CHANGES_THE_CALL = {"asynccontextmanager", "contextmanager", "classmethod", "staticmethod"}
WIDTH = 100
MADE_BY_PROGRAMS = ("rtc.md", "api.md", "testing.md", "errors.md")  # with a signature worth showing


class Reference:
    """What stands where: the names of each page, and for each name an address."""

    def __init__(self, library):
        self.pages = {page: {} for page in PAGES}
        self.addresses = {}
        for package in PACKAGES:
            shown = public(import_module(f"livekit_trio.{package}"))
            for name in sorted(shown & set(library[package].members), key=str.lower):
                thing = library[package][name]
                page = page_of(package, thing)
                if name not in self.addresses:  # LiveKitError is in two packages
                    self.pages[page][name] = thing
                    self.addresses[name] = f"{page}.md#{anchor(name)}"
            if missing := shown - set(self.addresses):
                sys.exit(f"not in the reference: {missing}")
        for things in self.pages.values():
            for name, thing in things.items():
                for member, value in self.members(thing):
                    own = value.is_function and anchor(f"{name}.{member}")
                    page, _, of_class = self.addresses[name].partition("#")
                    self.addresses[f"{name}.{member}"] = f"{page}#{own or of_class}"

    def members(self, thing):
        """The public ones of a class and of its private bases; those of public bases stand there."""
        found = {}
        for base in (thing, *thing.mro()) if thing.is_class else ():
            if base is thing or base.name not in self.addresses:
                for name, value in base.members.items():
                    if not name.startswith("_"):
                        found.setdefault(name, value)
        return list(found.items())

    # ---- pages

    def page(self, page):
        rows = [f"| {self.code(name)} | {self.cell(thing)} |" for name, thing in self.pages[page].items()]
        yield f"# {PAGES[page]}"
        yield "\n".join(["| | |", "| --- | --- |", *rows])
        for name, thing in self.pages[page].items():
            yield f"## `{name}`"
            if thing.is_class:
                yield from self.of_class(name, thing)
            elif thing.is_function:
                yield signature(name, thing)
                yield from self.paragraphs(thing)
            else:
                yield f"```python\n{name} = {value_of(thing)}\n```"
                yield from self.paragraphs(thing)

    def cell(self, thing):
        text = thing.docstring.value.partition("\n\n")[0] if thing.docstring else f"``{value_of(thing)}``"
        return flat(self.text(text)).replace("|", "\\|")

    def of_class(self, name, cls):
        runtime = getattr(import_module(cls.path.rpartition(".")[0]), name)
        maker = next((base.members["__init__"] for base in (cls, *cls.mro()) if "__init__" in base.members), None)
        if (
            maker is not None
            and self.addresses[name].startswith(MADE_BY_PROGRAMS)
            and not isinstance(runtime, MadeByTheRoom)
        ):
            yield signature(name, maker, "class")
        bases = [base for base in (re.match(r"\w+", str(base))[0] for base in cls.bases) if base in self.addresses]
        if bases:
            yield f"With all that {' and '.join(map(self.code, bases))} has."
        texts, others = [], []
        for kind, text in self.sections(cls):
            (texts if kind == "text" else others).append(text)
        yield from texts
        facts, functions = [], []
        for member, value in self.members(cls) if isinstance(runtime, EnumType) else sorted(self.members(cls)):
            text = flat(value.docstring.value) if value.docstring else described(cls).get(member)
            if value.is_function:
                functions += [f"### `{name}.{member}`", signature(member, value), *self.paragraphs(value)]
            elif text or isinstance(runtime, EnumType):
                facts.append(self.item(f"`{member}{typed(value)}`", text))
        if facts:
            yield "\n".join(facts)
        yield from others
        yield from functions

    # ---- docstrings

    def paragraphs(self, thing):
        return [text for _, text in self.sections(thing)]

    def sections(self, thing):
        """The kinds and texts of a docstring's sections, but for the list of a class's attributes."""
        for section in thing.docstring.parsed if thing.docstring else ():
            kind, title, value = section.kind.value, section.title or section.kind.value.title(), section.value
            match kind:
                case "text":
                    yield kind, self.text(value)
                case "parameters":
                    yield kind, self.list(title, ((f"`{each.name}`", each.description) for each in value))
                case "raises":
                    yield kind, self.list(title, ((self.codes(each.annotation), each.description) for each in value))
                case "returns" | "yields":
                    yield kind, f"**{title}:** {self.text(' '.join(each.description for each in value))}"
                case "admonition" if title not in LEFT_OUT:
                    yield kind, f"**{title}:** {self.text(value.description)}"
                case "admonition" | "attributes":
                    pass
                case _:
                    sys.exit(f"{thing.path}: a section of the unknown kind {kind}")

    def list(self, title, items):
        return "\n".join([f"**{title}:**", "", *(self.item(*item) for item in items)])

    def item(self, head, text):
        return re.sub(r"\n(?!\n)", "\n  ", f"* {head}: {self.text(text)}" if text else f"* {head}")

    def text(self, text):
        """A docstring's ``code``, `name` and indented programs as Markdown's, with links."""
        text = re.sub(r"\s*::\n\n((?:    .*\n?|\n)+)", program, text)
        parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
        parts[::2] = [re.sub(r"``(.+?)``|`([\w.]+)`", self.marked, part, flags=re.DOTALL) for part in parts[::2]]
        return "".join(parts).strip()

    def marked(self, match):
        return f"`{match[1]}`" if match[1] else self.code(match[2])

    def codes(self, expression):
        return ", ".join(map(self.code, re.findall(r"[\w.]+", str(expression))))

    def code(self, name):
        address = self.addresses.get(re.sub(r"^livekit_trio\.(rtc\.stats|\w+)\.", "", name))
        return f"[`{name}`]({address})" if address else f"`{name}`"


def public(package):
    names = {name for name in dir(package) if not (name.startswith("_") or inspect.ismodule(getattr(package, name)))}
    return names - {"annotations"}


def page_of(package, thing):
    ancestors = (
        {re.split(r"[.\[]", str(base))[-1] for each in (thing, *thing.mro()) for base in each.bases}
        if thing.is_class
        else set()
    )
    if thing.name == "LiveKitError" or "LiveKitError" in ancestors:
        return "errors"
    if package == "rtc":
        return "events" if "Event" in ancestors else "enums" if ancestors & {"Enum", "IntEnum"} else "rtc"
    return package.rpartition(".")[2]


def anchor(name):
    """What GitHub makes of a heading."""
    return name.lower().replace(".", "")


def described(cls):
    sections = cls.docstring.parsed if cls.docstring else ()
    return {each.name: each.description for part in sections if part.kind.value == "attributes" for each in part.value}


def signature(name, function, keyword="def"):
    """How it is written, with a line for each parameter where it is long."""
    marks = [f"@{each.value}" for each in function.decorators if str(each.value) in CHANGES_THE_CALL]
    keyword = "async def" if "async" in function.labels else keyword
    line = function.signature(name=name, return_type=keyword != "class")
    line = re.sub(r"(?<== )[A-Z_]+\b(?!\.)", lambda match: constant(function, match[0]), line)
    if len(line) > WIDTH:
        inner, end = re.fullmatch(r"\w+\((.*)\)((?: -> .*)?)", line).groups()
        parts = re.split(r", (?=(?:[^\[\]()]|\[[^()]*\]|\(\))*$)", inner)
        line = "\n    ".join([f"{name}(", *(f"{part}," for part in parts)]) + f"\n){end}"
    return "\n".join(["```python", *marks, f"{keyword} {line}", "```"])


def constant(function, name):
    """The value of a default that has a name in the module of *function*."""
    thing = function.module.members.get(name)
    return str(thing.value) if thing is not None and thing.is_attribute else name


def typed(attribute):
    """What follows its name: its type and its default, where that is short."""
    kind = f": {attribute.annotation}" if attribute.annotation is not None else ""
    default = re.search(r"\bdefault=(-?[\w.']+|\(\))[,)]|^(-?[\w.']+)$", str(attribute.value))
    if default is None or attribute.value is None or default[2] == attribute.name:
        return kind
    return f"{kind} = {default[1] or default[2]}"


def value_of(constant):
    """A type that is written as a string, since it names what comes later, without its quotes."""
    return re.sub(r"^'(.*\[.*)'$", r"\1", str(constant.value))


def program(match):
    return "\n\n```python\n" + textwrap.dedent(match[1]).strip() + "\n```\n\n"


def flat(text):
    return " ".join(text.split())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="?", type=Path, default=ROOT / "build" / "reference", help="where to write it")
    target = parser.parse_args().target
    loader = griffe.GriffeLoader(docstring_parser="google", search_paths=[ROOT])
    library = loader.load("livekit_trio", try_relative_path=False)
    loader.resolve_aliases(implicit=True)
    reference = Reference(library)
    target.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        (target / f"{page}.md").write_text("\n\n".join(reference.page(page)) + "\n")
    index = "\n".join(f"* [{title}]({page}.md)" for page, title in PAGES.items())
    (target / "index.md").write_text(f"# Reference\n\n{index}\n")


main()
