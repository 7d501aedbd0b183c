"""The demo where every packet takes 50 ± 10 ms and one of twenty is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.netns, pytest.mark.long]


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
def test_everything_arrives(tmp_path: Path, backend: str) -> None:
    demo = (sys.executable, "-m", "livekit_trio._cli", "demo", "--backend", backend, "--out", str(tmp_path))
    lossy = (sys.executable, "-m", "benchmarks.soak.network", *demo)
    done = subprocess.run(lossy, cwd=ROOT, capture_output=True, text=True, timeout=280)
    print(done.stdout, done.stderr)  # noqa: T201
    assert done.returncode == 0
    packets, lost = (int(word) for word in done.stderr.split() if word.isdigit())
    assert 0.03 * packets < lost < 0.07 * packets
