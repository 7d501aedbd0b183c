"""Data tracks of other participants."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self, final

import anyio
import attrs
from typing_extensions import override

from .._errors import (
    DataTrackErrorKind,
    EndOfStream,
    NativeError,
    RoomClosedError,
    StreamClosedError,
    SubscribeDataTrackError,
)
from .._ffi._messages import event_class
from .._guard import MadeByTheRoom, make
from .._mailbox import Mailbox
from .._streams import MAX_BYTES, MailboxStream
from . import _convert
from ._data_track_types import DataTrackFrame

if TYPE_CHECKING:
    from ._convert import native
    from ._data_track_types import DataTrackFrameEncoding, DataTrackSchema
    from ._link import RoomLink

NATIVE_BUFFER: Final = 256
"""Frames that the native library keeps for us between our taking one and the next. What it drops it drops silently, so it gets
room, and what we drop we count. All streams of a track share the value of the first, so it is one and the same."""

LOST: Final = (DataTrackErrorKind.DISCONNECTED, DataTrackErrorKind.UNPUBLISHED)
"""What the native library calls the end of a track that comes before the subscription is there."""

END_GRACE: Final = 1.0
"""Seconds between that and the news of the track's end."""


@attrs.define(eq=False)
class DataTrackFacts:
    """What is known of one data track; only the reducer changes it."""

    handle: int
    sid: str
    name: str
    publisher_identity: str
    uses_e2ee: bool
    link: RoomLink
    schema: DataTrackSchema | None = None
    frame_encoding: DataTrackFrameEncoding | str | None = None
    ended: bool = attrs.field(default=False, init=False)
    flows: set[FrameFlow] = attrs.field(factory=lambda: set[FrameFlow](), init=False)  # noqa: PLW0108 - below
    view: RemoteDataTrack = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.view = make(RemoteDataTrack, self)

    def end(self) -> None:
        """No frame will come any more."""
        self.ended = True
        for flow in list(self.flows):
            flow.mailbox.finish()
            flow.unsubscribe()


@final
class FrameFlow:
    """One subscription: a sink of the pump, between the native stream and the reader's mailbox.

    The native library hands over one frame for each time that it is asked, so the next one is asked for as soon as one has come.
    """

    def __init__(self, track: DataTrackFacts, capacity: int) -> None:
        self.mailbox: Mailbox[DataTrackFrame] = Mailbox(capacity, MAX_BYTES, capacity)
        self._track = track
        self._handle = 0

    def subscribe(self) -> None:
        link = self._track.link
        if self._track.ended:
            self.mailbox.finish()
            return
        try:
            reply = link.request(
                "subscribe_data_track", track_handle=self._track.handle, options={"buffer_size": NATIVE_BUFFER}
            )
        except RoomClosedError:
            self.mailbox.finish()
            return
        self._handle = reply.stream.handle.id
        self._track.flows.add(self)
        link.route(self._handle, self)
        self._ask()

    def unsubscribe(self) -> None:
        """Let no frame come any more. Idempotent."""
        if self._handle:
            handle, self._handle = self._handle, 0
            self._track.flows.discard(self)
            self._track.link.unroute(handle)

    async def wait_ended(self) -> bool:
        """Whether the track has ended, or does so in a moment: native streams may hear of it before the room does."""
        with anyio.move_on_after(END_GRACE), suppress(RoomClosedError):
            await self._track.link.wait_until(lambda: self._track.ended)
        return self._track.ended  # noqa: ASYNC910 - `wait_until` gives way

    def _ask(self) -> None:
        """Ask for the next frame."""
        with suppress(NativeError, RoomClosedError):  # it has ended, which is said in another way
            reply = self._track.link.request("data_track_stream_read", stream_handle=self._handle)
            if reply.HasField("eos_event"):
                self._end(reply.eos_event)

    def deliver(self, kind: int, stamp_ns: int, payload: bytes, /) -> None:
        event = event_class("data_track_stream_event").FromString(payload)
        if event.WhichOneof("detail") == "frame_received":
            native_frame = event.frame_received.frame
            timestamp = native_frame.user_timestamp if native_frame.HasField("user_timestamp") else None
            frame = DataTrackFrame(native_frame.payload, timestamp)
            self.mailbox.put(frame, size=len(frame.payload), fleeting=True)
            self._ask()
        else:
            self._end(event.eos)

    def fail(self, error: BaseException, /) -> None:
        self.mailbox.fail(error)

    def _end(self, eos: native.DataTrackStreamEOS) -> None:
        if eos.HasField("error"):
            kind, message = _convert.data_track_error(eos.error)
            self.mailbox.fail(SubscribeDataTrackError(kind, message))
        else:
            self.mailbox.finish()
        self.unsubscribe()


@final
class RemoteDataTrack(metaclass=MadeByTheRoom):
    """A stream of small frames that another participant publishes. Stays readable when that ends."""

    def __init__(self, facts: DataTrackFacts) -> None:
        self._facts = facts

    @property
    def sid(self) -> str:
        """The server's name for it."""
        return self._facts.sid

    @property
    def name(self) -> str:
        """The name that its publisher gave it."""
        return self._facts.name

    @property
    def publisher_identity(self) -> str:
        """Who publishes it. It can be published before its publisher is known here to have joined."""
        return self._facts.publisher_identity

    @property
    def uses_e2ee(self) -> bool:
        """Whether its frames are encrypted end to end."""
        return self._facts.uses_e2ee

    @property
    def schema(self) -> DataTrackSchema | None:
        """What is in its frames, if its publisher says; `LocalParticipant.get_schema` gets the definition."""
        return self._facts.schema

    @property
    def frame_encoding(self) -> DataTrackFrameEncoding | str | None:
        """How its frames are encoded, if its publisher says."""
        return self._facts.frame_encoding

    @property
    def is_published(self) -> bool:
        """Whether it is still published, as far as we know."""
        return not self._facts.ended

    def subscribe(self, *, capacity: int = 16) -> DataTrackStream:
        """Receive its frames.

        ::

            async with track.subscribe() as frames:
                async for frame in frames:
                    ...

        Args:
            capacity: how many frames may wait to be read; then the oldest goes.

        Returns:
            A stream that subscribes when its block is entered. Of a track that is not published any more it is empty.

        Backpressure:
            The newest frames win: `DataTrackStream.statistics` counts those that were dropped because the reader was too slow.
            What was lost on its way nobody counts.

        Raises:
            ValueError: *capacity* is below 1.
        """
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        return make(DataTrackStream, self._facts, capacity)

    def set_pipeline_options(self, *, max_partial_frames: int) -> None:
        """Say how many frames that have come in part may wait for the rest; one at first.

        More help if large frames overtake each other on their way.

        Raises:
            ValueError: *max_partial_frames* is below 1.
            RoomClosedError: the room has ended.

        Source:
            RemoteDataTrackSetPipelineOptionsRequest (livekit-ffi data_track.proto).
        """
        if max_partial_frames < 1:
            raise ValueError(f"max_partial_frames must be at least 1, not {max_partial_frames}")
        self._facts.link.check_open()
        if not self._facts.ended:
            self._facts.link.request(
                "remote_data_track_set_pipeline_options",
                track_handle=self._facts.handle,
                options={"max_partial_frames": max_partial_frames},
            )

    @override
    def __repr__(self) -> str:
        return f"rtc.RemoteDataTrack(sid={self.sid}, name={self.name}, publisher_identity={self.publisher_identity})"


@final
class DataTrackStream(MailboxStream[DataTrackFrame]):
    """Frames of a data track, for one reader; made by `RemoteDataTrack.subscribe`.

    It ends when the track is not published any more, or the room has ended.

    Backpressure:
        At most *capacity* frames, and 16 MiB, wait; then the oldest goes, which is counted and no error.

    Concurrency:
        One task at a time, else `StreamBusyError`. Open a stream for each reader.
    """

    def __init__(self, facts: DataTrackFacts, capacity: int) -> None:
        self._flow = FrameFlow(facts, capacity)
        self.mailbox: Mailbox[DataTrackFrame] = self._flow.mailbox
        self._name = facts.name
        self._state = "new"

    def __enter__(self) -> Self:
        if self._state != "new":
            raise StreamClosedError("a stream of a data track is entered once; open another one")
        self._state = "open"
        self._flow.subscribe()
        return self

    @override
    async def __aenter__(self) -> Self:
        if self._state == "new":
            self.__enter__()
        return self

    @override
    def close(self) -> None:
        """Unsubscribe and forget what was not read. Idempotent."""
        self._state = "closed"
        self._flow.unsubscribe()
        self.mailbox.discard()
        self.mailbox.fail(StreamClosedError("this stream was closed"))

    @override
    async def receive(self) -> DataTrackFrame:
        """Return the next frame, waiting for one if need be.

        Raises:
            EndOfStream: the track has ended and everything was delivered.
            SubscribeDataTrackError: it could not be subscribed to.
            StreamClosedError: the stream was closed by this program, or not entered yet.
            StreamBusyError: another task is already waiting here.

        Cancellation:
            The next frame stays where it is and is returned by the next call.
        """
        try:
            return await super().receive()
        except SubscribeDataTrackError as caught:
            error = caught
        if error.kind in LOST and await self._flow.wait_ended():
            raise EndOfStream
        raise error

    @override
    def receive_nowait(self) -> DataTrackFrame:
        """Return the next frame without waiting.

        Raises:
            WouldBlock: there is none now (anyio's and trio's at once).
            EndOfStream: the track has ended and everything was delivered.
            SubscribeDataTrackError: it could not be subscribed to.
            StreamClosedError: the stream was closed by this program, or not entered yet.
        """
        self._check_usable()
        return self.mailbox.get_nowait()

    @override
    def __repr__(self) -> str:
        statistics = self.statistics()
        return (
            f"<DataTrackStream of {self._name!r}: {self._state}, {statistics.buffered}/{statistics.capacity} buffered>"
        )

    @override
    def _check_usable(self) -> None:
        if self._state == "new":
            raise StreamClosedError("it subscribes when it is entered: use `async with track.subscribe() as frames`")
        if self._state == "closed":
            raise StreamClosedError("this stream was closed")
