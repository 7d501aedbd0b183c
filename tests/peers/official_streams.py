# pyright: basic
"""What the official participant of `official.py` does with text and byte streams, and with their raw packets."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from livekit import rtc
from livekit.rtc._ffi_client import FfiClient
from livekit.rtc._proto import ffi_pb2

if TYPE_CHECKING:
    from collections.abc import Coroutine


def say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Streams:
    """A part of `official.OfficialPeer`."""

    room: rtc.Room

    @property
    def me(self) -> rtc.LocalParticipant:
        raise NotImplementedError

    def start(self, job: Coroutine[Any, Any, Any]) -> None:
        raise NotImplementedError

    # ---- sending

    async def do_send_text(self, text: str, topic: str = "text", **options: Any) -> str:
        return (await self.me.send_text(text, topic=topic, **options)).stream_id

    async def do_stream_text(self, pieces: list[str], topic: str, reason: str = "", **options: Any) -> str:
        writer = await self.me.stream_text(topic=topic, **options)
        for piece in pieces:
            await writer.write(piece)
        await writer.aclose(reason=reason, attributes={"end": "reached"})
        return writer.info.stream_id

    async def do_send_bytes(self, size: int, topic: str, **options: Any) -> str:
        """Send *size* random bytes; returns their digest."""
        data = random.Random(size).randbytes(size)
        await self.me.send_bytes(data, topic=topic, **options)
        return sha256(data).hexdigest()

    async def do_begin_bytes(self, size: int, topic: str) -> str:
        """As `do_send_bytes`, without waiting for it."""
        data = random.Random(size).randbytes(size)
        self.start(self.me.send_bytes(data, topic=topic))
        return sha256(data).hexdigest()

    async def do_stream_bytes(self, size: int, topic: str, name: str, **options: Any) -> str:
        data = random.Random(size).randbytes(size)
        writer = await self.me.stream_bytes(name, topic=topic, **options)
        await writer.write(data)
        await writer.aclose()
        return sha256(data).hexdigest()

    async def stream_at_once(self, identity: str, topic: str) -> None:
        now = str(time.monotonic())
        await self.me.send_text(now, topic=topic, destination_identities=[identity])
        await self.me.send_bytes(now.encode(), topic=topic, destination_identities=[identity])

    async def do_die_sending(self, topic: str) -> None:
        """Be killed in the middle of a stream."""
        writer = await self.me.stream_text(topic=topic)
        await writer.write("the beginning")
        await asyncio.sleep(0.5)  # for it to get out
        os.kill(os.getpid(), signal.SIGKILL)

    # ---- receiving

    async def do_accept_streams(self, topic: str) -> None:
        """Say what comes: ``text`` and ``bytes`` with digests, ``stream_failed`` with the error's text."""
        self.room.register_text_stream_handler(topic, lambda reader, who: self.start(self._read("text", reader, who)))
        self.room.register_byte_stream_handler(topic, lambda reader, who: self.start(self._read("bytes", reader, who)))

    async def _read(self, kind: str, reader: Any, sender: str) -> None:
        info = reader.info
        chunks: list[bytes] = []
        try:
            async for chunk in reader:
                chunks.append(chunk.encode() if isinstance(chunk, str) else chunk)  # noqa: PERF401 - it may fail halfway
        except rtc.StreamError as error:
            say(event="stream_failed", topic=info.topic, sender=sender, error=error.description)
            return
        data = b"".join(chunks)
        say(
            event=kind,
            topic=info.topic,
            sender=sender,
            id=info.stream_id,
            size=len(data),
            announced=info.size,
            digest=sha256(data).hexdigest(),
            chunks=len(chunks),
            mime_type=info.mime_type,
            attributes=info.attributes,
            name=getattr(info, "name", None),
            attachments=getattr(info, "attachments", None),
        )

    # ---- raw packets

    async def do_send_raw(self, packets: list[dict[str, Any]], to: list[str]) -> None:
        """Send packets one after the other; each is ``{"header" | "chunk" | "trailer": its fields}``, content in Latin-1."""
        for packet in packets:
            await self._send_raw(packet, to)

    async def _send_raw(self, packet: dict[str, Any], to: list[str]) -> None:
        [(kind, fields)] = packet.items()
        if "content" in fields:
            fields = {**fields, "content": fields["content"].encode("latin-1")}
        sent: Any = {
            "local_participant_handle": self.me._ffi_handle.handle,
            kind: fields,
            "destination_identities": to,
            "sender_identity": self.me.identity,
        }
        request = ffi_pb2.FfiRequest(**{f"send_stream_{kind}": sent})
        queue = FfiClient.instance.queue.subscribe()
        try:
            response = FfiClient.instance.request(request)
            async_id = getattr(response, f"send_stream_{kind}").async_id
            await queue.wait_for(
                lambda event: (
                    event.WhichOneof("message") == f"send_stream_{kind}"
                    and getattr(event, f"send_stream_{kind}").async_id == async_id
                )
            )
        finally:
            FfiClient.instance.queue.unsubscribe(queue)
        await asyncio.sleep(0)
