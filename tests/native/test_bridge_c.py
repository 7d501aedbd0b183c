"""The bridge's own tests, which are in C; `.ci/run` runs them under the sanitizers too."""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
from pathlib import Path

NATIVE = Path(__file__).parents[2] / "native"


def compiler() -> list[str]:
    spec = importlib.util.spec_from_file_location("build_fake", NATIVE / "fake" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.compiler()


def test_the_bridge_without_python() -> None:
    environment = {**os.environ, "CC": shlex.join(compiler())}
    run = subprocess.run(
        [NATIVE / "tests" / "run", "plain"], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.splitlines() == ["ok: core", "ok: threads"]
