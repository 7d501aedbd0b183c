"""Sample rates, channels, and frames out of bytes."""

from __future__ import annotations

import itertools
import random
from typing import Final

import numpy as np
import pytest

from livekit_trio import rtc
from livekit_trio.rtc import AudioFrame, AudioResamplerQuality as Quality
from livekit_trio.testing import loudness, tone_frames, tone_frequency

RATES: Final = (8_000, 16_000, 24_000, 44_100, 48_000, 96_000)


def tone(seconds: float, rate: int, channels: int = 1, frequency: float = 440) -> list[AudioFrame]:
    return list(itertools.islice(tone_frames(frequency, sample_rate=rate, num_channels=channels), round(seconds * 100)))


def samples(frames: list[AudioFrame]) -> int:
    return sum(frame.samples_per_channel for frame in frames)


@pytest.mark.parametrize("quality", Quality)
@pytest.mark.parametrize(("input_rate", "output_rate"), list(itertools.product(RATES, RATES)))
def test_a_tone_stays_the_same_and_nothing_is_lost(input_rate: int, output_rate: int, quality: Quality) -> None:
    resampler = rtc.AudioResampler(input_rate, output_rate, quality=quality)
    pushed = [resampler.push(frame) for frame in tone(0.5, input_rate)]
    output = [*itertools.chain(*pushed), *resampler.flush()]
    assert {(frame.sample_rate, frame.num_channels) for frame in output} == {(output_rate, 1)}
    assert samples(output) == pytest.approx(0.5 * output_rate, abs=2)
    middle = [rtc.combine_audio_frames(output)]
    assert tone_frequency(middle) == pytest.approx(440, rel=0.005)
    assert loudness(middle) == pytest.approx(0.3535, rel=0.05)


def test_channels_are_kept_apart() -> None:
    left, right = tone(0.3, 48_000, frequency=440), tone(0.3, 48_000, frequency=1000)
    resampler = rtc.AudioResampler(48_000, 16_000, num_channels=2)
    output: list[AudioFrame] = []
    for one, other in zip(left, right, strict=True):
        both = np.hstack([one.to_ndarray(), other.to_ndarray()])
        output += resampler.push(AudioFrame.from_ndarray(both, 48_000))
    array = rtc.combine_audio_frames(output).to_ndarray()
    for channel, frequency in ((0, 440), (1, 1000)):
        alone = AudioFrame.from_ndarray(array[:, channel], 16_000)
        assert tone_frequency([alone]) == pytest.approx(frequency, rel=0.01)


def test_it_can_be_used_again_after_a_flush() -> None:
    resampler = rtc.AudioResampler(48_000, 24_000)
    runs = [
        samples([*itertools.chain(*(resampler.push(frame) for frame in tone(0.2, 48_000))), *resampler.flush()])
        for _ in range(3)
    ]
    assert runs == [4800, 4800, 4800]
    assert resampler.flush() == []


def test_bytes_and_long_pieces_are_taken_too() -> None:
    resampler = rtc.AudioResampler(48_000, 16_000, num_channels=2)
    output = resampler.push(bytes(48_000 * 2 * 2 * 10)) + resampler.flush()
    assert samples(output) == 160_000
    assert resampler.push(b"") == []
    with pytest.raises(ValueError, match="no whole samples"):
        resampler.push(b"123456")


@pytest.mark.parametrize("quality", Quality)
@pytest.mark.parametrize(("input_rate", "output_rate"), [(100, 384_000), (384_000, 100), (44_100, 48_001)])
def test_the_widest_ratios_work(input_rate: int, output_rate: int, quality: Quality) -> None:
    resampler = rtc.AudioResampler(input_rate, output_rate, num_channels=2, quality=quality)
    output = [*resampler.push(AudioFrame.create(input_rate, 2, input_rate)), *resampler.flush()]
    assert samples(output) == pytest.approx(output_rate, abs=2)


def test_other_frames_and_closed_ones_are_refused() -> None:
    resampler = rtc.AudioResampler(48_000, 16_000)
    with pytest.raises(ValueError, match="48000 Hz and 1 channels are needed"):
        resampler.push(AudioFrame.create(44_100, 1, 441))
    resampler.close()
    resampler.close()
    for call in (lambda: resampler.push(AudioFrame.create(48_000, 1, 480)), resampler.flush):
        with pytest.raises(ValueError, match="was closed"):
            call()


# ---- remix


@pytest.mark.parametrize(("rate", "channels"), list(itertools.product((8_000, 44_100, 48_000), (1, 2))))
@pytest.mark.parametrize(("wanted_rate", "wanted_channels"), list(itertools.product((16_000, 48_000), (1, 2))))
def test_rate_and_channels_change_frame_by_frame(
    rate: int, channels: int, wanted_rate: int, wanted_channels: int
) -> None:
    with rtc.AudioRemixer(wanted_rate, wanted_channels) as remixer:
        output = [remixer.push(frame) for frame in tone(0.5, rate, channels)]
    assert {(frame.sample_rate, frame.num_channels, frame.duration) for frame in output} == {
        (wanted_rate, wanted_channels, 0.01)
    }
    assert tone_frequency(output[5:]) == pytest.approx(440, rel=0.01)
    assert loudness(output[5:]) == pytest.approx(0.3535, rel=0.05)


def test_mono_is_the_mean_and_stereo_twice_the_same() -> None:
    stereo = AudioFrame.from_ndarray(np.tile(np.array([1000, 3000], np.int16), (480, 1)), 48_000)
    assert set(rtc.AudioRemixer(48_000, 1).push(stereo).data) == {2000}
    mono = AudioFrame.from_ndarray(np.arange(480, dtype=np.int16), 48_000)
    doubled = rtc.AudioRemixer(48_000, 2).push(mono).to_ndarray()
    assert (doubled[:, 0] == mono.to_ndarray()[:, 0]).all()
    assert (doubled[:, 0] == doubled[:, 1]).all()


@pytest.mark.parametrize(
    "frame", [AudioFrame.create(48_000, 1, 479), AudioFrame.create(48_000, 1, 960), AudioFrame.create(11_025, 1, 110)]
)
def test_only_ticks_of_10_ms_are_remixed(frame: AudioFrame) -> None:
    with pytest.raises(ValueError, match="exactly 10 ms"):
        rtc.AudioRemixer(48_000, 2).push(frame)


def test_remixed_frames_outlive_the_remixer() -> None:
    remixer = rtc.AudioRemixer(48_000, 2)
    frame = remixer.push(tone(0.01, 48_000)[0])
    remixer.close()
    del remixer
    assert frame.data.readonly
    assert len(frame.copy().data) == 960


# ---- frames out of bytes


@pytest.mark.parametrize("seed", range(5))
def test_bytes_cut_anywhere_come_out_as_frames_of_one_size(seed: int) -> None:
    chance = random.Random(seed)
    data = chance.randbytes(2 * 2 * 1000)
    cutter = rtc.AudioByteStream(24_000, 2, 96)
    frames: list[AudioFrame] = []
    position = 0
    while position < len(data):
        step = chance.randint(0, 700)
        frames += cutter.push(data[position : position + step])
        position += step
    assert {frame.samples_per_channel for frame in frames} == {96}
    assert cutter.buffered == 1000 % 96 * 4
    frames += cutter.flush()
    assert b"".join(bytes(frame.data) for frame in frames) == data
    assert cutter.flush() == []


def test_a_stream_that_ends_within_a_sample_says_so() -> None:
    cutter = rtc.AudioByteStream(48_000, 1)
    assert cutter.push(b"123") == []
    with pytest.raises(ValueError, match="within a sample"):
        cutter.flush()
    assert cutter.push(bytes(960))[0].samples_per_channel == 480


def test_frames_can_be_cut_anew() -> None:
    cutter = rtc.AudioByteStream(48_000, 1, 333)
    frames = [piece for frame in tone(0.1, 48_000) for piece in cutter.push(frame)] + cutter.flush()
    assert rtc.combine_audio_frames(frames).data == rtc.combine_audio_frames(tone(0.1, 48_000)).data
    with pytest.raises(ValueError, match="are needed"):
        cutter.push(AudioFrame.create(48_000, 2, 480))
