"""Frames: what fits is taken, what does not is refused, and views outlive what they were taken from."""

from __future__ import annotations

import gc
import io
import threading
import wave
import weakref
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from PIL import Image

from livekit_trio import rtc
from livekit_trio.rtc import AudioFrame, FrameMetadata, VideoBufferType as Type, VideoFrame, VideoRotation
from livekit_trio.rtc._video_layout import address_of_buffer, buffer_info, frame_size
from livekit_trio.testing import colour_bars

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = {
    Type.RGBA: 5 * 3 * 4,
    Type.ABGR: 5 * 3 * 4,
    Type.ARGB: 5 * 3 * 4,
    Type.BGRA: 5 * 3 * 4,
    Type.RGB24: 5 * 3 * 3,
    Type.I420: 15 + 2 * 3 * 2,
    Type.I420A: 30 + 2 * 3 * 2,
    Type.I422: 15 + 2 * 3 * 3,
    Type.I444: 45,
    Type.I010: 2 * (15 + 2 * 3 * 2),
    Type.NV12: 15 + 2 * 3 * 2,
}
"""Bytes of 5×3 pixels."""


class Memory(bytearray):
    """Native memory, as far as a frame can tell: it can be seen to die."""


# ---- audio


def test_audio_has_its_facts() -> None:
    frame = AudioFrame(bytes(range(16)), 48_000, 2, 4)
    assert (frame.sample_rate, frame.num_channels, frame.samples_per_channel) == (48_000, 2, 4)
    assert frame.duration == 4 / 48_000
    assert (frame.received_at, frame.dropped_before) == (None, 0)
    assert (frame.data.format, frame.data.nbytes, frame.data.readonly) == ("h", 16, True)
    assert frame.data.tobytes() == bytes(range(16))
    assert "sample_rate=48000, num_channels=2, samples_per_channel=4" in repr(frame)


def test_audio_shares_memory_with_its_buffer_and_its_array() -> None:
    buffer = bytearray(960)
    frame = AudioFrame(buffer, 48_000, 1, 480)
    frame.to_ndarray()[3, 0] = 258
    assert buffer[6:8] == b"\2\1"
    assert frame.data[3] == 258
    array = np.zeros((480, 2), np.int16)
    AudioFrame.from_ndarray(array, 48_000).data[1] = 7
    assert array[0, 1] == 7


@pytest.mark.parametrize(("shape", "channels"), [((480,), 1), ((480, 1), 1), ((480, 2), 2), ((160, 6), 6)])
def test_audio_and_arrays(shape: tuple[int, ...], channels: int) -> None:
    array = np.random.default_rng(1).integers(-32768, 32767, shape, np.int16)
    frame = AudioFrame.from_ndarray(array, 16_000)
    assert (frame.num_channels, frame.samples_per_channel) == (channels, shape[0])
    assert (frame.to_ndarray() == array.reshape(shape[0], channels)).all()
    swapped = AudioFrame.from_ndarray(np.asfortranarray(array), 16_000)
    assert swapped.data == frame.data


def test_a_copy_is_writable_and_apart() -> None:
    frame = AudioFrame(bytes(960), 48_000, 1, 480, userdata={"who": "bob"})
    copied = frame.copy()
    copied.data[0] = 1
    copied.userdata["who"] = "alice"
    assert (frame.data[0], frame.userdata) == (0, {"who": "bob"})


def test_wav() -> None:
    frame = AudioFrame.from_ndarray(np.arange(960, dtype=np.int16).reshape(480, 2), 44_100)
    with wave.open(io.BytesIO(frame.to_wav_bytes())) as file:
        facts = (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes())
        assert facts == (44_100, 2, 2, 480)
        assert file.readframes(480) == frame.data.tobytes()


def test_frames_are_combined() -> None:
    frames = [AudioFrame.from_ndarray(np.full((n, 2), n, np.int16), 16_000) for n in (1, 2, 3)]
    combined = rtc.combine_audio_frames(iter(frames))
    assert combined.samples_per_channel == 6
    assert list(combined.data) == [1] * 2 + [2] * 4 + [3] * 6
    assert rtc.combine_audio_frames(frames[0]).data == frames[0].data
    with pytest.raises(ValueError, match="no frame"):
        rtc.combine_audio_frames([])
    with pytest.raises(ValueError, match="the same sample rate"):
        rtc.combine_audio_frames([frames[0], AudioFrame.create(48_000, 2, 1)])


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: AudioFrame(bytes(959), 48_000, 1, 480), ValueError),
        (lambda: AudioFrame(bytes(961), 48_000, 1, 480), ValueError),
        (lambda: AudioFrame(b"", 48_000, 1, 0), ValueError),
        (lambda: AudioFrame(b"", 48_000, 0, 0), ValueError),
        (lambda: AudioFrame(bytes(960), 0, 1, 480), ValueError),
        (lambda: AudioFrame(bytes(960), -48_000, 1, 480), ValueError),
        (lambda: AudioFrame(bytes(960), 2**32, 1, 480), ValueError),
        (lambda: AudioFrame("ab", 48_000, 1, 1), TypeError),  # type: ignore[arg-type]
        (lambda: AudioFrame(memoryview(bytes(1920))[::2], 48_000, 1, 480), ValueError),
        (lambda: AudioFrame(bytes(960), 48_000.0, 1, 480), TypeError),  # type: ignore[arg-type]
        (lambda: AudioFrame(None, 48_000, 1, 480), TypeError),  # type: ignore[arg-type]
        (lambda: AudioFrame.create(48_000, -1, 480), ValueError),
        (lambda: AudioFrame.create(48_000, 1, 0), ValueError),
        (lambda: AudioFrame.from_ndarray(np.zeros(480), 48_000), TypeError),  # type: ignore[arg-type]
        (lambda: AudioFrame.from_ndarray(np.zeros((2, 2, 2), np.int16), 48_000), ValueError),
        (lambda: AudioFrame.from_ndarray(np.zeros((0, 2), np.int16), 48_000), ValueError),
    ],
)
def test_audio_that_does_not_fit_is_refused(make: Callable[[], object], error: type[Exception]) -> None:
    with pytest.raises(error):
        make()


# ---- video


@pytest.mark.parametrize("kind", Type)
def test_each_format_wants_its_length(kind: Type) -> None:
    size = SIZES[kind]
    assert frame_size(kind, 5, 3) == size
    frame = VideoFrame(5, 3, kind, bytes(size))
    assert (frame.width, frame.height, frame.type, len(frame.data)) == (5, 3, kind, size)
    for wrong in (0, size - 1, size + 1, 2 * size):
        with pytest.raises(ValueError, match=f"5x3 pixels of {kind.name} are {size} bytes"):
            VideoFrame(5, 3, kind, bytes(wrong))


@pytest.mark.parametrize("kind", Type)
def test_planes_cover_the_frame_and_share_its_memory(kind: Type) -> None:
    frame = VideoFrame.create(5, 3, kind)
    assert sum(len(plane.data) for plane in frame.planes) == len(frame.data)
    for number, plane in enumerate(frame.planes):
        assert len(plane.data) == plane.stride * plane.height
        array: Any = plane.to_ndarray()
        assert array.shape[:2] == (plane.height, plane.width)
        array[:] = number + 1
    expected = b"".join(bytes(plane.data) for plane in frame.planes)
    assert bytes(frame.data) == expected
    assert set(expected) - {0} == set(range(1, len(frame.planes) + 1))


@pytest.mark.parametrize("kind", Type)
def test_the_native_side_is_told_where_the_planes_are(kind: Type) -> None:
    frame = VideoFrame.create(5, 3, kind)
    info = buffer_info(kind, 5, 3, frame.data)
    assert (info["width"], info["height"], info["type"]) == (5, 3, int(kind))
    assert info["data_ptr"] == address_of_buffer(frame.data)
    if len(frame.planes) == 1:
        assert (info["stride"], info["components"]) == (frame.planes[0].stride, [])
        return
    assert [plane["data_ptr"] for plane in info["components"]] == [
        address_of_buffer(plane.data) for plane in frame.planes
    ]
    assert [(plane["stride"], plane["size"]) for plane in info["components"]] == [
        (plane.stride, len(plane.data)) for plane in frame.planes
    ]


@pytest.mark.parametrize("kind", Type)
def test_video_and_arrays(kind: Type) -> None:
    data = np.random.default_rng(1).integers(0, 4, frame_size(kind, 8, 4), np.uint8).tobytes()
    frame = VideoFrame(8, 4, kind, data)
    array = frame.to_ndarray()
    assert array.tobytes() == data
    assert not array.flags.writeable
    again = VideoFrame.from_ndarray(array, kind)
    assert (again.width, again.height, bytes(again.data)) == (8, 4, data)


def test_formats_are_guessed_from_the_shape() -> None:
    assert VideoFrame.from_ndarray(np.zeros((4, 8, 4), np.uint8)).type is Type.RGBA
    assert VideoFrame.from_ndarray(np.zeros((4, 8, 3), np.uint8)).type is Type.RGB24
    with pytest.raises(ValueError, match="needs a type"):
        VideoFrame.from_ndarray(np.zeros((6, 8), np.uint8))


@pytest.mark.parametrize("kind", [Type.I420, Type.I420A, Type.I422, Type.I010, Type.NV12])
def test_odd_sizes_are_no_rectangle(kind: Type) -> None:
    with pytest.raises(ValueError, match="see `planes`"):
        VideoFrame.create(5, 4, kind).to_ndarray()


@pytest.mark.parametrize("kind", Type)
@pytest.mark.parametrize(("width", "height"), [(16, 8), (17, 9)])
def test_pyav_gets_and_gives_the_same_pixels(kind: Type, width: int, height: int) -> None:
    data = np.random.default_rng(1).integers(0, 4, frame_size(kind, width, height), np.uint8).tobytes()
    picture = VideoFrame(width, height, kind, data, timestamp_us=1_234_567).to_av()
    assert (picture.width, picture.height) == (width, height)
    again = VideoFrame.from_av(picture)
    assert (again.type, bytes(again.data), again.timestamp_us) == (kind, data, 1_234_567)


def test_other_formats_of_pyav_become_i420() -> None:
    picture = colour_bars(1).to_av().reformat(format="yuv444p12le")
    picture.pts, picture.time_base = 90, Fraction(1, 90_000)
    frame = VideoFrame.from_av(picture)
    assert (frame.type, frame.timestamp_us) == (Type.I420, 1000)


@pytest.mark.parametrize("kind", Type)
def test_pillow_sees_the_picture(kind: Type) -> None:
    frame = colour_bars(1, 160, 90).convert(kind)
    image = frame.to_image()
    assert image.size == (160, 90)
    white, black = image.getpixel((5, 5)), image.getpixel((155, 5))
    assert isinstance(white, tuple)
    assert isinstance(black, tuple)
    assert np.abs(np.array(white[:3]) - 191).max() < 6
    assert np.array(black[:3]).max() < 6
    again = VideoFrame.from_image(image)
    assert (again.type, again.width, again.height) == (Type.RGBA, 160, 90)
    assert np.abs(np.array(again.to_ndarray()[5, 5, :3], int) - 191).max() < 6


def test_any_image_becomes_a_frame() -> None:
    for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "I"):
        assert VideoFrame.from_image(Image.new(mode, (3, 2))).type is Type.RGBA
    with pytest.raises(ValueError, match="must be from 1"):
        VideoFrame.from_image(Image.new("RGB", (0, 0)))


def test_a_notebook_shows_the_picture() -> None:
    png = colour_bars(1, 160, 90)._repr_png_()
    assert png is not None
    assert Image.open(io.BytesIO(png)).size == (160, 90)
    frame = colour_bars(1, 160, 90)
    frame.close()
    assert frame._repr_png_() is None


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: VideoFrame(0, 1, Type.RGBA, b""), ValueError),
        (lambda: VideoFrame(-1, -1, Type.RGBA, bytes(4)), ValueError),
        (lambda: VideoFrame(16_385, 1, Type.RGBA, bytes(4 * 16_385)), ValueError),
        (lambda: VideoFrame(1.0, 1, Type.RGBA, bytes(4)), TypeError),  # type: ignore[arg-type]
        (lambda: VideoFrame(1, 1, Type(11), bytes(4)), ValueError),
        (lambda: VideoFrame(1, 1, "RGBA", bytes(4)), TypeError),  # type: ignore[arg-type]
        (lambda: VideoFrame(1, 1, Type.RGBA, memoryview(bytes(8))[::2]), ValueError),
        (lambda: VideoFrame(1, 1, Type.RGBA, [0, 0, 0, 0]), TypeError),  # type: ignore[arg-type]
        (lambda: VideoFrame(1, 1, Type.RGBA, bytes(4), timestamp_us=2**63), ValueError),
        (lambda: VideoFrame(1, 1, Type.RGBA, bytes(4), rotation=VideoRotation(90)), ValueError),
        (lambda: VideoFrame(1, 1, Type.RGBA, bytes(4), metadata=b"x"), TypeError),  # type: ignore[arg-type]
        (lambda: FrameMetadata(user_timestamp=-1), ValueError),
        (lambda: FrameMetadata(frame_id=2**32), ValueError),
        (lambda: FrameMetadata(user_data="x"), TypeError),  # type: ignore[arg-type]
        (lambda: VideoFrame.from_ndarray(np.zeros((2, 2, 4)), Type.RGBA), TypeError),  # type: ignore[arg-type]
        (lambda: VideoFrame.from_ndarray(np.zeros((2, 2, 3), np.uint8), Type.RGBA), ValueError),
        (lambda: VideoFrame.from_ndarray(np.zeros((0, 2, 4), np.uint8), Type.RGBA), ValueError),
        (lambda: VideoFrame.from_ndarray(np.zeros((5, 4), np.uint8), Type.I420), ValueError),
        (lambda: VideoFrame.from_ndarray(np.zeros((6, 3), np.uint8), Type.I420), ValueError),
    ],
)
def test_video_that_does_not_fit_is_refused(make: Callable[[], object], error: type[Exception]) -> None:
    with pytest.raises(error):
        make()


# ---- closing, and native memory


def received(memory: Memory) -> list[AudioFrame | VideoFrame]:
    view = memoryview(memory).toreadonly()
    audio = AudioFrame._from_native(view, 48_000, 1, 8, received_at=1.5, dropped_before=2)
    video = VideoFrame._from_native(view, 2, 2, Type.RGBA, received_at=1.5, dropped_before=2)
    return [audio, video]


def test_received_frames_say_when_and_what_was_lost() -> None:
    for frame in received(Memory(16)):
        assert (frame.received_at, frame.dropped_before) == (1.5, 2)
        copied = frame.copy()
        assert (copied.received_at, copied.dropped_before, copied.data.readonly) == (1.5, 2, False)
        assert frame.data.readonly
        assert not frame.to_ndarray().flags.writeable


@pytest.mark.parametrize("which", [0, 1], ids=["audio", "video"])
def test_a_closed_frame_says_so_and_its_views_live_on(which: int) -> None:
    memory = Memory(range(16))
    gone = weakref.ref(memory)
    frame = received(memory)[which]
    view, array = frame.data, frame.to_ndarray()
    del memory
    frame.close()
    frame.close()
    for use in (lambda: frame.data, frame.copy, frame.to_ndarray):
        with pytest.raises(ValueError, match="was closed"):
            use()
    assert view.tobytes() == array.tobytes() == bytes(range(16))
    assert gone() is not None
    del view
    assert gone() is not None
    held = [array]
    thread = threading.Thread(target=held.clear)
    del array
    thread.start()
    thread.join()
    gc.collect()
    assert gone() is None


def test_planes_keep_the_memory_too() -> None:
    memory = Memory(range(16))
    gone = weakref.ref(memory)
    frame = received(memory)[1]
    assert isinstance(frame, VideoFrame)
    [plane] = frame.planes
    del memory, frame
    gc.collect()
    assert bytes(plane.data) == bytes(range(16))
    assert gone() is not None
    del plane
    gc.collect()
    assert gone() is None


def test_frames_of_pyav_have_memory_of_their_own() -> None:
    frame = colour_bars(3, 160, 90)
    picture = frame.to_av()
    frame.close()
    assert isinstance(picture, av.VideoFrame)
    assert VideoFrame.from_av(picture).data == colour_bars(3, 160, 90).data
