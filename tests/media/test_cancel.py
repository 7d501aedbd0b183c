"""Cancel files, recorders, synchronizers and devices at every suspension, in each way that there is: nothing is left."""

from __future__ import annotations

import gc
import itertools
import os
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.lowlevel
import av
import pytest

from livekit_trio import rtc
from livekit_trio.testing import assert_idle, colour_bars
from livekit_trio.testing._fake_library import FakeLibrary
from tests.cancelling import SCOPE, TASK, TIMEOUT, cancel_after, cancel_at, ways
from tests.media.fakes import AUDIO, VIDEO, send, staged
from tests.media.rooms import joined, remote_audio, remote_video

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit_trio.testing import DevServer


pytestmark = pytest.mark.anyio

RATE: Final = 48_000

on_trio_and_long_on_asyncio = pytest.mark.parametrize(
    "anyio_backend", ["trio", pytest.param("asyncio", marks=pytest.mark.long)], indirect=True
)


@asynccontextmanager
async def fake_library() -> AsyncGenerator[FakeLibrary]:
    """Afterwards no native handle is left."""
    fake = FakeLibrary()
    with fake.installed():
        yield fake
        with anyio.fail_after(10):
            while rtc.runtime_statistics().live_handles:  # of objects that tasks, threads and errors still refer to
                await anyio.sleep(0.01)
                gc.collect()
        await assert_idle()
    fake.check()


def open_files(folder: Path) -> list[str]:
    """What this process has open there."""
    found: list[str] = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except FileNotFoundError:  # that of this very listing
            continue
        if target.startswith(str(folder)):
            found.append(target)
    return found


async def wait_closed(folder: Path) -> None:
    """A thread that nobody waits for any more closes what it was opening."""
    with anyio.fail_after(10):
        while open_files(folder):
            await anyio.sleep(0.01)


# ---- a file that is played


@pytest.fixture(scope="session")
def flash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tenth of a second: four pictures, and sound."""
    path = tmp_path_factory.mktemp("flash") / "flash.mkv"
    writer: Any = av.open(str(path), "w")
    with writer as container:
        pictures: Any = container.add_stream("libx264", rate=40, options={"preset": "ultrafast"})
        pictures.width, pictures.height, pictures.pix_fmt = 160, 90, "yuv420p"
        sounds: Any = container.add_stream("pcm_s16le", rate=RATE)
        sounds.layout = "mono"
        for number in range(4):
            container.mux(pictures.encode(colour_bars(number, 160, 90).to_av()))
        sound = av.AudioFrame("s16", "mono", RATE // 10)
        sound.sample_rate = RATE
        container.mux(sounds.encode(sound))
        for stream in (pictures, sounds):
            container.mux(stream.encode(None))
    return path


async def play(path: Path) -> None:
    async with rtc.MediaFileSource(path) as film:
        await anyio.lowlevel.checkpoint()
        film.resume()
        await film.wait_ended()


@on_trio_and_long_on_asyncio
async def test_a_cancelled_file_is_closed(flash: Path, anyio_backend_name: str) -> None:
    for way in ways(anyio_backend_name):
        for at in itertools.count(1):
            async with fake_library():
                reached = await cancel_at(lambda: play(flash), at, way)
                await wait_closed(flash.parent)
            if not reached:
                assert at > 5
                break


# ---- a recording


@on_trio_and_long_on_asyncio
async def test_a_cancelled_recording_is_a_file_with_all_that_was_delivered(
    tmp_path: Path, anyio_backend_name: str
) -> None:
    path = tmp_path / "call.mkv"
    for way in ways(anyio_backend_name):
        for at in itertools.count(1):
            async with staged() as stage:
                tracks: list[Any] = [await stage.subscribe(kind) for kind in (AUDIO, VIDEO)]
                recorder = rtc.TrackRecorder(path, tracks, video_size=(64, 64))

                async def record(recorder: rtc.TrackRecorder = recorder, fake: FakeLibrary = stage.fake) -> None:
                    async with recorder:
                        for number in range(1, 4):
                            for native in fake.media.streams:
                                send(native, number)
                            await anyio.sleep(0.001)

                reached = await cancel_at(record, at, way)
                await wait_closed(tmp_path)
                with anyio.fail_after(10):
                    while stage.fake._memory:  # of frames that a thread still refers to
                        await anyio.sleep(0.01)
                        gc.collect()
                sound, picture = recorder.statistics() or (None, None)
                for of_track in (sound, picture):
                    if of_track is not None:
                        assert of_track.dropped == 0
                        assert of_track.written == of_track.delivered or way in (TASK, TIMEOUT)
                        assert of_track.written <= of_track.delivered
                if picture is not None and picture.written:
                    assert pictures_in(path) == picture.written
                if not reached:
                    assert picture
                    assert picture.written > 0
                    assert at > 4
                    break


def pictures_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


# ---- sound and pictures in step


async def test_a_cancelled_synchronizer_leaves_its_sources_usable(anyio_backend_name: str) -> None:
    sound, picture = rtc.AudioFrame.create(RATE, 1, RATE // 100), colour_bars(1, 160, 90)
    for way in ways(anyio_backend_name):
        for at in itertools.count(1):
            async with fake_library():
                with rtc.AudioSource(RATE, 1, 20) as source, rtc.VideoSource(160, 90) as camera:

                    async def push(source: rtc.AudioSource = source, camera: rtc.VideoSource = camera) -> None:
                        options: dict[str, Any] = {"video_fps": 500, "video_queue_size_ms": 4}
                        async with rtc.AVSynchronizer(audio_source=source, video_source=camera, **options) as both:
                            for _ in range(4):
                                await both.push(picture)
                                await both.push(sound)
                            await both.wait_for_playout()

                    reached = await cancel_at(push, at, way)
                    await source.capture_frame(sound)
                    camera.capture_frame(picture)
            if not reached:
                assert at > 8
                break


# ---- devices


class PortAudio:
    """In place of the package sounddevice: devices that are silent, and say how they are treated."""

    class PortAudioError(Exception):
        """As there."""

    def __init__(self) -> None:
        self.open: set[PortAudioStream] = set()
        self.opened = self.misused = 0

    def RawInputStream(self, **_settings: object) -> PortAudioStream:  # noqa: N802 - as there
        return PortAudioStream(self)

    RawOutputStream = RawInputStream


class PortAudioStream:
    """As there; what blocks takes a millisecond."""

    def __init__(self, library: PortAudio) -> None:
        self._library = library
        library.open.add(self)
        library.opened += 1

    def start(self) -> None:
        time.sleep(0.001)

    def read(self, samples: int) -> tuple[bytes, bool]:
        self._use()
        return bytes(2 * samples), False

    def write(self, _data: bytes) -> None:
        self._use()

    def _use(self) -> None:
        time.sleep(0.001)
        self._library.misused += self not in self._library.open

    def close(self) -> None:
        self._library.open.discard(self)


async def test_cancelled_devices_are_let_go(anyio_backend_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library = PortAudio()
    monkeypatch.setitem(sys.modules, "sounddevice", library)
    for way in ways(anyio_backend_name):
        for at in itertools.count(1):
            async with fake_library():
                reached = await cancel_at(use_devices, at, way)
                with anyio.fail_after(10):
                    while library.open:
                        await anyio.sleep(0.001)
            assert not library.misused
            if not reached:
                assert at > 4
                break


async def use_devices() -> None:
    devices = rtc.MediaDevices()
    async with devices.open_output() as speaker, devices.open_input() as microphone:
        track = rtc.LocalAudioTrack.create_audio_track("microphone", microphone.source)
        speaker.add_track(track)
        await anyio.sleep(0.01)


# ---- with the real library


@pytest.mark.long
@pytest.mark.usefixtures("nothing_left")
async def test_cancelled_at_some_moments_in_a_real_room(
    server: DevServer, room_name: str, flash: Path, tmp_path: Path, anyio_backend_name: str
) -> None:
    async with joined(server, room_name, "ann", "bob") as (ann, bob):
        for number, seconds in enumerate((0.0, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8, 1.3)):
            way = TASK if anyio_backend_name == "asyncio" and number % 2 else SCOPE
            await cancel_after(lambda: play_and_record(ann, bob, flash, tmp_path / "call.mkv"), seconds, way)
            await wait_closed(tmp_path.parent)
            left: tuple[object, ...] = ()
            with anyio.move_on_after(30):  # what is under way comes to its end, and then nobody has anything
                bobs_view = bob.remote_participants["ann"]
                while any(
                    left := (
                        rtc.runtime_statistics().pending_calls,
                        ann.local_participant.track_publications,
                        bobs_view.track_publications,
                    )
                ):
                    await anyio.sleep(0.01)
            assert not any(left), (seconds, left)


async def play_and_record(ann: rtc.Room, bob: rtc.Room, film: Path, path: Path) -> None:
    """Play a file again and again, feed a synchronizer beside it, and record what arrives of both, until cancelled."""
    sound, picture = rtc.AudioFrame.create(RATE, 1, RATE // 100), colour_bars(1, 160, 90)
    me = ann.local_participant
    with rtc.AudioSource(RATE, 1) as source, rtc.VideoSource(160, 90) as camera:
        tracks = (
            rtc.LocalAudioTrack.create_audio_track("sound", source),
            rtc.LocalVideoTrack.create_video_track("picture", camera),
        )
        async with (
            rtc.MediaFileSource(film, loop=True) as played,
            rtc.AVSynchronizer(audio_source=source, video_source=camera, video_fps=30) as both,
            AsyncExitStack() as published,
        ):
            played.resume()
            for track in (*tracks, played.audio_track, played.video_track):
                assert track is not None
                await published.enter_async_context(me.published_track(track))
            async with rtc.TrackRecorder(path, [await remote_audio(bob), await remote_video(bob)]):
                while True:
                    await both.push(picture)
                    await both.push(sound)
