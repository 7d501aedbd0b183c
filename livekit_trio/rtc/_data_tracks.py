"""Data tracks of our own: the part of `LocalParticipant` that publishes them, and what it makes."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, final

import anyio
import anyio.lowlevel
import attrs
from typing_extensions import override

from .._errors import DataTrackErrorKind, OperationError, PublishDataTrackError, PushFrameError, RoomClosedError
from .._guard import MadeByTheRoom, make
from . import _convert
from ._data_track_types import DataTrackFrame
from ._events import LocalDataTrackPublished, LocalDataTrackUnpublished

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from typing_extensions import Buffer

    from ._data_track_types import DataTrackFrameEncoding, DataTrackSchema
    from ._link import RoomLink
    from ._local_participant import LocalFacts

MAX_FRAME_SIZE: Final = 128 * 15_900
"""Bytes of a frame: a receiver puts at most 128 packets together, each of at most 16 000 bytes with its header (0.13.2)."""

PACE: Final = 0.001
"""Seconds between two frames that `push` sends. The native library keeps only the newest frame that its transport has not taken
yet, and says nothing of those that it replaces: of 16 frames at once 2 arrive, and all of them 0.3 ms apart (measured)."""

ANSWER_WITHIN: Final = 1.0
"""Seconds for the server to answer about a schema; it takes one or two milliseconds."""
MOST_ATTEMPTS: Final = 5


@attrs.frozen
class DataTrackStatistics:
    """The counters of a data track of ours.

    Attributes:
        pushed: frames that the native library took.
        refused: frames that it refused, because its queue was full.
    """

    pushed: int
    refused: int


@attrs.define(eq=False)
class LocalDataTrackFacts:
    """What is known of one data track of ours."""

    handle: int
    sid: str
    name: str
    uses_e2ee: bool
    link: RoomLink
    published: dict[str, LocalDataTrackFacts]
    """Those of the room, of which it is one until it is unpublished."""
    ended: bool = attrs.field(default=False, init=False)
    view: LocalDataTrack = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.view = make(LocalDataTrack, self)


@final
class LocalDataTrack(metaclass=MadeByTheRoom):
    """A stream of frames that we publish; made by `LocalParticipant.publish_data_track`.

    It is for data of which only the newest counts: frames may get lost, and one that is pushed while the one before it still
    waits for the transport may replace it, which nobody is told. For anything else there are packets and streams.
    """

    def __init__(self, facts: LocalDataTrackFacts) -> None:
        self._facts = facts
        self._pushed = 0
        self._refused = 0
        self._turn = anyio.Lock()
        self._next = 0.0

    @property
    def sid(self) -> str:
        """The server's name for it when it was published. After a full reconnect it goes on under another one, unknown here."""
        return self._facts.sid

    @property
    def name(self) -> str:
        """The name that we gave it."""
        return self._facts.name

    @property
    def uses_e2ee(self) -> bool:
        """Whether its frames are encrypted end to end."""
        return self._facts.uses_e2ee

    @property
    def is_published(self) -> bool:
        """Whether it is still published, as far as we know."""
        return not self._facts.ended

    def try_push(self, frame: DataTrackFrame | Buffer) -> None:
        """Send a frame at once, or not at all.

        Args:
            frame: a frame, or the payload of one: 1 to some 2 million bytes. Those of more than 16 000 are sent in several
                packets, and are lost if one of these is.

        Raises:
            TypeError: it is neither a frame nor bytes-like.
            PushFrameError: the queue is full, the frame is empty or too large, or the track is not published any more.
            RoomClosedError: the room has ended.

        Source:
            LocalDataTrackTryPushRequest (livekit-ffi data_track.proto).
        """
        payload, timestamp = _parts(frame)
        self._facts.link.check_open()
        if self._facts.ended:
            raise PushFrameError(DataTrackErrorKind.UNPUBLISHED, "the track is not published any more")
        if not 0 < len(payload) <= MAX_FRAME_SIZE:  # natively these are lost
            text = f"a frame has 1 to {MAX_FRAME_SIZE} bytes, not {len(payload)}"
            raise PushFrameError(DataTrackErrorKind.FRAME_SIZE, text)
        native_frame = {"payload": payload, "user_timestamp": timestamp}
        reply = self._facts.link.request(
            "local_data_track_try_push", track_handle=self._facts.handle, frame=native_frame
        )
        if reply.HasField("error"):
            self._refused += 1
            raise PushFrameError(*_convert.data_track_error(reply.error))
        self._pushed += 1

    async def push(self, frame: DataTrackFrame | Buffer) -> None:
        """Send a frame, one millisecond after the one before at the earliest, and once there is room in the queue.

        So it does not replace the frame before, unless the network takes less than that.

        Args:
            frame: as for `try_push`.

        Raises:
            TypeError: it is neither a frame nor bytes-like.
            PushFrameError: the frame is empty or too large, or the track is not published any more.
            RoomClosedError: the room has ended.

        Cancellation:
            The frame has not been sent.

        Source:
            LocalDataTrackTryPushRequest (livekit-ffi data_track.proto).
        """
        async with self._turn:
            await anyio.lowlevel.checkpoint_if_cancelled()
            while True:
                await anyio.sleep_until(self._next)
                self._next = anyio.current_time() + PACE
                try:
                    self.try_push(frame)
                except PushFrameError as error:
                    if error.kind is not DataTrackErrorKind.QUEUE_FULL:
                        raise
                else:
                    return

    async def unpublish(self) -> None:
        """Withdraw it; others get `DataTrackUnpublished`. Idempotent.

        Raises:
            RoomClosedError: the room has ended.

        Cancellation:
            It is unpublished in any case.

        Source:
            LocalDataTrackUnpublishRequest (livekit-ffi data_track.proto).
        """
        facts = self._facts
        facts.link.check_open()
        if not facts.ended:
            facts.ended = True
            del facts.published[facts.sid]
            facts.link.request("local_data_track_unpublish", track_handle=facts.handle)
            facts.link.drop(facts.handle)
            facts.link.announce(LocalDataTrackUnpublished(track=self))
        await anyio.lowlevel.checkpoint()

    def statistics(self) -> DataTrackStatistics:
        """Return its counters; what was lost on its way is not among them, since nobody knows."""
        return DataTrackStatistics(self._pushed, self._refused)

    @override
    def __repr__(self) -> str:
        return f"rtc.LocalDataTrack(sid={self.sid}, name={self.name})"


class DataTracks(metaclass=MadeByTheRoom):
    """What `LocalParticipant` can do with data tracks."""

    _local: LocalFacts

    @property
    def data_tracks(self) -> Mapping[str, LocalDataTrack]:
        """The data tracks that we publish, by SID: a snapshot, replaced when one comes or goes."""
        tracks = {track.sid: track.view for track in self._local.data_tracks.values() if not track.ended}
        return MappingProxyType(tracks)

    async def publish_data_track(
        self,
        name: str,
        *,
        schema: DataTrackSchema | None = None,
        frame_encoding: DataTrackFrameEncoding | str | None = None,
    ) -> LocalDataTrack:
        """Offer a stream of frames to everybody in the room, who get `DataTrackPublished`.

        Args:
            name: its name, which is unique among those that we publish.
            schema: what is in its frames; see `define_schema`.
            frame_encoding: how they are encoded.

        Raises:
            PublishDataTrackError: no permission to publish data, the name is empty or taken, or the server did not take it.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            The track does not stay published.

        Source:
            PublishDataTrackRequest (livekit-ffi data_track.proto).
        """
        facts = self._local
        facts.link.check_open()
        permissions = facts.info.permissions
        if permissions is not None and not permissions.can_publish_data:
            raise PublishDataTrackError(DataTrackErrorKind.NOT_ALLOWED, "no permission to publish data")
        reply = await facts.link.call(
            "publish_data_track",
            local_participant_handle=facts.handle,
            options={
                "name": name,
                "schema": None if schema is None else _convert.data_track_schema_fields(schema),
                "frame_encoding": _convert.data_track_encoding_fields(frame_encoding),
            },
        )
        if reply.WhichOneof("result") == "error":
            raise PublishDataTrackError(*_convert.data_track_error(reply.error))
        info = reply.track.info
        track = LocalDataTrackFacts(
            reply.track.handle.id, info.sid, info.name, info.uses_e2ee, facts.link, facts.data_tracks
        )
        facts.data_tracks[track.sid] = track
        facts.link.announce(LocalDataTrackPublished(track=track.view))
        return track.view

    @asynccontextmanager
    async def published_data_track(
        self,
        name: str,
        *,
        schema: DataTrackSchema | None = None,
        frame_encoding: DataTrackFrameEncoding | str | None = None,
    ) -> AsyncGenerator[LocalDataTrack]:
        """Publish a data track for the length of an ``async with`` block.

        Args:
            name: as for `publish_data_track`.
            schema: likewise.
            frame_encoding: likewise.

        Yields:
            The track.

        Raises:
            PublishDataTrackError: as for `publish_data_track`.
            RoomClosedError: the room has ended, or ended while it was being published.

        Cancellation:
            It is unpublished in any case.
        """
        track = await self.publish_data_track(name, schema=schema, frame_encoding=frame_encoding)
        try:
            yield track
        finally:
            with suppress(RoomClosedError):  # then it is not published any more
                await track.unpublish()  # noqa: ASYNC102 - sent before it gives way

    async def define_schema(self, schema: DataTrackSchema, definition: str) -> None:
        """Say what a schema's name stands for, so that others can get it.

        Args:
            schema: its name and language.
            definition: its text.

        Raises:
            OperationError: the server did not take it. One without ``enable_participant_data_blob`` in its configuration
                never does, which takes 5 s.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            It may be defined or not.

        Source:
            DefineSchemaRequest (livekit-ffi data_track.proto).
        """
        await self._ask("define_schema", schema_id=_convert.data_track_schema_fields(schema), definition=definition)

    async def get_schema(self, schema: DataTrackSchema, participant_identity: str) -> str:
        """Return the definition that somebody has given a schema.

        Args:
            schema: its name and language, as of `RemoteDataTrack.schema`.
            participant_identity: who has defined it.

        Raises:
            OperationError: there is none, or the server has not answered in 5 s.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            Nothing is left behind.

        Source:
            GetSchemaRequest (livekit-ffi data_track.proto).
        """
        schema_id = _convert.data_track_schema_fields(schema)
        reply = await self._ask("get_schema", schema_id=schema_id, participant_identity=participant_identity)
        return reply.definition

    async def _ask(self, name: str, **fields: Any) -> Any:
        """Ask the server, and again if no answer comes.

        Natively an answer that is there before it is waited for is lost, and reported as a timeout after 5 s (1 of 150 on a
        quiet machine, 1 of 20 on a busy one, measured).
        """
        facts = self._local
        for _ in range(MOST_ATTEMPTS):
            with anyio.move_on_after(ANSWER_WITHIN):
                reply = await facts.link.call(name, local_participant_handle=facts.handle, **fields)
                if reply.error:
                    raise OperationError(reply.error)
                return reply
        raise OperationError(f"the server has not answered in {MOST_ATTEMPTS * ANSWER_WITHIN:.0f} s")


def _parts(frame: DataTrackFrame | Buffer) -> tuple[bytes, int | None]:
    if isinstance(frame, DataTrackFrame):
        return frame.payload, frame.user_timestamp
    return frame if isinstance(frame, bytes) else memoryview(frame).tobytes(), None
