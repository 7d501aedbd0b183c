"""How the pixels of the 11 video formats lie in memory: plane after plane, without gaps.

Sizes may be odd; a chroma plane of half the size then has (size + 1) // 2. Source: livekit-ffi video_frame.proto and
`get_plane` of the official SDK.
"""

from __future__ import annotations

import functools
from typing import Any, Final, NamedTuple

from ._enums import VideoBufferType as Type

MAX_SIDE: Final = 16_384
"""Of a frame, in pixels: far beyond what any codec takes, and no product of two of them overflows natively."""


class PlaneKind(NamedTuple):
    """One plane of a format.

    Attributes:
        across, down: how many pixels share one sample, in each direction.
        channels: samples side by side.
        sample_size: bytes of one sample.
    """

    across: int
    down: int
    channels: int
    sample_size: int


class PlaneLayout(NamedTuple):
    """Where one plane of a frame lies.

    Attributes:
        offset: bytes before it.
        stride: bytes of a row.
        width, height: in samples, or in groups of *channels* samples.
    """

    offset: int
    stride: int
    width: int
    height: int
    channels: int
    sample_size: int

    @property
    def size(self) -> int:
        return self.stride * self.height


_FULL: Final = PlaneKind(1, 1, 1, 1)
_HALF: Final = PlaneKind(2, 1, 1, 1)
_QUARTER: Final = PlaneKind(2, 2, 1, 1)
_FOUR_BYTES: Final = (PlaneKind(1, 1, 4, 1),)

PLANES: Final[dict[Type, tuple[PlaneKind, ...]]] = {
    Type.RGBA: _FOUR_BYTES,
    Type.ABGR: _FOUR_BYTES,
    Type.ARGB: _FOUR_BYTES,
    Type.BGRA: _FOUR_BYTES,
    Type.RGB24: (PlaneKind(1, 1, 3, 1),),
    Type.I420: (_FULL, _QUARTER, _QUARTER),
    Type.I420A: (_FULL, _QUARTER, _QUARTER, _FULL),
    Type.I422: (_FULL, _HALF, _HALF),
    Type.I444: (_FULL, _FULL, _FULL),
    Type.I010: (PlaneKind(1, 1, 1, 2), PlaneKind(2, 2, 1, 2), PlaneKind(2, 2, 1, 2)),
    Type.NV12: (_FULL, PlaneKind(2, 2, 2, 1)),
}

PACKED: Final = frozenset({Type.RGBA, Type.ABGR, Type.ARGB, Type.BGRA, Type.RGB24})
"""One plane, with all channels of a pixel side by side."""


@functools.lru_cache(maxsize=256)
def plane_layouts(kind: Type, width: int, height: int) -> tuple[PlaneLayout, ...]:
    """Where the planes of a frame of that size lie."""
    layouts: list[PlaneLayout] = []
    offset = 0
    for across, down, channels, sample_size in PLANES[kind]:
        columns, rows = -(-width // across), -(-height // down)
        layouts.append(PlaneLayout(offset, columns * channels * sample_size, columns, rows, channels, sample_size))
        offset += layouts[-1].size
    return tuple(layouts)


@functools.lru_cache(maxsize=256)
def frame_size(kind: Type, width: int, height: int) -> int:
    """How many bytes a frame of that size has."""
    return sum(layout.size for layout in plane_layouts(kind, width, height))


def address_of_buffer(data: memoryview[int]) -> int:
    """Where a buffer lies; valid for as long as the caller holds *data*. Read-only buffers too, unlike with ctypes."""
    import numpy as np

    return np.frombuffer(data, np.uint8).ctypes.data


def buffer_info(kind: Type, width: int, height: int, data: memoryview[int]) -> dict[str, Any]:
    """The fields of a native VideoBufferInfo for pixels at *data*; the caller holds *data* until the request has returned."""
    address = address_of_buffer(data)
    layouts = plane_layouts(kind, width, height)
    planes = [{"data_ptr": address + layout.offset, "stride": layout.stride, "size": layout.size} for layout in layouts]
    packed = kind in PACKED
    return {
        "type": int(kind),
        "width": width,
        "height": height,
        "data_ptr": address,
        "stride": layouts[0].stride if packed else 0,
        "components": [] if packed else planes,
    }
