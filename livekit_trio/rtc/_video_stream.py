"""VideoStream: the pictures of a track, frame by frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from typing_extensions import override

from .._guard import make
from ._enums import VideoBufferType, VideoRotation
from ._media_stream import MAX_CAPACITY, MediaStream
from ._validators import check_integer
from ._video_frame import FrameMetadata, VideoFrame
from ._video_layout import PLANES, frame_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._frame_processor import FrameProcessor
    from ._media_feed import Follow
    from ._media_stream import Overflow

NATIVE_STREAM: Final = 0
"""VideoStreamType of raw frames."""

REQUEST: Final = "new_video_stream"

NATIVE_FORMATS: Final = frozenset(
    {
        VideoBufferType.RGBA,
        VideoBufferType.ABGR,
        VideoBufferType.ARGB,
        VideoBufferType.BGRA,
        VideoBufferType.RGB24,
        VideoBufferType.I420,
    }
)
"""What the native library converts received frames to. Of the others it delivers none, and logs each (measured): we convert."""

NATIVE_QUEUE: Final = 8
MAX_NATIVE_QUEUE: Final = 64
"""Frames that may wait inside the native library until its own task hands them on. It drops without counting, and by default
keeps one: on a busy machine frames were lost there that no statistics knew of."""


@final
class VideoStream(MediaStream[VideoFrame]):
    """The frames of one video track, or of one participant's video, for one reader.

    Made by `RemoteVideoTrack.open_stream` and its likes. It is opened when its ``with`` (or ``async with``) block is entered
    and closed when that is left; the call alone registers nothing. Iterating ends with the track. It is a
    `trio.abc.ReceiveChannel` and an `anyio.abc.ObjectReceiveStream` at once.

    Backpressure:
        What is not read waits, at most `capacity` frames: one, unless something else is said, so that a slow reader always
        gets the newest. Beyond that the oldest goes: it is counted, and the next frame says so
        (`VideoFrame.dropped_before`); or, with ``overflow="fail"``, the stream ends with `StreamLaggedError`.

    Concurrency:
        One task at a time, else `StreamBusyError`. Open a stream for each reader.
    """

    _event = "video_stream_event"

    @override
    def _decode(self, stamp_ns: int, dropped: int, payload: bytes, /) -> VideoFrame | None:
        event = self._feed.parse(payload)
        if not event.HasField("frame_received"):
            return None
        received = event.frame_received
        info = received.buffer.info
        kind = VideoBufferType(info.type)
        size = frame_size(kind, info.width, info.height)
        buffer = self._runtime.library.buffer(received.buffer.handle.id, info.data_ptr, size)
        return VideoFrame._from_native(  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - there for streams
            buffer,
            info.width,
            info.height,
            kind,
            timestamp_us=received.timestamp_us,
            rotation=VideoRotation(received.rotation),
            metadata=_metadata(received.metadata) if received.HasField("metadata") else None,
            received_at=stamp_ns * 1e-9,
            dropped_before=dropped,
        )


def _metadata(message: Any) -> FrameMetadata:
    return FrameMetadata(
        user_timestamp=message.user_timestamp if message.HasField("user_timestamp") else None,
        frame_id=message.frame_id if message.HasField("frame_id") else None,
        user_data=message.user_data if message.HasField("user_data") else None,
    )


def open_video_stream(
    follow: Follow,
    *,
    format: VideoBufferType | None,  # noqa: A002 - the name that it has for users
    capacity: int,
    overflow: Overflow,
    processor: FrameProcessor[VideoFrame] | None,
) -> VideoStream:
    if format is not None and format not in PLANES:
        raise ValueError(f"{format!r} is no pixel format")
    converted = format is not None and format not in NATIVE_FORMATS
    check_integer("capacity", capacity, 1, MAX_CAPACITY)
    fields = {
        "type": NATIVE_STREAM,
        "format": VideoBufferType.I420 if converted else format,
        "normalize_stride": True,
        "queue_size_frames": min(max(capacity, NATIVE_QUEUE), MAX_NATIVE_QUEUE),
    }
    process = None if processor is None else processor.process_if_enabled
    if format is not None and converted:
        process = _then(_converter(format), process)
    return make(VideoStream, follow, (REQUEST, fields), capacity, overflow, process)


def _converter(kind: VideoBufferType) -> Callable[[VideoFrame], VideoFrame]:
    return lambda frame: frame.convert(kind)


def _then(
    first: Callable[[VideoFrame], VideoFrame], second: Callable[[VideoFrame], VideoFrame] | None
) -> Callable[[VideoFrame], VideoFrame]:
    return first if second is None else lambda frame: second(first(frame))
