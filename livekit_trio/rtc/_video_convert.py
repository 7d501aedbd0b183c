"""Converting video frames between the 11 pixel formats: a route for each of the 121 pairs.

The native library converts 22 of the pairs well, copies three formats (I420, I420A, I422), refuses others, and aborts the
process on the rest (ABGR to anything, I010 to RGBA, BGRA and I420, NV12 to itself), or returns a plane that lies elsewhere
(I444 to itself); measured with livekit-ffi 0.13.2, each pair in a process of its own. So it is asked for the 22 that `NATIVE`
lists and nothing else; what is left needs either no colour arithmetic, which NumPy does by moving bytes, or goes through a
format that the library knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import NativeRefusalError
from .._ffi._load import load_library
from .._ffi._messages import decode_response
from .._ffi._send import send_request
from ._enums import VideoBufferType as Type
from ._video_frame import VideoFrame, known_type
from ._video_layout import PACKED, buffer_info, frame_size, plane_layouts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[Any]

NATIVE: Final = frozenset(
    {
        *((source, Type.I420) for source in (Type.RGBA, Type.ARGB, Type.BGRA, Type.RGB24)),
        *((Type.I420, target) for target in PACKED),
        *((Type.I422, target) for target in (Type.RGBA, Type.ABGR, Type.ARGB)),
        *((source, target) for source in (Type.I444, Type.NV12) for target in (Type.RGBA, Type.BGRA)),
        *((source, Type.I420) for source in (Type.I420A, Type.I422, Type.I444, Type.NV12)),
        (Type.RGBA, Type.BGRA),
        (Type.BGRA, Type.RGBA),
    }
)
"""What the native library converts, and is asked for."""

CHANNELS: Final = {
    Type.RGBA: "RGBA",
    Type.ABGR: "ABGR",
    Type.ARGB: "ARGB",
    Type.BGRA: "BGRA",
    Type.RGB24: "RGB",
}
"""The order in memory."""

HAS_ALPHA: Final = PACKED - {Type.RGB24} | {Type.I420A}

OPAQUE: Final = 255


def _route(source: Type, target: Type) -> tuple[Type, ...]:
    """Return the formats on the way from *source* to *target*, the last one being *target*."""
    same_family = (source in PACKED) == (target in PACKED)
    if same_family or (source, target) in NATIVE:
        return (target,)
    if source in PACKED:
        if target in (Type.I444, Type.I422):  # not through I420, which would lose the colours' resolution
            return (target,)
        through = (Type.RGBA, Type.I420) if source is Type.ABGR else (Type.I420,)
        return (*through, *(() if target is Type.I420 else (target,)))
    return (Type.RGBA, target) if source in (Type.I422, Type.I444, Type.NV12) else (Type.I420, target)


ROUTES: Final = {(source, target): _route(source, target) for source in Type for target in Type}
"""For each pair the formats on the way. Of each hop `_hop` says who does it."""


def convert_frame(frame: VideoFrame, kind: Type, *, flip_y: bool) -> VideoFrame:
    """See `VideoFrame.convert`."""
    target = known_type(kind)
    result = _flipped(frame) if flip_y else frame
    if frame.type is target:
        return result if flip_y else frame.copy()
    for step in ROUTES[frame.type, target]:
        result = _hop(result, step)
    if (frame.type in PACKED) != (target in PACKED) and {frame.type, target} <= HAS_ALPHA:
        result = _with_alpha_of(_flipped(frame) if flip_y else frame, result)
    return result


def _hop(frame: VideoFrame, target: Type) -> VideoFrame:
    if (frame.type, target) in NATIVE:
        return _natively(frame, target)
    if target in PACKED:
        pixels = _permuted(frame, target)
    elif frame.type in PACKED:
        pixels = _joined(_fit_chroma(_yuv_of_rgb(frame), target, frame.width, frame.height), target)
    else:
        pixels = _joined(_fit_chroma(_planes_of(frame), target, frame.width, frame.height), target)
    return _replaced(frame, target, pixels)


def _replaced(frame: VideoFrame, target: Type, pixels: Any) -> VideoFrame:
    return frame._with_data(target, pixels)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - there for conversions


def _natively(frame: VideoFrame, target: Type) -> VideoFrame:
    library = load_library()
    data = frame.data
    info = buffer_info(frame.type, frame.width, frame.height, data)
    fields = {"flip_y": False, "buffer": info, "dst_type": int(target)}
    response = decode_response(send_request(library, "video_convert", fields))
    if response.error:
        raise NativeRefusalError("video_convert", response.error)
    size = frame_size(target, frame.width, frame.height)
    return _replaced(frame, target, library.buffer(response.buffer.handle.id, response.buffer.info.data_ptr, size))


# ---- moving bytes


def _flipped(frame: VideoFrame) -> VideoFrame:
    pixels = b"".join(
        np.ascontiguousarray(np.frombuffer(plane.data, np.uint8).reshape(plane.height, plane.stride)[::-1]).tobytes()
        for plane in frame.planes
    )
    return _replaced(frame, frame.type, bytearray(pixels))


def _permuted(frame: VideoFrame, target: Type) -> bytearray:
    """Between RGB formats: put each channel in its place."""
    order, wanted = CHANNELS[frame.type], CHANNELS[target]
    pixels = bytearray(frame_size(target, frame.width, frame.height))
    ours = np.frombuffer(frame.data, np.uint8).reshape(-1, len(order))
    theirs = np.frombuffer(pixels, np.uint8).reshape(-1, len(wanted))
    for place, channel in enumerate(wanted):
        theirs[:, place] = ours[:, order.index(channel)] if channel in order else OPAQUE
    return pixels


def _with_alpha_of(source: VideoFrame, frame: VideoFrame) -> VideoFrame:
    result = frame.copy()
    _alpha_of(result)[:] = _alpha_of(source)
    return result


def _alpha_of(frame: VideoFrame) -> Plane:
    if frame.type is Type.I420A:
        return frame.planes[3].to_ndarray()
    return frame.planes[0].to_ndarray()[:, :, CHANNELS[frame.type].index("A")]


def _planes_of(frame: VideoFrame) -> list[Plane]:
    """Y, U and V, and alpha if there is any; 8 bits a sample, or 10 of I010."""
    planes: list[Plane] = [plane.to_ndarray() for plane in frame.planes]
    if frame.type is Type.NV12:
        return [planes[0], planes[1][:, :, 0], planes[1][:, :, 1]]
    if frame.type is Type.I010:
        return [np.minimum(plane >> 2, 255).astype(np.uint8) for plane in planes]
    return planes


def _joined(planes: list[Plane], target: Type) -> bytearray:
    """Lay planes out as *target* has them; their chroma has its size already."""
    if target is Type.NV12:
        planes = [planes[0], np.stack(planes[1:3], axis=-1)]
    elif target is Type.I010:
        planes = [plane.astype(np.uint16) << 2 for plane in planes[:3]]
    elif target is Type.I420A:
        planes = [*planes[:3], planes[3] if len(planes) > 3 else np.full_like(planes[0], OPAQUE)]
    else:
        planes = planes[:3]
    return bytearray().join(np.ascontiguousarray(plane).data for plane in planes)


def _fit_chroma(planes: list[Plane], target: Type, width: int, height: int) -> list[Plane]:
    """Give U and V the size that *target* has them in: by repeating samples, or by their mean."""
    layout = plane_layouts(target, width, height)[1]
    return [planes[0], *(_fit(plane, layout.width, layout.height) for plane in planes[1:3]), *planes[3:]]


def _fit(plane: Plane, width: int, height: int) -> Plane:
    for axis, size in ((1, width), (0, height)):
        if plane.shape[axis] > size:
            plane = _halve(plane, axis)
        elif plane.shape[axis] < size:
            plane = np.repeat(plane, 2, axis).take(range(size), axis)
    return plane


def _halve(plane: Plane, axis: int) -> Plane:
    """The mean of each two neighbours; the last of an odd number stays alone."""
    if plane.shape[axis] % 2:
        plane = np.concatenate([plane, plane.take([-1], axis)], axis)
    first, second = (plane.take(range(start, plane.shape[axis], 2), axis).astype(np.uint16) for start in (0, 1))
    return ((first + second + 1) >> 1).astype(np.uint8)


# ---- colours


def _yuv_of_rgb(frame: VideoFrame) -> list[Plane]:
    """Y, U and V in full resolution: BT.601, limited range, in the 8-bit integers of libyuv."""
    pixels = frame.planes[0].to_ndarray()
    order = CHANNELS[frame.type]
    red, green, blue = (pixels[:, :, order.index(channel)].astype(np.int32) for channel in "RGB")
    luma = (66 * red + 129 * green + 25 * blue + 0x1080) >> 8
    u = (112 * blue - 74 * green - 38 * red + 0x8080) >> 8
    v = (112 * red - 94 * green - 18 * blue + 0x8080) >> 8
    return [plane.astype(np.uint8) for plane in (luma, u, v)]
