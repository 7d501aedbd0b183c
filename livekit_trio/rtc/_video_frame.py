"""VideoFrame: one picture, in one of 11 pixel formats."""
# ruff: noqa: SLF001 - class methods that fill a frame which they have made

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any, Self, final

import attrs
from typing_extensions import override

from ._audio_frame import contiguous_bytes
from ._enums import VideoBufferType, VideoRotation
from ._video_layout import MAX_SIDE, PLANES, frame_size, plane_layouts

if TYPE_CHECKING:
    import av
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from typing_extensions import Buffer

    from .._ffi._abc import NativeBuffer
    from ._video_layout import PlaneLayout


@attrs.frozen(kw_only=True)
class FrameMetadata:
    """What a sender says about one video frame; it arrives if the track was published with the matching features.

    Attributes:
        user_timestamp: a time of the sender's, in whatever unit it chose; None: not said.
        frame_id: the frame's number; None: not said.
        user_data: bytes of the application; None: none. Beside the other two 232 of them arrive; the native library drops more
            without a word (measured with livekit-ffi 0.13.2).

    Raises:
        TypeError: a field is of another type.
        ValueError: a number is negative or too large.
    """

    user_timestamp: int | None = None
    frame_id: int | None = None
    user_data: bytes | None = None

    def __attrs_post_init__(self) -> None:
        for name, value, bits in (("user_timestamp", self.user_timestamp, 64), ("frame_id", self.frame_id, 32)):
            if value is not None and not 0 <= index(value) < 2**bits:
                raise ValueError(f"{name} must be an unsigned number of {bits} bits, not {value}")
        if self.user_data is not None and not isinstance(self.user_data, bytes):  # pyright: ignore[reportUnnecessaryIsInstance] - for callers without types
            raise TypeError(f"user_data must be bytes, not {type(self.user_data).__name__}")


@final
class VideoPlane:
    """One plane of a frame: all of its pixels, or only their luma, chroma or alpha."""

    __slots__ = ("_data", "_layout")

    def __init__(self, data: memoryview[int], layout: PlaneLayout) -> None:
        self._data = data
        self._layout = layout

    @property
    def data(self) -> memoryview[int]:
        """The bytes, row after row; it keeps the frame's memory alive."""
        return self._data

    @property
    def stride(self) -> int:
        """Bytes from one row to the next."""
        return self._layout.stride

    @property
    def width(self) -> int:
        """How many samples, or groups of samples side by side, a row has."""
        return self._layout.width

    @property
    def height(self) -> int:
        """How many rows there are."""
        return self._layout.height

    def to_ndarray(self) -> NDArray[np.uint8 | np.uint16]:
        """Return the plane as an array that shares its memory.

        Returns:
            Of shape (height, width), or (height, width, channels) if several samples lie side by side.
        """
        import numpy as np

        layout = self._layout
        samples = np.frombuffer(self._data, np.uint8 if layout.sample_size == 1 else np.uint16)
        shape = (layout.height, layout.width, layout.channels)
        return samples.reshape(shape if layout.channels > 1 else shape[:2])

    @override
    def __repr__(self) -> str:
        return f"rtc.VideoPlane(width={self.width}, height={self.height}, stride={self.stride})"


@final
class VideoFrame:
    """One picture.

    A received frame is a read-only view of native memory, which is freed when the last view of it has died. Frames belong
    to no event loop and can be used from any thread. Planes lie one after the other without gaps, and so do their rows.

    Args:
        width: in pixels.
        height: in pixels.
        type: how the pixels lie in memory.
        data: the pixels; shared, not copied. Exactly as long as the format wants it.
        timestamp_us: when it was made, in microseconds of the clock that the sender uses for all of its tracks; 0: now.
            Of a received frame: by the receiver's clock.
        rotation: how it has to be turned to be seen upright.
        metadata: see `FrameMetadata`.

    Raises:
        TypeError: *data* is no buffer, or a number is no int.
        ValueError: a side is below 1 or above 16 384, the type is unknown, or *data* has another length or is not contiguous.
    """

    __slots__ = (
        "_data",
        "_dropped_before",
        "_height",
        "_metadata",
        "_received_at",
        "_rotation",
        "_timestamp_us",
        "_type",
        "_width",
    )

    def __init__(
        self,
        width: int,
        height: int,
        type: VideoBufferType,  # noqa: A002 - the name that it has for its callers
        data: Buffer,
        *,
        timestamp_us: int = 0,
        rotation: VideoRotation = VideoRotation.VIDEO_ROTATION_0,
        metadata: FrameMetadata | None = None,
    ) -> None:
        self._type = known_type(type)
        self._width = _side("width", width)
        self._height = _side("height", height)
        view = contiguous_bytes(data)
        wanted = frame_size(self._type, self._width, self._height)
        if len(view) != wanted:
            raise ValueError(
                f"{self._width}x{self._height} pixels of {self._type.name} are {wanted} bytes, not {len(view)}"
            )
        self._data = view
        self._timestamp_us = _timestamp(timestamp_us)
        self._rotation = _rotation(rotation)
        self._metadata = _metadata(metadata)
        self._received_at: float | None = None
        self._dropped_before = 0

    @classmethod
    def _from_native(
        cls,
        buffer: NativeBuffer,
        width: int,
        height: int,
        type: VideoBufferType,  # noqa: A002 - as in __init__
        *,
        timestamp_us: int = 0,
        rotation: VideoRotation = VideoRotation.VIDEO_ROTATION_0,
        metadata: FrameMetadata | None = None,
        received_at: float | None = None,
        dropped_before: int = 0,
    ) -> Self:
        """Make a frame of native memory, whose length is taken on trust (`frame_size`); made for every frame that arrives."""
        frame = cls.__new__(cls)
        frame._data = memoryview(buffer)
        frame._width = width
        frame._height = height
        frame._type = type
        frame._timestamp_us = timestamp_us
        frame._rotation = rotation
        frame._metadata = metadata
        frame._received_at = received_at
        frame._dropped_before = dropped_before
        return frame

    @classmethod
    def create(cls, width: int, height: int, type: VideoBufferType) -> Self:  # noqa: A002 - as in __init__
        """Make a writable frame of zeros, which is black and transparent in RGB formats, and dark green in the others.

        Raises:
            TypeError, ValueError: as for the class.
        """
        size = frame_size(known_type(type), _side("width", width), _side("height", height))
        return cls(width, height, type, bytearray(size))

    @classmethod
    def from_ndarray(
        cls,
        array: NDArray[np.uint8 | np.uint16],
        type: VideoBufferType | None = None,  # noqa: A002 - as in __init__
    ) -> VideoFrame:
        """Make a frame of a NumPy array, whose memory it shares if that is contiguous.

        Args:
            array: of a shape that `to_ndarray` returns; uint16 for I010, uint8 for all others.
            type: None: RGBA for an array of shape (height, width, 4), RGB24 for (height, width, 3).

        Raises:
            TypeError: the array holds other numbers.
            ValueError: its shape does not fit.
        """
        from ._video_arrays import frame_from_array

        return frame_from_array(array, type)

    @classmethod
    def from_image(cls, image: Image.Image) -> Self:
        """Make an RGBA frame of a Pillow image, of whatever mode.

        Raises:
            ModuleNotFoundError: Pillow is not installed (extra ``media``).
            ValueError: the image is empty or larger than 16 384 pixels on a side.
        """
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")
        return cls(rgba.width, rgba.height, VideoBufferType.RGBA, rgba.tobytes())

    @classmethod
    def from_av(cls, frame: av.VideoFrame) -> VideoFrame:
        """Make a frame of a PyAV frame: of the same pixel format if it is one of ours, else I420.

        The time comes along in `timestamp_us`, the pixels are copied.

        Raises:
            ModuleNotFoundError: PyAV is not installed (extra ``media``).
            ValueError: the frame is empty or larger than 16 384 pixels on a side.
        """
        from ._video_arrays import frame_from_av

        return frame_from_av(frame)

    @property
    def width(self) -> int:
        """In pixels."""
        return self._width

    @property
    def height(self) -> int:
        """In pixels."""
        return self._height

    @property
    def type(self) -> VideoBufferType:
        """How the pixels lie in memory."""
        return self._type

    @property
    def data(self) -> memoryview[int]:
        """All planes, one after the other; read-only if the frame was received.

        Raises:
            ValueError: the frame was closed.
        """
        try:
            return self._data
        except AttributeError:
            raise ValueError("this frame was closed") from None

    @property
    def planes(self) -> tuple[VideoPlane, ...]:
        """The planes one by one, as views of `data`: one for RGB formats, up to four for the others.

        Raises:
            ValueError: the frame was closed.
        """
        data = self.data
        layouts = plane_layouts(self._type, self._width, self._height)
        return tuple(VideoPlane(data[layout.offset : layout.offset + layout.size], layout) for layout in layouts)

    @property
    def timestamp_us(self) -> int:
        """When it was made, in microseconds; of a received frame by the receiver's clock."""
        return self._timestamp_us

    @property
    def rotation(self) -> VideoRotation:
        """How it has to be turned to be seen upright; on the wire it is turned, so that received frames have rotation 0."""
        return self._rotation

    @property
    def metadata(self) -> FrameMetadata | None:
        """What the sender says about it, if anything."""
        return self._metadata

    @property
    def received_at(self) -> float | None:
        """When it arrived, in seconds of `time.monotonic()`; None for a frame that was not received."""
        return self._received_at

    @property
    def dropped_before(self) -> int:
        """How many frames between the one before and this one were dropped because the reader was too slow."""
        return self._dropped_before

    def to_ndarray(self) -> NDArray[np.uint8 | np.uint16]:
        """Return the pixels as one array that shares the frame's memory.

        Returns:
            For RGB formats of shape (height, width, channels); for I444 (3, height, width); for formats with smaller planes,
            as OpenCV and PyAV have it, (rows, width) with the rows of all planes: 1.5 × height for I420, I010 and NV12,
            2.5 × height for I420A, 2 × height for I422. It is uint16 for I010, uint8 for all others, and read-only if `data`
            is. It keeps the memory alive.

        Raises:
            ValueError: the frame was closed, or it has smaller planes and an odd size: see `planes`.
        """
        from ._video_arrays import array_of_frame

        return array_of_frame(self)

    def to_image(self) -> Image.Image:
        """Return the picture as a Pillow image of mode RGBA, or RGB where there is no alpha; it is not rotated.

        Raises:
            ModuleNotFoundError: Pillow is not installed (extra ``media``).
            ValueError: the frame was closed.
        """
        from ._video_arrays import image_of_frame

        return image_of_frame(self)

    def to_av(self) -> av.VideoFrame:
        """Return the picture as a PyAV frame of the same pixel format, with memory of its own.

        Raises:
            ModuleNotFoundError: PyAV is not installed (extra ``media``).
            ValueError: the frame was closed.
        """
        from ._video_arrays import av_of_frame

        return av_of_frame(self)

    def convert(self, type: VideoBufferType, *, flip_y: bool = False) -> VideoFrame:  # noqa: A002 - as in __init__
        """Return the picture in another pixel format, with memory of its own. Takes milliseconds for large frames.

        All pairs of formats work. Colours follow BT.601 with limited range, as the codecs have it. Alpha is kept where both
        formats have it, and opaque where only the new one does. Time, rotation and metadata come along.

        Args:
            type: the format wanted; the frame's own makes a copy.
            flip_y: turn it upside down.

        Raises:
            ValueError: the type is unknown, or the frame was closed.
            NativeRefusalError: the native library refused it.
        """
        from ._video_convert import convert_frame

        return convert_frame(self, type, flip_y=flip_y)

    def copy(self) -> Self:
        """Return a writable frame with memory of its own.

        Raises:
            ValueError: the frame was closed.
        """
        return self._with_data(self._type, bytearray(self.data))

    def close(self) -> None:
        """Let go of the memory now instead of with the last reference to the frame; idempotent.

        Views and arrays that were taken from the frame before stay valid and keep the memory alive.
        """
        if hasattr(self, "_data"):
            del self._data

    def _with_data(self, type: VideoBufferType, data: Buffer) -> Self:  # noqa: A002 - as in __init__
        """Return this frame with other pixels of the same size."""
        frame = self.__class__(self._width, self._height, type, data)
        frame._timestamp_us = self._timestamp_us
        frame._rotation = self._rotation
        frame._metadata = self._metadata
        frame._received_at = self._received_at
        frame._dropped_before = self._dropped_before
        return frame

    def _repr_png_(self) -> bytes | None:
        """The picture in a notebook; None, and so the repr, where Pillow is missing or the frame was closed."""
        from ._video_arrays import png_of_frame

        return png_of_frame(self) if hasattr(self, "_data") else None

    @override
    def __repr__(self) -> str:
        return f"rtc.VideoFrame(width={self._width}, height={self._height}, type={self._type.name})"


def known_type(value: VideoBufferType) -> VideoBufferType:
    """Return *value* as one of the 11 types.

    Raises:
        ValueError: it is none of them.
    """
    found = VideoBufferType(index(value))
    if found not in PLANES:
        raise ValueError(f"{value!r} is no pixel format")
    return found


def _side(name: str, value: int) -> int:
    number = index(value)
    if not 0 < number <= MAX_SIDE:
        raise ValueError(f"{name} must be from 1 to {MAX_SIDE} pixels, not {number}")
    return number


def _timestamp(value: int) -> int:
    number = index(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"timestamp_us must fit into 64 bits, not {number}")
    return number


def _rotation(value: VideoRotation) -> VideoRotation:
    found = VideoRotation(index(value))
    if not found.is_known:
        raise ValueError(f"{value!r} is no rotation")
    return found


def _metadata(value: Any) -> FrameMetadata | None:
    if value is not None and not isinstance(value, FrameMetadata):
        raise TypeError(f"metadata must be FrameMetadata, not {type(value).__name__}")
    return value
