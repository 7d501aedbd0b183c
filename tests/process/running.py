"""Running the programs of `programs/` in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def run_program(
    name: str,
    *arguments: object,
    options: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> Ended:
    """Run ``programs/NAME.py`` and wait for its end."""
    command = [sys.executable, *options, "-m", f"tests.process.programs.{name}", *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return Ended(done.returncode, done.stdout, done.stderr, time.monotonic())
