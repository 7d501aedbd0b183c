"""AVSynchronizer: video at its frame rate beside the audio it belongs to."""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Self, final

import anyio
import anyio.lowlevel
from typing_extensions import override

from .._errors import StreamClosedError
from ._audio_frame import AudioFrame
from ._services import open_services

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ._audio_source import AudioSource
    from ._video_frame import VideoFrame
    from ._video_source import VideoSource

MAX_FPS: Final = 1000
MAX_QUEUE_MS: Final = 60_000

ANY_TIME: Final = float("-inf")

MAX_LATENESS: Final = 0.3
"""A frame that is later than this many seconds starts a new beat, instead of a rush of frames to catch up."""


@final
class AVSynchronizer(anyio.AsyncContextManagerMixin):
    """Feeds an audio and a video source so that what is pushed together is sent together.

    ::

        async with rtc.AVSynchronizer(audio_source=sound, video_source=picture, video_fps=30) as both:
            async for picture, sound in generator:
                await both.push(picture)
                await both.push(sound)

    Audio goes into its source's queue, which plays it at its own pace; video waits in a queue here and is captured one frame
    at a time, at the frame rate.

    Args:
        audio_source: where audio frames go.
        video_source: where video frames go.
        video_fps: frames in a second.
        video_queue_size_ms: how much video may wait before `push` does, in milliseconds; at least one frame. Choose that of
            the audio source.

    Raises:
        ValueError: a number is not above 0, or too large.

    Cancellation:
        Leaving the block ends it at once; `wait_for_playout` first plays what waits. The sources stay open.
    """

    def __init__(
        self,
        *,
        audio_source: AudioSource,
        video_source: VideoSource,
        video_fps: float,
        video_queue_size_ms: float = 200,
    ) -> None:
        for name, value, highest in (
            ("video_fps", video_fps, MAX_FPS),
            ("video_queue_size_ms", video_queue_size_ms, MAX_QUEUE_MS),
        ):
            if not 0 < value <= highest:
                raise ValueError(f"{name} must be above 0 and at most {highest}, not {value}")
        self._audio = audio_source
        self._video = video_source
        self._interval = 1 / video_fps
        self._capacity = max(1, round(video_fps * video_queue_size_ms / 1000))
        self._queue: deque[tuple[VideoFrame, float | None]] = deque()
        self._changed = anyio.Event()
        self._state = "new"
        self._error: Exception | None = None
        self._next_at = ANY_TIME
        self._sent_at: deque[float] = deque(maxlen=max(2, round(video_fps)))
        self._last_video_time = 0.0
        self._last_audio_time = 0.0

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        if self._state != "new":
            raise StreamClosedError("a synchronizer is entered once; make another one")
        async with open_services() as tasks:
            self._state = "open"
            tasks.start_soon(self._play)
            try:
                yield self
            finally:
                self._close()

    async def push(self, frame: AudioFrame | VideoFrame, timestamp: float | None = None) -> None:
        """Append a frame.

        Args:
            frame: of audio or video.
            timestamp: its time in the program's own reckoning, in seconds, for `last_video_time` and `last_audio_time`; of
                an audio frame its end.

        Raises:
            StreamClosedError: it was closed, or not entered yet.
            SourceClosedError: the source was closed.
            Exception: whatever else a source's `capture_frame` has raised.

        Backpressure:
            Waits while *video_queue_size_ms* of video wait, or as `AudioSource.capture_frame` does.

        Cancellation:
            Of a video frame: it was not appended. Of an audio frame: as `AudioSource.capture_frame` says.
        """
        self._check()
        if isinstance(frame, AudioFrame):
            await self._audio.capture_frame(frame)
            if timestamp is not None:
                self._last_audio_time = timestamp
            return
        await anyio.lowlevel.checkpoint()
        while len(self._queue) >= self._capacity:
            await self._changed.wait()
            self._check()
        self._queue.append((frame, timestamp))
        self._tell()

    def clear_queue(self) -> None:
        """Forget what waits, audio and video."""
        self._audio.clear_queue()
        self._queue.clear()
        self._tell()

    async def wait_for_playout(self) -> None:
        """Wait until everything that was pushed has been sent.

        Raises:
            StreamClosedError: it was closed, or not entered yet.
            Exception: whatever a source's `capture_frame` has raised.

        Cancellation:
            Nothing is left behind; what waits is played all the same.
        """
        self._check()
        await anyio.lowlevel.checkpoint()
        while self._queue:
            await self._changed.wait()
        self._check()  # the last one may have failed, or everything was forgotten by closing
        await self._audio.wait_for_playout()

    def reset(self) -> None:
        """Let the next video frame be sent at once, and start a new beat."""
        self._next_at = ANY_TIME
        self._sent_at.clear()

    async def aclose(self) -> None:
        """Stop, and forget what waits; idempotent. The sources stay open.

        Cancellation:
            It is closed in any case.
        """
        self._close()
        await anyio.lowlevel.checkpoint()

    @property
    def actual_fps(self) -> float:
        """Frames in a second over the last second or so; 0 before there were two."""
        if len(self._sent_at) < 2 or self._sent_at[-1] == self._sent_at[0]:
            return 0.0
        return (len(self._sent_at) - 1) / (self._sent_at[-1] - self._sent_at[0])

    @property
    def last_video_time(self) -> float:
        """The timestamp of the video frame that was sent last."""
        return self._last_video_time

    @property
    def last_audio_time(self) -> float:
        """The timestamp of the audio that is being sent now."""
        return self._last_audio_time - self._audio.queued_duration

    @override
    def __repr__(self) -> str:
        return f"<rtc.AVSynchronizer: {self._state}, {len(self._queue)}/{self._capacity} video frames wait>"

    async def _play(self) -> None:  # noqa: ASYNC910 - a service task, or a step of one
        while self._state == "open":
            if not self._queue:
                await self._changed.wait()
                continue
            await self._wait_for_beat()
            if self._queue:
                self._send(*self._queue.popleft())
                self._tell()

    async def _wait_for_beat(self) -> None:  # noqa: ASYNC910 - `_play` waits too
        now = anyio.current_time()
        if now - self._next_at > MAX_LATENESS:
            self._next_at = now
        if self._next_at > now:
            await anyio.sleep_until(self._next_at)
        else:
            await anyio.lowlevel.checkpoint()
        self._next_at = max(self._next_at, now) + self._interval  # `reset` may have been called meanwhile

    def _send(self, frame: VideoFrame, timestamp: float | None) -> None:
        try:
            self._video.capture_frame(frame)
        except Exception as error:  # noqa: BLE001 - for whoever pushes next
            self._error = error
            return
        self._sent_at.append(anyio.current_time())
        if timestamp is not None:
            self._last_video_time = timestamp

    def _check(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        if self._state != "open":
            raise StreamClosedError(
                f"this synchronizer is {'closed' if self._state == 'closed' else 'not entered yet'}"
            )

    def _close(self) -> None:
        self._state = "closed"
        self._queue.clear()
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
