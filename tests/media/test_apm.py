"""Echo, noise and level: WebRTC's processing does what it says."""

from __future__ import annotations

import numpy as np
import pytest

from livekit_trio import rtc
from livekit_trio.rtc import AudioFrame
from livekit_trio.testing import loudness, tone_frames

RATE = 48_000


def noise(count: int, amplitude: float = 0.05) -> list[AudioFrame]:
    samples = np.random.default_rng(1).normal(0, amplitude * 32767, (count, 480)).clip(-32768, 32767)
    return [AudioFrame.from_ndarray(part.astype(np.int16), RATE) for part in samples]


def test_steady_noise_is_suppressed() -> None:
    frames = noise(300)
    before = loudness(frames[200:])
    module = rtc.AudioProcessingModule(noise_suppression=True)
    for frame in frames:
        module.process_stream(frame)
    assert loudness(frames[200:]) < 0.3 * before


def test_an_echo_is_taken_out() -> None:
    far = noise(400, 0.2)
    module = rtc.AudioProcessingModule(echo_cancellation=True)
    module.set_stream_delay_ms(40)
    echoes: list[AudioFrame] = []
    for number, frame in enumerate(far):
        module.process_reverse_stream(frame.copy())
        late = far[number - 4].to_ndarray() // 2 if number >= 4 else np.zeros((480, 1), np.int16)
        echo = AudioFrame.from_ndarray(late.astype(np.int16), RATE)
        module.process_stream(echo)
        echoes.append(echo)
    assert loudness(echoes[300:]) < 0.1 * loudness(far[300:]) / 2


def test_hum_is_filtered_and_speech_is_not() -> None:
    module = rtc.AudioProcessingModule(high_pass_filter=True)
    tones = {frequency: tone_frames(frequency, sample_rate=RATE) for frequency in (20, 1000)}
    after: dict[int, float] = {}
    for frequency, tone in tones.items():
        frames = [next(tone) for _ in range(100)]
        for frame in frames:
            module.process_stream(frame)
        after[frequency] = loudness(frames[50:])
    assert after[20] < 0.1
    assert after[1000] == pytest.approx(0.3535, rel=0.1)


def murmur(seconds: int) -> list[AudioFrame]:
    """Something that the voice detector takes for quiet speech: a wavering voice of 120 Hz with formants, in syllables."""
    time = np.arange(RATE * seconds) / RATE
    pitch = 120 * (1 + 0.15 * np.sin(2 * np.pi * 0.7 * time) + 0.03 * np.sin(2 * np.pi * 5 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    formants = ((600, 150), (1200, 200), (2500, 300))
    voice = np.zeros_like(time)
    for harmonic in range(1, 30):
        strength = 0.05 + sum(np.exp(-(((harmonic * 120 - centre) / width) ** 2)) for centre, width in formants)
        voice += strength / harmonic**0.5 * np.sin(harmonic * phase)
    voice *= np.clip(np.sin(2 * np.pi * 3 * time), 0, 1)
    samples = (voice / np.abs(voice).max() * 0.02 * 32767).astype(np.int16)
    return [AudioFrame.from_ndarray(part, RATE) for part in samples.reshape(-1, 480)]


def test_quiet_speech_is_amplified() -> None:
    module = rtc.AudioProcessingModule(auto_gain_control=True)
    frames = murmur(8)
    before = loudness(frames[-200:])
    for frame in frames:
        module.process_stream(frame)
    assert loudness(frames[-200:]) > 4 * before


def test_without_features_nothing_changes() -> None:
    [frame] = noise(1)
    before = frame.data.tobytes()
    rtc.AudioProcessingModule().process_stream(frame)
    assert frame.data.tobytes() == before


def test_frames_of_several_ticks_are_processed_whole() -> None:
    frame = rtc.combine_audio_frames(noise(300))
    before = loudness([frame])
    rtc.AudioProcessingModule(noise_suppression=True).process_stream(frame)
    assert loudness([AudioFrame.from_ndarray(frame.to_ndarray()[-48_000:], RATE)]) < 0.3 * before


@pytest.mark.parametrize(
    "frame",
    [
        AudioFrame.create(48_000, 1, 479),
        AudioFrame.create(48_000, 1, 481),
        AudioFrame.create(48_000, 1, 1),
        AudioFrame.create(11_025, 1, 110),
        AudioFrame.create(99, 1, 1),
        AudioFrame.create(4_000, 1, 40),
        AudioFrame.create(400_000, 1, 4_000),
        AudioFrame.create(48_000, 9, 480),
    ],
    ids=repr,
)
def test_what_would_abort_is_refused(frame: AudioFrame) -> None:
    module = rtc.AudioProcessingModule(noise_suppression=True)
    for process in (module.process_stream, module.process_reverse_stream):
        with pytest.raises(ValueError, match=r"10 ms|are possible"):
            process(frame)


def test_received_frames_are_read_only() -> None:
    frame = AudioFrame(bytes(960), RATE, 1, 480)
    module = rtc.AudioProcessingModule(echo_cancellation=True)
    with pytest.raises(ValueError, match=r"take a copy\(\)"):
        module.process_stream(frame)
    module.process_reverse_stream(frame)
    module.process_stream(frame.copy())


@pytest.mark.parametrize("delay", [-1, 501, 2**40])
def test_delays_have_bounds(delay: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 500"):
        rtc.AudioProcessingModule().set_stream_delay_ms(delay)


def test_a_closed_module_says_so() -> None:
    with rtc.AudioProcessingModule() as module:
        pass
    with pytest.raises(ValueError, match="was closed"):
        module.process_stream(AudioFrame.create(RATE, 1, 480))
