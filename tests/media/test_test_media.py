"""The tone, the bars and the number in them: found again, also after a codec."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from livekit_trio import rtc
from livekit_trio.testing import (
    colour_bars,
    has_flash,
    loudness,
    read_counter,
    silence_frames,
    tone_frames,
    tone_frequency,
)


@pytest.mark.parametrize("frequency", [200, 440, 997.3, 5000])
@pytest.mark.parametrize(("sample_rate", "num_channels"), [(48_000, 1), (44_100, 2), (16_000, 1)])
def test_a_tone_has_its_frequency_and_loudness(frequency: float, sample_rate: int, num_channels: int) -> None:
    tone = tone_frames(frequency, sample_rate=sample_rate, num_channels=num_channels, amplitude=0.5)
    frames = list(itertools.islice(tone, 20))
    assert {(frame.sample_rate, frame.num_channels, frame.duration) for frame in frames} == {
        (sample_rate, num_channels, 0.01)
    }
    assert tone_frequency(frames) == pytest.approx(frequency, rel=0.005)
    assert loudness(frames) == pytest.approx(0.3535, rel=0.02)


def test_silence_is_silent_and_not_shared() -> None:
    first, second = itertools.islice(silence_frames(num_channels=2), 2)
    assert loudness([first]) == 0
    first.data[0] = 1
    assert second.data[0] == 0


def test_frames_must_be_alike() -> None:
    with pytest.raises(ValueError, match="one sample rate"):
        loudness([])
    with pytest.raises(ValueError, match="one sample rate"):
        tone_frequency([rtc.AudioFrame.create(48_000, 1, 480), rtc.AudioFrame.create(16_000, 1, 160)])


@pytest.mark.parametrize("counter", [0, 1, 2, 255, 54_321, 2**20 - 1])
@pytest.mark.parametrize(("width", "height"), [(160, 90), (320, 180), (641, 361), (1920, 1080)])
def test_the_number_is_read_again(counter: int, width: int, height: int) -> None:
    frame = colour_bars(counter, width, height)
    assert read_counter(frame) == counter
    assert not has_flash(frame)
    flash = colour_bars(counter, width, height, flash=True)
    assert (read_counter(flash), has_flash(flash)) == (counter, True)


def test_it_survives_a_poor_codec_and_scaling() -> None:
    encoder: Any = av.CodecContext.create("mpeg4", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 640, 360, "yuv420p"
    encoder.bit_rate, encoder.time_base = 150_000, Fraction(1, 30)
    decoder: Any = av.CodecContext.create("mpeg4", "r")
    packets: list[Any] = []
    for counter in range(0, 600, 20):
        picture = colour_bars(counter, flash=counter == 300).to_av()
        picture.pts, picture.time_base = counter, Fraction(1, 30)
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    pictures = [picture for packet in [*packets, None] for picture in decoder.decode(packet)]
    frames = [rtc.VideoFrame.from_av(picture.reformat(width=160, height=90)) for picture in pictures]
    assert [read_counter(frame) for frame in frames] == list(range(0, 600, 20))
    assert [has_flash(frame) for frame in frames] == [counter == 300 for counter in range(0, 600, 20)]


def test_other_pictures_have_no_number() -> None:
    random = np.random.default_rng(1).integers(0, 256, (270, 320), np.uint8)
    assert read_counter(rtc.VideoFrame.from_ndarray(random, rtc.VideoBufferType.I420)) is None
    damaged = colour_bars(1000)
    luma: Any = damaged.planes[0].to_ndarray()
    luma[270:, :26] = 235  # the lowest bit
    assert read_counter(damaged) is None


@pytest.mark.parametrize("arguments", [(-1,), (2**20,), (0, 159, 90), (0, 160, 89)])
def test_what_cannot_be_painted_is_refused(arguments: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be|at least"):
        colour_bars(*arguments)
