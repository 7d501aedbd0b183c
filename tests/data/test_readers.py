"""Streams that come in, on the fake library: which are taken, how much of them waits, and what is left of them."""

from __future__ import annotations

import itertools
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio
import anyio.abc
import anyio.to_thread
import pytest
import trio

from livekit_trio import rtc
from livekit_trio.rtc._incoming_streams import SHARE
from livekit_trio.rtc._inflow import SMALLEST
from livekit_trio.testing import assert_idle
from livekit_trio.testing._fake_library import FakeLibrary
from tests.cancelling import ways
from tests.data.conftest import meanwhile_or_late
from tests.rtc.test_cancel import Delays, cancel_once

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from livekit_trio.testing._fake_room import FakeRoom

pytestmark = pytest.mark.anyio

REASON: Final = "stream closed abnormally: "


@asynccontextmanager
async def joined() -> AsyncGenerator[tuple[FakeRoom, rtc.Room]]:
    """A room whose events flow; nothing is left of it."""
    fake = FakeLibrary()
    native = fake.room()
    with fake.installed():
        with anyio.fail_after(60):
            async with rtc.open_room("ws://fake", "token") as room:
                await anyio.wait_all_tasks_blocked()
                yield native, room
        await assert_idle()
    fake.check()


# ---- which are taken


async def test_only_the_streams_of_an_accepted_topic_and_kind_are_taken() -> None:
    async with joined() as (native, room):
        incoming = room.accept_text_streams("t")
        native.open_stream("bob", "t").end()  # the call alone accepts nothing
        await anyio.wait_all_tasks_blocked()
        with incoming:
            native.open_stream("bob", "other")
            native.open_stream("bob", "t", text=False)
            native.open_stream("bob", "t", stream_id="mine").send("hello")
            await anyio.wait_all_tasks_blocked()
            async with room.accept_byte_streams("t") as files:
                native.open_stream("bob", "t", text=False, name="file").end()
                file = await files.receive()
                assert (file.info.name, await file.read_all()) == ("file", b"")
            reader = await incoming.receive()
            assert (reader.info.stream_id, reader.sender_identity) == ("mine", "bob")
            with pytest.raises(rtc.WouldBlock):
                incoming.receive_nowait()
        native.open_stream("bob", "t")
        await anyio.wait_all_tasks_blocked()
        requests = [request.name for request in native._fake.requests if request.name.endswith("incremental")]
        assert requests == ["text_read_incremental", "byte_read_incremental"]
        assert reader.receive_nowait() == "hello", "it goes on where it is no longer accepted"
        reader.close()


async def test_a_topic_is_accepted_once_at_a_time() -> None:
    async with joined() as (_, room):
        with room.accept_text_streams("t"):
            with pytest.raises(ValueError, match="accepted already"), room.accept_text_streams("t"):
                pass
            with room.accept_byte_streams("t"), room.accept_text_streams("u"):
                pass
        with room.accept_text_streams("t") as incoming:
            pass
        with pytest.raises(rtc.StreamClosedError), incoming:
            pass


@pytest.mark.parametrize("bounds", [{"max_streams": 0}, {"max_bytes": 0}])
async def test_bounds_are_above_zero(bounds: dict[str, int]) -> None:
    async with joined() as (_, room):
        for accept in (room.accept_text_streams, room.accept_byte_streams):
            with pytest.raises(ValueError, match="must be at least 1"):
                accept("t", **bounds)


async def test_what_was_not_received_is_closed_with_its_block() -> None:
    async with joined() as (native, room):
        incoming = room.accept_text_streams("t")
        with pytest.raises(rtc.StreamClosedError, match="in a block"):
            await incoming.receive()
        with incoming:
            for _ in range(3):
                native.open_stream("bob", "t").send("a")
            received = await incoming.receive()
            assert incoming.statistics().buffered == 2
        with pytest.raises(rtc.StreamClosedError, match="no more"):
            await incoming.receive()
        assert await received.receive() == "a"
        assert len(room._session.streams._flowing) == 1
        received.close()


async def test_streams_end_with_the_room() -> None:
    async with joined() as (native, room):
        with room.accept_text_streams("t") as incoming:
            flow = native.open_stream("bob", "t")
            flow.send("a")
            reader = await incoming.receive()
            native.open_stream("bob", "t")
            native.end(rtc.DisconnectReason.ROOM_DELETED)
            flow.end(f"{REASON}Data stream connection closed")
            [other] = [waiting async for waiting in incoming]
            assert await reader.receive() == "a"
            for each in (reader, other):
                with pytest.raises(rtc.RoomClosedError) as caught:
                    await each.receive()
                assert caught.value.reason == rtc.DisconnectReason.ROOM_DELETED
        with room.accept_text_streams("t") as incoming:
            assert [waiting async for waiting in incoming] == []


# ---- how much of them waits


async def test_one_sender_gets_a_share_of_the_streams() -> None:
    async with joined() as (native, room):
        with room.accept_text_streams("t", max_streams=2 * SHARE) as incoming:
            for identity in ("eve", "eve", "eve", "bob", "bob", "bob", "carl"):
                native.open_stream(identity, "t").end()
            await anyio.wait_all_tasks_blocked()
            assert incoming.statistics() == rtc.StreamStatistics(delivered=0, dropped=2, buffered=5, capacity=8)
            for identity in ("dan", "dan", "finn", "finn"):
                native.open_stream(identity, "t").end()
            await anyio.wait_all_tasks_blocked()
            assert incoming.statistics().dropped == 3, "all 8 are open"
            first = await incoming.receive()
            assert await first.read_all() == ""
            native.open_stream("eve", "t").end()
            await anyio.wait_all_tasks_blocked()
            assert incoming.statistics() == rtc.StreamStatistics(delivered=1, dropped=3, buffered=8, capacity=8)


async def test_what_waits_of_a_stream_is_bounded() -> None:
    async with joined() as (native, room):
        with room.accept_text_streams("t", max_bytes=1000) as incoming:
            flow, other = native.open_stream("bob", "t"), native.open_stream("bob", "t")
            for _ in range(4):
                flow.send("a" * 400)
                await anyio.wait_all_tasks_blocked()
            other.send("fine")
            other.end()
            reader = await incoming.receive()
            assert reader.statistics() == rtc.StreamStatistics(delivered=0, dropped=1, buffered=800, capacity=1000)
            assert [await reader.receive() for _ in range(2)] == ["a" * 400] * 2
            assert reader.statistics() == rtc.StreamStatistics(delivered=800, dropped=1, buffered=0, capacity=1000)
            for _ in range(2):
                with pytest.raises(rtc.StreamLaggedError):
                    await reader.receive()
            assert await (await incoming.receive()).read_all() == "fine"


async def test_what_waits_of_a_sender_is_bounded() -> None:
    async with joined() as (native, room):
        with room.accept_byte_streams("t", max_bytes=1000) as incoming:
            flows = [native.open_stream("eve", "t", text=False) for _ in range(SHARE + 1)]
            for flow in flows:
                flow.send(bytes(1000))
            native.open_stream("bob", "t", text=False).send(bytes(1000))
            await anyio.wait_all_tasks_blocked()
            readers = [await incoming.receive() for _ in range(SHARE + 2)]
            with pytest.raises(rtc.StreamLaggedError):
                await readers[SHARE].receive()
            for reader in (*readers[:SHARE], readers[-1]):
                assert await reader.receive() == bytes(1000)
            flows[0].send(bytes(1000))
            assert await readers[0].receive() == bytes(1000)
            for reader in readers:
                reader.close()


async def test_small_chunks_count_for_more_than_their_bytes() -> None:
    async with joined() as (native, room):
        with room.accept_byte_streams("t", max_bytes=10 * SMALLEST) as incoming:
            flow = native.open_stream("bob", "t", text=False)
            reader = await incoming.receive()
            for _ in range(11):
                flow.send(b"a")
            assert [await reader.receive() for _ in range(10)] == [b"a"] * 10
            with pytest.raises(rtc.StreamLaggedError):
                await reader.receive()


async def test_a_loop_that_was_away_for_too_long_has_lagged() -> None:
    """What comes while the loop does not run is bounded by the library itself."""
    async with joined() as (native, room):
        with room.accept_byte_streams("t", max_bytes=1_000_000) as incoming:
            flow = native.open_stream("bob", "t", text=False)
            reader = await incoming.receive()
            for _ in range(20):
                flow.send(bytes(100_000))
            received = 0
            with pytest.raises(rtc.StreamLaggedError) as caught:
                async for chunk in reader:
                    received += len(chunk)
            assert received == 1_000_000
            assert caught.value.dropped == 10


# ---- readers


async def test_the_end_has_the_attributes() -> None:
    async with joined() as (native, room):
        with room.accept_text_streams("t") as incoming:
            flow = native.open_stream("bob", "t", attributes={"mood": "good"}, total_length=1)
            reader = await incoming.receive()
            before = reader.info
            assert (before.attributes, before.size) == ({"mood": "good"}, 1)
            flow.send("a")
            flow.end(attributes={"mood": "good", "end": "reached"})
            assert await reader.read_all() == "a"
            assert reader.info.attributes == {"mood": "good", "end": "reached"}
            assert before.attributes == {"mood": "good"}


async def test_texts_are_counted_in_bytes() -> None:
    async with joined() as (native, room):
        with room.accept_text_streams("t") as incoming:
            flow = native.open_stream("bob", "t")
            reader = await incoming.receive()
            flow.send("€€")
            assert await reader.receive() == "€€"
            assert reader.received == 6
            flow.send("€€")
            with pytest.raises(rtc.StreamTooLargeError):
                await reader.read_all(limit=5)
            assert repr(reader) == "<TextStreamReader of bob: topic='t', 12/None bytes>"


@pytest.mark.parametrize(
    ("words", "error_type"),
    [
        (f"{REASON}tired", rtc.StreamAbortedError),
        (f"{REASON}Participant bob unexpectedly disconnected in the middle of sending data", rtc.SenderLeftError),
        (f"{REASON}Participant eve unexpectedly disconnected in the middle of sending data", rtc.StreamAbortedError),
        ("stream data is incomplete", rtc.StreamIncompleteError),
        ("stream payload exceeds maximum size", rtc.StreamTooLargeError),
        ("decompression failed", rtc.StreamCorruptError),
    ],
)
async def test_the_native_words_become_types(words: str, error_type: type[rtc.StreamReceiveError]) -> None:
    async with joined() as (native, room):
        with room.accept_text_streams("t") as incoming:
            native.open_stream("bob", "t").end(words)
            reader = await incoming.receive()
            for _ in range(2):
                with pytest.raises(rtc.StreamReceiveError) as caught:
                    await reader.receive()
                assert type(caught.value) is error_type
                assert isinstance(caught.value, trio.BrokenResourceError)
                assert isinstance(caught.value, anyio.BrokenResourceError)


async def test_a_panic_ends_readers() -> None:
    async with joined() as (native, room):
        with room.accept_text_streams("t") as incoming:
            native.open_stream("bob", "t")
            reader = await incoming.receive()
            native._fake.panic("index out of bounds")
            with pytest.raises(rtc.NativePanicError):
                await reader.receive()


async def test_a_reader_is_what_both_libraries_know() -> None:
    async with joined() as (native, room):
        with room.accept_text_streams("t") as incoming:
            for _ in range(2):
                flow = native.open_stream("bob", "t")
                flow.send("a")
                flow.end()
            async with await incoming.receive() as reader:
                channel: trio.abc.ReceiveChannel[str] = reader
                assert await channel.receive() == "a"
                with pytest.raises(trio.EndOfChannel):
                    await channel.receive()
            with pytest.raises(trio.ClosedResourceError):
                await channel.receive()
            stream: anyio.abc.ObjectReceiveStream[str] = await incoming.receive()
            assert [piece async for piece in stream] == ["a"]
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()
            await stream.aclose()


async def test_a_reader_that_nobody_has_any_more_gives_its_place_back() -> None:
    async with joined() as (native, room):
        with room.accept_text_streams("t", max_streams=1) as incoming:
            native.open_stream("bob", "t")
            with pytest.warns(ResourceWarning, match="neither read to its end nor closed"):
                await incoming.receive()
            await anyio.wait_all_tasks_blocked()
            flow = native.open_stream("bob", "t")
            readers = [await incoming.receive()]
            flow.end()
            await anyio.wait_all_tasks_blocked()
            readers.clear()  # nothing of it flows any more: no warning
            await anyio.wait_all_tasks_blocked()
            native.open_stream("bob", "t").end()
            assert await (await incoming.receive()).read_all() == ""
            assert incoming.statistics().dropped == 0


async def test_another_loop_has_no_part_in_it() -> None:
    async with joined() as (native, room):
        with room.accept_text_streams("t") as incoming:
            native.open_stream("bob", "t").send("a")
            reader = await incoming.receive()

            async def elsewhere() -> None:
                for foreign in (incoming.receive, reader.receive, reader.read_all):
                    with pytest.raises(rtc.WrongLoopError):
                        await foreign()
                with pytest.raises(rtc.WrongLoopError), room.accept_text_streams("u"):
                    pass
                with pytest.raises(rtc.WrongLoopError):
                    await room.local_participant.send_text("a")

            await anyio.to_thread.run_sync(anyio.run, elsewhere)
            assert await reader.receive() == "a"
            reader.close()


async def test_it_is_not_taken_if_it_cannot_be_read() -> None:
    async with joined() as (native, room):
        native._fake.refuse("text_read_incremental")
        with room.accept_text_streams("t") as incoming:
            native.open_stream("bob", "t")
            await anyio.wait_all_tasks_blocked()
            assert incoming.statistics().buffered == 0
            assert incoming._open == 0


@meanwhile_or_late
async def test_cancelled_at_every_suspension(anyio_backend_name: str, tmp_path: Path, *, late: bool) -> None:
    for way in ways(anyio_backend_name):
        for at in itertools.count(1):
            fake = FakeLibrary()
            native = fake.room()

            async def visit(native: FakeRoom = native) -> None:
                async with rtc.open_room("ws://fake", "token", leave_timeout=0.1) as room:
                    with room.accept_text_streams("t") as texts, room.accept_byte_streams("t") as files:
                        text, file = native.open_stream("bob", "t"), native.open_stream("bob", "t", text=False)
                        for flow, content in ((text, "a"), (file, b"a")):
                            flow.send(content)
                            flow.end()
                        assert await (await texts.receive()).read_all() == "a"
                        saved = await (await files.receive()).save_to(tmp_path)
                        saved.unlink()
                        with pytest.raises(rtc.StreamIncompleteError):
                            native.open_stream("bob", "t").end("stream data is incomplete")
                            await (await texts.receive()).receive()

            with fake.installed():
                reached = await cancel_once(Delays(fake, "disconnect"), way, at, late=late, program=visit)
                await assert_idle()
            fake.check()
            kept = tmp_path / "unnamed"
            if kept.exists():  # cancelled between saving and removing it
                assert kept.read_bytes() == b"a"
                kept.unlink()
            assert os.listdir(tmp_path) == []
            if not reached:
                assert at > 5
                break


# ---- transcriptions


async def test_what_is_said_without_end_is_not_kept() -> None:
    async with joined() as (native, room):
        feed = rtc.TranscriptionFeed()
        with room.accept_text_streams(rtc.TRANSCRIPTION_TOPIC) as incoming:
            stream = native.open_stream("bob", rtc.TRANSCRIPTION_TOPIC)
            for _ in range(5):
                stream.send("x" * 15_000)
            with pytest.raises(rtc.StreamTooLargeError):
                await feed.follow(await incoming.receive())
        [segment] = feed.segments
        assert (len(segment.text), segment.final) == (60_000, False)
