"""Text and byte streams that go out: the part of `LocalParticipant` that sends them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .._errors import StreamSendError
from .._guard import MadeByTheRoom, make
from . import _convert
from ._files import OutgoingFile
from ._incoming_streams import STREAM_BYTES
from ._stream_info import TextStreamOperation
from ._stream_writers import PIECE, ByteStreamWriter, TextStreamWriter, text_size

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from typing_extensions import Buffer

    from ._local_participant import LocalFacts
    from ._stream_info import ByteStreamInfo, TextStreamInfo
    from ._stream_readers import Progress

MAX_COMPRESSED: Final = STREAM_BYTES
"""Compressed into a single packet it arrives in one piece, which a reader must be able to hold."""

BINARY: Final = "application/octet-stream"
"""What bytes are that nobody knows more about."""


class StreamSending(metaclass=MadeByTheRoom):
    """What `LocalParticipant` can do with text and byte streams."""

    _local: LocalFacts

    async def send_text(
        self,
        text: str,
        *,
        topic: str = "",
        destination_identities: Sequence[str] = (),
        attributes: Mapping[str, str] | None = None,
        stream_id: str | None = None,
        reply_to_id: str | None = None,
        attachments: Sequence[str] = (),
        operation: TextStreamOperation = TextStreamOperation.CREATE,
        version: int = 0,
        generated: bool = False,
        compress: bool = True,
        sender_identity: str | None = None,
    ) -> TextStreamInfo:
        """Send a text as one stream; whoever accepts its topic gets a `TextStreamReader`.

        Args:
            text: any length.
            topic: what it is about; it decides who receives it.
            destination_identities: who gets it; empty: everybody. An identity that is not there is ignored.
            attributes: facts about it.
            stream_id: its identifier, which must be unique; None for one of the library's.
            reply_to_id: the stream id of the text that it replies to.
            attachments: the stream ids of the byte streams that belong to it.
            operation: what it does; all but CREATE concern the text of the same *stream_id* or *reply_to_id*.
            version: which version of the text it is.
            generated: whether a program wrote it.
            compress: let it be compressed, if that is worth it, all its receivers can undo it, and it has at most 4 MiB: it
                may arrive all at once.
            sender_identity: whose stream it is to be; the server lets agents alone choose.

        Returns:
            What its receivers are told about it. It has been handed to the transport.

        Raises:
            TypeError: *text* is no string, or a sequence of identities or ids is one string.
            UnicodeEncodeError: it has half a surrogate pair.
            StreamSendError: no permission to publish data, topic and attributes too large (15 000 bytes in all), or the native
                library could not send it.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            The text may be sent or not.

        Backpressure:
            Waits while the transport has much to send.

        Source:
            StreamSendTextRequest (livekit-ffi data_stream.proto).
        """
        size = text_size(text)
        options = _text_options(
            self._stream_options(topic, destination_identities, attributes, stream_id, sender_identity),
            reply_to_id,
            attachments,
            operation,
            version,
            generated=generated,
        )
        options["compress"] = compress and size <= MAX_COMPRESSED
        return _convert.text_stream_info(await self._send_stream("send_text", text=text, options=options))

    def stream_text(
        self,
        *,
        topic: str = "",
        destination_identities: Sequence[str] = (),
        attributes: Mapping[str, str] | None = None,
        stream_id: str | None = None,
        reply_to_id: str | None = None,
        attachments: Sequence[str] = (),
        operation: TextStreamOperation = TextStreamOperation.CREATE,
        version: int = 0,
        generated: bool = False,
        sender_identity: str | None = None,
    ) -> TextStreamWriter:
        """Send a text that is still being written; whoever accepts its topic gets a `TextStreamReader`.

        Args:
            topic: what it is about; it decides who receives it.
            destination_identities: who gets it; empty: everybody. An identity that is not there is ignored.
            attributes: facts about it; `TextStreamWriter.aclose` can add some.
            stream_id: its identifier, which must be unique; None for one of the library's.
            reply_to_id: the stream id of the text that it replies to.
            attachments: the stream ids of the byte streams that belong to it.
            operation: what it does, as for `send_text`.
            version: which version of the text it is.
            generated: whether a program writes it.
            sender_identity: whose stream it is to be; the server lets agents alone choose.

        Returns:
            Its writer; the stream opens as its ``async with`` block is entered, and closes as that is left. Entering it
            raises StreamSendError if it cannot be opened; cancelled there, it is closed with ``cancelled`` as the reason.

        Raises:
            TypeError: a sequence of identities or ids is one string.
            StreamSendError: no permission to publish data.
            RoomClosedError: the room has ended.

        Source:
            TextStreamOpenRequest, TextStreamWriterCloseRequest (livekit-ffi data_stream.proto).
        """
        options = _text_options(
            self._stream_options(topic, destination_identities, attributes, stream_id, sender_identity),
            reply_to_id,
            attachments,
            operation,
            version,
            generated=generated,
        )
        return make(TextStreamWriter, self._local.link, self._stream_fields(options))

    async def send_bytes(
        self,
        data: Buffer,
        *,
        name: str = "",
        mime_type: str = BINARY,
        topic: str = "",
        destination_identities: Sequence[str] = (),
        attributes: Mapping[str, str] | None = None,
        stream_id: str | None = None,
        compress: bool = True,
        sender_identity: str | None = None,
    ) -> ByteStreamInfo:
        """Send bytes as one stream; whoever accepts its topic gets a `ByteStreamReader`.

        Args:
            data: any number of them. The native library copies them all at once: `stream_bytes` and `send_file` do not.
            name: such as a file's.
            mime_type: what they are.
            topic: what it is about; it decides who receives it.
            destination_identities: who gets it; empty: everybody. An identity that is not there is ignored.
            attributes: facts about it.
            stream_id: its identifier, which must be unique; None for one of the library's.
            compress: let it be compressed, if that is worth it, all its receivers can undo it, and it has at most 4 MiB: it
                may arrive all at once.
            sender_identity: whose stream it is to be; the server lets agents alone choose.

        Returns:
            What its receivers are told about it. It has been handed to the transport.

        Raises:
            TypeError: *data* is not bytes-like, or *destination_identities* is one string.
            StreamSendError: no permission to publish data, name, topic and attributes too large (15 000 bytes in all), or the
                native library could not send it.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            The bytes may be sent or not.

        Backpressure:
            Waits while the transport has much to send.

        Source:
            StreamSendBytesRequest (livekit-ffi data_stream.proto).
        """
        content = data if isinstance(data, bytes) else memoryview(data).tobytes()
        options = self._stream_options(topic, destination_identities, attributes, stream_id, sender_identity)
        options |= {"name": name, "mime_type": mime_type, "total_length": len(content)}
        options["compress"] = compress and len(content) <= MAX_COMPRESSED
        return _convert.byte_stream_info(await self._send_stream("send_bytes", bytes=content, options=options))

    def stream_bytes(
        self,
        name: str = "",
        *,
        total_size: int | None = None,
        mime_type: str = BINARY,
        topic: str = "",
        destination_identities: Sequence[str] = (),
        attributes: Mapping[str, str] | None = None,
        stream_id: str | None = None,
        sender_identity: str | None = None,
    ) -> ByteStreamWriter:
        """Send bytes chunk by chunk; whoever accepts the topic gets a `ByteStreamReader`.

        Args:
            name: such as a file's.
            total_size: how many bytes there will be, if that is known. Readers fail if there are less or more.
            mime_type: what they are.
            topic: what it is about; it decides who receives it.
            destination_identities: who gets it; empty: everybody. An identity that is not there is ignored.
            attributes: facts about it; `ByteStreamWriter.aclose` can add some.
            stream_id: its identifier, which must be unique; None for one of the library's.
            sender_identity: whose stream it is to be; the server lets agents alone choose.

        Returns:
            Its writer; the stream opens as its ``async with`` block is entered, and closes as that is left. Entering it
            raises StreamSendError if it cannot be opened; cancelled there, it is closed with ``cancelled`` as the reason.

        Raises:
            TypeError: *destination_identities* is one string.
            StreamSendError: no permission to publish data.
            RoomClosedError: the room has ended.

        Source:
            ByteStreamOpenRequest, ByteStreamWriterCloseRequest (livekit-ffi data_stream.proto).
        """
        options = self._stream_options(topic, destination_identities, attributes, stream_id, sender_identity)
        options |= {"name": name, "mime_type": mime_type, "total_length": total_size}
        return make(ByteStreamWriter, self._local.link, self._stream_fields(options))

    async def send_file(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        mime_type: str | None = None,
        topic: str = "",
        destination_identities: Sequence[str] = (),
        attributes: Mapping[str, str] | None = None,
        stream_id: str | None = None,
        sender_identity: str | None = None,
        progress: Progress | None = None,
    ) -> ByteStreamInfo:
        """Send a file as one stream; whoever accepts its topic gets a `ByteStreamReader`.

        It is read in worker threads, piece by piece: its size does not matter.

        Args:
            path: of a regular file.
            name: what its receivers are told; None for its own, without directories.
            mime_type: what it is; None for a guess by the name.
            topic: what it is about; it decides who receives it.
            destination_identities: who gets it; empty: everybody. An identity that is not there is ignored.
            attributes: facts about it.
            stream_id: its identifier, which must be unique; None for one of the library's.
            sender_identity: whose stream it is to be; the server lets agents alone choose.
            progress: called with the number of bytes sent so far and that of all, at the beginning and after each piece.

        Returns:
            What its receivers are told about it. All of it has been handed to the transport.

        Raises:
            OSError: it cannot be read, or is no regular file.
            TypeError: *destination_identities* is one string.
            StreamSendError: no permission to publish data, name, topic and attributes too large (15 000 bytes in all), the
                native library could not send it, or the file became shorter meanwhile.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            Receivers get a `StreamAbortedError` with the reason ``cancelled``; so they do, with other reasons, if it fails.

        Backpressure:
            Waits while the transport has much to send.

        Source:
            ByteStreamOpenRequest, ByteStreamWriterWriteRequest (livekit-ffi data_stream.proto).
        """
        source = Path(path)
        name = source.name if name is None else name
        options = self._stream_options(topic, destination_identities, attributes, stream_id, sender_identity)
        options |= {"name": name, "mime_type": mime_type or _guess_type(name)}
        with OutgoingFile(source) as file:
            size = options["total_length"] = await file.open()
            async with make(ByteStreamWriter, self._local.link, self._stream_fields(options)) as writer:
                if progress is not None:
                    progress(0, size)
                while writer.sent < size:
                    piece = await file.read(min(PIECE, size - writer.sent))
                    if not piece:
                        raise StreamSendError(f"the file became shorter: {writer.sent} of {size} bytes were sent")
                    await writer.write(piece)
                    if progress is not None:
                        progress(writer.sent, size)
            return writer.info

    def _stream_options(
        self,
        topic: str,
        destination_identities: Sequence[str],
        attributes: Mapping[str, str] | None,
        stream_id: str | None,
        sender_identity: str | None,
    ) -> dict[str, Any]:
        self._local.link.check_open()
        permissions = self._local.info.permissions
        if permissions is not None and not permissions.can_publish_data:
            raise StreamSendError("no permission to publish data")
        return {
            "topic": topic,
            "destination_identities": _as_list("destination_identities", destination_identities),
            "attributes": dict(attributes or {}),
            "id": stream_id,
            "sender_identity": sender_identity,
        }

    def _stream_fields(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"local_participant_handle": self._local.handle, "options": options}

    async def _send_stream(self, name: str, options: dict[str, Any], **content: Any) -> Any:
        reply = await self._local.link.call(name, **self._stream_fields(options), **content)
        if reply.WhichOneof("result") == "error":
            raise StreamSendError(reply.error.description)
        return reply.info


def _guess_type(name: str) -> str:
    import mimetypes  # at its first use it reads the system's tables

    guess, encoding = mimetypes.guess_type(name)
    return guess if guess is not None and encoding is None else BINARY


def _text_options(
    options: dict[str, Any],
    reply_to_id: str | None,
    attachments: Sequence[str],
    operation: TextStreamOperation,
    version: int,
    *,
    generated: bool,
) -> dict[str, Any]:
    return options | {
        "reply_to_stream_id": reply_to_id,
        "attached_stream_ids": _as_list("attachments", attachments),
        "operation_type": int(operation),
        "version": version,
        "generated": generated,
    }


def _as_list(what: str, values: Sequence[str]) -> list[str]:
    if isinstance(values, str):
        raise TypeError(f"{what} must be a sequence of strings, not one string")
    return list(values)
