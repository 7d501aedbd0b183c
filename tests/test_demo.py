"""What the demo takes for success, and what it does not. `.ci/run` runs the demo itself, on both backends."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import attrs
import numpy as np
import pytest

from livekit_trio._cli._call._compare import RATE, Media, pictures_problem, read_media, sound_problem
from livekit_trio._cli._demo import CALL

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def source() -> Media:
    return read_media(CALL)


@pytest.fixture
def recording(source: Media) -> Media:
    """As a perfect one would be: later, with something before and after."""
    sound = np.concatenate([np.zeros(7_777), 0.7 * source.sound, np.zeros(4_000)])
    return Media(sound, [(at + 1.2, number) for at, number in source.pictures])


def test_the_shipped_recording_is_small_and_numbered(source: Media) -> None:
    assert CALL.stat().st_size < 1 << 20
    assert [number for _, number in source.pictures] == list(range(207))


def test_a_good_recording_is_one(source: Media, recording: Media) -> None:
    assert sound_problem(source.sound, recording.sound) == ""
    assert pictures_problem(source, recording) == ""


@pytest.mark.parametrize("second", range(2, 12))
def test_a_silenced_second_is_noticed(source: Media, recording: Media, second: int) -> None:
    recording.sound[second * RATE : (second + 1) * RATE] = 0
    found = re.match(r"silence at ([\d.]+) s", sound_problem(source.sound, recording.sound))
    assert found is not None
    assert second - 0.5 <= float(found[1]) <= second + 1


def test_another_file_is_noticed(source: Media, recording: Media) -> None:
    assert "another sound" in sound_problem(source.sound[::-1], recording.sound)
    strange = attrs.evolve(source, pictures=[(at, number and number + 5_000) for at, number in source.pictures])
    assert "that the file does not have" in pictures_problem(strange, recording)


def test_an_early_end_is_noticed(source: Media, recording: Media) -> None:
    assert "too early" in sound_problem(source.sound, recording.sound[: 10 * RATE])
    few = attrs.evolve(recording, pictures=recording.pictures[:100])
    assert pictures_problem(source, few) == "only 100 of 207 pictures were recorded"


def test_a_wrong_order_or_speed_is_noticed(source: Media, recording: Media) -> None:
    backwards = attrs.evolve(recording, pictures=recording.pictures[::-1])
    assert "order" in pictures_problem(source, backwards)
    slow = attrs.evolve(recording, pictures=[(1.1 * at, number) for at, number in recording.pictures])
    assert "lasts" in pictures_problem(source, slow)


def test_a_bad_network_may_spoil_some_of_it(source: Media, recording: Media) -> None:
    few = attrs.evolve(recording, pictures=recording.pictures[:70] + recording.pictures[140:])
    assert "only 137" in pictures_problem(source, few)
    assert pictures_problem(source, few, lost=0.05) == ""
    assert "only 70" in pictures_problem(source, attrs.evolve(recording, pictures=recording.pictures[:70]), lost=0.05)
    assert "another sound" in sound_problem(source.sound[::-1], recording.sound, lost=0.05)
    begin = 5 * RATE + 3 * RATE // 10 + 7_777
    recording.sound[begin : begin + RATE // 5] = 0
    assert sound_problem(source.sound, recording.sound) != ""
    assert sound_problem(source.sound, recording.sound, lost=0.05) == ""
    recording.sound[begin : begin + 3 * RATE // 2] = 0
    assert "silence" in sound_problem(source.sound, recording.sound, lost=0.05)


WITHHELD = {
    "the reconnect did not come": "rtc.Room.simulate_scenario = nothing; _scenes.PATIENCE = 3",
    "missing: 2 track_published": "_place.Place.listen = but_for('track_published'); _scenario.WEBHOOKS_WITHIN = 3",
    "another sound": "_scenario.read_media = of_another(_scenario.read_media)",
    "silence at": "_scenario.read_media = with_silence(_scenario.read_media)",
}
"""What is said, and what is done to the demo."""

CHANGED = """
import sys
import attrs
from livekit_trio import rtc
from livekit_trio._cli import main
from livekit_trio._cli._call import _place, _scenario, _scenes

async def nothing(*args):
    pass

def but_for(name):
    async def listen(place, events):
        async for event in events:
            place.webhooks[event.event] += event.event != name
            place._heard.set()
            place._heard = _place.anyio.Event()
    return listen

def of_another(read):
    return lambda path: attrs.evolve(read(path), sound=read(path).sound[::-1]) if path.parent.name == "media" else read(path)

def with_silence(read):
    def silenced(path):
        media = read(path)
        if path.parent.name != "media":
            media.sound[6 * 16_000 : 7 * 16_000] = 0
        return media
    return silenced

{change}
sys.argv = ["livekit-trio", "demo", "--out", {out!r}]
main()
"""


@pytest.mark.long
@pytest.mark.parametrize("said", WITHHELD)
def test_the_demo_says_what_is_missing(tmp_path: Path, said: str) -> None:
    program = CHANGED.format(change=WITHHELD[said], out=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=180)
    assert done.returncode == 1, done.stdout + done.stderr
    failures = [line for line in done.stdout.splitlines() if line.startswith("failed: ")]
    assert len(failures) == 1
    assert said in failures[0]
