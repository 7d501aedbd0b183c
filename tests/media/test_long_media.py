"""Many audio tracks for minutes: each arrives whole, and memory stays as it is."""

from __future__ import annotations

import faulthandler
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

pytestmark = pytest.mark.long

ROOT: Final = Path(__file__).parents[2]
PARTICIPANTS: Final = 20
MAX_GROWTH: Final = 4 << 20


def hear(server: DevServer, folder: Path, tracks: int, seconds: int) -> dict[str, Any]:
    """Let participants publish so many tracks each, and one process read them all; what `audience.py` says."""
    # The run ends with a test that takes five minutes, see `faulthandler_timeout`; this one may take longer.
    faulthandler.dump_traceback_later(seconds + 240, exit=True, file=sys.__stderr__)  # pyright: ignore[reportArgumentType]
    room = f"{PARTICIPANTS} times {tracks} for {seconds}"
    tokens = folder / "tokens"
    tokens.write_text("\n".join(server.token(f"singer {number}", room) for number in range(PARTICIPANTS)))
    ticket = folder / "token"
    ticket.write_text(server.token("listener", room))
    choir = [sys.executable, "-m", "tests.media.programs.choir", server.url, str(tokens), str(tracks)]
    audience = [sys.executable, "-m", "tests.media.programs.audience", server.url, str(ticket)]
    with subprocess.Popen(choir, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as singing:
        assert singing.stdin is not None
        assert singing.stdout is not None
        try:
            assert singing.stdout.readline() == "ready\n"
            done = subprocess.run(
                [*audience, str(PARTICIPANTS * tracks), str(seconds)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
                timeout=seconds + 120,
                check=True,
            )
            singing.stdin.close()
            assert singing.wait(60) == 0
        finally:
            singing.kill()
    report: dict[str, Any] = json.loads(done.stdout)
    rates = [count / report["seconds"] for count in report["frames"]]
    resident = [size >> 20 for size in report["resident"]]
    print(  # noqa: T201
        f"{len(rates)} tracks for {report['seconds']:.0f} s: {min(rates):.2f} to {max(rates):.2f} frames/s of each, "
        f"{sum(report['dropped'])} dropped, {max(report['concealed']):.2%} of the sound made up at most; "
        f"{report['cpu'] / sum(report['frames']) * 1e6:.0f} us CPU a frame; MiB resident each minute: {resident[::60]}, {resident[-1]}"
    )
    assert len(rates) == PARTICIPANTS * tracks
    return {**report, "rates": rates}


def test_twenty_participants_for_five_minutes(server: DevServer, tmp_path: Path) -> None:
    report = hear(server, tmp_path, 1, 300)
    assert min(report["rates"]) >= 99
    later = report["resident"][60:]
    halves = [statistics.median(later[start : start + 30]) for start in range(0, len(later), 30)]
    assert max(halves) - halves[0] < MAX_GROWTH, halves


def test_a_hundred_streams_for_a_minute(server: DevServer, tmp_path: Path) -> None:
    """The server and whoever sends need as much of the machine as the one who hears it all: two cores are just enough."""
    report = hear(server, tmp_path, 5, 60)
    assert min(report["rates"]) >= 90
