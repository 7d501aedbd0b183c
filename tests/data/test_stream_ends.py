"""Every end that a stream can come to, told apart by type; and nothing is left of any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.rtc._inflow import ROOM_ENDED
from tests.data.conftest import later_on_asyncio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from livekit_trio.testing import DevServer
    from tests.data.conftest import Pair
    from tests.peers.driver import OfficialPeer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

EURO: Final = "€".encode().decode("latin-1")


def packets(*contents: str, total: int | None = None, indexes: tuple[int, ...] | None = None) -> list[dict[str, Any]]:
    """The raw packets of a text stream without its end."""
    header: dict[str, Any] = {"stream_id": "s", "timestamp": 1, "mime_type": "text/plain", "topic": "t"}
    header["text_header"] = {"operation_type": 0}
    if total is not None:
        header["total_length"] = total
    chunks = [
        {"chunk": {"stream_id": "s", "chunk_index": index, "content": content}}
        for index, content in zip(indexes or range(len(contents)), contents, strict=True)
    ]
    return [{"header": header}, *chunks]


END: Final[dict[str, Any]] = {"trailer": {"stream_id": "s", "reason": ""}}

BROKEN: Final = {
    "less than announced": ([*packets("abc", total=4), END], "abc", rtc.StreamIncompleteError),
    "more than announced": ([*packets("abc", "de", total=4), END], "abc", rtc.StreamTooLargeError),
    "a chunk is missing": ([*packets("a", "c", indexes=(0, 2)), END], "a", rtc.StreamIncompleteError),
    "half a character": ([*packets("a", EURO[:2]), END], "a", rtc.StreamCorruptError),
    "a character in two chunks": ([*packets("a", EURO[:2], EURO[2:]), END], "a", rtc.StreamCorruptError),
    "given up": ([*packets("a"), {"trailer": {"stream_id": "s", "reason": "tired"}}], "a", rtc.StreamAbortedError),
}


async def in_scope(scope: anyio.CancelScope, job: Callable[[], Awaitable[None]]) -> None:
    with scope:
        await job()


async def read(reader: rtc.TextStreamReader) -> tuple[str, BaseException | None]:
    """What comes of it, and its end: None if it is complete."""
    text = ""
    try:
        async for piece in reader:
            text += piece
    except (rtc.StreamError, rtc.RoomClosedError) as error:
        return text, error
    return text, None


@pytest.fixture
async def broken(server: DevServer, room_name: str, peer: OfficialPeer) -> AsyncGenerator[rtc.Room]:
    """A room in which the official SDK sends raw packets."""
    await peer.ask("join", url=server.url, token=server.token("bob", room_name))
    async with rtc.open_room(server.url, server.token("ann", room_name)) as ann:
        with anyio.fail_after(20):
            await (await ann.wait_for_participant("bob")).wait_until_active()
        yield ann


async def test_broken_streams(broken: rtc.Room, peer: OfficialPeer) -> None:
    with anyio.fail_after(20), broken.accept_text_streams("t") as incoming:
        for sent, text, error_type in BROKEN.values():
            await peer.ask("send_raw", packets=sent, to=["ann"])
            got, error = await read(await incoming.receive())
            assert got == text
            assert type(error) is error_type, error
            if isinstance(error, rtc.StreamAbortedError):
                assert error.reason == "tired"
        await peer.ask("send_text", text="whole", topic="t")
        assert await read(await incoming.receive()) == ("whole", None)


@later_on_asyncio
async def test_the_trailer_is_lost_and_the_sender_leaves(broken: rtc.Room, peer: OfficialPeer) -> None:
    with anyio.fail_after(20), broken.accept_text_streams("t") as incoming:
        await peer.ask("send_raw", packets=packets("ab"), to=["ann"])
        reader = await incoming.receive()
        assert await reader.receive() == "ab"
        await peer.ask("leave")
        with pytest.raises(rtc.SenderLeftError) as caught:
            await reader.receive()
        assert caught.value.identity == "bob"
        with pytest.raises(rtc.SenderLeftError):
            await reader.receive()


@pytest.mark.long  # the server takes more than 20 s to give somebody up
async def test_the_sender_is_killed(broken: rtc.Room, peer: OfficialPeer) -> None:
    with anyio.fail_after(60), broken.accept_text_streams("t") as incoming:
        with pytest.raises((anyio.EndOfStream, anyio.IncompleteRead)):
            await peer.ask("die_sending", topic="t")
        reader = await incoming.receive()
        assert await reader.receive() == "the beginning"
        with pytest.raises(rtc.SenderLeftError):
            await reader.receive()


async def test_the_trailer_is_lost_and_the_room_ends(
    broken: rtc.Room, peer: OfficialPeer, server: DevServer, room_name: str
) -> None:
    with anyio.fail_after(20), broken.accept_text_streams("t") as incoming:
        await peer.ask("send_raw", packets=packets("ab"), to=["ann"])
        reader = await incoming.receive()
        assert await reader.receive() == "ab"
        await server.delete_room(room_name)
        assert [waiting async for waiting in incoming] == []
        text, error = await read(reader)
        assert text == ""
        assert isinstance(error, rtc.RoomClosedError)
        assert error.reason == rtc.DisconnectReason.ROOM_DELETED
    with broken.accept_text_streams("t") as incoming:
        assert [waiting async for waiting in incoming] == []


@later_on_asyncio
async def test_what_its_writer_does(pair: Pair) -> None:
    async with pair() as (ann, bob):
        me = ann.local_participant
        with anyio.fail_after(30), bob.accept_text_streams("t") as incoming:
            with pytest.raises(ValueError, match="secret"):
                async with me.stream_text(topic="t") as writer:
                    await writer.write("ab")
                    raise ValueError("a secret")
            text, error = await read(await incoming.receive())
            assert (text, str(error)) == ("ab", "its sender closed the stream: ValueError")
            assert isinstance(error, rtc.StreamAbortedError)

            writer = me.stream_text(topic="t")

            async def write_much() -> None:
                async with writer:
                    await writer.write("a" * 3_000_000)

            writing = anyio.CancelScope()
            async with anyio.create_task_group() as group:
                group.start_soon(in_scope, writing, write_much)
                reader = await incoming.receive()
                await reader.receive()
                writing.cancel()
                text, error = await read(reader)
            assert isinstance(error, rtc.StreamAbortedError)
            assert error.reason == "cancelled"
            assert len(text) < 2_000_000, "what was not handed over yet must not be sent"
            with pytest.raises(rtc.StreamClosedError):
                await writer.write("more")

            async with me.stream_text(topic="t") as writer:
                await writer.aclose(reason="enough")
                await writer.aclose()
            assert str((await read(await incoming.receive()))[1]) == "its sender closed the stream: enough"

            async with me.stream_text(topic="t") as writer:
                await writer.aclose(reason=ROOM_ENDED)
            assert isinstance((await read(await incoming.receive()))[1], rtc.StreamAbortedError)


async def test_what_its_reader_does(pair: Pair) -> None:
    async with pair() as (ann, bob):
        me = ann.local_participant
        with (
            anyio.fail_after(30),
            bob.accept_text_streams("t", max_bytes=100_000) as incoming,
            bob.accept_text_streams("marker") as marker,
        ):
            async with me.stream_text(topic="t") as writer:
                reader = await incoming.receive()
                async with anyio.create_task_group() as group:
                    group.start_soon(reader.receive)
                    await anyio.wait_all_tasks_blocked()
                    for again in (reader.receive, reader.read_all):
                        with pytest.raises(rtc.StreamBusyError):
                            await again()
                    await writer.write("for the first")
                reader.close()
                with pytest.raises(rtc.StreamClosedError):
                    await reader.receive()
                await writer.write("for nobody")

            async with me.stream_text(topic="t") as writer:
                reader = await incoming.receive()
                with pytest.warns(ResourceWarning, match="neither read to its end nor closed"):
                    reader = None
                await writer.write("for nobody")

            async with me.stream_text(topic="t") as writer:
                reader = await incoming.receive()
                await writer.write("a" * 200_000)
                await me.send_text("", topic="marker")
                await (await marker.receive()).read_all()  # what was sent before has arrived, too
                text, error = await read(reader)
                assert 0 < len(text) <= 100_000
                assert isinstance(error, rtc.StreamLaggedError)

            await me.send_text("a" * 1001, topic="t")
            with pytest.raises(rtc.StreamTooLargeError):
                await (await incoming.receive()).read_all(limit=1000)
            async with me.stream_text(topic="t") as writer:
                await writer.write("a" * 1001)
                with pytest.raises(rtc.StreamTooLargeError):
                    await (await incoming.receive()).read_all(limit=1000)

            await me.send_text("last", topic="t")
            assert await (await incoming.receive()).read_all() == "last"
            assert incoming.statistics().dropped == 0
