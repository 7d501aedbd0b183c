"""Tracks: read-only views of what the reducer knows of them.

A track object lives as long as its subscription (remote) or as its program keeps it (local). Once it has ended it can still be
read, and whoever asks for its media gets a stream that ends at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, final

import attrs
from typing_extensions import override

from .._errors import OperationError, SourceClosedError
from .._ffi._objects import NativeObject
from .._guard import MadeByTheRoom, make
from ._audio_stream import open_audio_stream
from ._enums import StreamState, TrackKind
from ._media_feed import follow_track
from ._source import Source, native_of
from ._video_stream import open_video_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._audio_source import AudioSource
    from ._audio_stream import AudioStream, NoiseCancellation
    from ._encoded_video_source import EncodedVideoSource
    from ._enums import VideoBufferType
    from ._frame_processor import FrameProcessor
    from ._link import RoomLink
    from ._media_feed import MediaFeed
    from ._media_stream import Overflow
    from ._platform_audio import PlatformAudioSource
    from ._stats import StatsReport
    from ._video_frame import VideoFrame
    from ._video_source import VideoSource
    from ._video_stream import VideoStream

UNPUBLISHED_SID = "TR_unknown"
"""What the native library calls a local track that was never published."""


@attrs.define(eq=False, kw_only=True)
class TrackFacts:
    """What is known of one track; only the reducer changes it."""

    handle: int
    sid: str
    name: str
    kind: TrackKind
    muted: bool = False
    stream_state: StreamState = StreamState.STATE_ACTIVE
    ended: bool = False
    published: bool = False
    """Of a track of ours: in some room."""
    publisher: str = ""
    """Of a remote track: its participant's identity."""
    enabled: bool = attrs.field(default=True, init=False)
    """Of a remote track: whether its streams have frames."""
    feeds: list[MediaFeed] = attrs.field(factory=list["MediaFeed"], init=False)
    """Those of its streams."""
    _at_end: list[Callable[[], None]] = attrs.field(factory=list["Callable[[], None]"], init=False)

    def call_at_end(self, callback: Callable[[], None]) -> None:
        """Call *callback* once the track ends; at once if it has. It must neither raise nor wait."""
        if self.ended:
            callback()
        else:
            self._at_end.append(callback)

    @property
    def is_followed(self) -> bool:
        """Whether somebody reads it."""
        return bool(self._at_end)

    def forget_callback(self, callback: Callable[[], None]) -> None:
        if callback in self._at_end:
            self._at_end.remove(callback)

    def end(self) -> None:
        """No media will come any more. Idempotent."""
        self.ended = True
        callbacks, self._at_end = self._at_end, []
        for callback in callbacks:
            callback()


class Track(metaclass=MadeByTheRoom):
    """An audio or video track, ours or another participant's."""

    def __init__(self, facts: TrackFacts, link: RoomLink | None = None) -> None:
        self._facts = facts
        self._link = link

    @property
    def sid(self) -> str:
        """The server's name for the track; a local one gets another each time it is published."""
        return self._facts.sid

    @property
    def name(self) -> str:
        """The name that its publisher gave it; may be empty."""
        return self._facts.name

    @property
    def kind(self) -> TrackKind:
        """Audio or video."""
        return self._facts.kind

    @property
    def muted(self) -> bool:
        """Whether its publisher has muted it."""
        return self._facts.muted

    @property
    def stream_state(self) -> StreamState:
        """Whether its media flowed when it was made; the native library reports no later change."""
        return self._facts.stream_state

    @property
    def ended(self) -> bool:
        """Whether no media will come any more: unsubscribed, unpublished, its participant gone or the room closed."""
        return self._facts.ended

    async def get_stats(self) -> StatsReport:
        """Return what the native library has measured of this track's media, connection and codec; see `rtc.stats`.

        Raises:
            OperationError: it measures none, since the track has ended or is not published.
            RoomClosedError: the room of this remote track has ended.

        Cancellation:
            Nothing is left behind.

        Source:
            GetStatsRequest (livekit-ffi track.proto).
        """
        from ._stats import ask_track

        return await ask_track(self._facts, self._link)

    @override
    def __repr__(self) -> str:
        return f"rtc.{type(self).__name__}(sid={self.sid}, name={self.name})"


class _RemoteTrack(Track):
    def __init__(self, facts: TrackFacts, link: RoomLink) -> None:
        super().__init__(facts, link)
        self._room = link

    def set_enabled(self, enabled: bool) -> None:
        """Let its frames go on or stop here, without telling anybody; they still arrive, see `RemoteTrackPublication.set_enabled`.

        Its streams wait meanwhile, and `PlatformAudio` plays silence. Each subscription brings another track, which is enabled.

        Raises:
            RoomClosedError: the room has ended.
            OperationError: the track has ended.

        Source:
            EnableRemoteTrackRequest (livekit-ffi track.proto).
        """
        self._room.check_open()
        if self._facts.ended:
            raise OperationError(f"track {self.sid} has ended")
        self._room.request("enable_remote_track", track_handle=self._facts.handle, enabled=enabled)
        # Natively its streams would go on, with black pictures and with sound that is as loud as before.
        self._facts.enabled = enabled
        for feed in tuple(self._facts.feeds):
            (feed.start if enabled else feed.stop)()


class _LocalTrack(Track):
    def __init__(self, facts: TrackFacts, native: NativeObject | None = None, source: Source | None = None) -> None:
        super().__init__(facts)
        self._native = native
        self._source = source
        self._former: list[NativeObject] = []
        """Native tracks of earlier publications that streams still read."""
        self._used = False

    def mute(self) -> None:
        """Send silence, or no pictures, and let everybody know. From any thread; a published track gets `TrackMuted`.

        Raises:
            SourceClosedError: the track was closed.

        Source:
            LocalTrackMuteRequest (livekit-ffi track.proto).
        """
        self._set_muted(True)

    def unmute(self) -> None:
        """Take `mute` back; a published track gets `TrackUnmuted`. What the server muted it may forbid to unmute.

        Raises:
            SourceClosedError: the track was closed.

        Source:
            LocalTrackMuteRequest (livekit-ffi track.proto).
        """
        self._set_muted(False)

    def close(self) -> None:
        """Let go of the native track; idempotent. The last reference does the same. Unpublish it before."""
        if self._native is not None:
            self._facts.end()
            self._native.close()
            self._source = None
            self._former.clear()

    def _set_muted(self, muted: bool) -> None:
        native = self._opened()
        native.request("local_track_mute", track_handle=native.handle, mute=muted)
        if not self._facts.published:
            self._facts.muted = muted  # nothing will tell; of a published track the room does

    def _opened(self) -> NativeObject:
        if self._native is None or self._native.closed:
            raise SourceClosedError
        return self._native

    def _for_publishing(self) -> NativeObject:
        """The native track for one publication: each has one of its own.

        The server does not answer who publishes a native track again before it has seen the end of the first time, or if
        its media never came; natively that times out after 10 s (measured with livekit-server 1.13.5).
        """
        native = self._opened()
        if self._used and self._source is not None:
            if self._facts.is_followed:
                self._former.append(native)
            handle = _request_track(native_of(self._source), self._facts.kind, self._facts.name).handle.id
            self._facts.handle, self._native = handle, NativeObject(native.library, handle)
            if self._facts.muted:
                self._set_muted(True)
        self._used = True
        return self._opened()


class _AudioStreaming(Track):
    def open_stream(
        self,
        *,
        sample_rate: int = 48_000,
        num_channels: int = 1,
        frame_size_ms: int | None = None,
        capacity: int | None = None,
        overflow: Overflow = "drop_oldest",
        noise_cancellation: NoiseCancellation | None = None,
    ) -> AudioStream:
        """Receive its sound, in whatever format is wanted.

        ::

            with track.open_stream(sample_rate=16_000) as frames:
                async for frame in frames:
                    ...

        Args:
            sample_rate: of the frames, in Hz.
            num_channels: of the frames: 1 or 2.
            frame_size_ms: how long a frame lasts; None: 10 ms.
            capacity: how many unread frames may wait; None: 200 ms of them.
            overflow: what happens then: the oldest goes, or the stream fails.
            noise_cancellation: a loaded audio filter, see `AudioFilter`, or code of this program's, see `FrameProcessor`.

        Returns:
            A stream that begins when its ``with`` block is entered, and ends with the track: at once if that has ended.

        Raises:
            TypeError, ValueError: an argument is not what it should be.

        Source:
            NewAudioStreamRequest (livekit-ffi audio_frame.proto).
        """
        return open_audio_stream(
            follow_track(self._facts, self._link),
            sample_rate=sample_rate,
            num_channels=num_channels,
            frame_size_ms=frame_size_ms,
            capacity=capacity,
            overflow=overflow,
            noise_cancellation=noise_cancellation,
        )


class _VideoStreaming(Track):
    def open_stream(
        self,
        *,
        format: VideoBufferType | None = None,  # noqa: A002 - the name that it has for its callers
        capacity: int = 1,
        overflow: Overflow = "drop_oldest",
        processor: FrameProcessor[VideoFrame] | None = None,
    ) -> VideoStream:
        """Receive its pictures.

        ::

            with track.open_stream(format=rtc.VideoBufferType.RGBA) as frames:
                async for frame in frames:
                    ...

        Args:
            format: of the frames; None: as the decoder makes them, which costs least.
            capacity: how many unread frames may wait.
            overflow: what happens then: the oldest goes, or the stream fails.
            processor: changes each frame before it is delivered, see `FrameProcessor`.

        Returns:
            A stream that begins when its ``with`` block is entered, and ends with the track: at once if that has ended.

        Raises:
            TypeError, ValueError: an argument is not what it should be.

        Source:
            NewVideoStreamRequest (livekit-ffi video_frame.proto).
        """
        return open_video_stream(
            follow_track(self._facts, self._link),
            format=format,
            capacity=capacity,
            overflow=overflow,
            processor=processor,
        )


@final
class RemoteAudioTrack(_RemoteTrack, _AudioStreaming):
    """Another participant's audio, for the length of one subscription."""


@final
class RemoteVideoTrack(_RemoteTrack, _VideoStreaming):
    """Another participant's video, for the length of one subscription."""


@final
class LocalAudioTrack(_LocalTrack, _AudioStreaming):
    """Audio that this program sends. It belongs to no room and no event loop, and is published in one room at a time."""

    @classmethod
    def create_audio_track(cls, name: str, source: AudioSource | PlatformAudioSource) -> LocalAudioTrack:
        """Make a track that sends what *source* is given. Any number of tracks may have one source.

        Raises:
            TypeError: *source* is no audio source.
            SourceClosedError: it was closed.

        Source:
            CreateAudioTrackRequest (livekit-ffi track.proto).
        """
        return make(cls, *_create(name, source, TrackKind.KIND_AUDIO))


@final
class LocalVideoTrack(_LocalTrack, _VideoStreaming):
    """Video that this program sends. It belongs to no room and no event loop, and is published in one room at a time."""

    @classmethod
    def create_video_track(cls, name: str, source: VideoSource | EncodedVideoSource) -> LocalVideoTrack:
        """Make a track that sends what *source* is given. Any number of tracks may have one source.

        Raises:
            TypeError: *source* is no video source.
            SourceClosedError: it was closed.

        Source:
            CreateVideoTrackRequest (livekit-ffi track.proto).
        """
        return make(cls, *_create(name, source, TrackKind.KIND_VIDEO))


RemoteTrack: TypeAlias = RemoteAudioTrack | RemoteVideoTrack
LocalTrack: TypeAlias = LocalAudioTrack | LocalVideoTrack
AudioTrack: TypeAlias = LocalAudioTrack | RemoteAudioTrack
VideoTrack: TypeAlias = LocalVideoTrack | RemoteVideoTrack


def _create(name: str, source: Source, kind: TrackKind) -> tuple[TrackFacts, NativeObject, Source]:
    if not isinstance(source, Source) or source.kind != kind:  # pyright: ignore[reportUnnecessaryIsInstance] - for callers without types
        raise TypeError(f"a track needs a source of {kind.name}, not {source!r}")
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] - for callers without types
        raise TypeError(f"a track's name must be a string, not {name!r}")
    native = native_of(source)
    made = _request_track(native, kind, name)
    handle, info = made.handle.id, made.info
    facts = TrackFacts(handle=handle, sid=info.sid, name=name, kind=kind, muted=info.muted)
    return facts, NativeObject(native.library, handle), source


def _request_track(source: NativeObject, kind: TrackKind, name: str) -> Any:
    request = "create_audio_track" if kind == TrackKind.KIND_AUDIO else "create_video_track"
    return source.request(request, name=name, source_handle=source.handle).track


def native_track(track: LocalAudioTrack | LocalVideoTrack) -> NativeObject:
    """A native track to be published, for the modules of this package.

    Raises:
        SourceClosedError: it was closed, or it was published before and its source is closed now.
    """
    return track._for_publishing()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - there for publishing and the like


def facts_of(track: Track) -> TrackFacts:
    """The record behind a view, for the modules of this package."""
    return track._facts  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - there for publishing and the like
