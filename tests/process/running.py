"""Running the programs of `programs/` in processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

ROOT = Path(__file__).resolve().parents[2]


@attrs.frozen
class Ended:
    """A process that has ended."""

    returncode: int
    stdout: str
    stderr: str
    at: float
    """When, by the monotonic clock, which all processes share."""

    def report(self) -> Any:
        """The JSON object that the program printed, after a good end."""
        assert self.returncode == 0, self
        assert self.stderr == ""
        return json.loads(self.stdout)


def command(name: str, *arguments: object, options: tuple[str, ...] = ()) -> list[str]:
    return [sys.executable, *options, "-m", f"tests.process.programs.{name}", *map(str, arguments)]


@contextlib.contextmanager
def running_program(
    name: str, *arguments: object, environment: Mapping[str, str] | None = None
) -> Generator[tuple[Callable[..., str], subprocess.Popen[str]]]:
    """Run ``programs/NAME.py`` for a block; it ends when its standard input does.

    Yields:
        A function that sends a line, if it is given one, and returns the next line that the program prints; the process.
    """
    with subprocess.Popen(
        command(name, *arguments),
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        to, back = program.stdin, program.stdout

        def ask(line: str = "") -> str:
            if line:
                to.write(f"{line}\n")
                to.flush()
            return back.readline().rstrip("\n")

        try:
            yield ask, program
            to.close()
            assert program.wait(20) == 0
        finally:
            program.kill()


def run_program(
    name: str,
    *arguments: object,
    options: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> Ended:
    """Run ``programs/NAME.py`` and wait for its end."""
    done = subprocess.run(
        command(name, *arguments, options=options),
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return Ended(done.returncode, done.stdout, done.stderr, time.monotonic())
