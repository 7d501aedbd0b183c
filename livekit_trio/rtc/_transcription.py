"""TranscriptionFeed: interim and final versions of what is said, as segments that change."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, final

import attrs
from typing_extensions import override

from .._errors import StreamTooLargeError
from ._chat import IS_FINAL, SEGMENT_ID, TRACK_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._events import TranscriptionReceived
    from ._stream_readers import TextStreamReader

MAX_SEGMENTS: Final = 1000

MAX_TEXT: Final = 64 << 10
"""Bytes of UTF-8 of a segment that comes as a stream: whoever sends it need not end."""


@attrs.frozen(kw_only=True)
class FeedSegment:
    """A piece of what somebody says, as far as it is known.

    Attributes:
        id: its identifier, the same for all its versions.
        participant_identity: who speaks; empty if nobody says.
        track_sid: what it was heard on; empty if nobody says.
        text: the words.
        final: whether no better version will come.
        language: such as ``en``; may be empty.
    """

    id: str
    participant_identity: str
    track_sid: str
    text: str
    final: bool
    language: str = ""


@final
class TranscriptionFeed:
    """All that is said, each segment once and in its latest version.

    It is fed from either of the two ways in which transcriptions come, or from both::

        feed = rtc.TranscriptionFeed(on_change=show)

        with room.open_events(rtc.TranscriptionReceived) as events:
            async for event in events:
                feed.update(event)

        with room.accept_text_streams(rtc.TRANSCRIPTION_TOPIC) as incoming:
            async with anyio.create_task_group() as group:
                async for reader in incoming:
                    group.start_soon(feed.follow, reader)

    A segment that is final does not change any more: what comes late is ignored.
    """

    def __init__(
        self, *, on_change: Callable[[FeedSegment], object] | None = None, max_segments: int = MAX_SEGMENTS
    ) -> None:
        """Begin with nothing.

        Args:
            on_change: called with each segment that is new or has changed.
            max_segments: how many are kept; then the oldest goes.

        Raises:
            ValueError: *max_segments* is below 1.
        """
        if max_segments < 1:
            raise ValueError(f"max_segments must be at least 1, not {max_segments}")
        self._on_change = on_change
        self._max_segments = max_segments
        self._segments: OrderedDict[tuple[str, str], FeedSegment] = OrderedDict()

    @property
    def segments(self) -> tuple[FeedSegment, ...]:
        """What has been said, in the order of each segment's first version: a snapshot."""
        return tuple(self._segments.values())

    def update(self, event: TranscriptionReceived) -> None:
        """Take in what a `TranscriptionReceived` brings."""
        identity = "" if event.participant is None else event.participant.identity
        track_sid = "" if event.publication is None else event.publication.sid
        for segment in event.segments:
            self._put(
                FeedSegment(
                    id=segment.id,
                    participant_identity=identity,
                    track_sid=track_sid,
                    text=segment.text,
                    final=segment.final,
                    language=segment.language,
                )
            )

    async def follow(self, reader: TextStreamReader) -> None:
        """Take in a stream of topic ``lk.transcription`` as it comes, to its end.

        The stream is a new version of its segment. Its text grows as it is read.

        Raises:
            StreamReceiveError: the stream broke off, or is longer than 64 KiB; what had come stays, as a version that is not
                final.
            StreamLaggedError: this program read too slowly.
            RoomClosedError: the room has ended before the stream.

        Cancellation:
            What had come stays, as a version that is not final; the stream is closed.
        """
        text = ""
        with reader:
            async for chunk in reader:
                if reader.received > MAX_TEXT:
                    raise StreamTooLargeError(f"a segment has more than {MAX_TEXT} bytes")
                text += chunk
                self._put(_segment_of(reader, text, final=False))
            self._put(_segment_of(reader, text, final=reader.info.attributes.get(IS_FINAL) == "true"))

    @override
    def __repr__(self) -> str:
        return f"<TranscriptionFeed of {len(self._segments)} segments>"

    def _put(self, segment: FeedSegment) -> None:
        key = (segment.participant_identity, segment.id)
        known = self._segments.get(key)
        if known == segment or (known is not None and known.final):
            return
        self._segments[key] = segment
        if len(self._segments) > self._max_segments:
            self._segments.popitem(last=False)
        if self._on_change is not None:
            self._on_change(segment)


def _segment_of(reader: TextStreamReader, text: str, *, final: bool) -> FeedSegment:
    attributes = reader.info.attributes
    return FeedSegment(
        id=attributes.get(SEGMENT_ID) or reader.info.stream_id,
        participant_identity=reader.sender_identity,
        track_sid=attributes.get(TRACK_ID, ""),
        text=text,
        final=final,
    )
