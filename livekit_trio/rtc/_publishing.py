"""Publishing: the part of `LocalParticipant` that offers tracks to the room and withdraws them."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel

from .._errors import PublishTrackError, RoomClosedError, UnpublishTrackError
from .._guard import MadeByTheRoom
from ._publication import unpublishing
from ._publish_options import TrackPublishOptions, native_options
from ._track import LocalAudioTrack, LocalVideoTrack, facts_of, native_track

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .._ffi._calls import Call
    from ._local_participant import LocalFacts
    from ._publication import LocalPublicationFacts, LocalTrackPublication
    from ._track import LocalTrack

DEFAULT_OPTIONS: Final = TrackPublishOptions()

ENDING: Final = 1.0
"""Seconds from the answer to a second request for the same end until the first one has had its effect."""


ENGINE: Final = "engine: "
"""How the native library's errors begin that come when the connection is lost: the track is off its list, and ends once it is back."""


class Publishing(metaclass=MadeByTheRoom):
    """What `LocalParticipant` can do with tracks."""

    _local: LocalFacts

    async def publish_track(
        self, track: LocalTrack, options: TrackPublishOptions = DEFAULT_OPTIONS
    ) -> LocalTrackPublication:
        """Offer a track to everybody in the room, who get `TrackPublished`. Returns once the server has taken it.

        Args:
            track: it may be published again after it has been unpublished, also elsewhere.
            options: how.

        Returns:
            The publication, which is in `track_publications` already.

        Raises:
            TypeError: *track* is no local track.
            PublishTrackError: we may not publish this, the track is published already, or the server did not take it.
            SourceClosedError: the track was closed.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            The track does not stay published; if the server has taken it, it is unpublished.

        Source:
            PublishTrackRequest (livekit-ffi room.proto).
        """
        facts = self._local
        if not isinstance(track, (LocalAudioTrack, LocalVideoTrack)):  # pyright: ignore[reportUnnecessaryIsInstance] - for callers without types
            raise TypeError(f"a local track is needed, not {track!r}")
        facts.link.check_open()
        # Natively all that is refused here times out after 10 s (measured).
        refusal = self._why_not(options)
        if refusal is None and facts_of(track).published:
            refusal = f"{track!r} is published already"
        if refusal is not None:
            raise PublishTrackError(refusal)
        native = native_track(track)
        facts_of(track).published = True
        try:
            return await self._publish(track, native.handle, options)
        except BaseException:
            facts_of(track).published = False
            raise

    @asynccontextmanager
    async def published_track(
        self, track: LocalTrack, options: TrackPublishOptions = DEFAULT_OPTIONS
    ) -> AsyncGenerator[LocalTrackPublication]:
        """Publish a track for the length of an ``async with`` block.

        Args:
            track: as for `publish_track`.
            options: likewise.

        Yields:
            The publication.

        Raises:
            PublishTrackError, SourceClosedError, TypeError: as for `publish_track`.
            UnpublishTrackError: it could not be unpublished at the end.
            RoomClosedError: the room has ended, or ended while the track was being published.

        Cancellation:
            The track is unpublished in any case; only the wait for the server's answer is cut short.
        """
        publication = await self.publish_track(track, options)
        error = ""
        try:
            yield publication
        finally:
            found = self._find(publication)
            if found is not None:
                with suppress(RoomClosedError):
                    error = await self._error_of(self._withdraw(found), found)  # noqa: ASYNC102 - it is withdrawn already
        if error:
            raise UnpublishTrackError(error)

    async def unpublish_track(self, track: str | LocalTrackPublication | LocalTrack) -> None:
        """Withdraw a track; others get `TrackUnpublished`. The track and its source stay usable.

        While the connection is lost, this waits until it is back.

        Args:
            track: the SID of the publication, the publication, or the track.

        Raises:
            UnpublishTrackError: we have not published that, or the server did not take it back.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            The track is unpublished all the same, unless the caller was cancelled before this was called.

        Source:
            UnpublishTrackRequest (livekit-ffi room.proto).
        """
        facts = self._local
        facts.link.check_open()
        publication = self._find(track)
        if publication is None:
            raise UnpublishTrackError(f"we have not published {track!r}")
        await anyio.lowlevel.checkpoint_if_cancelled()
        error = await self._error_of(self._withdraw(publication), publication)
        if error:
            raise UnpublishTrackError(error)

    async def unpublish_all(self) -> None:
        """Withdraw all our tracks, one after the other.

        Raises:
            UnpublishTrackError: the server did not take one back.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            Those that were not reached yet stay published.
        """
        facts = self._local
        facts.link.check_open()
        await anyio.lowlevel.checkpoint()
        for publication in list(facts.publications.values()):
            if not publication.gone:
                await self.unpublish_track(publication.view)

    async def _publish(
        self, track: LocalTrack, track_handle: int, options: TrackPublishOptions
    ) -> LocalTrackPublication:
        link = self._local.link
        reply = await link.call_unless(
            lambda: self._why_not(options),
            "publish_track",
            local_participant_handle=self._local.handle,
            track_handle=track_handle,
            options=native_options(options),
        )
        if reply is None:
            raise PublishTrackError(self._why_not(options) or "not permitted any more")
        if reply.error:
            raise PublishTrackError(reply.error)
        return link.add_publication(reply.publication, track)

    def _why_not(self, options: TrackPublishOptions) -> str | None:
        """What our own state says against publishing."""
        permissions = self._local.info.permissions
        return None if permissions is None else permissions.why_not(options.source)

    def _find(self, track: str | LocalTrackPublication | LocalTrack) -> LocalPublicationFacts | None:
        for publication in self._local.publications.values():
            if track in (publication.info.sid, publication.view, publication.track):
                return publication
        return None

    def _withdraw(self, publication: LocalPublicationFacts) -> Call | None:
        """Ask for its end; None while the connection is lost: the reducer asks when it is back."""
        if not self._local.reconnecting:
            call = self._local.link.send("unpublish_track", **unpublishing(self._local.handle, publication.info.sid))
        else:
            call = None
        publication.withdrawn = True
        publication.asked = call is not None
        facts_of(publication.track).published = False
        return call

    async def _error_of(self, call: Call | None, publication: LocalPublicationFacts) -> str:
        """Wait until *publication* has ended; return what the native side has against that, if it does not."""
        error: str | None = None
        while error is None:
            if call is not None:
                error = await _answer_to(call, publication)
                call = None
            else:
                await publication.link.wait_until(lambda: publication.gone or not self._local.reconnecting)
                if publication.gone:
                    return ""
                call = self._withdraw(publication)  # as the reducer has; this one for the answer
        if error:
            publication.withdrawn = publication.asked = False
            facts_of(publication.track).published = True
        return error  # noqa: ASYNC910 - either branch waits


async def _answer_to(call: Call, publication: LocalPublicationFacts) -> str | None:
    """What the native side has against this end, once it has answered; None if a reconnect has swallowed the answer."""
    wait = anyio.CancelScope()
    publication.waits.append(wait)
    try:
        with wait:
            error: str = (await call.wait()).error
            if not error or error.startswith(ENGINE):
                return ""
            with anyio.move_on_after(ENDING):  # an earlier request, or a reconnect, may be about to end it
                await publication.link.wait_until(lambda: publication.gone)
                return ""
            return error
    except BaseException:
        call.forsake()
        raise
    finally:
        publication.waits.remove(wait)
    call.forsake()
    return None
