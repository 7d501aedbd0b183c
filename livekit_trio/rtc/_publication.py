"""Publications: that somebody offers a track, whether anybody subscribes to it or not."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, final

import anyio
import anyio.lowlevel
import attrs
from typing_extensions import override

from .._errors import NativeRefusalError, OperationError, RoomClosedError, SubscribeError
from .._guard import MadeByTheRoom, make
from ._enums import EncryptionType, TrackKind, VideoQuality
from ._track import facts_of

if TYPE_CHECKING:
    from ._enums import AudioTrackFeature, FrameMetadataFeature, TrackSource
    from ._link import RoomLink
    from ._track import LocalTrack, RemoteTrack, Track
    from ._values import PublicationInfo

UNPUBLISHED: Final = "the track was unpublished"

SUBSCRIBE_TIMEOUT: Final = 5.0
"""Seconds. The media comes within some 20 ms (measured); that it may not come at all, the server tells nobody."""


CODEC_INTERVAL: Final = 0.1
"""Seconds between two looks at what is sent."""


@attrs.define(eq=False)
class PublicationFacts:
    """What is known of one publication; only the reducer changes it."""

    handle: int
    info: PublicationInfo
    gone: bool = attrs.field(default=False, init=False)


@attrs.define(eq=False)
class LocalPublicationFacts(PublicationFacts):
    link: RoomLink
    track: LocalTrack
    announced: bool = attrs.field(default=False, init=False)
    subscribed: bool = attrs.field(default=False, init=False)
    withdrawn: bool = attrs.field(default=False, init=False)
    """Whether it is to end."""
    asked: bool = attrs.field(default=False, init=False)
    """Whether the native side was asked to end it, under the SID that it has now."""
    waits: list[anyio.CancelScope] = attrs.field(factory=list[anyio.CancelScope], init=False)
    """The waits for answers to that."""
    view: LocalTrackPublication = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.view = make(LocalTrackPublication, self)

    def stop_waits(self) -> None:
        """A reconnect has swallowed the answers."""
        for wait in self.waits:
            wait.cancel()


def unpublishing(participant_handle: int, sid: str) -> dict[str, Any]:
    """The fields of the request to unpublish a track of ours."""
    return {"local_participant_handle": participant_handle, "track_sid": sid, "stop_on_unpublish": False}


@attrs.define(eq=False)
class RemotePublicationFacts(PublicationFacts):
    link: RoomLink
    wanted: bool
    """Whether it is to be subscribed to, whoever waits for that or not."""
    waiting: int = attrs.field(default=0, init=False)
    """How many tasks are in `subscribe`."""
    unpublished: int = attrs.field(default=0, init=False)
    """How often it was unpublished: a full reconnect unpublishes it and brings it back."""
    track: RemoteTrack | None = attrs.field(default=None, init=False)
    enabled: bool = attrs.field(default=True, init=False)
    failures: int = attrs.field(default=0, init=False)
    failure: str = attrs.field(default="", init=False)
    view: RemoteTrackPublication = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.view = make(RemoteTrackPublication, self)

    @property
    def desired(self) -> bool:
        """Whether anybody here wants it now."""
        return self.wanted or self.waiting > 0


class TrackPublication(metaclass=MadeByTheRoom):
    """What a participant says about one track that it has published. Stays readable when that ends."""

    def __init__(self, facts: PublicationFacts) -> None:
        self._facts = facts

    @property
    def track(self) -> Track | None:
        """The track itself, if there is one here."""
        raise NotImplementedError

    @property
    def sid(self) -> str:
        """The server's name for it; republishing, as a full reconnect does, changes it."""
        return self._facts.info.sid

    @property
    def name(self) -> str:
        """The track's name, given by its publisher; may be empty."""
        return self._facts.info.name

    @property
    def kind(self) -> TrackKind:
        """Audio or video."""
        return self._facts.info.kind

    @property
    def source(self) -> TrackSource:
        """Whether it is a camera, a microphone, a screen."""
        return self._facts.info.source

    @property
    def simulcasted(self) -> bool:
        """Whether the video is sent in several layers."""
        return self._facts.info.simulcasted

    @property
    def width(self) -> int:
        """Of the largest layer, in pixels; 0 for audio."""
        return self._facts.info.width

    @property
    def height(self) -> int:
        """Of the largest layer, in pixels; 0 for audio."""
        return self._facts.info.height

    @property
    def mime_type(self) -> str:
        """The codec, such as ``video/VP8``."""
        return self._facts.info.mime_type

    @property
    def muted(self) -> bool:
        """Whether the publisher, or the server in its name, has muted it."""
        return self._facts.info.muted

    @property
    def encryption_type(self) -> EncryptionType:
        """Whether and how its media is encrypted end to end."""
        return self._facts.info.encryption_type

    @property
    def is_encrypted(self) -> bool:
        """Whether its media is encrypted end to end."""
        return self.encryption_type != EncryptionType.NONE

    @property
    def audio_features(self) -> tuple[AudioTrackFeature, ...]:
        """What the publisher says about its audio."""
        return self._facts.info.audio_features

    @property
    def frame_metadata_features(self) -> tuple[FrameMetadataFeature, ...]:
        """What travels with each frame of its video."""
        return self._facts.info.frame_metadata_features

    @override
    def __repr__(self) -> str:
        return f"rtc.{type(self).__name__}(sid={self.sid}, name={self.name}, kind={self.kind.name}, source={self.source.name})"


@final
class LocalTrackPublication(TrackPublication):
    """A track that we have published."""

    def __init__(self, facts: LocalPublicationFacts) -> None:
        super().__init__(facts)
        self._local = facts

    @property
    @override
    def track(self) -> LocalTrack:
        """The track."""
        return self._local.track

    @property
    @override
    def mime_type(self) -> str:
        """The codec, such as ``video/VP8``; empty before `wait_for_codec` has asked: of our own tracks no native event tells it."""
        return super().mime_type

    async def wait_for_subscription(self) -> None:
        """Return once somebody has subscribed to it; at once if that has happened before.

        Raises:
            OperationError: it was unpublished before anybody subscribed.
            RoomClosedError: the room ended before.

        Cancellation:
            Nothing is left behind; the track stays published.
        """
        facts = self._local
        await facts.link.wait_until(lambda: facts.subscribed or facts.gone)
        if not facts.subscribed:
            facts.link.check_open()  # leaving unpublishes everything
            raise OperationError(f"{self.sid}: {UNPUBLISHED} before anybody subscribed")

    async def wait_for_codec(self) -> str:
        """Return the codec that its media is sent with, such as ``video/VP8``, once some is sent; `mime_type` has it then.

        The native library takes another codec where it cannot encode the one that was asked for, and says so nowhere else:
        for H265 it takes VP8 (livekit-ffi 0.13.2).

        Raises:
            OperationError: it was unpublished before anything was sent, or the native library gives no statistics.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            Nothing is left behind; the track stays published.

        Source:
            GetStatsRequest (livekit-ffi track.proto), asked again and again.
        """
        facts = self._local
        while not facts.gone:
            reply = await facts.link.call("get_stats", track_handle=facts_of(facts.track).handle)
            if reply.error:
                raise OperationError(f"{self.sid}: {reply.error}")
            for entry in reply.stats:
                if entry.WhichOneof("stats") == "codec":
                    facts.info = attrs.evolve(facts.info, mime_type=entry.codec.codec.mime_type)
                    return self.mime_type
            await anyio.sleep(CODEC_INTERVAL)
        raise OperationError(f"{self.sid}: {UNPUBLISHED} before anything was sent")


@final
class RemoteTrackPublication(TrackPublication):
    """A track that another participant has published."""

    def __init__(self, facts: RemotePublicationFacts) -> None:
        super().__init__(facts)
        self._remote = facts

    @property
    @override
    def track(self) -> RemoteTrack | None:
        """The track while we are subscribed to it, else None. Each subscription brings another one."""
        return self._remote.track

    @property
    def subscribed(self) -> bool:
        """Whether we get its media."""
        return self._remote.track is not None

    @property
    def is_desired(self) -> bool:
        """Whether we have asked for its media, by `set_subscribed`, `subscribe` or `RoomOptions.auto_subscribe`."""
        return self._remote.desired

    @property
    def is_enabled(self) -> bool:
        """False after ``set_enabled(False)``; each new subscription makes it True again."""
        return self._remote.enabled

    def set_subscribed(self, subscribed: bool) -> None:
        """Ask for this track's media, or for no more of it. `TrackSubscribed` and `TrackUnsubscribed` tell what came of it.

        Natively each call is a task of its own: two within some milliseconds may reach the server in either order.

        Raises:
            SubscribeError: the track is not published any more.
            RoomClosedError: the room has ended.

        Source:
            SetSubscribedRequest (livekit-ffi room.proto).
        """
        self._ask_for_media(subscribed)
        self._remote.wanted = subscribed

    async def subscribe(self) -> RemoteTrack:
        """Ask for this track's media and wait for it.

        Returns:
            The track; at once if we are subscribed already.

        Raises:
            SubscribeError: the media did not come within 5 s, since our token or its publisher does not permit it, or none is sent;
                or the track was unpublished meanwhile. To wait for it longer, use `set_subscribed` and `TrackSubscribed`.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            Takes the wish back, as failing does, unless the track was wanted before or another task waits for it.

        Source:
            SetSubscribedRequest (livekit-ffi room.proto), then what the room says.
        """
        await anyio.lowlevel.checkpoint()
        self._check_published()
        facts = self._remote
        if facts.track is not None:
            facts.wanted = True
            return facts.track
        self._ask_for_media(True)
        facts.waiting += 1
        try:
            track = await self._wait_for_track()
            facts.wanted = True
        finally:
            facts.waiting -= 1
            if not facts.desired:
                self._take_wish_back()
        return track

    async def _wait_for_track(self) -> RemoteTrack:
        facts = self._remote
        unpublished, failures = facts.unpublished, facts.failures
        with anyio.move_on_after(SUBSCRIBE_TIMEOUT):
            await facts.link.wait_until(
                lambda: facts.track is not None or facts.unpublished != unpublished or facts.failures != failures
            )
        if facts.track is not None:
            return facts.track
        facts.link.check_open()
        if facts.unpublished != unpublished:
            raise SubscribeError(self.sid, UNPUBLISHED)
        if facts.failures != failures:
            raise SubscribeError(self.sid, facts.failure)
        raise SubscribeError(self.sid, f"no media came within {SUBSCRIBE_TIMEOUT:g} s: not permitted, or none is sent")

    def _ask_for_media(self, subscribed: bool) -> None:
        self._check_published()
        self._remote.link.request("set_subscribed", subscribe=subscribed, publication_handle=self._remote.handle)

    def _take_wish_back(self) -> None:
        # What has ended meanwhile has no wishes left, and an error is on its way to the caller already.
        with contextlib.suppress(SubscribeError, RoomClosedError, NativeRefusalError):
            self._ask_for_media(False)

    def set_enabled(self, enabled: bool) -> None:
        """Let the server stop, or go on, sending this track's media while we stay subscribed.

        Raises:
            SubscribeError: we are not subscribed to it; the native library would ignore the request.
            RoomClosedError: the room has ended.

        Source:
            EnableRemoteTrackPublicationRequest (livekit-ffi track_publication.proto).
        """
        facts = self._remote
        self._check_subscribed()
        facts.link.request("enable_remote_track_publication", track_publication_handle=facts.handle, enabled=enabled)
        facts.enabled = enabled

    def set_video_quality(self, quality: VideoQuality) -> None:
        """Ask for a layer of a simulcasted video; the server may send a lower one.

        It believes that a layer with fewer than 10 packets a second is gone, such as that of a screen on which nothing
        moves, and after that it wants to see 10 s of more before it sends the layer again (livekit-server 1.13.5).

        Raises:
            ValueError: it is no video, not simulcasted, or *quality* is none.
            SubscribeError: the track is not published any more.
            RoomClosedError: the room has ended.

        Source:
            SetRemoteTrackPublicationQualityRequest (livekit-ffi track_publication.proto).
        """
        self._check_video("set_video_quality")
        if not self.simulcasted:
            raise ValueError(f"set_video_quality needs a simulcasted publication, {self.sid} is none")
        if not VideoQuality(quality).is_known:
            raise ValueError(f"{quality!r} is no video quality")
        self._check_published()
        self._remote.link.request(
            "set_remote_track_publication_quality", track_publication_handle=self._remote.handle, quality=int(quality)
        )

    def set_video_dimensions(self, width: int, height: int) -> None:
        """Say how large the video is shown, so that the server sends no larger layer than needed.

        Args:
            width: in pixels, at least 1.
            height: in pixels, at least 1.

        Raises:
            ValueError: it is no video, or a dimension is out of range.
            SubscribeError: we are not subscribed to it; the native library would ignore the request.
            RoomClosedError: the room has ended.

        Source:
            UpdateRemoteTrackPublicationDimensionRequest (livekit-ffi track_publication.proto).
        """
        self._check_video("set_video_dimensions")
        if not (0 < width < 1 << 16 and 0 < height < 1 << 16):
            raise ValueError(f"video dimensions must be from 1 to 65535 pixels, not {width} × {height}")
        self._check_subscribed()
        self._remote.link.request(
            "update_remote_track_publication_dimension",
            track_publication_handle=self._remote.handle,
            width=width,
            height=height,
        )

    def _check_published(self) -> None:
        self._remote.link.check_open()
        if self._remote.gone:
            raise SubscribeError(self.sid, UNPUBLISHED)

    def _check_subscribed(self) -> None:
        self._check_published()
        if self._remote.track is None:
            raise SubscribeError(self.sid, "not subscribed to this track")

    def _check_video(self, operation: str) -> None:
        if self.kind != TrackKind.KIND_VIDEO:
            raise ValueError(f"{operation} is for video, {self.sid} is {self.kind.name}")
