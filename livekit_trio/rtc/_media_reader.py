"""Reading media files with PyAV: the half of `MediaFileSource` that works in a thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ._audio_frame import AudioFrame
from ._video_frame import VideoFrame

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    Item: TypeAlias = "tuple[float, AudioFrame | VideoFrame]"

TICKS: Final = 100
"""Sound is given in frames of 10 ms."""

MICROSECONDS: Final = 1_000_000

ASSUMED_FPS: Final = 25
"""Of pictures without times whose file does not say."""


class MediaReader:
    """A media file that is being read: its first audio and its first video stream. From one thread at a time.

    Args:
        path: of the file.
        audio, video: whether they are wanted.
        sample_rate, num_channels: what the sound is converted to.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: it is no media file, or has neither of what is wanted.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, audio: bool, video: bool, sample_rate: int, num_channels: int
    ) -> None:
        self._path = path
        self._wanted = (audio, video)
        self._sample_rate = sample_rate
        self._num_channels = num_channels
        self._lock = threading.Lock()
        self._container, self._audio, self._video = self._open()
        if self._audio is None and self._video is None:
            self._container.close()
            raise ValueError(f"there is nothing to play in {path}")
        length = self._container.duration
        self.duration: Final = length / MICROSECONDS if length else None
        """In seconds; None if the file does not say."""
        self._begin = (self._container.start_time or 0) / MICROSECONDS
        self._items: Iterator[Item] = self._read(0.0)

    @property
    def has_audio(self) -> bool:
        return self._audio is not None

    @property
    def video_size(self) -> tuple[int, int] | None:
        return None if self._video is None else (self._video.codec_context.width, self._video.codec_context.height)

    def read(self, count: int) -> list[Item]:
        """The next frames, each with its time in seconds from the beginning; none at the end."""
        with self._lock:
            found: list[Item] = []
            for item in self._items:
                found.append(item)
                if len(found) >= count:
                    break
            return found

    def seek(self, seconds: float) -> None:
        """Go on with what is due at that time."""
        with self._lock:
            try:
                self._container.seek(round((seconds + self._begin) * MICROSECONDS), backward=True)
            except PermissionError:  # in bare H.264 there are no places: from its beginning to there
                self._container.close()
                self._container, self._audio, self._video = self._open()
            self._items = self._read(seconds)

    def close(self) -> None:
        with self._lock:
            self._items = iter(())
            self._container.close()

    def _open(self) -> tuple[Any, Any, Any]:
        """The file, and its audio and its video stream."""
        import av

        container: Any = av.open(str(self._path))
        audio, video = (
            found[0] if wanted and found else None
            for wanted, found in zip(self._wanted, (container.streams.audio, container.streams.video), strict=True)
        )
        return container, audio, video

    def _read(self, since: float) -> Iterator[Item]:
        import av

        layout = "mono" if self._num_channels == 1 else "stereo"
        size = self._sample_rate // TICKS
        resampler = av.AudioResampler("s16", layout, self._sample_rate, frame_size=size)
        wanted = [stream for stream in (self._audio, self._video) if stream is not None]
        due = 0.0
        for packet in self._container.demux(*wanted):
            for decoded in packet.decode():
                if isinstance(decoded, av.VideoFrame):
                    # Bare H.264 says no times: then pictures follow each other at its rate.
                    seconds = due if decoded.pts is None else self._time_of(decoded)
                    due = seconds + 1 / float(self._video.guessed_rate or ASSUMED_FPS)
                    if seconds >= since:
                        yield seconds, VideoFrame.from_av(decoded)
                else:
                    yield from self._sound(resampler.resample(decoded), since)
        if self._audio is not None:
            yield from self._sound(resampler.resample(None), since)

    def _sound(self, pieces: list[Any], since: float) -> Iterator[Item]:
        for piece in pieces:
            seconds = self._time_of(piece)
            if seconds >= since and piece.samples:
                data = bytes(piece.planes[0])[: piece.samples * self._num_channels * 2]
                yield seconds, AudioFrame(bytearray(data), self._sample_rate, self._num_channels, piece.samples)

    def _time_of(self, decoded: Any) -> float:
        return float((decoded.pts or 0) * decoded.time_base) - self._begin
