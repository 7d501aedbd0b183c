"""Throw nonsense at everything that makes media, or takes it. ``fuzz.py SEED COUNT``: one line for each case, before it runs.

Each case either raises an error that says whose fault it was, or gives something that works. Anything else – another
exception, a signal, a hang – ends the process, and the last line says in which case.
"""

from __future__ import annotations

import math
import random
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import trio

from livekit_trio import rtc

if TYPE_CHECKING:
    from collections.abc import Callable

ACCEPTED: Final = (ValueError, TypeError, rtc.LiveKitError)

NUMBERS: Final = (
    *(-(2**63), -(2**31) - 1, -(2**31), -48_000, -2, -1, 0, 1, 2, 3, 5, 7, 8, 9, 10, 15, 16, 17, 20, 24, 99, 100, 101),
    *(159, 160, 161, 333, 440, 441, 479, 480, 481, 960, 1000, 4800, 7999, 8000, 8001, 11_025, 16_000, 22_050, 44_100),
    *(47_999, 48_000, 96_000, 192_000, 384_000, 384_001, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64),
)
SMALL: Final = (-1, 0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 33, 64, 65)
ODDITIES: Final[tuple[Any, ...]] = (None, True, 1.5, math.nan, math.inf, "48000", b"x", [], {}, object())
RATES: Final = (8000, 11_025, 16_000, 24_000, 44_100, 48_000, 96_000)


class Nonsense:
    """Arguments: mostly plausible, now and then absurd."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def choice(self, *options: Any) -> Any:
        return self.random.choice(options)

    def number(self, *plausible: int) -> Any:
        dice = self.random.random()
        if dice < 0.85 and plausible:
            return self.choice(*plausible)
        return self.choice(*ODDITIES) if dice > 0.98 else self.choice(*NUMBERS)

    def small(self) -> Any:
        return self.choice(*SMALL) if self.random.random() < 0.95 else self.number()

    def boolean(self) -> Any:
        return self.choice(True, False) if self.random.random() < 0.95 else self.choice(*ODDITIES)

    def data(self, size: int) -> Any:
        """A buffer of about that size, readable or not, contiguous or not."""
        size = min(max(size, 0), 1 << 20) + self.choice(0, 0, 0, 0, 0, 0, -1, 1, 2, 7)
        raw = self.random.randbytes(max(size, 0) % 4096).ljust(max(size, 0), b"\x55")
        return self.choice(
            raw,
            raw,
            bytearray(raw),
            memoryview(raw),
            np.frombuffer(raw, np.uint8),
            memoryview(raw + raw)[::2],
            memoryview(b"x" + raw)[1:],  # at an odd address
            *self.random.sample(ODDITIES, 1),
        )

    def audio_frame(self) -> rtc.AudioFrame:
        rate = self.number(*RATES)
        channels = self.number(1, 2)
        samples = self.number(*(rate // 100 * n for n in (1, 1, 2) if isinstance(rate, int)), 480)
        if self.random.random() < 0.3:
            size = samples * channels * 2 if isinstance(samples, int) and isinstance(channels, int) else 960
            return rtc.AudioFrame(self.data(size), rate, channels, samples)
        if isinstance(samples, int) and isinstance(channels, int) and samples * channels > 1 << 22:
            samples = 480
        return rtc.AudioFrame.create(rate, channels, samples)

    def kind(self) -> Any:
        return self.choice(*rtc.VideoBufferType) if self.random.random() < 0.97 else self.choice(11, -1, *ODDITIES)

    def video_frame(self) -> rtc.VideoFrame:
        width, height, kind = self.small(), self.small(), self.kind()
        if self.random.random() < 0.6:
            return rtc.VideoFrame.create(width, height, kind)
        sizes = [side if isinstance(side, int) and abs(side) < 4096 else 8 for side in (width, height)]
        size = sizes[0] * sizes[1] * self.choice(1, 1.5, 2, 2.5, 3, 4)
        rotation = self.choice(*rtc.VideoRotation, 90)
        return rtc.VideoFrame(width, height, kind, self.data(int(size)), timestamp_us=self.number(0), rotation=rotation)


def audio_frame(n: Nonsense) -> None:
    frame = n.audio_frame()
    assert frame.to_ndarray().size == len(frame.data)
    assert len(frame.to_wav_bytes()) == 44 + frame.data.nbytes
    assert frame.duration > 0
    assert frame.copy().data == frame.data


def audio_array(n: Nonsense) -> None:
    shape = tuple(n.choice(0, 1, 2, 480) for _ in range(n.choice(0, 1, 1, 2, 2, 3)))
    array = np.zeros(shape, n.choice(np.int16, np.int16, np.int32, float, bool, object))
    rtc.AudioFrame.from_ndarray(n.choice(array, array, array.T, np.flip(array), None), n.number(48_000))


def video_frame(n: Nonsense) -> None:
    frame = n.video_frame()
    assert sum(len(plane.data) for plane in frame.planes) == len(frame.data)
    for plane in frame.planes:
        plane.to_ndarray()
    frame.to_av()
    frame.to_ndarray()


def video_array(n: Nonsense) -> None:
    shape = tuple(n.choice(0, 1, 2, 3, 4, 6, 9) for _ in range(n.choice(1, 2, 2, 3, 3, 4)))
    array = np.zeros(shape, n.choice(np.uint8, np.uint8, np.uint16, np.int16, float))
    frame = rtc.VideoFrame.from_ndarray(n.choice(array, array.T, np.flip(array)), n.choice(None, n.kind()))
    assert frame.to_ndarray().size


def convert(n: Nonsense) -> None:
    frame, target = n.video_frame(), n.kind()
    converted = frame.convert(target, flip_y=n.boolean())
    assert (converted.type, converted.width, converted.height) == (target, frame.width, frame.height)


def resampler(n: Nonsense) -> None:
    rate, channels = n.number(*RATES), n.number(1, 2)
    quality = n.choice(*rtc.AudioResamplerQuality, *n.random.sample(ODDITIES, 1))
    made = rtc.AudioResampler(rate, n.number(*RATES), num_channels=channels, quality=quality)
    for _ in range(3):
        frame = (
            rtc.AudioFrame.create(rate, channels, max(1, rate // 100)) if n.random.random() < 0.5 else n.audio_frame()
        )
        try:
            made.push(n.choice(frame, frame, n.data(960)))
        except ACCEPTED:
            made.push(b"")
    made.flush()


def remixer(n: Nonsense) -> None:
    made = rtc.AudioRemixer(n.number(*RATES), n.number(1, 2))
    for _ in range(3):
        made.push(n.audio_frame())


def processing(n: Nonsense) -> None:
    module = rtc.AudioProcessingModule(
        echo_cancellation=n.boolean(),
        noise_suppression=n.boolean(),
        high_pass_filter=n.boolean(),
        auto_gain_control=n.boolean(),
    )
    for _ in range(3):
        work = n.choice(module.process_stream, module.process_reverse_stream)
        try:
            work(n.audio_frame())
        except ACCEPTED:
            module.process_stream(rtc.AudioFrame.create(48_000, 1, 480))
    module.set_stream_delay_ms(n.number(0, 40))


def byte_stream(n: Nonsense) -> None:
    samples = n.choice(None, n.number(100, 480))
    cutter = rtc.AudioByteStream(n.number(*RATES), n.number(1, 2), samples)
    for _ in range(5):
        cutter.push(n.choice(n.data(500), n.data(3)))
    cutter.flush()


def mixer(n: Nonsense) -> None:
    rtc.AudioMixer(
        n.number(*RATES),
        n.number(1, 2),
        blocksize=n.number(0, 480),
        stream_timeout_ms=n.number(100),
        capacity=n.number(100),
    )


def audio_source(n: Nonsense) -> None:
    rate, channels = n.number(*RATES), n.number(1, 2)
    source = rtc.AudioSource(rate, channels, n.number(0, 10, 200, 205), echo_cancellation=n.boolean())

    async def capture() -> None:
        with trio.move_on_after(0.02):
            for _ in range(3):
                plausible = rtc.AudioFrame.create(rate, channels, max(1, rate // 100))
                await source.capture_frame(plausible if n.random.random() < 0.6 else n.audio_frame())
        source.clear_queue()

    trio.run(capture)
    rtc.LocalAudioTrack.create_audio_track(n.choice("mic", "", "x" * 10_000, None), source)


def video_source(n: Nonsense) -> None:
    source = rtc.VideoSource(n.number(640, 16), n.number(360, 16), is_screencast=n.boolean())
    for _ in range(4):
        metadata = n.choice(None, rtc.FrameMetadata(user_timestamp=1, frame_id=2, user_data=b"x" * 100))
        source.capture_frame(n.video_frame(), timestamp_us=n.number(0, 1000), metadata=metadata)
    rtc.LocalVideoTrack.create_video_track("camera", n.choice(source, source, None, object()))


def encoded_source(n: Nonsense) -> None:
    source = rtc.EncodedVideoSource(n.number(640, 16), n.number(360, 16))
    for _ in range(3):
        source.capture_frame(
            rtc.EncodedVideoFrame(
                data=n.data(100),
                width=n.number(640),
                height=n.number(360),
                codec=n.choice(*rtc.VideoCodec, 9),
                frame_type=n.choice(*rtc.EncodedFrameType, 9),
                timestamp_us=n.number(0),
            )
        )


def metadata(n: Nonsense) -> None:
    rtc.FrameMetadata(user_timestamp=n.number(), frame_id=n.number(), user_data=n.choice(None, n.data(10)))


def synchronizer(n: Nonsense) -> None:
    sources: Any = {"audio_source": rtc.AudioSource(48_000, 1), "video_source": rtc.VideoSource(16, 16)}
    rtc.AVSynchronizer(**sources, video_fps=n.number(30), video_queue_size_ms=n.number(100))


CASES: Final[tuple[Callable[[Nonsense], None], ...]] = (
    audio_frame,
    audio_array,
    video_frame,
    video_array,
    convert,
    convert,
    resampler,
    remixer,
    processing,
    byte_stream,
    mixer,
    audio_source,
    video_source,
    encoded_source,
    metadata,
    synchronizer,
)


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main(seed: int, count: int) -> None:
    outcomes: Counter[str] = Counter()
    for number in range(count):
        case = CASES[number % len(CASES)]
        say(f"{seed}:{number} {case.__name__}")
        try:
            case(Nonsense(seed * 1_000_003 + number))
            outcomes["worked"] += 1
        except ACCEPTED as error:
            outcomes[type(error).__name__] += 1
    say(dict(outcomes))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
