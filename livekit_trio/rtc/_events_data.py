"""Events that bring data; see `_events`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._event import Event

if TYPE_CHECKING:
    from ._enums import DataPacketKind
    from ._unions import AnyParticipant, AnyPublication, Sender
    from ._values import ChatMessage, TranscriptionSegment


class DataReceived(Event):
    """A data packet arrived.

    Attributes:
        data: the payload.
        topic: what it is about; empty if its sender gave none.
        kind: whether it was sent reliably.
        sender: who sent it: a participant, the server API, or somebody who is not in the room as far as we know. A
            `ServerSender` is no proof of the server API: see there.
    """

    data: bytes
    topic: str
    kind: DataPacketKind
    sender: Sender


class SipDtmfReceived(Event):
    """A telephone key was pressed.

    Attributes:
        code: the tone's number.
        digit: the key.
        sender: who pressed it.
    """

    code: int
    digit: str
    sender: Sender


class TranscriptionReceived(Event):
    """Somebody's words as text.

    Attributes:
        segments: the words.
        participant: who spoke, if it is in the room as far as we know.
        publication: what was heard, if it is published.
    """

    segments: tuple[TranscriptionSegment, ...]
    participant: AnyParticipant | None
    publication: AnyPublication | None


class ChatMessageReceived(Event):
    """A message of the chat protocol, or a new version of one.

    Attributes:
        message: the message.
        sender: who sent it.
    """

    message: ChatMessage
    sender: Sender


class DataChannelLowThresholdChanged(Event):
    """The mark below which a data channel counts as drained was set.

    Attributes:
        kind: which of the two channels.
        threshold: the mark, in bytes.
    """

    kind: DataPacketKind
    threshold: int
