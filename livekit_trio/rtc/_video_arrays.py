"""Video frames as NumPy arrays, Pillow images and PyAV frames.

PyAV and Pillow come with the extra ``media``; whoever has none of their objects needs neither.
"""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ._enums import VideoBufferType as Type
from ._video_frame import VideoFrame, known_type
from ._video_layout import PACKED, PLANES, frame_size, plane_layouts

if TYPE_CHECKING:
    import av
    from numpy.typing import NDArray
    from PIL import Image


ROWS: Final = {Type.I420: (3, 2), Type.I420A: (5, 2), Type.I422: (2, 1), Type.I010: (3, 2), Type.NV12: (3, 2)}
"""Rows of all planes laid out in the frame's width, as a fraction of its height."""

AV_NAMES: Final = {
    Type.RGBA: "rgba",
    Type.ABGR: "abgr",
    Type.ARGB: "argb",
    Type.BGRA: "bgra",
    Type.RGB24: "rgb24",
    Type.I420: "yuv420p",
    Type.I420A: "yuva420p",
    Type.I422: "yuv422p",
    Type.I444: "yuv444p",
    Type.I010: "yuv420p10le",
    Type.NV12: "nv12",
}

_BY_AV_NAME: Final = {name: kind for kind, name in AV_NAMES.items()}

MICROSECOND: Final = Fraction(1, 1_000_000)


def array_of_frame(frame: VideoFrame) -> NDArray[Any]:
    """See `VideoFrame.to_ndarray`."""
    kind, width, height = frame.type, frame.width, frame.height
    samples = np.frombuffer(frame.data, np.uint16 if kind is Type.I010 else np.uint8)
    if kind in PACKED:
        return samples.reshape(height, width, PLANES[kind][0].channels)
    if kind is Type.I444:
        return samples.reshape(3, height, width)
    if width % 2 or (height % 2 and kind is not Type.I422):
        raise ValueError(f"{width}x{height} pixels of {kind.name} are no rectangle; see `planes`")
    return samples.reshape(-1, width)


def frame_from_array(array: NDArray[Any], kind: Type | None) -> VideoFrame:
    """See `VideoFrame.from_ndarray`."""
    kind = _guess(array.shape) if kind is None else known_type(kind)
    wanted = np.uint16 if kind is Type.I010 else np.uint8
    if array.dtype != wanted:
        raise TypeError(f"an array of {np.dtype(wanted)} is needed for {kind.name}, not of {array.dtype}")
    width, height = _size(kind, array.shape)
    return VideoFrame(width, height, kind, np.ascontiguousarray(array).data if array.size else b"")


def _guess(shape: tuple[int, ...]) -> Type:
    match shape:
        case (_, _, 4):
            return Type.RGBA
        case (_, _, 3):
            return Type.RGB24
        case _:
            raise ValueError(f"an array of shape {shape} needs a type; only (height, width, 3 or 4) is known without")


def _size(kind: Type, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return width and height of the frame that an array of that shape holds."""
    match shape:
        case (height, width, channels) if kind in PACKED and channels == PLANES[kind][0].channels:
            return width, height
        case (3, height, width) if kind is Type.I444:
            return width, height
        case (rows, width) if kind in ROWS:
            numerator, denominator = ROWS[kind]
            height, rest = divmod(rows * denominator, numerator)
            if not rest and not width % 2 and not (height % 2 and denominator == 2):
                return width, height
        case _:
            pass
    raise ValueError(f"an array of shape {shape} is no frame of {kind.name}")


def frame_from_av(picture: av.VideoFrame) -> VideoFrame:
    """See `VideoFrame.from_av`."""
    if picture.format.name not in _BY_AV_NAME:
        picture = picture.reformat(format="yuv420p")
    kind = _BY_AV_NAME[picture.format.name]
    width, height = picture.width, picture.height
    pixels = bytearray(frame_size(kind, width, height))
    for layout, plane in zip(plane_layouts(kind, width, height), picture.planes, strict=True):
        rows = np.frombuffer(pixels, np.uint8)[layout.offset : layout.offset + layout.size]
        rows.reshape(layout.height, layout.stride)[:] = _rows_of(plane, layout.height, layout.stride)
    microseconds = 0 if picture.pts is None else round(picture.pts * (picture.time_base or 0) / MICROSECOND)
    return VideoFrame(width, height, kind, pixels, timestamp_us=microseconds)


def av_of_frame(frame: VideoFrame) -> av.VideoFrame:
    """See `VideoFrame.to_av`."""
    import av

    picture = av.VideoFrame(frame.width, frame.height, AV_NAMES[frame.type])
    layouts = plane_layouts(frame.type, frame.width, frame.height)
    for layout, ours, theirs in zip(layouts, frame.planes, picture.planes, strict=True):
        rows = np.frombuffer(ours.data, np.uint8).reshape(layout.height, layout.stride)
        _rows_of(theirs, layout.height, layout.stride)[:] = rows
    picture.pts = frame.timestamp_us
    picture.time_base = MICROSECOND
    return picture


def _rows_of(plane: Any, height: int, stride: int) -> NDArray[np.uint8]:
    """Return the bytes of a PyAV plane without what pads its rows."""
    return np.frombuffer(plane, np.uint8)[: height * plane.line_size].reshape(height, plane.line_size)[:, :stride]


def image_of_frame(frame: VideoFrame) -> Image.Image:
    """See `VideoFrame.to_image`."""
    from PIL import Image

    has_alpha = frame.type in (PACKED - {Type.RGB24}) | {Type.I420A}
    wanted = Type.RGBA if has_alpha else Type.RGB24
    converted = frame if frame.type is wanted else frame.convert(wanted)
    return Image.frombytes("RGBA" if has_alpha else "RGB", (frame.width, frame.height), bytes(converted.data))


def png_of_frame(frame: VideoFrame) -> bytes | None:
    """The picture as a PNG file; None without Pillow."""
    try:
        image = image_of_frame(frame)
    except ModuleNotFoundError:
        return None
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
