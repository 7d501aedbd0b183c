"""AudioResampler: another sample rate, in good quality. AudioRemixer: other channels too, quick and simple."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final, final

from typing_extensions import override

from .._errors import NativeRefusalError
from .._ffi._memory import read_at
from .._ffi._objects import make_native
from ._audio_frame import SAMPLE_SIZE, AudioFrame, contiguous_bytes
from ._native_tool import TICKS, NativeTool, check_whole_ticks
from ._validators import check_integer
from ._video_layout import address_of_buffer

if TYPE_CHECKING:
    from typing_extensions import Buffer

MIN_RATE: Final = 100
MAX_RATE: Final = 384_000
"""Between these two soxr makes a resampler of every pair; if it does not, the library would not notice and crash later."""

MAX_CHANNELS: Final = 32

MIN_REMIX_RATE: Final = 8_000
MAX_REMIX_RATE: Final = 192_000
MAX_REMIX_CHANNELS: Final = 2
"""WebRTC's frame holds 7680 samples; beyond it, and for other layouts, it aborts."""

CHUNK: Final = 1 << 20
"""Bytes that are handed over in one request."""


@final
class AudioResamplerQuality(enum.Enum):
    """How carefully to resample: the better, the longer it takes and the more it delays."""

    QUICK = "quick"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    VERY_HIGH = "very_high"


@final
class AudioResampler(NativeTool):
    """Changes the sample rate of a stream of sound, with the SoX resampler.

    It belongs to no room and no loop. What goes in comes out a little later: call `flush` at the end. Its calls take
    microseconds and do not wait.

    Args:
        input_rate: of what is pushed, in Hz, 100 to 384 000.
        output_rate: of what comes out.
        num_channels: of both.
        quality: see `AudioResamplerQuality`.

    Raises:
        TypeError, ValueError: an argument is not what it should be.
        NativeLoadError: the native library could not be loaded.

    Source:
        NewSoxResamplerRequest (livekit-ffi audio_frame.proto).
    """

    def __init__(
        self,
        input_rate: int,
        output_rate: int,
        *,
        num_channels: int = 1,
        quality: AudioResamplerQuality = AudioResamplerQuality.MEDIUM,
    ) -> None:
        check_integer("input_rate", input_rate, MIN_RATE, MAX_RATE)
        check_integer("output_rate", output_rate, MIN_RATE, MAX_RATE)
        check_integer("num_channels", num_channels, 1, MAX_CHANNELS)
        recipe = list(AudioResamplerQuality).index(AudioResamplerQuality(quality))
        self._input_rate = input_rate
        self._output_rate = output_rate
        self._num_channels = num_channels
        super().__init__(
            make_native(
                "new_sox_resampler",
                "resampler",
                input_rate=input_rate,
                output_rate=output_rate,
                num_channels=num_channels,
                input_data_type=0,  # interleaved, both
                output_data_type=0,
                quality_recipe=recipe,
                flags=0,
            )
        )

    def push(self, data: AudioFrame | Buffer) -> list[AudioFrame]:
        """Put sound in and take out what is ready.

        Args:
            data: a frame of the input rate, or the bytes of interleaved 16-bit samples. It is read before this returns.

        Returns:
            A frame, or none yet.

        Raises:
            ValueError: the frame has another rate or other channels, the bytes are no whole samples, or it was closed.
            NativeRefusalError: the native library failed.

        Source:
            PushSoxResamplerRequest (livekit-ffi audio_frame.proto).
        """
        samples = self._samples_of(data)
        output = bytearray()
        with self._lock:
            for start in range(0, len(samples), self._chunk):
                piece = samples[start : start + self._chunk]
                output += self._take("push_sox_resampler", data_ptr=address_of_buffer(piece), size=len(piece))
        return self._frames(output)

    def flush(self) -> list[AudioFrame]:
        """Take out the rest at the end of a stream; afterwards another stream can begin.

        Returns:
            A frame, or none if nothing is left.

        Raises:
            ValueError: it was closed.
            NativeRefusalError: the native library failed.

        Source:
            FlushSoxResamplerRequest (livekit-ffi audio_frame.proto).
        """
        with self._lock:
            return self._frames(self._take("flush_sox_resampler"))

    @property
    def _chunk(self) -> int:
        frame = self._num_channels * SAMPLE_SIZE
        return CHUNK // frame * frame

    def _samples_of(self, data: AudioFrame | Buffer) -> memoryview[int]:
        if isinstance(data, AudioFrame):
            if (data.sample_rate, data.num_channels) != (self._input_rate, self._num_channels):
                raise ValueError(
                    f"frames of {self._input_rate} Hz and {self._num_channels} channels are needed: {data!r}"
                )
            return data.data.cast("B")
        samples = contiguous_bytes(data)
        if len(samples) % (self._num_channels * SAMPLE_SIZE):
            raise ValueError(f"{len(samples)} bytes are no whole samples of {self._num_channels} channels")
        return samples

    def _take(self, name: str, **fields: Any) -> bytes:
        # The output lies in the resampler and is valid until the next request: it is copied under the lock.
        reply = self._request(name, resampler_handle=self._native.handle, **fields)
        if reply.error:
            raise NativeRefusalError(name, reply.error)
        return read_at(reply.output_ptr, reply.size) if reply.size else b""

    def _frames(self, output: bytes | bytearray) -> list[AudioFrame]:
        if not output:
            return []
        samples = len(output) // (self._num_channels * SAMPLE_SIZE)
        return [AudioFrame(bytearray(output), self._output_rate, self._num_channels, samples)]

    @override
    def __repr__(self) -> str:
        return (
            f"rtc.AudioResampler({self._input_rate}, {self._output_rate}, num_channels={self._num_channels}, "
            f"closed={self._native.closed})"
        )


@final
class AudioRemixer(NativeTool):
    """Changes sample rate and channels of a stream of 10 ms frames: mono to stereo and back, with WebRTC's own resampler.

    Every frame that is put in gives one at once. It belongs to no room and no loop.

    Args:
        sample_rate: of what comes out, in Hz, a multiple of 100 from 8 000 to 192 000.
        num_channels: of what comes out, 1 or 2.

    Raises:
        TypeError, ValueError: an argument is not what it should be.
        NativeLoadError: the native library could not be loaded.

    Source:
        NewAudioResamplerRequest (livekit-ffi audio_frame.proto).
    """

    def __init__(self, sample_rate: int, num_channels: int) -> None:
        _check_remix(sample_rate, num_channels)
        self._sample_rate = sample_rate
        self._num_channels = num_channels
        super().__init__(make_native("new_audio_resampler", "resampler"))

    def push(self, frame: AudioFrame) -> AudioFrame:
        """Return *frame* with the rate and the channels wanted.

        Args:
            frame: of exactly 10 ms, with 1 or 2 channels.

        Raises:
            ValueError: the frame is of another kind, or the remixer was closed.

        Source:
            RemixAndResampleRequest (livekit-ffi audio_frame.proto).
        """
        check_whole_ticks(frame, once=True)
        _check_remix(frame.sample_rate, frame.num_channels)
        data = frame.data
        buffer = {
            "data_ptr": address_of_buffer(data),
            "num_channels": frame.num_channels,
            "sample_rate": frame.sample_rate,
            "samples_per_channel": frame.samples_per_channel,
        }
        reply = self._request(
            "remix_and_resample",
            resampler_handle=self._native.handle,
            buffer=buffer,
            num_channels=self._num_channels,
            sample_rate=self._sample_rate,
        )
        info = reply.buffer.info
        size = info.samples_per_channel * info.num_channels * SAMPLE_SIZE
        owner = self._native.library.buffer(reply.buffer.handle.id, info.data_ptr, size)
        return AudioFrame(owner, info.sample_rate, info.num_channels, info.samples_per_channel)

    @override
    def __repr__(self) -> str:
        return f"rtc.AudioRemixer({self._sample_rate}, {self._num_channels}, closed={self._native.closed})"


def _check_remix(sample_rate: int, num_channels: int) -> None:
    check_integer("sample_rate", sample_rate, MIN_REMIX_RATE, MAX_REMIX_RATE)
    check_integer("num_channels", num_channels, 1, MAX_REMIX_CHANNELS)
    if sample_rate % TICKS:
        raise ValueError(f"the sample rate must be a multiple of {TICKS}, not {sample_rate}")
