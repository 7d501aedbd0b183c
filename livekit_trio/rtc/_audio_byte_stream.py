"""AudioByteStream: frames of one size out of bytes of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from typing_extensions import override

from ._audio_frame import MAX_CHANNELS, MAX_RATE, SAMPLE_SIZE, UINT32_MAX, AudioFrame, contiguous_bytes
from ._native_tool import TICKS
from ._validators import check_integer

if TYPE_CHECKING:
    from typing_extensions import Buffer


@final
class AudioByteStream:
    """Cuts a stream of PCM bytes into frames of one size, whatever the pieces are that it comes in.

    ::

        cutter = rtc.AudioByteStream(24_000, 1, samples_per_channel=240)
        for piece in pieces:
            for frame in cutter.push(piece):
                await source.capture_frame(frame)

    Args:
        sample_rate: of the sound, in Hz.
        num_channels: of the sound.
        samples_per_channel: of each frame; None: 10 ms of them.

    Raises:
        TypeError, ValueError: a number is no int, or below 1; the rate, below 100.
    """

    def __init__(self, sample_rate: int, num_channels: int, samples_per_channel: int | None = None) -> None:
        check_integer("sample_rate", sample_rate, TICKS, MAX_RATE)
        check_integer("num_channels", num_channels, 1, MAX_CHANNELS)
        samples = sample_rate // TICKS if samples_per_channel is None else samples_per_channel
        check_integer("samples_per_channel", samples, 1, UINT32_MAX)
        self._sample_rate = sample_rate
        self._num_channels = num_channels
        self._frame_size = samples * num_channels * SAMPLE_SIZE
        self._rest = bytearray()

    @property
    def buffered(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._rest)

    def push(self, data: AudioFrame | Buffer) -> list[AudioFrame]:
        """Append bytes, or a frame's, and return the frames that are whole now.

        Args:
            data: interleaved 16-bit samples in native byte order, cut anywhere, also within a sample; it is copied.

        Raises:
            TypeError: it is no buffer.
            ValueError: a frame has another rate or other channels, or was closed; a buffer is not contiguous.
        """
        if isinstance(data, AudioFrame):
            if (data.sample_rate, data.num_channels) != (self._sample_rate, self._num_channels):
                raise ValueError(
                    f"frames of {self._sample_rate} Hz and {self._num_channels} channels are needed: {data!r}"
                )
            data = data.data
        self._rest += contiguous_bytes(data)
        whole = len(self._rest) // self._frame_size * self._frame_size
        pieces = [
            bytearray(self._rest[start : start + self._frame_size]) for start in range(0, whole, self._frame_size)
        ]
        del self._rest[:whole]
        return [self._frame(piece) for piece in pieces]

    def flush(self) -> list[AudioFrame]:
        """Return what is left as a shorter frame, or nothing if there is none; afterwards another stream can begin.

        Raises:
            ValueError: what is left ends within a sample; it is thrown away.
        """
        rest, self._rest = self._rest, bytearray()
        if not rest:
            return []
        if len(rest) % (self._num_channels * SAMPLE_SIZE):
            raise ValueError(f"the stream ends within a sample: {len(rest)} bytes are left")
        return [self._frame(rest)]

    def _frame(self, data: bytearray) -> AudioFrame:
        samples = len(data) // (self._num_channels * SAMPLE_SIZE)
        return AudioFrame(data, self._sample_rate, self._num_channels, samples)

    @override
    def __repr__(self) -> str:
        return f"rtc.AudioByteStream({self._sample_rate}, {self._num_channels}, buffered={self.buffered})"
