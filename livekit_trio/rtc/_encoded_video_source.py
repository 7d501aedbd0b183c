"""EncodedVideoSource: video that is compressed already, and what its receivers want of the encoder."""

from __future__ import annotations

from collections import deque
from typing import Final, Self, TypeAlias, final

import anyio
import anyio.lowlevel
import attrs
from typing_extensions import override

from .._errors import EndOfStream, StreamBusyError, StreamClosedError
from .._ffi._objects import make_native
from .._guard import make
from .._streams import ReaderStream
from ._enums import EncodedFrameType, TrackKind, VideoCodec
from ._source import Source
from ._validators import check_integer, instance_of, integer, member_of
from ._video_frame import FrameMetadata
from ._video_layout import MAX_SIDE, address_of_buffer
from ._video_source import native_metadata

ENCODED_SOURCE: Final = 1
"""VideoSourceType of a source that is fed with compressed frames."""

POLL_INTERVAL: Final = 0.02
"""Seconds between two looks at what the receivers want: the native library can only be asked."""

MAX_SIZE: Final = 16 << 20
"""Bytes of one compressed frame."""


def _data(_instance: object, attribute: attrs.Attribute[bytes], value: object) -> None:
    if not isinstance(value, bytes):
        raise TypeError(f"{attribute.name} must be bytes, not {type(value).__name__}")
    if not 0 < len(value) <= MAX_SIZE:
        raise ValueError(f"{attribute.name} must have from 1 to {MAX_SIZE} bytes, not {len(value)}")


@attrs.frozen(kw_only=True)
class EncodedVideoFrame:
    """One compressed picture.

    Attributes:
        data: as the codec has it; for H264 and H265 with start codes (Annex B).
        width: in pixels.
        height: in pixels.
        codec: how it is compressed; that with which the track was published.
        frame_type: whether it can be decoded by itself.
        timestamp_us: when it was made, in microseconds, on one clock for all frames; 0: now.
        metadata: travels with the frame if the track was published with the matching `frame_metadata_features`.

    Raises:
        TypeError, ValueError: a value is not of the right type or range.
    """

    data: bytes = attrs.field(validator=_data, repr=lambda data: f"<{len(data)} bytes>")
    width: int = attrs.field(validator=integer(1, MAX_SIDE))
    height: int = attrs.field(validator=integer(1, MAX_SIDE))
    codec: VideoCodec = attrs.field(validator=member_of(VideoCodec))
    frame_type: EncodedFrameType = attrs.field(validator=member_of(EncodedFrameType))
    timestamp_us: int = attrs.field(default=0, validator=integer(-(2**63), 2**63 - 1))
    metadata: FrameMetadata | None = attrs.field(
        default=None, validator=attrs.validators.optional(instance_of(FrameMetadata))
    )


@attrs.frozen(kw_only=True)
class KeyFrameRequested:
    """A receiver needs a frame that can be decoded by itself: it has just come, or lost something."""


@attrs.frozen(kw_only=True)
class TargetRateChanged:
    """How much the network takes now.

    Attributes:
        target_bitrate: in bits a second.
        framerate: in frames a second.
    """

    target_bitrate: int
    framerate: float


EncoderFeedback: TypeAlias = KeyFrameRequested | TargetRateChanged


@final
class EncodedVideoSource(Source):
    """Compressed pictures for a track, passed on as they are.

    Publish the track with the codec of its frames, ``video_encoder=ENCODER_BACKEND_PRE_ENCODED`` and ``simulcast=False``. It
    belongs to no room and no event loop, and may be written to from any thread.

    Args:
        width: of the frames to come, in pixels.
        height: likewise.

    Raises:
        TypeError, ValueError: an argument is not what it should be.
        NativeLoadError: the native library could not be loaded.
        UsedAfterForkError: this is a forked child of a process that used it.

    Source:
        NewVideoSourceRequest (livekit-ffi video_frame.proto).
    """

    kind = TrackKind.KIND_VIDEO

    def __init__(self, width: int, height: int) -> None:
        check_integer("width", width, 1, MAX_SIDE)
        check_integer("height", height, 1, MAX_SIDE)
        resolution = {"width": width, "height": height}
        super().__init__(make_native("new_video_source", "source", type=ENCODED_SOURCE, resolution=resolution))
        self._width = width
        self._height = height

    @property
    def width(self) -> int:
        """As given, in pixels."""
        return self._width

    @property
    def height(self) -> int:
        """As given, in pixels."""
        return self._height

    def capture_frame(self, frame: EncodedVideoFrame) -> bool:
        """Send a frame; its data is copied before this returns.

        Returns:
            Whether it was taken. The native library takes none before somebody has subscribed, nor one that depends on
            frames before it while a key frame is wanted.

        Raises:
            SourceClosedError: the source was closed.
            NativeRefusalError: the native library refused the frame.

        Source:
            CaptureEncodedVideoFrameRequest (livekit-ffi video_frame.proto).
        """
        native = self._opened()
        response = native.request(
            "capture_encoded_video_frame",
            source_handle=native.handle,
            buffer={"data_ptr": address_of_buffer(memoryview(frame.data)), "data_len": len(frame.data)},
            codec=frame.codec,
            frame_type=frame.frame_type,
            width=frame.width,
            height=frame.height,
            timestamp_us=frame.timestamp_us,
            metadata=None if frame.metadata is None else native_metadata(frame.metadata),
        )
        return response.accepted

    def open_feedback(self) -> EncoderFeedbackStream:
        """Learn what the receivers want of the encoder.

        ::

            with source.open_feedback() as feedback:
                async for wish in feedback:
                    if isinstance(wish, rtc.KeyFrameRequested):
                        ...

        Returns:
            A stream that ends when the source is closed. What it says is said once: have one at a time.

        Source:
            TakeEncodedVideoSourceFeedbackRequest (livekit-ffi video_frame.proto).
        """
        return make(EncoderFeedbackStream, self)

    @override
    def __repr__(self) -> str:
        return f"rtc.EncodedVideoSource(width={self._width}, height={self._height})"

    def _take_feedback(self) -> list[EncoderFeedback]:
        native = self._opened()
        response = native.request("take_encoded_video_source_feedback", source_handle=native.handle)
        taken: list[EncoderFeedback] = [KeyFrameRequested()] if response.keyframe_requested else []
        if response.HasField("rate_control"):
            rate = response.rate_control
            taken.append(TargetRateChanged(target_bitrate=rate.target_bitrate_bps, framerate=rate.framerate_fps))
        return taken


@final
class EncoderFeedbackStream(ReaderStream[EncoderFeedback]):
    """What the receivers of an `EncodedVideoSource` want: `KeyFrameRequested` and `TargetRateChanged`, for one reader.

    Made by `EncodedVideoSource.open_feedback`; open within its ``with`` (or ``async with``) block. It is a
    `trio.abc.ReceiveChannel` and an `anyio.abc.ObjectReceiveStream` at once.

    Backpressure:
        Nothing piles up: what is not read is a wish that still holds, and a rate of which the newest is kept.

    Concurrency:
        One task at a time, else `StreamBusyError`.
    """

    def __init__(self, source: EncodedVideoSource) -> None:
        self._source = source
        self._taken: deque[EncoderFeedback] = deque()
        self._open = False
        self._reading = False

    def __enter__(self) -> Self:
        self._open = True
        return self

    @override
    async def __aenter__(self) -> Self:
        return self.__enter__()

    @override
    def close(self) -> None:
        """End the stream here; idempotent. The source goes on."""
        self._open = False

    @override
    async def receive(self) -> EncoderFeedback:
        """Return the next wish, waiting for one if need be.

        Raises:
            EndOfStream: the source was closed.
            StreamClosedError: the stream was closed by this program, or not entered yet.
            StreamBusyError: another task is waiting here.

        Cancellation:
            The next wish is returned by the next call.
        """
        if self._reading:
            raise StreamBusyError
        self._reading = True
        try:
            await anyio.lowlevel.checkpoint()
            while not self._taken:
                if not self._open:
                    raise StreamClosedError(
                        "this stream is closed: read within `with source.open_feedback() as feedback`"
                    )
                if self._source.closed:
                    raise EndOfStream
                self._taken += self._source._take_feedback()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - there for its feedback stream
                if not self._taken:
                    await anyio.sleep(POLL_INTERVAL)
            return self._taken.popleft()
        finally:
            self._reading = False

    @override
    def __repr__(self) -> str:
        return f"<EncoderFeedbackStream of {self._source!r}>"
