"""Microphones and loudspeakers, where there are none: a loudspeaker of PulseAudio's whose sound its microphone hears."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.testing import loudness, tone_frequency
from livekit_trio.testing._fake_library import FakeLibrary, FakeRequest
from tests.media.rooms import joined, playing, remote_audio
from tests.rtc.conftest import nothing_left as nothing_left, room_name as room_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from livekit_trio.testing import DevServer

HZ = 700


@pytest.fixture(scope="session")
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """PulseAudio with a null sink; one for the whole run, since PortAudio stays with that which it has found."""
    runtime = tmp_path_factory.mktemp("pulse")
    os.environ["PULSE_RUNTIME_PATH"] = str(runtime)
    modules = ("module-native-protocol-unix", "module-null-sink sink_name=null")
    options = [option for module in modules for option in ("-L", module)]
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", *options]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as daemon:
        until = time.monotonic() + 20
        while not (runtime / "native").exists():
            assert daemon.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        yield
        daemon.terminate()
    del os.environ["PULSE_RUNTIME_PATH"]


async def hear(track: rtc.LocalAudioTrack | rtc.RemoteAudioTrack) -> list[rtc.AudioFrame]:
    """A second of sound without a gap."""
    with track.open_stream(capacity=200) as frames, anyio.fail_after(30):
        while True:
            heard = [await frames.receive() for _ in range(100)]
            if loudness(heard[:10]) > 0.1 and loudness(heard[-10:]) > 0.1:
                return heard


@pytest.mark.devices
@pytest.mark.anyio
@pytest.mark.usefixtures("pulse", "nothing_left")
async def test_what_is_played_is_heard_again(server: DevServer, room_name: str) -> None:
    devices = rtc.MediaDevices()
    assert devices.default_input_device() in devices.list_input_devices()
    assert devices.default_output_device() in devices.list_output_devices()
    async with joined(server, room_name, "alice", "bob") as [alice, bob], playing(alice, frequency=HZ):
        received = await remote_audio(bob)
        processing = rtc.AudioProcessingModule(high_pass_filter=True)
        async with devices.open_output() as speaker, devices.open_input(processing=processing) as microphone:
            speaker.add_track(received)
            speaker.add_track(received)
            track = rtc.LocalAudioTrack.create_audio_track("microphone", microphone.source)
            assert tone_frequency(await hear(track)) == pytest.approx(HZ, rel=0.01)
            speaker.remove_track(received)
            track.close()
        with pytest.raises(rtc.StreamClosedError, match="entered once"):
            async with speaker:
                pass


@pytest.mark.devices
@pytest.mark.anyio
@pytest.mark.usefixtures("pulse", "nothing_left")
async def test_the_library_s_own_devices_do_the_same(server: DevServer, room_name: str) -> None:
    with rtc.PlatformAudio() as devices:
        assert devices.recording_devices()[0].name == "default: null.monitor"
        assert devices.playout_devices()[-1].name == "Null Output"
        async with joined(server, room_name, "alice", "bob") as [alice, bob], playing(alice, frequency=HZ):
            await remote_audio(bob)  # it is played by itself
            source = devices.create_audio_source(rtc.PlatformAudioOptions(echo_cancellation=False))
            track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
            async with bob.local_participant.published_track(track):
                assert tone_frequency(await hear(await remote_audio(alice))) == pytest.approx(HZ, rel=0.01)
            track.close()
            source.close()
        with pytest.raises(rtc.PlatformAudioError):
            devices.set_recording_device("no such microphone")
    with pytest.raises(rtc.PlatformAudioError, match="closed"):
        devices.playout_devices()


# ---- where there is none


def test_a_machine_without_devices_says_so() -> None:
    def none(request: FakeRequest) -> None:
        request.respond(error="Failed to initialize platform audio")

    fake = FakeLibrary()
    fake.on("new_platform_audio", none)
    with fake.installed(), pytest.raises(rtc.PlatformAudioError, match="Failed to initialize"):
        rtc.PlatformAudio()


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(rtc.PlatformAudioError, match="the extra `devices`"):
        rtc.MediaDevices()


def test_without_port_audio_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(rtc.PlatformAudioError, match="libportaudio2"):
        rtc.MediaDevices()


@pytest.mark.parametrize("arguments", [{"sample_rate": 44_111}, {"sample_rate": 1}, {"num_channels": 3}])
def test_numbers_have_bounds(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"sample_rate|num_channels"):
        rtc.MediaDevices(**arguments)
