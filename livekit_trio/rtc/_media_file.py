"""MediaFileSource: a file's sound and pictures as tracks, at their own pace."""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Final, Self, final

import anyio
import anyio.lowlevel
import anyio.to_thread
from typing_extensions import override

from .._errors import StreamClosedError
from ._audio_frame import AudioFrame
from ._audio_source import AudioSource
from ._services import open_in_thread, open_services
from ._track import LocalAudioTrack, LocalVideoTrack
from ._validators import check_integer
from ._video_source import VideoSource

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from ._media_reader import MediaReader
    from ._video_frame import VideoFrame

AHEAD: Final = 1.0
"""Seconds that are decoded in advance."""

MAX_AHEAD: Final = 5.0
"""Likewise, of one kind, where the file has much of it before any of the other."""

MAX_AHEAD_BYTES: Final = 256 << 20
"""Bytes of pictures likewise, and a batch more: 86 pictures of 1920 × 1080, 21 of 3840 × 2160."""

BATCH: Final = 10
"""Frames that are decoded in one go."""

LEAD: Final = 0.1
"""Seconds that sound is in its source's queue before it is heard: what this task may be late without being heard."""

MAX_LATENESS: Final = 0.5
"""Who is later than this many seconds goes on from there, instead of playing faster."""


@final
class MediaFileSource(anyio.AsyncContextManagerMixin):
    """Plays a media file into tracks of ours. Needs the extra ``media``.

    ::

        async with rtc.MediaFileSource("film.mp4") as film:
            await room.local_participant.publish_track(film.audio_track)
            await room.local_participant.publish_track(film.video_track)
            film.resume()
            await film.wait_ended()

    It is paused at first, so that the tracks can be published. Any format that PyAV knows can be played; of several streams
    of a kind the first is.

    Args:
        path: of the file, or whatever else PyAV can open.
        loop: begin again at the end.
        audio: whether its sound is wanted.
        video: whether its pictures are.
        sample_rate: of the track's sound, in Hz, a multiple of 100.
        num_channels: of the track's sound, 1 or 2.

    Raises:
        ModuleNotFoundError: PyAV is not installed (extra ``media``).
        TypeError, ValueError: an argument is not what it should be; on entering: the file has nothing to play.
        OSError: the file cannot be read; on entering.
        Exception: whatever has ended the playing, such as a damaged file; on leaving, or from `wait_ended`.

    Cancellation:
        Leaving the block ends the playing at once and closes the file. The tracks stay published, and silent.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        loop: bool = False,
        audio: bool = True,
        video: bool = True,
        sample_rate: int = 48_000,
        num_channels: int = 2,
    ) -> None:
        check_integer("sample_rate", sample_rate, 8_000, 96_000)
        check_integer("num_channels", num_channels, 1, 2)
        if sample_rate % 100:
            raise ValueError(f"sample_rate must be a multiple of 100, not {sample_rate}")
        self._path = path
        self._loop = loop
        self._wanted = {"audio": bool(audio), "video": bool(video)}
        self._sample_rate = sample_rate
        self._num_channels = num_channels
        self._audio: tuple[AudioSource, LocalAudioTrack] | None = None
        self._video: tuple[VideoSource, LocalVideoTrack] | None = None
        self._reader: MediaReader | None = None
        self._sounds: deque[tuple[float, AudioFrame]] = deque()
        self._pictures: deque[tuple[float, VideoFrame]] = deque()
        """What was decoded and is not due yet, with its time; files do not keep the two in step."""
        self._decoded_all = False
        self._found_nothing = False
        """Whether the last look found nothing: if the next one at the beginning does not either, the file has no frames."""
        self._round_begin = 0.0
        """When the round that is being decoded began, for a file that is played again and again, in seconds of all rounds."""
        self._last = 0.0
        """The time of the last frame decoded."""
        self._seek_to: float | None = None
        self._zero: float | None = None
        """When the frame of time 0 is due, by the loop's clock; None: to be set anew."""
        self._position = 0.0
        self._state = "new"
        self._paused = True
        self._error: Exception | None = None
        self._changed = anyio.Event()

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        if self._state != "new":
            raise StreamClosedError("a file source is entered once; make another one")
        self._state = "open"
        try:
            with closing(await open_in_thread(self._open, lambda reader: reader.close())) as reader:
                self._reader = reader
                if reader.has_audio:
                    sound = AudioSource(self._sample_rate, self._num_channels, queue_size_ms=1000)
                    self._audio = sound, LocalAudioTrack.create_audio_track("audio", sound)
                if reader.video_size is not None:
                    pictures = VideoSource(*reader.video_size)
                    self._video = pictures, LocalVideoTrack.create_video_track("video", pictures)
                async with open_services() as tasks:
                    tasks.start_soon(self._run, lambda: self._decode(reader))
                    tasks.start_soon(self._run, self._play)
                    yield self
        finally:
            self._state = "closed"
            self._sounds.clear()
            self._pictures.clear()
            self._tell()
        if self._error is not None:
            raise self._error

    @property
    def audio_track(self) -> LocalAudioTrack | None:
        """The file's sound; None if there is none, or before the block is entered."""
        return self._audio and self._audio[1]

    @property
    def video_track(self) -> LocalVideoTrack | None:
        """The file's pictures; None if there are none, or before the block is entered."""
        return self._video and self._video[1]

    @property
    def duration(self) -> float | None:
        """How long the file is, in seconds; None if it does not say, or before the block is entered."""
        return None if self._reader is None else self._reader.duration

    @property
    def position(self) -> float:
        """How far it has been played, in seconds from the file's beginning."""
        return self._position

    @property
    def paused(self) -> bool:
        """Whether it stands still; so it does at first."""
        return self._paused

    def resume(self) -> None:
        """Play, or go on."""
        self._paused = False
        self._zero = None
        self._tell()

    def pause(self) -> None:
        """Stand still, within a tenth of a second."""
        self._paused = True
        self._tell()

    def seek(self, seconds: float) -> None:
        """Go on from another place of the file.

        Raises:
            ValueError: the place is before its beginning or after its end.
        """
        if not 0 <= seconds <= (self.duration or float("inf")):
            raise ValueError(f"there is no place at {seconds} s in a file of {self.duration} s")
        self._seek_to = seconds
        self._position = seconds
        self._tell()

    async def wait_ended(self) -> None:
        """Wait until the end has been played. Of a file that is played again and again that is never.

        Raises:
            StreamClosedError: it is closed, or not entered yet.
            Exception: whatever has ended the playing, such as a damaged file.

        Cancellation:
            Nothing is left behind; it goes on.
        """
        await anyio.lowlevel.checkpoint()
        while self._state != "ended":
            if self._state != "open":
                raise StreamClosedError(
                    f"this file source is {'closed' if self._state == 'closed' else 'not entered yet'}"
                )
            await self._changed.wait()
        if self._error is not None:
            raise self._error
        if self._audio is not None:
            await self._audio[0].wait_for_playout()

    @override
    def __repr__(self) -> str:
        return f"<rtc.MediaFileSource of {self._path}: {self._state}, at {self._position:.2f} s>"

    # ---- the file

    def _open(self) -> MediaReader:
        from ._media_reader import MediaReader

        return MediaReader(self._path, **self._wanted, sample_rate=self._sample_rate, num_channels=self._num_channels)

    async def _run(self, work: Callable[[], Awaitable[None]]) -> None:  # noqa: ASYNC910 - a service task, or a step of one
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - for whoever has this source
            self._error = error
            self._state = "ended"
            self._tell()

    async def _decode(self, reader: MediaReader) -> None:  # noqa: ASYNC910 - a service task, or a step of one
        """Service task: keep sound and pictures a second ahead."""
        while self._state == "open":
            if self._seek_to is not None:
                await self._go_to(reader, self._seek_to)
            elif self._decoded_all or self._is_ahead():
                await self._changed.wait()
            else:
                await self._decode_more(reader)

    def _is_ahead(self) -> bool:
        """Whether enough of each kind is there; or so much of one that the file must have none of the other for now."""
        ahead = [queue[-1][0] - queue[0][0] if queue else 0.0 for queue in (self._sounds, self._pictures)]
        has = (self._audio is not None, self._video is not None)
        enough = [there for there, wanted in zip(ahead, has, strict=True) if wanted]
        size = len(self._pictures) * self._pictures[-1][1].data.nbytes if self._pictures else 0
        return min(enough) > AHEAD or max(enough) > MAX_AHEAD or size > MAX_AHEAD_BYTES

    async def _decode_more(self, reader: MediaReader) -> None:
        found = await anyio.to_thread.run_sync(reader.read, BATCH)
        if self._seek_to is not None:
            return  # what was found is from the old place
        for seconds, frame in found:
            place = self._round_begin + seconds
            self._last = max(self._last, place)
            if isinstance(frame, AudioFrame):
                self._sounds.append((place, frame))
            else:
                self._pictures.append((place, frame))
        begin_again = not found and self._loop and not self._found_nothing
        self._found_nothing = not found
        if begin_again:
            self._round_begin = max(self._last + 0.01, self._round_begin + (self.duration or 0.0))
            await anyio.to_thread.run_sync(reader.seek, 0.0)
        elif not found:
            self._decoded_all = True
        self._tell()

    async def _go_to(self, reader: MediaReader, seconds: float) -> None:
        await anyio.to_thread.run_sync(reader.seek, seconds)
        if self._seek_to == seconds:
            self._seek_to = None
        self._sounds.clear()
        self._pictures.clear()
        self._round_begin = self._last = 0.0
        self._decoded_all = self._found_nothing = False
        self._zero = None
        if self._audio is not None:
            self._audio[0].clear_queue()
        self._tell()

    # ---- the tracks

    async def _play(self) -> None:  # noqa: ASYNC910 - a service task, or a step of one
        """Service task: capture each frame when it is due."""
        while self._state == "open":
            if self._paused or self._seek_to is not None:
                await self._changed.wait()
            elif self._sounds or self._pictures:
                await self._play_next()
            elif self._decoded_all:
                self._state = "ended"
                self._tell()
            else:
                await self._changed.wait()

    async def _play_next(self) -> None:
        """Capture the frame that is due first, or wait for it; it may turn out that another one is, or none."""
        sound = self._sounds[0][0] - LEAD if self._sounds else float("inf")
        picture = self._pictures[0][0] if self._pictures else float("inf")
        first = min(sound, picture)
        now = anyio.current_time()
        if self._zero is None or now - self._zero - first > MAX_LATENESS:
            self._zero = now - first
            await self._capture_silence()
        elif self._zero + first > now:
            with anyio.CancelScope(deadline=self._zero + first):
                await self._changed.wait()
        elif sound <= picture:
            await self._capture_sound(*self._sounds.popleft())
        else:
            await self._capture_picture(*self._pictures.popleft())

    async def _capture_sound(self, place: float, frame: AudioFrame) -> None:  # noqa: ASYNC910 - a service task, or a step of one
        self._set_position(place)
        if self._audio is not None:
            await self._audio[0].capture_frame(frame)

    async def _capture_picture(self, place: float, frame: VideoFrame) -> None:
        self._set_position(place)
        if self._video is not None:
            self._video[0].capture_frame(frame, timestamp_us=0)
        await anyio.lowlevel.checkpoint()

    def _set_position(self, place: float) -> None:
        duration = self.duration
        self._position = place % duration if self._loop and duration else place
        self._tell()

    async def _capture_silence(self) -> None:
        """Sound is captured ahead of its time by `LEAD`: so much of silence is before it."""
        if self._audio is None:
            await anyio.lowlevel.checkpoint()
            return
        missing = LEAD - self._audio[0].queued_duration
        samples = round(missing * 100) * self._sample_rate // 100
        if samples > 0:
            await self._audio[0].capture_frame(AudioFrame.create(self._sample_rate, self._num_channels, samples))
        else:
            await anyio.lowlevel.checkpoint()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
