"""All 121 pairs of pixel formats, compared with colours that this file computes by itself (BT.601, limited range)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

from livekit_trio.rtc import FrameMetadata, VideoBufferType as Type, VideoFrame, VideoRotation, _video_convert
from livekit_trio.rtc._video_convert import HAS_ALPHA, NATIVE, ROUTES
from livekit_trio.rtc._video_layout import PACKED

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAIRS: Final = [pytest.param(source, target, id=f"{source.name}-{target.name}") for source in Type for target in Type]

CORNERS: Final = ((200, 40, 60, 255), (40, 180, 90, 128), (60, 70, 220, 7), (128, 128, 128, 0))
"""Red, green, blue, alpha of the four quarters."""

TOLERANCE: Final = 4
"""Of a colour, after up to two roundings on either side."""


def picture(width: int, height: int, *, upside_down: bool = False) -> NDArray[np.float64]:
    """Quarters of one colour each, whose borders lie between chroma samples; (height, width, 4)."""
    pixels = np.zeros((height, width, 4))
    half_width, half_height = (width // 4 * 2 or width), (height // 4 * 2 or height)
    for index, colour in enumerate(CORNERS):
        rows = slice(half_height, None) if index // 2 else slice(0, half_height)
        columns = slice(half_width, None) if index % 2 else slice(0, half_width)
        pixels[rows, columns] = colour
    return pixels[::-1] if upside_down else pixels


def encode(pixels: NDArray[np.float64], kind: Type) -> VideoFrame:
    """A frame of these colours."""
    height, width, _ = pixels.shape
    if kind in PACKED:
        order = ["RGBA".index(channel) for channel in ("RGB" if kind is Type.RGB24 else kind.name)]
        return VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:, :, order].round().astype(np.uint8)), kind)
    red, green, blue, alpha = (pixels[:, :, channel] / 255 for channel in range(4))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    planes = [16 + 219 * luma, 128 + 224 * (blue - luma) / 1.772, 128 + 224 * (red - luma) / 1.402, 255 * alpha]
    frame = VideoFrame.create(width, height, kind)
    for number, plane in enumerate(frame.planes):
        array: Any = plane.to_ndarray()
        values = [planes[1], planes[2]] if kind is Type.NV12 and number else [planes[number]]
        scale = 4 if kind is Type.I010 else 1
        across, down = -(-width // plane.width), -(-height // plane.height)
        shrunk = [(value[::down, ::across] * scale).round() for value in values]
        array[:] = np.stack(shrunk, axis=-1) if len(shrunk) == 2 else shrunk[0]
    return frame


def decode(frame: VideoFrame) -> NDArray[np.float64]:
    """The colours of a frame, as `picture` has them; opaque without alpha."""
    shape = (frame.height, frame.width)
    arrays: list[Any] = [plane.to_ndarray().astype(float) for plane in frame.planes]
    if frame.type in PACKED:
        order = "RGB" if frame.type is Type.RGB24 else frame.type.name
        opaque = np.full(shape, 255.0)
        channels = [arrays[0][:, :, order.index(name)] if name in order else opaque for name in "RGBA"]
        return np.stack(channels, axis=-1)
    if frame.type is Type.NV12:
        arrays = [arrays[0], arrays[1][:, :, 0], arrays[1][:, :, 1]]
    if frame.type is Type.I010:
        arrays = [array / 4 for array in arrays]
    full = [array.repeat(2, 0) if array.shape[0] < shape[0] else array for array in arrays]
    full = [array.repeat(2, 1) if array.shape[1] < shape[1] else array for array in full]
    y, u, v, *alpha = (array[: shape[0], : shape[1]] for array in full)
    luma, blue_less, red_less = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    red, blue = luma + 1.402 * red_less, luma + 1.772 * blue_less
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    colours = [255 * channel for channel in (red, green, blue)]
    return np.stack([*colours, alpha[0] if alpha else np.full(shape, 255.0)], axis=-1)


def test_the_reference_agrees_with_itself() -> None:
    for kind in Type:
        pixels = picture(16, 8)
        if kind not in HAS_ALPHA:
            pixels[:, :, 3] = 255
        assert np.abs(decode(encode(pixels, kind)) - pixels).max() < 2, kind


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize("upside_down", [False, True], ids=["upright", "upside down"])
def test_each_pair_gives_the_colours_again(source: Type, target: Type, upside_down: bool) -> None:
    frame = encode(picture(32, 16), source)
    before = bytes(frame.data)
    converted = frame.convert(target, flip_y=upside_down)
    expected = picture(32, 16, upside_down=upside_down)
    if not {source, target} <= HAS_ALPHA:
        expected[:, :, 3] = 255
    assert (converted.width, converted.height, converted.type) == (32, 16, target)
    assert np.abs(decode(converted) - expected).max() <= TOLERANCE
    assert bytes(frame.data) == before


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 1), (1, 2), (3, 3), (17, 9), (18, 9), (17, 10), (639, 359)])
@pytest.mark.parametrize("source", Type)
def test_sizes_may_be_odd(source: Type, width: int, height: int) -> None:
    colours = np.tile(np.array(CORNERS[0], dtype=float), (height, width, 1))
    frame = encode(colours, source)
    for target in Type:
        converted = frame.convert(target, flip_y=True)
        assert np.abs(decode(converted) - colours).max() <= TOLERANCE, target


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_detail_survives_as_far_as_the_formats_have_it(source: Type, target: Type) -> None:
    """A grey ramp changes in every pixel: luma must not be mixed or moved anywhere."""
    ramp = np.linspace(10, 240, 32 * 16).reshape(16, 32)
    pixels = np.stack([ramp, ramp, ramp, np.full_like(ramp, 255)], axis=-1)
    converted = encode(pixels, source).convert(target)
    assert np.abs(decode(converted) - pixels).max() <= TOLERANCE


@pytest.mark.parametrize(
    ("source", "target"), [(Type.RGB24, Type.I444), (Type.ABGR, Type.I444), (Type.I444, Type.ARGB)]
)
def test_full_colour_resolution_is_kept_where_both_have_it(source: Type, target: Type) -> None:
    pixels = np.array(CORNERS, dtype=float)[np.arange(64).reshape(8, 8) % 4]
    pixels[:, :, 3] = 255
    assert np.abs(decode(encode(pixels, source).convert(target)) - pixels).max() <= TOLERANCE


def test_what_comes_along() -> None:
    metadata = FrameMetadata(user_timestamp=5, frame_id=6, user_data=b"x")
    data = bytes(16 * 8 * 4)
    frame = VideoFrame(
        16, 8, Type.RGBA, data, timestamp_us=7, rotation=VideoRotation.VIDEO_ROTATION_90, metadata=metadata
    )
    for target in Type:
        converted = frame.convert(target)
        assert (converted.timestamp_us, converted.rotation, converted.metadata) == (7, frame.rotation, metadata)


def test_the_same_format_is_a_copy() -> None:
    for kind in Type:
        frame = VideoFrame.create(16, 8, kind)
        copied = frame.convert(kind)
        copied.data[0] = 1
        assert frame.data[0] == 0


def test_the_native_library_is_asked_only_for_what_it_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[tuple[Type, Type]] = set()
    natively = _video_convert._natively

    def record(frame: VideoFrame, target: Type) -> VideoFrame:
        asked.add((frame.type, target))
        return natively(frame, target)

    monkeypatch.setattr(_video_convert, "_natively", record)
    for source, target in ROUTES:
        VideoFrame.create(16, 8, source).convert(target)
    assert asked == NATIVE
    aborting = {*((Type.ABGR, target) for target in Type), (Type.NV12, Type.NV12)}
    aborting |= {(Type.I010, target) for target in (Type.RGBA, Type.BGRA, Type.I420)}
    assert asked & aborting == set()


def test_a_converted_frame_outlives_its_source() -> None:
    frame = encode(picture(32, 16), Type.I420)
    converted = frame.convert(Type.RGBA)
    frame.close()
    view = converted.data
    converted.close()
    del converted
    assert np.frombuffer(view, np.uint8)[3] == 255


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="no pixel format"):
        VideoFrame.create(16, 8, Type.RGBA).convert(Type(11))
