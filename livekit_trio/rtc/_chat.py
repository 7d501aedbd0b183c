"""Chat and transcriptions as text streams, as current applications have them: the part of `LocalParticipant` that sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._errors import PublishTranscriptionError
from .._guard import MadeByTheRoom
from ._enums import ParticipantKind
from ._send_streams import StreamSending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._stream_info import TextStreamInfo
    from ._values import TranscriptionSegment

CHAT_TOPIC: Final = "lk.chat"
"""The topic of chat messages: each is a text stream."""

TRANSCRIPTION_TOPIC: Final = "lk.transcription"
"""The topic of transcriptions: each version of a segment is a text stream, of the participant who speaks."""

SEGMENT_ID: Final = "lk.segment_id"
TRACK_ID: Final = "lk.transcribed_track_id"
IS_FINAL: Final = "lk.transcription_final"
"""The attributes of such a stream."""


class Chatting(StreamSending, metaclass=MadeByTheRoom):
    """What `LocalParticipant` can say in words."""

    async def send_chat(
        self,
        text: str,
        *,
        destination_identities: Sequence[str] = (),
        reply_to_id: str | None = None,
        attachments: Sequence[str] = (),
    ) -> TextStreamInfo:
        """Send a chat message to current applications, as a text stream of topic ``lk.chat``.

        Whoever has ``room.accept_text_streams(rtc.CHAT_TOPIC)`` receives it.

        Args:
            text: the message.
            destination_identities: who gets it; empty: everybody.
            reply_to_id: the stream id of the message that it replies to.
            attachments: the stream ids of the byte streams that belong to it.

        Raises:
            StreamSendError: no permission to publish data, or it could not be sent.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            It may be sent or not.
        """
        return await self.send_text(
            text,
            topic=CHAT_TOPIC,
            destination_identities=destination_identities,
            reply_to_id=reply_to_id,
            attachments=attachments,
        )

    async def send_transcription(
        self, segment: TranscriptionSegment, *, participant_identity: str, track_sid: str
    ) -> TextStreamInfo:
        """Send a version of what somebody says to current applications, as a text stream of topic ``lk.transcription``.

        Args:
            segment: the words; a later one of the same id replaces it, until one is final.
            participant_identity: who speaks.
            track_sid: the track that it was heard on.

        Raises:
            PublishTranscriptionError: somebody else speaks, and we are no agent: the server would not have it.
            StreamSendError: no permission to publish data, or it could not be sent.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            It may be sent or not.
        """
        info = self._local.info
        if participant_identity != info.identity and info.kind != ParticipantKind.PARTICIPANT_KIND_AGENT:
            self._local.link.check_open()
            raise PublishTranscriptionError("only an agent, by its token's kind, can send the words of others")
        return await self.send_text(
            segment.text,
            topic=TRANSCRIPTION_TOPIC,
            attributes={
                SEGMENT_ID: segment.id,
                TRACK_ID: track_sid,
                IS_FINAL: "true" if segment.final else "false",
            },
            sender_identity=participant_identity,
        )
