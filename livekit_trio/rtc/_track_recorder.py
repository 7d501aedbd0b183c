"""TrackRecorder: audio and video tracks into a file, without losing a frame."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, final

import anyio
import anyio.lowlevel
import anyio.to_thread
import attrs
from typing_extensions import override

from .._errors import OperationError, RoomClosedError, StreamClosedError, StreamLaggedError
from ._enums import TrackKind
from ._media_writer import FORMATS, MediaWriter
from ._services import open_services
from ._track import facts_of
from ._validators import check_integer

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Iterable

    from ._audio_frame import AudioFrame
    from ._media_stream import MediaStream
    from ._media_writer import Lane
    from ._track import AudioTrack, VideoTrack
    from ._video_frame import VideoFrame

MAX_AUDIO: Final = 1000
MAX_VIDEO: Final = 90
"""Frames of a track that wait to be written: 10 s of sound, 3 s of pictures. Beyond it the machine is too slow, which is an error."""

MAX_SIDE: Final = 4096

LOOK: Final = 0.3
"""Seconds after which it is measured how long frames have waited in the jitter buffers, and those that came are written."""


@attrs.frozen(kw_only=True)
class TrackRecording:
    """How much of one track was recorded.

    Attributes:
        track_sid: the track's SID.
        kind: audio or video.
        delivered: frames that the track's stream has delivered.
        dropped: frames that it has lost; always 0 unless the recorder has failed.
        written: frames that are in the file.
        samples: of them, for each channel; 0 for video.
        silence: samples of silence written where sound was missing, such as while the track was muted.
        duration: where the track ends in the file, in seconds.
    """

    track_sid: str
    kind: TrackKind
    delivered: int
    dropped: int
    written: int
    samples: int
    silence: int
    duration: float


@attrs.define(eq=False)
class _Take:
    """One track on its way into the file."""

    track: AudioTrack | VideoTrack
    stream: MediaStream[Any]
    lane: Lane
    waiting: int = 0
    ended: bool = False
    reading: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    wait: float = 0.0
    """How long its frames wait here before they are delivered, in seconds."""
    first_wait: float = 0.0
    """As it was when writing began."""
    measured: bool = False

    def measure(self, old: tuple[float, int], new: tuple[float, int]) -> None:
        if new[1] <= old[1]:
            return
        wait = (new[0] - old[0]) / (new[1] - old[1])
        if not self.measured:
            self.first_wait = wait
            self.measured = True
        self.wait = wait


@final
class TrackRecorder(anyio.AsyncContextManagerMixin):
    """Writes tracks to a WAV, Ogg, MP4 or Matroska file, each with a track of its own in it. Needs the extra ``media``.

    ::

        async with rtc.TrackRecorder("call.mp4", [microphone, camera]) as recorder:
            await recorder.wait_ended()

    Recording begins when the block is entered and ends, at the latest, when it is left: then everything delivered so far is
    written. Frames are placed by when they arrived on this machine, before jitter buffer and decoder, so that sound and picture of
    one sender are together; the sound of a track is without gaps, and where it is missing for longer, silence is written. Once the first frame has come
    the file can be opened at any moment, also if the program is killed; about a second may be missing then.

    Args:
        path: of the file; its suffix says the format: ``.mp4`` (H.264 and AAC), ``.mkv`` (H.264 and Opus), ``.ogg`` (Opus, one
            audio track) or ``.wav`` (16 bits, one audio track). What is there already is replaced.
        tracks: local or remote ones.
        sample_rate: of the sound in the file, in Hz; for Opus 48 000.
        num_channels: 1 or 2.
        video_size: width and height of the pictures in the file, both even. Pictures of another size are fitted into it.
        video_bitrate: in bits per second.

    Raises:
        ModuleNotFoundError: PyAV is not installed (extra ``media``).
        TypeError, ValueError: an argument is not what it should be, or the format cannot hold these tracks.
        OSError: the file cannot be written; on entering.
        StreamLaggedError: the machine is too slow to compress what comes; the file has everything up to there. On leaving, or
            from `wait_ended`.
        Exception: whatever else has ended the recording, likewise.

    Cancellation:
        The file is closed properly, however the block is left; that takes some milliseconds, and is not cut short.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        tracks: Iterable[AudioTrack | VideoTrack],
        *,
        sample_rate: int = 48_000,
        num_channels: int = 1,
        video_size: tuple[int, int] = (1280, 720),
        video_bitrate: int = 2_500_000,
    ) -> None:
        self._path = Path(path)
        self._tracks = tuple(tracks)
        check_integer("sample_rate", sample_rate, 8_000, 96_000)
        check_integer("num_channels", num_channels, 1, 2)
        check_integer("video_bitrate", video_bitrate, 1_000, 1_000_000_000)
        for side in video_size:
            check_integer("video_size", side, 2, MAX_SIDE)
            if side % 2:
                raise ValueError(f"video_size must be even, not {video_size}")
        self._check_format()
        self._sample_rate = sample_rate
        self._num_channels = num_channels
        self._video_size = video_size
        self._video_bitrate = video_bitrate
        self._takes: list[_Take] = []
        self._queue: deque[tuple[_Take, AudioFrame | VideoFrame]] = deque()
        self._error: Exception | None = None
        self._changed = anyio.Event()
        self._state = "new"

    def _check_format(self) -> None:
        if self._path.suffix.lower() not in FORMATS:
            raise ValueError(f"the suffix must be one of {', '.join(FORMATS)}: {self._path.name}")
        found = FORMATS[self._path.suffix.lower()]
        if not self._tracks:
            raise ValueError("there is no track to record")
        if not found.many and [track.kind for track in self._tracks] != [TrackKind.KIND_AUDIO]:
            raise ValueError(f"{self._path.suffix} holds one audio track")

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        if self._state != "new":
            raise StreamClosedError("a recorder is entered once; make another one")
        self._state = "open"
        try:
            # It is closed here where a plain Task.cancel() has cut the shield short.
            with ExitStack() as streams, closing(self._open(streams)) as writer:
                async with open_services() as tasks:
                    for take in self._takes:
                        tasks.start_soon(self._read, take)
                    tasks.start_soon(self._write, writer)
                    try:
                        yield self
                    finally:
                        with anyio.CancelScope(shield=True):
                            await self._stop_reading()
                            await self._finish(writer)
        finally:
            self._state = "closed"
            self._queue.clear()  # what that has left
        if self._error is not None:
            raise self._error

    async def wait_ended(self) -> None:
        """Wait until all tracks have ended and are written.

        Raises:
            StreamLaggedError: the machine is too slow to compress what comes.
            StreamClosedError: the recorder is closed, or not entered yet.
            Exception: whatever else has ended the recording.

        Cancellation:
            Nothing is left behind; the recording goes on.
        """
        await anyio.lowlevel.checkpoint()
        while not self._is_done():
            if self._state != "open":
                raise StreamClosedError(
                    f"this recorder is {'closed' if self._state == 'closed' else 'not entered yet'}"
                )
            await self._changed.wait()
        if self._error is not None:
            raise self._error

    def statistics(self) -> tuple[TrackRecording, ...]:
        """Return how much of each track was recorded so far; they stay readable after the end."""
        return tuple(
            TrackRecording(
                track_sid=take.track.sid,
                kind=take.track.kind,
                delivered=take.stream.statistics().delivered,
                dropped=take.stream.statistics().dropped,
                written=take.lane.frames,
                samples=take.lane.samples,
                silence=take.lane.silence,
                duration=take.lane.end,
            )
            for take in self._takes
        )

    @override
    def __repr__(self) -> str:
        return f"<rtc.TrackRecorder of {len(self._tracks)} tracks to {self._path}: {self._state}>"

    # ---- from the tracks

    def _open(self, streams: ExitStack) -> MediaWriter:
        writer = MediaWriter(
            self._path,
            sample_rate=self._sample_rate,
            num_channels=self._num_channels,
            video_size=self._video_size,
            video_bitrate=self._video_bitrate,
        )
        try:
            for track in self._tracks:
                if track.kind == TrackKind.KIND_AUDIO:
                    stream: Any = _audio_stream(track, self._sample_rate, self._num_channels)
                    lane = writer.add_audio()
                else:
                    stream, lane = _video_stream(track), writer.add_video()
                self._takes.append(_Take(track, streams.enter_context(stream), lane))
            writer.start()
        except BaseException:
            writer.close()
            raise
        return writer

    async def _read(self, take: _Take) -> None:  # noqa: ASYNC910 - a service task, or a step of one
        limit = MAX_AUDIO if take.track.kind == TrackKind.KIND_AUDIO else MAX_VIDEO
        try:
            with take.reading:
                async for frame in take.stream:
                    if take.waiting < limit:
                        self._put(take, frame)
                    else:
                        self._fail(StreamLaggedError(1))
                        break
        except Exception as error:  # noqa: BLE001 - for whoever has the recorder
            self._fail(error)
        finally:
            take.ended = True  # also when the whole block is cancelled, which nothing here is shielded from
            self._tell()

    async def _stop_reading(self) -> None:  # noqa: ASYNC910 - a service task, or a step of one
        for take in self._takes:
            take.reading.cancel()
        while not all(take.ended for take in self._takes):
            await self._changed.wait()

    def _put(self, take: _Take, frame: AudioFrame | VideoFrame) -> None:
        take.waiting += 1
        self._queue.append((take, frame))
        self._tell()

    # ---- into the file

    def _sound_of(self, take: _Take) -> _Take | None:
        """The sound that belongs to a track: itself, or the first of the same sender."""
        if take.track.kind == TrackKind.KIND_AUDIO:
            return take
        sender = facts_of(take.track).publisher
        of_sender = (other for other in self._takes if facts_of(other.track).publisher == sender)
        return next((other for other in of_sender if other.track.kind == TrackKind.KIND_AUDIO), None)

    async def _write(self, writer: MediaWriter) -> None:  # noqa: ASYNC910 - a service task, or a step of one
        """Service task: write until the block is left."""
        try:
            await self._write_all(writer)
        except Exception as error:  # noqa: BLE001 - for whoever has the recorder
            self._fail(error)

    async def _write_all(self, writer: MediaWriter) -> None:
        """Again and again measure how long frames have just waited here, and write what has come meanwhile.

        Sound stays where it began, since it has no gaps: while it waits longer than at its beginning, the pictures of its
        sender are moved back with it.
        """
        before = [await _waits(take.track) for take in self._takes]
        while True:
            await anyio.sleep(LOOK)
            after = [await _waits(take.track) for take in self._takes]
            for take, old, new in zip(self._takes, before, after, strict=True):
                take.measure(old, new)
            for take in self._takes:
                sound = self._sound_of(take)
                if take is sound:
                    take.lane.delay = take.first_wait
                else:
                    take.lane.delay = take.wait - (sound.wait - sound.first_wait if sound is not None else 0.0)
            before = after
            if self._queue:
                await self._write_batch(writer)

    async def _write_batch(self, writer: MediaWriter) -> None:  # noqa: ASYNC910 - a service task, or a step of one
        batch = list(self._queue)
        self._queue.clear()
        try:
            with anyio.CancelScope(shield=True):  # what was taken out of the queue is written
                await anyio.to_thread.run_sync(writer.write, [(take.lane, frame) for take, frame in batch])
        except Exception as error:  # noqa: BLE001 - for whoever has the recorder
            self._fail(error)
        for take, _ in batch:
            take.waiting -= 1
        self._tell()

    async def _finish(self, writer: MediaWriter) -> None:  # noqa: ASYNC910 - a service task, or a step of one
        while any(take.waiting for take in self._takes):
            if self._queue:
                await self._write_batch(writer)
            else:
                await self._changed.wait()  # for the batch that `_write` was at
        try:
            await anyio.to_thread.run_sync(writer.close)
        except Exception as error:  # noqa: BLE001 - for whoever has the recorder
            self._fail(error)

    def _is_done(self) -> bool:
        return self._error is not None or (
            bool(self._takes) and all(take.ended and not take.waiting for take in self._takes)
        )

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


async def _waits(track: AudioTrack | VideoTrack) -> tuple[float, int]:
    """How long all samples or frames of a remote track have waited together before they were delivered, and how many there were."""
    from ._stats_rtp import InboundRtpStats

    try:
        report = await track.get_stats()
    except (OperationError, RoomClosedError):
        return 0.0, 0  # noqa: ASYNC910 - a service task, or a step of one
    for stream in report.of(InboundRtpStats):
        if stream.kind == "audio":
            return stream.jitter_buffer_delay, stream.jitter_buffer_emitted_count
        return stream.total_processing_delay, stream.frames_decoded
    return 0.0, 0


def _audio_stream(track: Any, sample_rate: int, num_channels: int) -> Any:
    return track.open_stream(sample_rate=sample_rate, num_channels=num_channels, capacity=MAX_AUDIO, overflow="fail")


def _video_stream(track: Any) -> Any:
    return track.open_stream(capacity=MAX_VIDEO, overflow="fail")
