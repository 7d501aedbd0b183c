"""Streams that follow a participant: the part of `RemoteParticipant` that gives its sound and its pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._errors import NativePanicError, RoomClosedError
from .._guard import MadeByTheRoom
from ._audio_stream import open_audio_stream
from ._enums import TrackKind, TrackSource
from ._track import facts_of
from ._video_stream import open_video_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._audio_stream import AudioStream, NoiseCancellation
    from ._enums import VideoBufferType
    from ._frame_processor import FrameProcessor
    from ._media_feed import Follow, MediaFeed
    from ._media_stream import Overflow
    from ._participant import RemoteFacts
    from ._track import TrackFacts
    from ._video_frame import VideoFrame
    from ._video_stream import VideoStream

AUDIO_SOURCES: Final = (TrackSource.SOURCE_UNKNOWN, TrackSource.SOURCE_MICROPHONE, TrackSource.SOURCE_SCREENSHARE_AUDIO)
VIDEO_SOURCES: Final = (TrackSource.SOURCE_UNKNOWN, TrackSource.SOURCE_CAMERA, TrackSource.SOURCE_SCREENSHARE)


class ParticipantStreams(metaclass=MadeByTheRoom):
    """What `RemoteParticipant` can do with media."""

    _remote: RemoteFacts

    def open_audio_stream(
        self,
        *,
        source: TrackSource = TrackSource.SOURCE_MICROPHONE,
        sample_rate: int = 48_000,
        num_channels: int = 1,
        frame_size_ms: int | None = None,
        capacity: int | None = None,
        overflow: Overflow = "drop_oldest",
        noise_cancellation: NoiseCancellation | None = None,
    ) -> AudioStream:
        """Receive what this participant plays from *source*, whichever track that is: it goes on when they publish again.

        ::

            with participant.open_audio_stream() as frames:
                async for frame in frames:
                    ...

        Nothing comes while they publish no such track, or we are not subscribed to it. If they publish several, the first
        is taken until it ends.

        Args:
            source: which of their sounds.
            sample_rate: of the frames, in Hz.
            num_channels: of the frames: 1 or 2.
            frame_size_ms: how long a frame lasts; None: 10 ms.
            capacity: how many unread frames may wait; None: 200 ms of them.
            overflow: what happens then: the oldest goes, or the stream fails.
            noise_cancellation: a loaded audio filter, see `AudioFilter`, or code of this program's, see `FrameProcessor`.

        Returns:
            A stream that begins when its ``with`` block is entered, and ends when the participant leaves or the room ends; at
            once if that has happened.

        Raises:
            TypeError, ValueError: an argument is not what it should be.

        Source:
            NewAudioStreamRequest (livekit-ffi audio_frame.proto).
        """
        if source not in AUDIO_SOURCES:
            raise ValueError(f"{source!r} is no source of sound")
        return open_audio_stream(
            _follow(self._remote, source, TrackKind.KIND_AUDIO),
            sample_rate=sample_rate,
            num_channels=num_channels,
            frame_size_ms=frame_size_ms,
            capacity=capacity,
            overflow=overflow,
            noise_cancellation=noise_cancellation,
        )

    def open_video_stream(
        self,
        *,
        source: TrackSource = TrackSource.SOURCE_CAMERA,
        format: VideoBufferType | None = None,  # noqa: A002 - the name that it has for its callers
        capacity: int = 1,
        overflow: Overflow = "drop_oldest",
        processor: FrameProcessor[VideoFrame] | None = None,
    ) -> VideoStream:
        """Receive what this participant shows from *source*, whichever track that is: it goes on when they publish again.

        Nothing comes while they publish no such track, or we are not subscribed to it. If they publish several, the first
        is taken until it ends.

        Args:
            source: which of their videos.
            format: of the frames; None: as the decoder makes them, which costs least.
            capacity: how many unread frames may wait.
            overflow: what happens then: the oldest goes, or the stream fails.
            processor: changes each frame before it is delivered, see `FrameProcessor`.

        Returns:
            A stream that begins when its ``with`` block is entered, and ends when the participant leaves or the room ends; at
            once if that has happened.

        Raises:
            TypeError, ValueError: an argument is not what it should be.

        Source:
            NewVideoStreamRequest (livekit-ffi video_frame.proto).
        """
        if source not in VIDEO_SOURCES:
            raise ValueError(f"{source!r} is no source of pictures")
        return open_video_stream(
            _follow(self._remote, source, TrackKind.KIND_VIDEO),
            format=format,
            capacity=capacity,
            overflow=overflow,
            processor=processor,
        )


def _follow(remote: RemoteFacts, source: TrackSource, kind: TrackKind) -> Follow:
    """Let a feed have the frames of one track after the other, until the participant has left."""

    def follow(feed: MediaFeed) -> Callable[[], None]:
        current: TrackFacts | None = None

        def look() -> None:
            """Something has changed, or is about to be known."""
            nonlocal current
            if current is None and not _has_ended(remote, feed):
                current = _find(remote, source, kind)
                if current is not None:
                    feed.attach(current)
                    current.call_at_end(change)

        def change() -> None:
            """The track has ended; there may be another one."""
            nonlocal current
            current = None
            feed.detach()
            look()

        def unfollow() -> None:
            remote.watchers.remove(look)
            if current is not None:
                current.forget_callback(change)

        look()
        remote.watchers.append(look)
        return unfollow

    return follow


def _find(remote: RemoteFacts, source: TrackSource, kind: TrackKind) -> TrackFacts | None:
    for publication in remote.publications.values():
        track = publication.track
        if track is not None and publication.info.source == source and track.kind == kind and not track.ended:
            return facts_of(track)
    return None


def _has_ended(remote: RemoteFacts, feed: MediaFeed) -> bool:
    """Whether nobody is there to be followed; the feed is told."""
    try:
        remote.link.check_open()
    except RoomClosedError:
        feed.finish()
        return True
    except NativePanicError as error:
        message = error.message
        feed.finish(lambda: NativePanicError(message))
        return True
    if remote.gone:
        feed.finish()
    return remote.gone
