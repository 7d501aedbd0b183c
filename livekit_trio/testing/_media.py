"""Test media: a tone, silence, and colour bars that carry a number; and what tells them again at the other end.

The number is painted in bold black and white cells, so that it survives lossy codecs and being scaled down to 160 pixels; it
has a checksum. NumPy is imported by the first use.
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any, Final

from ..rtc._audio_frame import AudioFrame
from ..rtc._enums import VideoBufferType
from ..rtc._video_frame import VideoFrame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

COUNTER_BITS: Final = 20
"""Enough for nine hours at 30 frames a second."""

CHECK_BITS: Final = 4

LEAST_WIDTH, LEAST_HEIGHT = 160, 90
"""Pixels of a frame whose number can be read."""

BARS: Final = (
    (180, 128, 128),
    (162, 44, 142),
    (131, 156, 44),
    (112, 72, 58),
    (84, 184, 198),
    (65, 100, 212),
    (35, 212, 114),
    (16, 128, 128),
)
"""Y, U and V of white, yellow, cyan, green, magenta, red, blue and black at 75 % (ITU-R BT.601)."""

BLACK: Final = 16
WHITE: Final = 235


def tone_frames(
    frequency: float, *, sample_rate: int = 48_000, num_channels: int = 1, frame_ms: int = 10, amplitude: float = 0.5
) -> Iterator[AudioFrame]:
    """Yield frames of a sine tone without end, each going on where the one before stopped.

    Args:
        frequency: in Hz; the same on all channels.
        sample_rate: in Hz.
        num_channels: of each frame.
        frame_ms: the length of each frame in milliseconds.
        amplitude: of the full scale, 0 to 1.
    """
    import numpy as np

    size = sample_rate * frame_ms // 1000
    for start in itertools.count(0, size):
        turns = (frequency * np.arange(start, start + size) / sample_rate) % 1
        samples = (32767 * amplitude * np.sin(2 * np.pi * turns)).astype(np.int16)
        yield AudioFrame.from_ndarray(np.repeat(samples[:, None], num_channels, axis=1), sample_rate)


def silence_frames(*, sample_rate: int = 48_000, num_channels: int = 1, frame_ms: int = 10) -> Iterator[AudioFrame]:
    """Yield frames of silence without end, each with memory of its own."""
    while True:
        yield AudioFrame.create(sample_rate, num_channels, sample_rate * frame_ms // 1000)


def tone_frequency(frames: Iterable[AudioFrame]) -> float:
    """Return the strongest frequency of the first channel, in Hz; a tenth of a second is enough for 1 %.

    Raises:
        ValueError: there are no frames, or they differ in rate or channels.
    """
    import numpy as np

    samples, sample_rate = _samples(frames)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    peak = int(spectrum[1:-1].argmax()) + 1
    left, middle, right = np.log(spectrum[peak - 1 : peak + 2] + 1e-9)
    curve = left - 2 * middle + right
    offset = float(0.5 * (left - right) / curve) if curve else 0.0
    return (peak + offset) * sample_rate / len(samples)


def loudness(frames: Iterable[AudioFrame]) -> float:
    """Return the root mean square of the first channel, of the full scale: 0 for silence, 0.35 for a tone of amplitude 0.5.

    Raises:
        ValueError: there are no frames, or they differ in rate or channels.
    """
    import numpy as np

    samples, _ = _samples(frames)
    return float(np.sqrt(np.mean(samples**2))) / 32768


def _samples(frames: Iterable[AudioFrame]) -> tuple[NDArray[Any], int]:
    import numpy as np

    parts = list(frames)
    if not parts or len({(part.sample_rate, part.num_channels) for part in parts}) > 1:
        raise ValueError("frames of one sample rate and number of channels are needed")
    return np.concatenate([part.to_ndarray()[:, 0] for part in parts]).astype(float), parts[0].sample_rate


def colour_bars(counter: int, width: int = 640, height: int = 360, *, flash: bool = False) -> VideoFrame:
    """Return an I420 frame of colour bars that carries *counter* in its lower quarter.

    Args:
        counter: what `read_counter` finds again, below 2**20.
        width: in pixels, at least 160.
        height: in pixels, at least 90.
        flash: white instead of the bars, for lip-sync tests: see `has_flash`.

    Raises:
        ValueError: the counter or a size is out of range.
    """
    if not 0 <= counter < 1 << COUNTER_BITS:
        raise ValueError(f"the counter must be from 0 to {(1 << COUNTER_BITS) - 1}, not {counter}")
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        raise ValueError(f"at least {LEAST_WIDTH}x{LEAST_HEIGHT} pixels are needed, not {width}x{height}")
    frame = VideoFrame(width, height, VideoBufferType.I420, bytearray(_background(width, height, flash)))
    luma: Any = frame.planes[0].to_ndarray()
    top, edges = _cells(width, height)
    for bit, (left, right) in zip(_with_check(counter), itertools.pairwise(edges), strict=True):
        luma[top:, left:right] = WHITE if bit else BLACK
    return frame


def read_counter(frame: VideoFrame) -> int | None:
    """Return the number that `colour_bars` has put into a frame; None if there is none, or it cannot be read any more.

    The frame may have been compressed and scaled since, and be of any format with a luma plane.
    """
    if frame.width < LEAST_WIDTH or frame.height < LEAST_HEIGHT:
        return None  # such as the black ones of 8x8 that a server sends in place of what one may not see any more
    luma = frame.planes[0].to_ndarray()
    top, edges = _cells(frame.width, frame.height)
    margin = (frame.height - top) // 4
    bits: list[bool] = []
    for left, right in itertools.pairwise(edges):
        inset = max(1, (right - left) // 4)
        level = float(luma[top + margin : frame.height - margin, left + inset : right - inset].mean())
        if abs(level - (WHITE + BLACK) / 2) < (WHITE - BLACK) / 6:
            return None  # neither black nor white
        bits.append(level > (WHITE + BLACK) / 2)
    counter = sum(bit << place for place, bit in enumerate(bits[:COUNTER_BITS]))
    return counter if bits == _with_check(counter) else None


def has_flash(frame: VideoFrame) -> bool:
    """Whether a frame of `colour_bars`, of any format with a luma plane, was made with *flash*."""
    luma = frame.planes[0].to_ndarray()
    top, _ = _cells(frame.width, frame.height)
    return bool(luma[: top - top // 8].min() > (WHITE + BLACK) / 2)


def _with_check(counter: int) -> list[bool]:
    bits = [bool(counter >> place & 1) for place in range(COUNTER_BITS)]
    check = sum((counter >> shift & 15) * (shift // 4 + 1) for shift in range(0, COUNTER_BITS, 4)) + 5
    return bits + [bool(check >> place & 1) for place in range(CHECK_BITS)]


def _cells(width: int, height: int) -> tuple[int, list[int]]:
    """Where the cells begin, from above, and their edges from the left."""
    count = COUNTER_BITS + CHECK_BITS
    return height - height // 4, [width * place // count for place in range(count + 1)]


@functools.lru_cache(maxsize=16)
def _background(width: int, height: int, flash: bool) -> bytes:
    import numpy as np

    frame = VideoFrame.create(width, height, VideoBufferType.I420)
    top, _ = _cells(width, height)
    for number, plane in enumerate(frame.planes):
        pixels: Any = plane.to_ndarray()
        columns = [BARS[column * len(BARS) // plane.width][number] for column in range(plane.width)]
        pixels[:] = np.array(columns, np.uint8)
        pixels[top * plane.height // height :] = 128
        if flash:
            pixels[:] = WHITE if number == 0 else 128
    return bytes(frame.data)
