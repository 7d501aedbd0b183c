"""Writing media files with PyAV: the half of the recorder that works in a thread.

Everything here is called from one thread at a time, under `MediaWriter`'s lock. Each format is written so that the file can be
opened at any moment, also after a crash: MP4 in fragments of a second, Matroska in clusters of a second.
"""

from __future__ import annotations

import threading
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import attrs

from ._audio_frame import SAMPLE_SIZE, AudioFrame

if TYPE_CHECKING:
    from pathlib import Path

    from ._video_frame import VideoFrame

VIDEO_CLOCK: Final = 90_000
"""Ticks in a second of video timestamps, as in RTP."""

MAX_GAP: Final = 0.15
"""Seconds that sound may be late before silence is written for what is missing: more than any jitter of its arrival."""

FRAGMENT_SECONDS: Final = 1
ASSUMED_FPS: Final = 30
"""For the rate control and the distance of key frames; timestamps say when frames really come."""


@attrs.frozen
class Format:
    """What a kind of file holds.

    Attributes:
        audio: PyAV's name of the encoder.
        video: likewise; empty: no video.
        options: of the container.
        many: whether it holds several tracks.
    """

    audio: str
    video: str
    options: dict[str, str]
    many: bool = True


_MP4: Final = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof+delay_moov",
    "frag_duration": str(FRAGMENT_SECONDS * 1_000_000),
    "flush_packets": "1",
}
_MATROSKA: Final = {"cluster_time_limit": str(FRAGMENT_SECONDS * 1000), "flush_packets": "1"}

FORMATS: Final = {
    ".mp4": Format("aac", "libx264", _MP4),
    ".mkv": Format("libopus", "libx264", _MATROSKA),
    ".ogg": Format("libopus", "", {"page_duration": "200000", "flush_packets": "1"}, many=False),
    ".wav": Format("pcm_s16le", "", {"flush_packets": "1"}, many=False),
}
"""By the file's suffix."""


@attrs.define(eq=False)
class Lane:
    """One track of the file.

    Attributes:
        frames: what was written, in frames of the track.
        samples: of one channel, of audio.
        silence: of one channel, written where sound was missing.
        delay: how long its frames waited here before they were received, in jitter buffer and decoder, in seconds.
        end: seconds from the file's beginning.
    """

    stream: Any
    frames: int = 0
    samples: int = 0
    silence: int = 0
    delay: float = 0.0
    end: float = 0.0
    next_tick: int = -1
    """Audio: where the next sample goes. Video: the last timestamp."""


class MediaWriter:
    """A media file that is being written.

    Args:
        path: of a suffix in `FORMATS`; what is there already is replaced.
        sample_rate: of all sound.
        num_channels: of all sound.
        video_size: of all pictures; they are fitted into it, with black bars.
        video_bitrate: in bits per second.
    """

    def __init__(
        self, path: Path, *, sample_rate: int, num_channels: int, video_size: tuple[int, int], video_bitrate: int
    ) -> None:
        import av

        self._format = FORMATS[path.suffix.lower()]
        self._sample_rate = sample_rate
        self._num_channels = num_channels
        self._video_size = video_size
        self._video_bitrate = video_bitrate
        self._lock = threading.Lock()
        self._closed = False
        self._zero: float | None = None
        """When the file begins, by the clock of `received_at`: with the earliest frame of the first batch."""
        self._lanes: list[Lane] = []
        self._container: Any = av.open(str(path), "w", container_options=self._format.options)

    def add_audio(self) -> Lane:
        """Add a track of sound; before anything is written."""
        stream = self._container.add_stream(self._format.audio, rate=self._sample_rate)
        stream.layout = "mono" if self._num_channels == 1 else "stereo"
        stream.time_base = Fraction(1, self._sample_rate)
        return self._add(stream)

    def add_video(self) -> Lane:
        """Add a track of pictures; before anything is written."""
        options = {"preset": "veryfast", "bf": "0", "g": str(FRAGMENT_SECONDS * ASSUMED_FPS)}
        stream = self._container.add_stream(self._format.video, rate=ASSUMED_FPS, options=options)
        stream.width, stream.height = self._video_size
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = self._video_bitrate
        stream.codec_context.time_base = Fraction(1, VIDEO_CLOCK)
        return self._add(stream)

    def start(self) -> None:
        """Open the file and write its beginning, once all tracks were added.

        Raises:
            OSError: it cannot be written.
        """
        self._container.start_encoding()

    def _add(self, stream: Any) -> Lane:
        lane = Lane(stream)
        self._lanes.append(lane)
        return lane

    def write(self, batch: list[tuple[Lane, AudioFrame | VideoFrame]]) -> None:
        """Write frames, oldest first; nothing happens once it is closed."""
        with self._lock:
            if self._zero is None:
                self._zero = min(_begun(lane, frame) for lane, frame in batch)
            for lane, frame in batch:
                if self._closed:
                    return
                if isinstance(frame, AudioFrame):
                    self._write_audio(lane, frame)
                else:
                    self._write_video(lane, frame)

    def close(self) -> None:
        """Write what the encoders hold, and the file's end. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                for lane in self._lanes:
                    self._container.mux(lane.stream.encode(None))
            finally:
                self._container.close()

    # ---- sound

    def _write_audio(self, lane: Lane, frame: AudioFrame) -> None:
        due = round(self._seconds(lane, frame) * self._sample_rate)
        if lane.next_tick < 0:
            lane.next_tick = due
        elif due - lane.next_tick > MAX_GAP * self._sample_rate:
            lane.silence += due - lane.next_tick
            while lane.next_tick < due:  # it may be hours
                missing = min(due - lane.next_tick, self._sample_rate)
                self._put_samples(lane, bytes(missing * self._num_channels * SAMPLE_SIZE))
        self._put_samples(lane, frame.data)
        lane.frames += 1
        lane.samples += frame.samples_per_channel

    def _put_samples(self, lane: Lane, data: bytes | memoryview[int]) -> None:
        import av
        import numpy as np

        samples = np.frombuffer(data, np.int16)
        sound = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "s16", lane.stream.layout.name)
        sound.sample_rate = self._sample_rate
        sound.time_base = Fraction(1, self._sample_rate)
        sound.pts = lane.next_tick
        lane.next_tick += len(samples) // self._num_channels
        lane.end = lane.next_tick / self._sample_rate
        self._container.mux(lane.stream.encode(sound))

    # ---- pictures

    def _write_video(self, lane: Lane, frame: VideoFrame) -> None:
        picture = self._fitted(frame)
        picture.time_base = Fraction(1, VIDEO_CLOCK)
        seconds = self._seconds(lane, frame)
        picture.pts = lane.next_tick = max(round(seconds * VIDEO_CLOCK), lane.next_tick + 1)
        lane.frames += 1
        lane.end = seconds + 1 / ASSUMED_FPS
        self._container.mux(lane.stream.encode(picture))

    def _fitted(self, frame: VideoFrame) -> Any:
        width, height = self._video_size
        picture = frame.to_av()
        if (frame.width, frame.height) == (width, height):
            return picture if picture.format.name == "yuv420p" else picture.reformat(format="yuv420p")
        scale = min(width / frame.width, height / frame.height)
        inner = [max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height)]
        return _framed(picture.reformat(*inner, format="yuv420p"), width, height)

    def _seconds(self, lane: Lane, frame: AudioFrame | VideoFrame) -> float:
        """Where *frame* begins, in seconds from the file's beginning."""
        return max(0.0, _begun(lane, frame) - (self._zero or 0.0))


def _begun(lane: Lane, frame: AudioFrame | VideoFrame) -> float:
    """When *frame* came to this machine, or its first sample did: tracks of one sender are together again by this clock."""
    if frame.received_at is None:
        raise ValueError("only received frames can be recorded")
    duration = frame.duration if isinstance(frame, AudioFrame) else 0.0
    return frame.received_at - duration - lane.delay


def _framed(picture: Any, width: int, height: int) -> Any:
    """Put a yuv420p picture in the middle of a black one."""
    import av

    whole = av.VideoFrame(width, height, "yuv420p")
    left, top = (width - picture.width) // 4 * 2, (height - picture.height) // 4 * 2
    for number, (inner, outer) in enumerate(zip(picture.planes, whole.planes, strict=True)):
        step = 2 if number else 1
        target = _rows(outer)
        target[:] = 128 if number else 16
        target[top // step : top // step + inner.height, left // step : left // step + inner.width] = _rows(inner)
    return whole


def _rows(plane: Any) -> Any:
    import numpy as np

    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
