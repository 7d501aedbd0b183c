"""A loop that is blocked for ten seconds while four native threads call back: memory stays flat, and nothing that counts is lost.

At the native boundary, with the C fake: 20 000 frames, 20 000 packets, 2 000 chunks of 10 kB and 2 000 state events.
"""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.process.programs import stall
from tests.process.running import ROOT, command

if TYPE_CHECKING:
    from pathlib import Path

CALLS = stall.FRAMES + stall.PACKETS + stall.CHUNKS + stall.STATES

TRIES = 5


def run(kind: str, how: str, seconds: float, directory: Path) -> Any:
    directory.mkdir(exist_ok=True)
    done = subprocess.run(
        command("stall", kind, how, seconds, directory), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def check(result: Any, *, lossy: bool) -> None:
    print(  # noqa: T201 - the figures, for a run with -rP
        f"grown {result['grown'] / 2**20:.1f} MiB, 99.9 % of the callbacks under {result['cpu_p999_ns'] / 1000:.1f} us of CPU"
    )
    assert result["calls"] == CALLS
    assert result["grown"] < 16 * 2**20
    # State events: all of them, in order. Chunks: a beginning without a gap, then the loss is said.
    assert result["states"] == list(range(stall.STATES))
    assert result["chunks"] == list(range(len(result["chunks"])))
    assert 0 < len(result["chunks"]) < stall.CHUNKS
    # Frames: the newest, the others counted.
    assert result["frames"] == stall.RING
    assert result["ring"] == {"received": stall.FRAMES, "dropped": stall.FRAMES - stall.RING, "buffered": 0}
    # Packets: what was not lost and counted is there.
    lost = result["inbox"]["dropped_lossy"] if lossy else result["lost"] - (stall.CHUNKS - len(result["chunks"]))
    assert result["packets"] + lost == stall.PACKETS
    assert 0 < result["packets"] < stall.PACKETS
    assert result["lost"] == result["inbox"]["dropped_reliable"]
    assert (result["left"], result["false_drops"]) == (0, 0)


def test_the_bridge_holds_out_without_the_gil(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        sleeping = pool.submit(run, "bridge", "sleep", 10, tmp_path / "sleep")
        busy = pool.submit(run, "bridge", "gil", 10, tmp_path / "gil")
    check(sleeping.result(), lossy=True)
    check(busy.result(), lossy=False)
    # Every callback had returned before Python let go of the GIL: none has waited for it.
    assert busy.result()["returned_before_let_go"]
    assert busy.result()["running"] == 0


def test_a_callback_never_waits(tmp_path: Path) -> None:
    """At full speed, beside other tests, whose caches and processor it shares: so only the order of magnitude counts here."""
    result = run("bridge", "sleep", 0, tmp_path)
    check(result, lossy=True)
    assert result["cpu_p999_ns"] < 200_000


@pytest.mark.long
def test_a_callback_costs_next_to_nothing(tmp_path: Path) -> None:
    """At full speed: a thread that pauses pays for cold caches, with a callback that does nothing too (29 us measured).

    What a callback costs is what it costs at best: a run that something else disturbed says nothing.
    """
    costs: list[int] = []
    while len(costs) < TRIES and (not costs or costs[-1] >= 20_000):
        result = run("bridge", "sleep", 0, tmp_path / str(len(costs)))
        check(result, lossy=True)
        costs.append(result["cpu_p999_ns"])
    assert min(costs) < 20_000


@pytest.mark.parametrize("how", ["sleep", "gil"])
def test_the_twin_in_ctypes_holds_out(tmp_path: Path, how: str) -> None:
    check(run("ctypes", how, 2, tmp_path), lossy=how == "sleep")
