"""What the sender of a text or byte stream says about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ._enums import OpenEnum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._enums import EncryptionType


class TextStreamOperation(OpenEnum):
    """What a text stream does to the text that it is about."""

    CREATE = 0
    """It is a new text."""
    UPDATE = 1
    """It replaces the text of the same stream id, as its next `TextStreamInfo.version`."""
    DELETE = 2
    """It takes the text of that stream id back."""
    REACTION = 3
    """It is a reaction to the text that it replies to."""


@attrs.frozen(kw_only=True)
class StreamInfo:
    """What text and byte streams have in common.

    Attributes:
        stream_id: its identifier, unique if its sender leaves it to the library.
        topic: what it is about; it decides who receives it.
        mime_type: of the content.
        timestamp: when it was opened, in milliseconds since 1970 by the sender's clock.
        size: the content's length in bytes; None if the sender did not know it.
        attributes: the sender's own facts; a reader that has come to the end has those of the end among them.
        encryption_type: how it was encrypted on its way.
    """

    stream_id: str
    topic: str
    mime_type: str
    timestamp: int
    size: int | None
    attributes: Mapping[str, str]
    encryption_type: EncryptionType


@attrs.frozen(kw_only=True)
class TextStreamInfo(StreamInfo):
    """What the sender of a text stream says about it.

    Attributes:
        operation: what it does.
        version: which version of the text it is, from 0.
        reply_to_id: the stream id of the text that it replies to; None if it is no reply.
        attachments: the stream ids of the byte streams that belong to it.
        generated: whether a program wrote the text.
    """

    operation: TextStreamOperation
    version: int
    reply_to_id: str | None
    attachments: tuple[str, ...]
    generated: bool


@attrs.frozen(kw_only=True)
class ByteStreamInfo(StreamInfo):
    """What the sender of a byte stream says about it.

    Attributes:
        name: such as a file's; any text whatever, so nothing to make a path of. `ByteStreamReader.save_to` knows how.
    """

    name: str
