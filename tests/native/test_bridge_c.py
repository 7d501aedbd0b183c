"""The bridge's own tests, which are in C; `.ci/run` runs them under the sanitizers too."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from tests.native.tools import builder

NATIVE = Path(__file__).parents[2] / "native"


def test_the_bridge_without_python() -> None:
    environment = {**os.environ, "CC": shlex.join(builder().compiler())}
    run = subprocess.run(
        [NATIVE / "tests" / "run", "plain"], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.splitlines() == ["ok: core", "ok: threads"]
