"""Native filters: shared libraries that work on the sound between a track and its reader. A small one is compiled here."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from livekit_trio import rtc
from livekit_trio.testing import tone_frequency
from tests.media.rooms import TONE, joined, listen, peak, playing, remote_audio
from tests.native.tools import builder

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

SOURCE = Path(__file__).parent / "plugins" / "quarter.c"


def compile_library(path: Path, *source: str) -> Path:
    subprocess.run([*builder().compiler(), "-shared", "-fPIC", "-O1", "-o", str(path), *source], check=True)
    return path


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_library(tmp_path_factory.mktemp("plugin") / "quarter.so", str(SOURCE))


@pytest.fixture
def no_plugin(tmp_path: Path) -> Path:
    """A shared library with nothing in it."""
    return compile_library(tmp_path / "empty.so", "-x", "c", "/dev/null")


@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
@pytest.mark.anyio
@pytest.mark.usefixtures("nothing_left")
async def test_a_native_filter_works_on_the_sound(server: DevServer, room_name: str, plugin: Path) -> None:
    loaded = rtc.AudioFilter("quarter", plugin)
    assert loaded.module_id == "quarter"
    async with joined(server, room_name, "alice", "bob") as [alice, bob], playing(alice):
        track = await remote_audio(bob)
        quarter = await listen(track.open_stream(noise_cancellation=rtc.NoiseCancellationOptions("quarter")))
        options = rtc.NoiseCancellationOptions("quarter", {"divisor": 8})
        eighth = await listen(
            bob.remote_participants["alice"].open_audio_stream(
                source=rtc.TrackSource.SOURCE_UNKNOWN, noise_cancellation=options
            )
        )
        assert tone_frequency(quarter) == pytest.approx(440, rel=0.01)
        assert peak(quarter) == pytest.approx(TONE / 4, rel=0.15)
        assert peak(eighth) == pytest.approx(TONE / 8, rel=0.15)


def test_what_cannot_be_loaded_says_why(plugin: Path, no_plugin: Path) -> None:
    with pytest.raises(rtc.AudioFilterError, match=r"nowhere\.so"):
        rtc.AudioFilter("none", "/nowhere.so")
    with pytest.raises(rtc.AudioFilterError, match=r"nowhere\.so"):
        rtc.AudioFilter("none", plugin, dependencies=["/nowhere.so"])
    with pytest.raises(rtc.AudioFilterError, match="undefined symbol: audio_filter_on_load"):
        rtc.AudioFilter("none", no_plugin)
    with pytest.raises(rtc.AudioFilterError, match="needs a module_id"):
        rtc.AudioFilter("", plugin)
