"""AudioStream: the sound of a track, frame by frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from typing_extensions import override

from .._guard import make
from ._audio_filter import NoiseCancellationOptions
from ._audio_frame import SAMPLE_SIZE, AudioFrame
from ._media_stream import MAX_CAPACITY, MediaStream
from ._validators import check_integer

if TYPE_CHECKING:
    from typing import TypeAlias

    from ._frame_processor import FrameProcessor
    from ._media_feed import Follow
    from ._media_stream import Overflow

    NoiseCancellation: TypeAlias = NoiseCancellationOptions | FrameProcessor[AudioFrame]

REQUEST: Final = "new_audio_stream"

NATIVE_STREAM: Final = 0
"""AudioStreamType of raw frames."""

NATIVE_QUEUE: Final = 100
"""Frames that may wait inside the native library until its own task hands them on; beyond it drops without counting."""

DEFAULT_MS: Final = 200
"""How much sound waits for its reader if nothing else is said (DESIGN §7)."""

NATIVE_FRAME_MS: Final = 10
"""What the native library's frames last if nothing else is said."""

MIN_RATE: Final = 100
MAX_RATE: Final = 384_000
MAX_CHANNELS: Final = 2
MAX_FRAME_MS: Final = 1000


@final
class AudioStream(MediaStream[AudioFrame]):
    """The frames of one audio track, or of one participant's audio, for one reader.

    Made by `RemoteAudioTrack.open_stream` and its likes. It is opened when its ``with`` (or ``async with``) block is entered
    and closed when that is left; the call alone registers nothing. Iterating ends with the track. It is a
    `trio.abc.ReceiveChannel` and an `anyio.abc.ObjectReceiveStream` at once.

    Backpressure:
        What is not read waits, at most `capacity` frames. Beyond that the oldest goes: it is counted, and the next frame
        says so (`AudioFrame.dropped_before`); or, with ``overflow="fail"``, the stream ends with `StreamLaggedError`.

    Concurrency:
        One task at a time, else `StreamBusyError`. Open a stream for each reader.
    """

    _event = "audio_stream_event"

    @override
    def _decode(self, stamp_ns: int, dropped: int, payload: bytes, /) -> AudioFrame | None:
        event = self._feed.parse(payload)
        if not event.HasField("frame_received"):
            return None
        frame = event.frame_received.frame
        info = frame.info
        rate, channels, samples = info.sample_rate, info.num_channels, info.samples_per_channel
        buffer = self._runtime.library.buffer(frame.handle.id, info.data_ptr, SAMPLE_SIZE * channels * samples)
        return AudioFrame._from_native(  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - there for streams
            buffer, rate, channels, samples, received_at=stamp_ns * 1e-9, dropped_before=dropped
        )


def open_audio_stream(
    follow: Follow,
    *,
    sample_rate: int,
    num_channels: int,
    frame_size_ms: int | None,
    capacity: int | None,
    overflow: Overflow,
    noise_cancellation: NoiseCancellation | None,
) -> AudioStream:
    check_integer("sample_rate", sample_rate, MIN_RATE, MAX_RATE)
    check_integer("num_channels", num_channels, 1, MAX_CHANNELS)
    if frame_size_ms is not None:
        check_integer("frame_size_ms", frame_size_ms, 1, MAX_FRAME_MS)
    if capacity is None:
        capacity = max(1, DEFAULT_MS // (frame_size_ms or NATIVE_FRAME_MS))
    check_integer("capacity", capacity, 1, MAX_CAPACITY)
    fields: dict[str, Any] = {
        "type": NATIVE_STREAM,
        "sample_rate": sample_rate,
        "num_channels": num_channels,
        "frame_size_ms": frame_size_ms,
        "queue_size_frames": NATIVE_QUEUE,
    }
    process = None
    if isinstance(noise_cancellation, NoiseCancellationOptions):
        fields.update(noise_cancellation.as_fields())
    elif noise_cancellation is not None:
        process = noise_cancellation.process_if_enabled
    return make(AudioStream, follow, (REQUEST, fields), capacity, overflow, process)
