"""AudioFrame: some milliseconds of sound."""
# ruff: noqa: SLF001 - class methods that fill a frame which they have made

from __future__ import annotations

import struct
from operator import index
from typing import TYPE_CHECKING, Any, Final, Self, final

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Buffer

    from .._ffi._abc import NativeBuffer

SAMPLE_SIZE: Final = 2
"""Bytes of one sample."""

UINT32_MAX: Final = 2**32 - 1
"""The native messages hold rates, channels and samples in 32 bits."""

MAX_RATE: Final = 768_000
MAX_CHANNELS: Final = 64
"""Beyond anything that sounds; the header of a WAV file holds no more than 2**32 bytes a second."""


@final
class AudioFrame:
    """Uncompressed sound: 16-bit samples, those of one moment side by side (interleaved).

    A received frame is a read-only view of native memory, which is freed when the last view of it has died. Frames belong
    to no event loop and can be used from any thread.

    Args:
        data: the samples, native byte order; shared, not copied. Exactly two bytes for each sample of each channel.
        sample_rate: in Hz.
        num_channels: 1 for mono, 2 for stereo.
        samples_per_channel: how many moments there are.
        userdata: whatever the program wants to keep with the frame; it is not sent.

    Raises:
        TypeError: *data* is no buffer, or a number is no int.
        ValueError: a number is below 1 or too large (768 000 Hz, 64 channels, 2**32 samples), or *data* has another length or
            is not contiguous.
    """

    __slots__ = (
        "_data",
        "_dropped_before",
        "_num_channels",
        "_received_at",
        "_sample_rate",
        "_samples_per_channel",
        "_userdata",
    )

    def __init__(
        self,
        data: Buffer,
        sample_rate: int,
        num_channels: int,
        samples_per_channel: int,
        *,
        userdata: dict[str, Any] | None = None,
    ) -> None:
        self._sample_rate = _positive("sample_rate", sample_rate, MAX_RATE)
        self._num_channels = _positive("num_channels", num_channels, MAX_CHANNELS)
        self._samples_per_channel = _positive("samples_per_channel", samples_per_channel, UINT32_MAX)
        view = contiguous_bytes(data)
        wanted = self._samples_per_channel * self._num_channels * SAMPLE_SIZE
        if len(view) != wanted:
            raise ValueError(
                f"{self._samples_per_channel} samples of {self._num_channels} channels are {wanted} bytes, not {len(view)}"
            )
        self._data: memoryview[int] = view.cast("h")
        self._userdata = userdata
        self._received_at: float | None = None
        self._dropped_before = 0

    @classmethod
    def _from_native(
        cls,
        buffer: NativeBuffer,
        sample_rate: int,
        num_channels: int,
        samples_per_channel: int,
        *,
        received_at: float | None = None,
        dropped_before: int = 0,
    ) -> Self:
        """Make a frame of native memory, whose length is taken on trust; made for every frame that arrives."""
        frame = cls.__new__(cls)
        frame._data = memoryview(buffer).cast("h")
        frame._sample_rate = sample_rate
        frame._num_channels = num_channels
        frame._samples_per_channel = samples_per_channel
        frame._userdata = None
        frame._received_at = received_at
        frame._dropped_before = dropped_before
        return frame

    @classmethod
    def create(cls, sample_rate: int, num_channels: int, samples_per_channel: int) -> Self:
        """Make a writable frame of silence.

        Raises:
            ValueError: a number is below 1 or too large.
        """
        _positive("num_channels", num_channels, MAX_CHANNELS)
        _positive("samples_per_channel", samples_per_channel, UINT32_MAX)
        size = num_channels * samples_per_channel * SAMPLE_SIZE
        return cls(bytearray(size), sample_rate, num_channels, samples_per_channel)

    @classmethod
    def from_ndarray(cls, array: NDArray[np.int16], sample_rate: int) -> Self:
        """Make a frame of a NumPy array, whose memory it shares if that is contiguous.

        Args:
            array: int16, of shape (samples, channels), or (samples,) for mono.
            sample_rate: in Hz.

        Raises:
            TypeError: the array holds something else than int16; scale floats by 32767 first.
            ValueError: it has another shape, or nothing in it.
        """
        import numpy as np

        if np.asarray(array).dtype != np.int16:
            raise TypeError(f"an array of int16 is needed, not of {np.asarray(array).dtype}")
        if array.ndim not in (1, 2):
            raise ValueError(f"the shape must be (samples,) or (samples, channels), not {array.shape}")
        channels = array.shape[1] if array.ndim == 2 else 1
        return cls(np.ascontiguousarray(array).data, sample_rate, channels, array.shape[0])

    @property
    def data(self) -> memoryview[int]:
        """The samples as a flat view of int16 values, interleaved; read-only if the frame was received.

        Raises:
            ValueError: the frame was closed.
        """
        try:
            return self._data
        except AttributeError:
            raise ValueError("this frame was closed") from None

    @property
    def sample_rate(self) -> int:
        """Samples in a second, for each channel."""
        return self._sample_rate

    @property
    def num_channels(self) -> int:
        """How many channels there are: 1 for mono, 2 for stereo."""
        return self._num_channels

    @property
    def samples_per_channel(self) -> int:
        """How many moments there are; each has one sample for each channel."""
        return self._samples_per_channel

    @property
    def duration(self) -> float:
        """How long it lasts, in seconds."""
        return self._samples_per_channel / self._sample_rate

    @property
    def received_at(self) -> float | None:
        """When it arrived, in seconds of `time.monotonic()`; None for a frame that was not received."""
        return self._received_at

    @property
    def dropped_before(self) -> int:
        """How many frames between the one before and this one were dropped because the reader was too slow."""
        return self._dropped_before

    @property
    def userdata(self) -> dict[str, Any]:
        """Whatever the program keeps with the frame; it is not sent."""
        if self._userdata is None:
            self._userdata = {}
        return self._userdata

    def to_ndarray(self) -> NDArray[np.int16]:
        """Return the samples as an array of shape (samples, channels) that shares the frame's memory.

        Returns:
            An array that is read-only if `data` is, and keeps the memory alive.

        Raises:
            ValueError: the frame was closed.
        """
        import numpy as np

        samples = np.frombuffer(self.data, np.int16)
        return samples.reshape(self._samples_per_channel, self._num_channels)

    def to_wav_bytes(self) -> bytes:
        """Return the frame as a whole WAV file.

        Raises:
            ValueError: the frame was closed, or is larger than 4 GiB.
        """
        return wav_header(self._sample_rate, self._num_channels, self.data.nbytes) + self.data.tobytes()

    def copy(self) -> Self:
        """Return a writable frame with memory of its own.

        Raises:
            ValueError: the frame was closed.
        """
        data = bytearray(self.data)
        twin = type(self)(data, self._sample_rate, self._num_channels, self._samples_per_channel)
        twin._userdata = dict(self._userdata) if self._userdata else None
        twin._received_at = self._received_at
        twin._dropped_before = self._dropped_before
        return twin

    def close(self) -> None:
        """Let go of the memory now instead of with the last reference to the frame; idempotent.

        Views and arrays that were taken from the frame before stay valid and keep the memory alive.
        """
        if hasattr(self, "_data"):
            del self._data

    @override
    def __repr__(self) -> str:
        return (
            f"rtc.AudioFrame(sample_rate={self._sample_rate}, num_channels={self._num_channels}, "
            f"samples_per_channel={self._samples_per_channel}, duration={self.duration:.3f})"
        )


def combine_audio_frames(frames: AudioFrame | Iterable[AudioFrame]) -> AudioFrame:
    """Join frames into one that has memory of its own.

    Raises:
        ValueError: there is none, one was closed, or they differ in sample rate or channels.
    """
    parts = [frames] if isinstance(frames, AudioFrame) else list(frames)
    if not parts:
        raise ValueError("there is no frame to combine")
    first = parts[0]
    for part in parts:
        if (part.sample_rate, part.num_channels) != (first.sample_rate, first.num_channels):
            raise ValueError(f"frames must have the same sample rate and channels: {first!r}, {part!r}")
    data = bytearray().join(part.data for part in parts)
    samples = sum(part.samples_per_channel for part in parts)
    return AudioFrame(data, first.sample_rate, first.num_channels, samples)


def contiguous_bytes(data: Buffer) -> memoryview[int]:
    """Return *data* as a view of bytes.

    Raises:
        TypeError: it is no buffer.
        ValueError: its memory is not contiguous.
    """
    view = memoryview(data)
    if not view.c_contiguous:
        raise ValueError("the data must be contiguous in memory")
    # A view of no bytes cannot be cast if one of its dimensions is zero.
    return view.cast("B") if view.nbytes else memoryview(b"")


def wav_header(sample_rate: int, num_channels: int, size: int) -> bytes:
    """Return the 44 bytes before *size* bytes of 16-bit samples (RIFF WAVE, format 1: PCM).

    Raises:
        ValueError: a WAV file holds no more than 4 GiB.
    """
    if size > UINT32_MAX - 36:
        raise ValueError(f"a WAV file cannot hold {size} bytes")
    frame = num_channels * SAMPLE_SIZE
    about = struct.pack("<HHIIHH", 1, num_channels, sample_rate, sample_rate * frame, frame, 8 * SAMPLE_SIZE)
    return b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt \x10\0\0\0" + about + b"data" + struct.pack("<I", size)


def _positive(name: str, value: int, highest: int) -> int:
    number = index(value)
    if not 0 < number <= highest:
        raise ValueError(f"{name} must be from 1 to {highest}, not {number}")
    return number
