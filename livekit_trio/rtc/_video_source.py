"""VideoSource: pictures that this program makes, for a local track."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any, Final, final

from typing_extensions import override

from .._ffi._objects import make_native
from ._enums import TrackKind
from ._source import Source
from ._validators import check_integer
from ._video_layout import MAX_SIDE, buffer_info

if TYPE_CHECKING:
    from ._enums import VideoRotation
    from ._video_frame import FrameMetadata, VideoFrame

NATIVE_SOURCE: Final = 0
"""VideoSourceType of a source that is fed with raw frames."""


@final
class VideoSource(Source):
    """Pictures for a track, each sent as soon as it is captured.

    It belongs to no room and no event loop, and may be written to from any thread.

    Args:
        width: of the frames to come, in pixels. Frames of another size are sent as they are.
        height: likewise.
        is_screencast: they show a screen: keep them sharp rather than fluent.

    Raises:
        TypeError, ValueError: an argument is not what it should be.
        NativeLoadError: the native library could not be loaded.
        UsedAfterForkError: this is a forked child of a process that used it.

    Source:
        NewVideoSourceRequest (livekit-ffi video_frame.proto).
    """

    kind = TrackKind.KIND_VIDEO

    def __init__(self, width: int, height: int, *, is_screencast: bool = False) -> None:
        check_integer("width", width, 1, MAX_SIDE)
        check_integer("height", height, 1, MAX_SIDE)
        super().__init__(
            make_native(
                "new_video_source",
                "source",
                type=NATIVE_SOURCE,
                resolution={"width": width, "height": height},
                is_screencast=bool(is_screencast),
            )
        )
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

    def capture_frame(
        self,
        frame: VideoFrame,
        *,
        timestamp_us: int | None = None,
        rotation: VideoRotation | None = None,
        metadata: FrameMetadata | None = None,
    ) -> None:
        """Send a frame. Its pixels are copied, and converted to I420 if need be, before this returns: some 0.3 ms for 720p.

        Frames that come faster than the track's `max_framerate`, or than the machine can compress them, are dropped by the
        native library.

        Args:
            frame: of any pixel format.
            timestamp_us: when it was made, in microseconds, on one clock for all frames; 0: now. None: what the frame says.
            rotation: how it is to be turned to be seen upright; receivers get it turned. None: what the frame says.
            metadata: travels with the frame if the track was published with the matching `frame_metadata_features`. None:
                what the frame says.

        Raises:
            ValueError: the frame was closed, or *timestamp_us* does not fit into 64 bits.
            SourceClosedError: the source was closed.
            NativeRefusalError: the native library refused the frame.

        Source:
            CaptureVideoFrameRequest (livekit-ffi video_frame.proto).
        """
        native, data = self._opened(), frame.data
        time = frame.timestamp_us if timestamp_us is None else index(timestamp_us)
        if not -(2**63) <= time < 2**63:
            raise ValueError(f"timestamp_us must fit into 64 bits, not {time}")
        metadata = frame.metadata if metadata is None else metadata
        native.request(
            "capture_video_frame",
            source_handle=native.handle,
            buffer=buffer_info(frame.type, frame.width, frame.height, data),
            timestamp_us=time,
            rotation=frame.rotation if rotation is None else rotation,
            metadata=None if metadata is None else native_metadata(metadata),
        )

    @override
    def __repr__(self) -> str:
        return f"rtc.VideoSource(width={self._width}, height={self._height})"


def native_metadata(metadata: FrameMetadata) -> dict[str, Any]:
    """FrameMetadata, as fields."""
    return {
        "user_timestamp": metadata.user_timestamp,
        "frame_id": metadata.frame_id,
        "user_data": metadata.user_data,
    }
