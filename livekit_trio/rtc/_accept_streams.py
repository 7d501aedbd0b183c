"""Text and byte streams that come in: the part of `Room` that accepts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._guard import MadeByTheRoom
from ._incoming_streams import MAX_STREAMS, STREAM_BYTES

if TYPE_CHECKING:
    from ._incoming_streams import IncomingStreams
    from ._session import RoomSession
    from ._stream_readers import ByteStreamReader, TextStreamReader


class StreamAccepting(metaclass=MadeByTheRoom):
    """What `Room` can do with the streams of others."""

    _session: RoomSession

    def accept_text_streams(
        self, topic: str, *, max_streams: int = MAX_STREAMS, max_bytes: int = STREAM_BYTES
    ) -> IncomingStreams[TextStreamReader]:
        """Accept the texts that others send to *topic*.

        ::

            with room.accept_text_streams("chat") as incoming:
                async for reader in incoming:
                    print(reader.sender_identity, await reader.read_all())

        A stream whose topic nobody accepts when it opens is dropped.

        Args:
            topic: which streams; it must be the very same.
            max_streams: how many may be open or wait to be read. One sender can have a fourth of them; further ones are
                refused.
            max_bytes: how much of one stream may wait to be read; of all streams of one sender, four times as much. A stream
                that goes beyond fails with `StreamLaggedError`. What its sender has compressed may come in one piece, and
                the smallest piece counts as 128 bytes.

        Returns:
            Their readers, which come as the ``with`` block is entered. On a room that has ended there are none.

        Raises:
            ValueError: a bound is below 1. Entering the block: the topic is accepted already.

        Backpressure:
            None: what others send comes as fast as they send it.

        Source:
            TextStreamOpened, TextStreamReaderReadIncrementalRequest (livekit-ffi data_stream.proto).
        """
        return self._session.streams.accept("text_stream_opened", topic, max_streams, max_bytes)

    def accept_byte_streams(
        self, topic: str, *, max_streams: int = MAX_STREAMS, max_bytes: int = STREAM_BYTES
    ) -> IncomingStreams[ByteStreamReader]:
        """Accept the bytes and files that others send to *topic*.

        ::

            with room.accept_byte_streams("files") as incoming:
                async for reader in incoming:
                    print(await reader.save_to("downloads"))

        A stream whose topic nobody accepts when it opens is dropped.

        Args:
            topic: which streams; it must be the very same.
            max_streams: how many may be open or wait to be read. One sender can have a fourth of them; further ones are
                refused.
            max_bytes: how much of one stream may wait to be read; of all streams of one sender, four times as much. A stream
                that goes beyond fails with `StreamLaggedError`. What its sender has compressed may come in one piece, and
                the smallest piece counts as 128 bytes.

        Returns:
            Their readers, which come as the ``with`` block is entered. On a room that has ended there are none.

        Raises:
            ValueError: a bound is below 1. Entering the block: the topic is accepted already.

        Backpressure:
            None: what others send comes as fast as they send it.

        Source:
            ByteStreamOpened, ByteStreamReaderReadIncrementalRequest (livekit-ffi data_stream.proto).
        """
        return self._session.streams.accept("byte_stream_opened", topic, max_streams, max_bytes)
