"""Processes that end at random moments of a join or of a joined room: soon, with the right exit code, and without a word."""

from __future__ import annotations

import random
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from .running import run_program

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

EXIT_CODES: Final = {
    "return": 0,
    "error": 1,
    "exit": 1,
    "interrupt": -2,  # uncaught: Python ends itself by that signal
    "thread": 0,  # the main thread ends, and the loop is still running in another one
}
ERRORS: Final = {"error": "PlantedError", "exit": "SystemExit: 1", "interrupt": "KeyboardInterrupt"}

JOINED: Final = 0.45
"""Seconds; importing protobuf and joining take half of that."""
SOON: Final = 3.0

ONE: Final = r"Traceback \(most recent call last\):\n(?: .*\n)+\S.*\n"
GROUP: Final = r"  \+ Exception Group Traceback .*\n(?: .*\n)+"
CHAINED: Final = r"\n(?:During handling of|The above exception was).*\n\n"
TRACEBACK: Final = re.compile(rf"(?:(?:{ONE}|{GROUP}){CHAINED})*(?:{ONE}|{GROUP})")
"""One error's traceback, with those of its contexts."""

IMPORTING: Final = re.compile(
    r"<frozen importlib.*>:\d+: ResourceWarning: .*\n(?:ResourceWarning: Enable tracemalloc .*\n)?"
)
"""Python's own, of the file that it was reading a module from as it was interrupted."""


@attrs.frozen
class Exit:
    backend: str
    way: str
    delay: float


def check(server: DevServer, number: int, planned: Exit) -> None:
    token = server.token(f"p{number}", f"exits-{number % 5}")
    ended = run_program(
        "exits", planned.backend, planned.way, planned.delay, server.url, token, options=("-W", "default"), timeout=60
    )
    assert ended.returncode == EXIT_CODES[planned.way], (planned, ended)
    assert ended.at - float(ended.stdout) < SOON, planned
    if planned.way in ERRORS:
        assert TRACEBACK.fullmatch(IMPORTING.sub("", ended.stderr)), (planned, ended.stderr)
        assert ERRORS[planned.way] in ended.stderr.splitlines()[-1 if planned.way == "interrupt" else -2], planned
    else:
        assert not ended.stderr, planned


@pytest.mark.parametrize("count", [pytest.param(40, id="40"), pytest.param(200, id="200", marks=pytest.mark.long)])
def test_exits(server: DevServer, count: int) -> None:
    planned = [
        Exit(random.choice(("trio", "asyncio")), way, random.uniform(0, JOINED))
        for _ in range(count // len(EXIT_CODES))
        for way in EXIT_CODES
    ]
    with ThreadPoolExecutor(2) as pool:
        for check_done in [pool.submit(check, server, *each) for each in enumerate(planned)]:
            check_done.result()
