"""Single packets: the part of `LocalParticipant` that sends data, keys, transcriptions and chat messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._errors import (
    OperationError,
    PublishDataError,
    PublishDTMFError,
    PublishTranscriptionError,
    SendChatMessageError,
)
from .._guard import MadeByTheRoom
from . import _convert
from ._enums import DataPacketKind, ParticipantKind
from ._packet_size import MAX_PACKET_SIZE, packet_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

    from ._local_participant import LocalFacts
    from ._values import ChatMessage, Transcription

KEYS: Final = "0123456789*#ABCD"
"""The keys of a telephone, at the place of their event code (RFC 4733, section 3.2)."""


class Packets(metaclass=MadeByTheRoom):
    """What `LocalParticipant` can send in one packet."""

    _local: LocalFacts

    async def publish_data(
        self,
        payload: Buffer | str,
        *,
        reliable: bool = True,
        destination_identities: Sequence[str] = (),
        topic: str = "",
    ) -> None:
        """Send one packet; others get `DataReceived`. Returns once it has been handed to the transport.

        That is no receipt: what is still on its way as its sender leaves the room can be lost, reliable or not (of packets sent
        right before a leave about one in a hundred, on a busy machine). `perform_rpc` tells whether somebody has got it.

        Args:
            payload: the data; a string is sent as UTF-8. With topic, identities and what the transport adds at most 64 000
                bytes: for more there are text and byte streams.
            reliable: in order and again if lost; else at most once.
            destination_identities: who gets it; empty: everybody. An identity that is not there is ignored.
            topic: what it is about.

        Raises:
            TypeError: *payload* is neither text nor bytes-like, or *destination_identities* is one string.
            PublishDataError: too large, or no permission to publish data.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            The packet may be sent or not, also after a later one.

        Backpressure:
            Waits while more is buffered than `set_data_channel_low_threshold` says, 2 MiB by default; the same for both kinds.
            That a lossy packet was lost on its way nobody is told, its sender included.

        Source:
            PublishDataRequest (livekit-ffi room.proto).
        """
        data = _as_bytes(payload)
        self._check_destinations(destination_identities)
        self._check_may_send(PublishDataError)
        info = self._local.info
        size = packet_size(
            len(data),
            topic,
            destination_identities,
            reliable=reliable,
            sender_identity=info.identity,
            sender_sid=info.sid,
        )
        if size > MAX_PACKET_SIZE:
            raise PublishDataError(
                f"the packet would have {size} bytes, {size - len(data)} of them around the payload;"
                f" it can have {MAX_PACKET_SIZE} in all"
            )
        reply = await self._local.link.call(
            "publish_data",
            local_participant_handle=self._local.handle,
            data=data,  # the runtime passes its address and keeps it alive until the reply
            reliable=reliable,
            destination_identities=list(destination_identities),
            topic=topic or None,
        )
        if reply.error:
            raise PublishDataError(reply.error)

    def set_data_channel_low_threshold(self, kind: DataPacketKind, threshold: int) -> None:
        """Say how much may be buffered of one kind of packet before sending the next one waits.

        A low mark keeps what is sent now close behind what was sent before; a high one lets more be under way. The room says
        `DataChannelLowThresholdChanged` when it is in effect.

        Args:
            kind: whose buffer: that of reliable or of lossy packets.
            threshold: the mark in bytes; 2 MiB at first.

        Raises:
            ValueError: *threshold* is below 0.
            RoomClosedError: the room has ended.

        Source:
            SetDataChannelBufferedAmountLowThresholdRequest (livekit-ffi room.proto).
        """
        if threshold < 0:
            raise ValueError(f"threshold must be a number of bytes, not {threshold}")
        self._local.link.request(
            "set_data_channel_buffered_amount_low_threshold",
            local_participant_handle=self._local.handle,
            threshold=threshold,
            kind=int(kind),
        )

    async def publish_dtmf(
        self, *, digit: str, code: int | None = None, destination_identities: Sequence[str] = ()
    ) -> None:
        """Press a telephone key; others, such as a SIP gateway, get `SipDtmfReceived`.

        Args:
            digit: one of ``0`` to ``9``, ``*``, ``#`` and ``A`` to ``D``.
            code: its event code, which follows from the digit: 0 to 9, 10, 11, 12 to 15.
            destination_identities: who gets it; empty: everybody.

        Raises:
            ValueError: there is no such key, or it has another code.
            TypeError: *destination_identities* is one string.
            PublishDTMFError: no permission to publish data, or it could not be sent.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            It may be sent or not.

        Source:
            PublishSipDtmfRequest (livekit-ffi room.proto).
        """
        if len(digit) != 1 or digit not in KEYS:
            raise ValueError(f"a telephone has no key {digit!r}")
        if code not in (None, KEYS.index(digit)):
            raise ValueError(f"the key {digit!r} has the code {KEYS.index(digit)}, not {code!r}")
        self._check_destinations(destination_identities)
        self._check_may_send(PublishDTMFError)
        reply = await self._local.link.call(
            "publish_sip_dtmf",
            local_participant_handle=self._local.handle,
            code=KEYS.index(digit),
            digit=digit,
            destination_identities=list(destination_identities),
        )
        if reply.error:
            raise PublishDTMFError(reply.error)

    async def publish_transcription(self, transcription: Transcription) -> None:
        """Send somebody's words as text; others get `TranscriptionReceived`.

        Only an agent can: the server drops those of anybody else without a word. Current applications read the text streams
        of topic ``lk.transcription`` instead, see `send_transcription`.

        Args:
            transcription: whose words, heard where, and the words.

        Raises:
            PublishTranscriptionError: we are no agent, have no permission to publish data, or it could not be sent.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            It may be sent or not.

        Source:
            PublishTranscriptionRequest (livekit-ffi room.proto).
        """
        self._check_may_send(PublishTranscriptionError)
        if self._local.info.kind != ParticipantKind.PARTICIPANT_KIND_AGENT:
            raise PublishTranscriptionError("the server passes on transcriptions of agents only, by their token's kind")
        reply = await self._local.link.call(
            "publish_transcription",
            local_participant_handle=self._local.handle,
            participant_identity=transcription.participant_identity,
            track_id=transcription.track_sid,
            segments=[_convert.transcription_segment_fields(segment) for segment in transcription.segments],
        )
        if reply.error:
            raise PublishTranscriptionError(reply.error)

    async def send_chat_message(self, message: str, *, destination_identities: Sequence[str] = ()) -> ChatMessage:
        """Send a message of the chat protocol; others get `ChatMessageReceived`.

        Current applications chat over text streams of topic ``lk.chat`` instead, see `send_chat`.

        Args:
            message: the text.
            destination_identities: who gets it; empty: everybody.

        Returns:
            The message, with its id and time, for `edit_chat_message`.

        Raises:
            TypeError: *destination_identities* is one string.
            SendChatMessageError: no permission to publish data, or it could not be sent.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            It may be sent or not.

        Source:
            SendChatMessageRequest (livekit-ffi room.proto).
        """
        return await self._send_chat("send_chat_message", destination_identities, message=message)

    async def edit_chat_message(
        self, original: ChatMessage, message: str, *, destination_identities: Sequence[str] = ()
    ) -> ChatMessage:
        """Replace the text of a message sent before; others get `ChatMessageReceived` with the same id.

        Args:
            original: the message, as `send_chat_message` or this method returned it.
            message: its new text.
            destination_identities: who gets it; empty: everybody.

        Returns:
            The new version.

        Raises:
            TypeError: *destination_identities* is one string.
            SendChatMessageError: no permission to publish data, or it could not be sent.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            It may be sent or not.

        Source:
            EditChatMessageRequest (livekit-ffi room.proto).
        """
        fields = {"edit_text": message, "original_message": _convert.chat_message_fields(original)}
        return await self._send_chat("edit_chat_message", destination_identities, **fields)

    async def _send_chat(self, request: str, destination_identities: Sequence[str], **fields: Any) -> ChatMessage:
        self._check_destinations(destination_identities)
        self._check_may_send(SendChatMessageError)
        reply = await self._local.link.call(
            request,
            local_participant_handle=self._local.handle,
            destination_identities=list(destination_identities),
            **fields,
        )
        if reply.WhichOneof("message") == "error":
            raise SendChatMessageError(reply.error)
        return _convert.chat_message(reply.chat_message)

    def _check_may_send(self, error: type[OperationError]) -> None:
        self._local.link.check_open()
        permissions = self._local.info.permissions
        if permissions is not None and not permissions.can_publish_data:
            # Natively it would be sent, and dropped by the server.
            raise error("no permission to publish data")

    def _check_destinations(self, identities: Sequence[str]) -> None:
        if isinstance(identities, str):
            raise TypeError("destination_identities must be a sequence of identities, not one string")


def _as_bytes(payload: Buffer | str) -> bytes:
    if isinstance(payload, str):
        return payload.encode()
    # Through a memoryview, since bytes(5) would be five zeros.
    return payload if isinstance(payload, bytes) else memoryview(payload).tobytes()
