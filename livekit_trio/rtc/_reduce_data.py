"""Native events that bring data: packets, keys, transcriptions, chat and streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from . import _convert
from ._enums import DataPacketKind
from ._events import ChatMessageReceived, DataReceived, SipDtmfReceived, TranscriptionReceived
from ._values import ServerSender, UnknownSender

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ._convert import native
    from ._events import RoomEvent
    from ._model import Handler, Model
    from ._unions import Sender


def data_packet_received(model: Model, message: native.DataPacketReceived) -> Iterator[RoomEvent]:
    sender = _sender(model, message.participant_identity)
    match message.WhichOneof("value"):
        case "user":
            packet = message.user
            buffer = packet.data
            data = model.link.read_buffer(buffer.handle.id, buffer.data.data_ptr, buffer.data.data_len)
            kind = DataPacketKind(message.kind)
            yield DataReceived(data=data, topic=packet.topic, kind=kind, sender=sender)
        case "sip_dtmf":
            yield SipDtmfReceived(code=message.sip_dtmf.code, digit=message.sip_dtmf.digit, sender=sender)
        case _:
            model.discard(message, "unknown content")


def chat_message(model: Model, message: native.ChatMessageReceived) -> Iterator[RoomEvent]:
    sender = _sender(model, message.participant_identity)
    yield ChatMessageReceived(message=_convert.chat_message(message.message), sender=sender)


def _sender(model: Model, identity: str) -> Sender:
    if not identity:
        return ServerSender()
    remote = model.remotes.get(identity)
    return UnknownSender(identity) if remote is None else remote.view


def transcription_received(model: Model, message: native.TranscriptionReceived) -> Iterator[RoomEvent]:
    participant = model.find(message.participant_identity)
    publication = None if participant is None else participant.publications.get(message.track_sid)
    yield TranscriptionReceived(
        segments=tuple(map(_convert.transcription_segment, message.segments)),
        participant=None if participant is None else participant.view,
        publication=None if publication is None else publication.view,
    )


def stream_opened(model: Model, message: native.TextStreamOpened | native.ByteStreamOpened) -> Iterable[RoomEvent]:
    if model.on_stream is not None and model.on_stream(model.kind, message):
        model.count("accepted")  # with the reader's handle
    else:
        model.discard(message, "unclaimed")
    return ()


def raw_stream_packet(model: Model, message: Any) -> Iterable[RoomEvent]:
    model.discard(message, "ignored")  # the stream's reader brings the same once more
    return ()


HANDLERS: Final[Mapping[str, Handler]] = {
    "data_packet_received": data_packet_received,
    "chat_message": chat_message,
    "transcription_received": transcription_received,
    "text_stream_opened": stream_opened,
    "byte_stream_opened": stream_opened,
    "stream_header_received": raw_stream_packet,
    "stream_chunk_received": raw_stream_packet,
    "stream_trailer_received": raw_stream_packet,
}
