"""Files: played into a room at their own pace, and recorded again without losing anything."""

from __future__ import annotations

import itertools
import signal
import sys
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import anyio
import av
import numpy as np
import pytest

from livekit_trio import rtc
from livekit_trio.rtc import _media_file, _track_recorder
from livekit_trio.rtc._media_reader import MediaReader
from livekit_trio.rtc._media_writer import Lane, MediaWriter
from livekit_trio.testing import colour_bars, has_flash, loudness, read_counter, tone_frames, tone_frequency
from tests.media.rooms import joined, remote_audio, remote_video

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

on_trio = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)

FPS = 20

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds: numbered bars, and a tone that is 300 Hz higher in each second."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    writer: Any = av.open(str(path), "w")
    with writer as container:
        pictures: Any = container.add_stream("libx264", rate=FPS, options={"bf": "0", "g": "10"})
        pictures.width, pictures.height, pictures.pix_fmt = 320, 180, "yuv420p"
        sounds: Any = container.add_stream("aac", rate=44_100)
        sounds.layout = "mono"
        for second in range(3):
            for number in range(FPS):
                counter = second * FPS + number
                picture = colour_bars(counter, 320, 180).to_av()
                picture.pts, picture.time_base = counter, Fraction(1, FPS)
                container.mux(pictures.encode(picture))
            for index, frame in enumerate(itertools.islice(tone_frames(400 + 300 * second, sample_rate=44_100), 100)):
                sound = av.AudioFrame.from_ndarray(frame.to_ndarray().T, "s16", "mono")
                sound.sample_rate, sound.time_base = 44_100, Fraction(1, 44_100)
                sound.pts = (second * 100 + index) * 441
                container.mux(sounds.encode(sound))
        for stream in (pictures, sounds):
            container.mux(stream.encode(None))
    return path


@on_trio
async def test_a_file_is_played_at_its_own_pace(server: DevServer, room_name: str, film: Path) -> None:
    counters: list[int] = []
    sound: list[rtc.AudioFrame] = []
    async with joined(server, room_name, "alice", "bob") as [alice, bob], rtc.MediaFileSource(film) as source:
        assert source.audio_track is not None
        assert source.video_track is not None
        assert source.duration == pytest.approx(3, abs=0.1)
        options = rtc.TrackPublishOptions(simulcast=False)
        await alice.local_participant.publish_track(source.audio_track)
        await alice.local_participant.publish_track(source.video_track, options)

        async def look() -> None:
            with (await remote_video(bob)).open_stream(capacity=30) as frames:
                async for frame in frames:
                    counter = read_counter(frame)
                    if counter is not None:
                        counters.append(counter)

        async def listen() -> None:
            with (await remote_audio(bob)).open_stream(capacity=500) as frames:
                async for frame in frames:
                    sound.append(frame.copy())  # noqa: PERF401 - it is cut short

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            tasks.start_soon(listen)
            assert source.paused
            source.resume()
            start = anyio.current_time()
            await source.wait_ended()
            assert 2.7 < anyio.current_time() - start < 8
            assert source.position == pytest.approx(3, abs=0.2)
            with anyio.fail_after(10):
                while not counters or counters[-1] < 3 * FPS - 3:
                    await anyio.sleep(0.02)
            tasks.cancel_scope.cancel()
    assert counters == sorted(set(counters))
    assert len(counters) > FPS
    loud = [frame for frame in sound if loudness([frame]) > 0.1]
    pitches = [tone_frequency(loud[at : at + 20]) for at in range(0, len(loud) - 20, 20)]
    assert {round(pitch / 100) * 100 for pitch in pitches} >= {400, 700, 1000}


@on_trio
async def test_pause_seek_and_loop(film: Path) -> None:
    async with rtc.MediaFileSource(film, loop=True, audio=False) as source:
        track = source.video_track
        assert track is not None
        assert source.audio_track is None
        with track.open_stream(capacity=100) as frames:
            source.resume()
            first = None
            while first is None:  # a source begins with black pictures of its own
                first = read_counter(await frames.receive())
            assert first < FPS
            source.seek(2)
            counter = 0
            with anyio.fail_after(10):
                while counter < 2 * FPS:
                    counter = read_counter(await frames.receive()) or 0
                assert source.position >= 2
                while counter >= FPS:  # over the end, and from the beginning
                    counter = read_counter(await frames.receive()) or 0
            source.pause()
            await anyio.sleep(0.3)
            stopped = source.position
            while True:
                try:
                    frames.receive_nowait()
                except rtc.WouldBlock:
                    break
            await anyio.sleep(0.3)
            assert source.position == stopped
            with pytest.raises(rtc.WouldBlock):
                frames.receive_nowait()
            source.resume()
            with anyio.fail_after(10):
                await frames.receive()
        with pytest.raises(ValueError, match="no place at 99"):
            source.seek(99)
    assert source.duration == pytest.approx(3, abs=0.1), "it can still be read"
    with pytest.raises(rtc.StreamClosedError, match="closed"):
        await source.wait_ended()


@on_trio
async def test_what_cannot_be_played_says_so(tmp_path: Path, film: Path) -> None:
    with pytest.raises(FileNotFoundError):
        async with rtc.MediaFileSource(tmp_path / "nothing.mp4"):
            pass
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 100)
    with pytest.raises(ValueError, match="Invalid data"):
        async with rtc.MediaFileSource(tmp_path / "noise.mp4"):
            pass
    with pytest.raises(ValueError, match="nothing to play"):
        async with rtc.MediaFileSource(film, audio=False, video=False):
            pass
    for rate, channels in ((44_111, 1), (48_000, 3), (1, 1)):
        with pytest.raises(ValueError, match=r"sample_rate|num_channels"):
            rtc.MediaFileSource(film, sample_rate=rate, num_channels=channels)


@on_trio
async def test_a_file_without_frames_ends_though_it_is_to_be_played_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    writer: Any = av.open(str(path), "w")
    with writer as container:
        container.add_stream("pcm_s16le", rate=8_000)
        container.start_encoding()
    async with rtc.MediaFileSource(path, loop=True) as source:
        source.resume()
        with anyio.fail_after(20):
            await source.wait_ended()


@on_trio
async def test_after_the_last_picture_a_loop_begins_again(film: Path) -> None:
    async with rtc.MediaFileSource(film, loop=True, audio=False) as source:
        track = source.video_track
        assert track is not None
        with track.open_stream(capacity=100) as frames, anyio.fail_after(20):
            source.seek(source.duration or 0)  # where there is none any more
            source.resume()
            while read_counter(await frames.receive()) != 1:
                pass


@on_trio
async def test_large_pictures_are_not_decoded_far_ahead(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_media_file, "MAX_AHEAD_BYTES", 0)
    async with rtc.MediaFileSource(film, audio=False) as source:
        with anyio.fail_after(20):
            while not source._pictures:
                await anyio.sleep(0.01)
        await anyio.sleep(0.2)  # in which the whole film would be decoded
        assert len(source._pictures) == _media_file.BATCH


@on_trio
async def test_pictures_without_times_follow_each_other_from_any_place(tmp_path: Path) -> None:
    path = tmp_path / "bare.h264"
    writer: Any = av.open(str(path), "w", format="h264")
    with writer as container:
        stream = container.add_stream("libx264", rate=FPS, options={"bf": "0", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for counter in range(FPS):
            picture = colour_bars(counter, 320, 180).to_av()
            picture.pts, picture.time_base = counter, Fraction(1, FPS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    with closing(MediaReader(path, audio=True, video=True, sample_rate=48_000, num_channels=1)) as reader:
        for first in (0, 5, 0):  # nor does it know places
            times = [seconds for seconds, _ in reader.read(FPS + 1)]
            assert times == pytest.approx([number / FPS for number in range(first, FPS)])
            reader.seek(0 if first else 4.5 / FPS)


# ---- recording


def decoded(path: Path, kind: str, number: int = 0) -> list[Any]:
    """All frames of one stream of a file."""
    with av.open(str(path)) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        frames: Any = container.decode(streams[number])
        return list(frames)


def samples_of(frames: list[Any]) -> int:
    return sum(frame.samples for frame in frames)


@pytest.mark.parametrize("suffix", [".mp4", pytest.param(".mkv", marks=pytest.mark.long)])
async def test_every_delivered_frame_is_in_the_file(
    server: DevServer, room_name: str, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"call{suffix}"
    async with joined(server, room_name, "alice", "bob") as [alice, bob]:
        from tests.media.rooms import playing, showing

        options = rtc.TrackPublishOptions(simulcast=False)
        async with playing(alice), showing(alice, fps=20, size=(320, 180), options=options):
            tracks = [await remote_audio(bob), await remote_video(bob)]
            async with rtc.TrackRecorder(path, tracks, video_size=(320, 180)) as recorder:
                await anyio.sleep(2)
            sound, picture = recorder.statistics()
    assert (sound.dropped, picture.dropped) == (0, 0)
    assert (sound.written, picture.written) == (sound.delivered, picture.delivered)
    assert sound.samples == sound.written * 480
    pictures = decoded(path, "video")
    assert len(pictures) == picture.written > 10
    counters = [read_counter(rtc.VideoFrame.from_av(frame)) or 0 for frame in pictures]
    assert counters[1:] == sorted(set(counters[1:]))
    assert samples_of(decoded(path, "audio")) == pytest.approx(sound.samples + sound.silence, abs=2048)
    with av.open(str(path)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(max(sound.duration, picture.duration), abs=0.05)


@on_trio
@pytest.mark.parametrize("suffix", [".wav", pytest.param(".ogg", marks=pytest.mark.long)])
async def test_sound_alone(server: DevServer, room_name: str, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"sound{suffix}"
    async with joined(server, room_name, "alice", "bob") as [alice, bob]:
        from tests.media.rooms import playing

        async with playing(alice):
            async with rtc.TrackRecorder(path, [await remote_audio(bob)]) as recorder:
                await anyio.sleep(1)
    [statistics] = recorder.statistics()
    frames = decoded(path, "audio")
    assert samples_of(frames) == pytest.approx(statistics.samples + statistics.silence, abs=960)
    samples = np.concatenate([frame.to_ndarray()[0].astype(float) for frame in frames])
    scaled = (samples / np.abs(samples).max() * 16_000).astype(np.int16)
    assert tone_frequency([rtc.AudioFrame.from_ndarray(scaled[-24_000:], 48_000)]) == pytest.approx(440, rel=0.02)


@on_trio
async def test_what_is_about_to_be_written_when_the_block_is_cancelled_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def waits(_track: object) -> tuple[float, int]:
        """As where the answer and the cancellation come in the same pass of the loop."""
        if recorder.statistics()[0].delivered:
            scope.cancel()
        return 0.0, 0

    monkeypatch.setattr(_track_recorder, "_waits", waits)
    with rtc.VideoSource(320, 180) as source:
        track = rtc.LocalVideoTrack.create_video_track("bars", source)
        recorder = rtc.TrackRecorder(tmp_path / "cut.mp4", [track], video_size=(320, 180))
        with anyio.CancelScope() as scope:
            async with recorder:
                while True:
                    source.capture_frame(colour_bars(1, 320, 180))
                    await anyio.sleep(0.05)
        track.close()
    [statistics] = recorder.statistics()
    assert statistics.written == statistics.delivered > 0


@pytest.mark.parametrize("anyio_backend", ["trio", "asyncio"], indirect=True)
async def test_what_goes_wrong_beside_the_writing_is_the_recorders_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def waits(_track: object) -> tuple[float, int]:
        raise rtc.NativePanicError("it has failed")

    monkeypatch.setattr(_track_recorder, "_waits", waits)
    with rtc.VideoSource(320, 180) as source:
        track = rtc.LocalVideoTrack.create_video_track("bars", source)
        with pytest.raises(rtc.NativePanicError):
            async with rtc.TrackRecorder(tmp_path / "cut.mp4", [track], video_size=(320, 180)) as recorder:
                with anyio.fail_after(20), pytest.raises(rtc.NativePanicError):
                    await recorder.wait_ended()
        track.close()


@on_trio
async def test_silence_is_written_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(_writer: object, lane: Lane, data: bytes | memoryview[int]) -> None:
        sizes.append(memoryview(data).nbytes)
        lane.next_tick += sizes[-1] // 2

    sizes: list[int] = []
    monkeypatch.setattr(MediaWriter, "_put_samples", put)
    writer = MediaWriter(
        tmp_path / "quiet.wav", sample_rate=8_000, num_channels=1, video_size=(2, 2), video_bitrate=1_000
    )
    lane = writer.add_audio()
    writer.start()
    for when in (10.0, 7210.005):
        frame = rtc.AudioFrame.create(8_000, 1, 80)
        frame._received_at = when
        writer.write([(lane, frame)])
    writer.close()
    assert (lane.silence, lane.next_tick) == (7200 * 8_000 - 40, 7200 * 8_000 + 120)
    assert max(sizes) == 16_000


@on_trio
async def test_pictures_of_other_sizes_are_fitted_in(tmp_path: Path) -> None:
    path = tmp_path / "fitted.mp4"
    source = rtc.VideoSource(640, 360)
    track = rtc.LocalVideoTrack.create_video_track("bars", source)
    async with rtc.TrackRecorder(path, [track], video_size=(320, 320)) as recorder:
        for counter in range(30):
            source.capture_frame(colour_bars(counter, 640 if counter < 15 else 320, 360 if counter < 15 else 180))
            await anyio.sleep(0.05)
    assert recorder.statistics()[0].written > 15
    counters: list[int | None] = []
    for frame in decoded(path, "video"):
        pixels = rtc.VideoFrame.from_av(frame)
        assert (pixels.width, pixels.height) == (320, 320)
        luma: Any = pixels.planes[0].to_ndarray()
        assert luma[:60].max() < 40
        inner = np.vstack([luma[70:250], np.full((90, 320), 128, np.uint8)])
        counters.append(read_counter(rtc.VideoFrame.from_ndarray(inner, rtc.VideoBufferType.I420)))
    known = [counter for counter in counters if counter is not None]  # a source begins with black pictures of its own
    assert known == sorted(set(known))
    assert known[0] < 15 < known[-1]
    track.close()
    source.close()


@on_trio
async def test_recording_ends_with_the_tracks(server: DevServer, room_name: str, tmp_path: Path) -> None:
    from tests.media.rooms import playing

    recorder: rtc.TrackRecorder | None = None
    async with joined(server, room_name, "alice", "bob") as [alice, bob]:
        async with anyio.create_task_group() as tasks:
            stop = anyio.Event()

            async def play() -> None:
                async with playing(alice):
                    await stop.wait()

            tasks.start_soon(play)
            recorder = rtc.TrackRecorder(tmp_path / "a.mkv", [await remote_audio(bob)])
            async with recorder:
                await anyio.sleep(0.5)
                stop.set()
                with anyio.fail_after(10):
                    await recorder.wait_ended()
    assert recorder is not None
    [statistics] = recorder.statistics()
    assert statistics.written == statistics.delivered > 10
    with pytest.raises(rtc.StreamClosedError, match="entered once"):
        async with recorder:
            pass


@on_trio
async def test_what_cannot_be_recorded_says_so(tmp_path: Path) -> None:
    source, camera = rtc.AudioSource(48_000, 1), rtc.VideoSource(16, 16)
    sound = rtc.LocalAudioTrack.create_audio_track("sound", source)
    picture = rtc.LocalVideoTrack.create_video_track("picture", camera)
    for path, tracks, text in (
        ("x.txt", [sound], "suffix must be"),
        ("x.wav", [picture], "one audio track"),
        ("x.ogg", [sound, sound], "one audio track"),
        ("x.mp4", [], "no track"),
    ):
        with pytest.raises(ValueError, match=text):
            rtc.TrackRecorder(tmp_path / path, tracks)
    with pytest.raises(ValueError, match="must be even"):
        rtc.TrackRecorder(tmp_path / "x.mp4", [picture], video_size=(3, 4))
    with pytest.raises(OSError, match="No such file"):
        async with rtc.TrackRecorder(tmp_path / "no" / "x.mp4", [sound]):
            pass
    sound.close()
    picture.close()
    source.close()
    camera.close()


# ---- sound with its picture


BEAT = 0.6
"""Seconds from one flash to the next."""
FLASH = 0.1


async def flash_and_beep(room: rtc.Room) -> None:
    """Publish bars that are white, and a tone that sounds, for a tenth of a second at the same moments."""
    source, camera = rtc.AudioSource(48_000, 1, queue_size_ms=0), rtc.VideoSource(640, 360)
    options = rtc.TrackPublishOptions(simulcast=False)
    me = room.local_participant
    await me.publish_track(rtc.LocalAudioTrack.create_audio_track("beeps", source))
    await me.publish_track(rtc.LocalVideoTrack.create_video_track("flashes", camera), options)
    tone, silence = tone_frames(1000), rtc.AudioFrame.create(48_000, 1, 480)
    begin = anyio.current_time()
    for tick in itertools.count():
        await anyio.sleep_until(begin + tick / 100)
        on = tick / 100 % BEAT < FLASH
        if tick % 4 == 0:
            camera.capture_frame(colour_bars(tick // 4, flash=on))
        await source.capture_frame(next(tone) if on else silence)


def onsets(times: list[float], apart: float) -> list[float]:
    """The first of each group of times."""
    return [now for before, now in itertools.pairwise([-apart - 1, *times]) if now - before > apart]


def flashes_in(path: Path, number: int) -> list[float]:
    frames = decoded(path, "video", number)
    return onsets([frame.time for frame in frames if has_flash(rtc.VideoFrame.from_av(frame))], BEAT / 2)


def beeps_in(path: Path, number: int) -> list[float]:
    frames = decoded(path, "audio", number)
    samples = np.abs(np.concatenate([frame.to_ndarray()[0] for frame in frames]))
    loud = np.flatnonzero(samples > 0.1) / 48_000 + frames[0].time
    return onsets(loud.tolist(), BEAT / 2)


@pytest.mark.long
@on_trio
async def test_a_call_of_two_is_recorded_in_step(server: DevServer, room_name: str, tmp_path: Path) -> None:
    path = tmp_path / "call.mp4"
    recorded: list[rtc.TrackRecording] = []
    async with (
        joined(server, room_name, "alice", "bob", "recorder") as [alice, bob, recorder],
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(flash_and_beep, alice)
        tasks.start_soon(flash_and_beep, bob)
        await recorder.wait_until(lambda: len(tracks_of(recorder)) == 4)
        async with rtc.TrackRecorder(path, tracks_of(recorder), video_size=(640, 360)) as recording:
            await anyio.sleep(28 * BEAT)
        recorded += recording.statistics()
        tasks.cancel_scope.cancel()
    for track in recorded:
        assert (track.dropped, track.written) == (0, track.delivered)
    lengths = [track.duration for track in recorded]
    with av.open(str(path)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(max(lengths), abs=0.05)
    videos = [track for track in recorded if track.kind == rtc.TrackKind.KIND_VIDEO]
    sounds = [track for track in recorded if track.kind == rtc.TrackKind.KIND_AUDIO]
    for number in range(2):
        assert len(decoded(path, "video", number)) == videos[number].written
        in_file = samples_of(decoded(path, "audio", number))
        assert in_file == pytest.approx(sounds[number].samples + sounds[number].silence, abs=2048)
        beeps = beeps_in(path, number)
        offsets = [min((beep - flash for beep in beeps), key=abs) for flash in flashes_in(path, number)]
        assert len(offsets) >= 25
        print(f"offsets in ms: {[round(1000 * offset) for offset in offsets]}")  # noqa: T201 - to be seen with -s
        assert abs(float(np.median(offsets))) < 0.040
        assert max(map(abs, offsets)) < 0.080


def tracks_of(room: rtc.Room) -> list[Any]:
    """All tracks that we are subscribed to, sound and picture of each one together."""
    return [
        publication.track
        for who in room.remote_participants.values()
        for publication in who.track_publications.values()
        if publication.track is not None
    ]


@pytest.mark.parametrize("how", [pytest.param("SIGINT", marks=pytest.mark.long), "SIGKILL"])
@pytest.mark.parametrize("suffix", [".mp4", pytest.param(".mkv", marks=pytest.mark.long)])
@on_trio
async def test_the_file_of_a_program_that_was_ended_opens(how: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"interrupted{suffix}"
    command = [sys.executable, "-m", "tests.media.programs.record", str(path)]
    async with await anyio.open_process(command, cwd=ROOT, stdout=PIPE, stderr=PIPE) as program:
        assert program.stdout is not None
        with anyio.fail_after(60):
            assert await program.stdout.receive() == b"3 seconds\n"
        program.send_signal(signal.Signals[how])
        with anyio.fail_after(30):
            assert await program.wait() != 0
    pictures, sounds = decoded(path, "video"), decoded(path, "audio")
    least = 3.0 if how == "SIGINT" else 1.0
    assert pictures[-1].time - pictures[0].time > least - 0.5
    assert samples_of(sounds) > (least - 0.5) * 48_000
