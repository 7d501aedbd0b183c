"""Nonsense as arguments of everything that makes or takes media: an error or something that works, and never a signal."""

from __future__ import annotations

import ast
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROCESSES = 4
CASES = 600
"""In each process; together 2 400."""


@pytest.mark.parametrize("process", range(PROCESSES))
def test_nonsense_is_refused_or_works(process: int, capsys: pytest.CaptureFixture[str]) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    with capsys.disabled():
        sys.stdout.write(f"\nfuzz {process}: seed {seed}, {CASES} cases ")
    command = [sys.executable, "-m", "tests.media.programs.fuzz", str(seed), str(CASES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{lines[-1]} ended with {done.returncode}:\n{done.stderr[-3000:]}"
    outcomes: dict[str, int] = ast.literal_eval(lines[-1])
    assert sum(outcomes.values()) == CASES
    assert outcomes["worked"] > CASES / 5
    assert outcomes["ValueError"] > CASES / 10
