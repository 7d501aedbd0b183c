"""Mailbox and EventStream: order, bounds, ends, cancellation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
import pytest
import trio

from livekit_trio._errors import (
    EndOfStream,
    RoomClosedError,
    StreamBusyError,
    StreamClosedError,
    StreamLaggedError,
)
from livekit_trio._guard import make
from livekit_trio._mailbox import Mailbox, WouldBlock
from livekit_trio._streams import EventStream

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.anyio


class Source:
    """Stands in for a room: who subscribed, and what is there already."""

    def __init__(self, existing: Iterable[int] = ()) -> None:
        self.streams: list[EventStream[int]] = []
        self.existing = existing

    def open(self, capacity: int = 4, where: object = None) -> EventStream[int]:
        return make(
            EventStream,
            subscribe=self._subscribe,
            unsubscribe=self.streams.remove,
            check_loop=lambda: None,
            accepts=(int,),
            where=where,  # type: ignore[arg-type]
            capacity=capacity,
        )

    def _subscribe(self, stream: EventStream[int]) -> Iterable[int]:
        self.streams.append(stream)
        return self.existing

    def put(self, *items: int) -> None:
        for item in items:
            for stream in self.streams:
                stream.mailbox.put(item)

    def finish(self) -> None:
        for stream in self.streams:
            stream.mailbox.finish()


async def test_items_come_in_order_and_then_the_end() -> None:
    source = Source()
    with source.open() as stream:
        source.put(1, 2, 3)
        source.finish()
        assert [item async for item in stream] == [1, 2, 3]
        with pytest.raises(EndOfStream):
            await stream.receive()


async def test_a_call_alone_registers_nothing() -> None:
    source = Source()
    stream = source.open()
    assert source.streams == []
    with pytest.raises(StreamClosedError):
        await stream.receive()


async def test_leaving_the_block_unsubscribes_and_closes() -> None:
    source = Source()
    with source.open() as stream:
        source.put(1)
    assert source.streams == []
    with pytest.raises(StreamClosedError):
        await stream.receive()
    with pytest.raises(StreamClosedError), stream:
        pytest.fail("a stream is entered once")


async def test_overflow_delivers_what_is_buffered_then_says_how_much_is_lost() -> None:
    source = Source()
    with source.open(capacity=2) as slow, source.open(capacity=9) as quick:
        source.put(1, 2, 3, 4, 5)
        assert [await slow.receive(), await slow.receive()] == [1, 2]
        with pytest.raises(StreamLaggedError) as caught:
            await slow.receive()
        assert caught.value.dropped == 3
        assert slow.statistics().dropped == 3
        assert [await quick.receive() for _ in range(5)] == [1, 2, 3, 4, 5]
        with pytest.raises(StreamLaggedError):
            await slow.receive()


async def test_bytes_are_bounded_too() -> None:
    mailbox: Mailbox[str] = Mailbox(capacity=100, max_bytes=10, max_fleeting=5)
    mailbox.put("a", size=6)
    mailbox.put("b", size=5)
    assert mailbox.get_nowait() == "a"
    with pytest.raises(StreamLaggedError):
        mailbox.get_nowait()


async def test_fleeting_items_displace_the_oldest_of_their_kind_only() -> None:
    mailbox: Mailbox[str] = Mailbox(capacity=100, max_bytes=1000, max_fleeting=2)
    mailbox.put("state")
    for name in "abcd":
        mailbox.put(name, size=1, fleeting=True)
    mailbox.put("more")
    assert [mailbox.get_nowait() for _ in range(4)] == ["state", "c", "d", "more"]
    assert mailbox.statistics().dropped == 2
    with pytest.raises(WouldBlock):
        mailbox.get_nowait()


async def test_existing_items_come_first_and_do_not_count() -> None:
    source = Source(existing=range(10))
    with source.open(capacity=1) as stream:
        source.put(10)
        assert [await stream.receive() for _ in range(11)] == list(range(11))
        assert stream.statistics().delivered == 1


async def test_where_is_asked_in_the_reader_and_its_error_is_the_readers() -> None:
    def where(item: int) -> bool:
        if item == 3:
            raise ZeroDivisionError
        return item % 2 == 0

    source = Source()
    with source.open(where=where) as stream:
        source.put(1, 2, 3)
        assert await stream.receive() == 2
        with pytest.raises(ZeroDivisionError):
            await stream.receive()


async def test_a_cancelled_receive_leaves_the_item() -> None:
    source = Source()
    with source.open() as stream:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:

                async def put_and_cancel() -> None:
                    await anyio.wait_all_tasks_blocked()
                    scope.cancel()
                    source.put(7)

                group.start_soon(put_and_cancel)
                await stream.receive()
                pytest.fail("the scope was cancelled in the tick in which the item came")
        assert await stream.receive() == 7


async def test_a_plain_task_cancel_leaves_the_item(anyio_backend_name: str) -> None:
    if anyio_backend_name != "asyncio":
        return  # Trio has no such thing: the scope's cancel above is all there is
    source = Source()
    with source.open() as stream:
        task = asyncio.get_running_loop().create_task(stream.receive())
        await anyio.wait_all_tasks_blocked()
        source.put(7)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await stream.receive() == 7


async def test_one_reader_at_a_time() -> None:
    source = Source()
    with source.open() as stream:
        async with anyio.create_task_group() as group:

            async def read() -> None:
                assert await stream.receive() == 1

            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(StreamBusyError):
                await stream.receive()
            source.put(1)


async def test_a_failure_comes_after_what_is_buffered() -> None:
    mailbox: Mailbox[int] = Mailbox(capacity=4, max_bytes=100, max_fleeting=4)
    mailbox.put(1)
    mailbox.fail(ZeroDivisionError())
    mailbox.put(2)
    assert mailbox.get_nowait() == 1
    with pytest.raises(ZeroDivisionError):
        mailbox.get_nowait()


async def test_it_is_a_stream_of_both_families() -> None:
    async def with_trio(channel: trio.abc.ReceiveChannel[int]) -> list[int]:
        return [item async for item in channel]

    async def with_anyio(stream: anyio.abc.ObjectReceiveStream[int]) -> list[int]:
        return [item async for item in stream]

    for read in (with_trio, with_anyio):
        source = Source()
        with source.open() as stream:
            source.put(1, 2)
            source.finish()
            assert await read(stream) == [1, 2]


async def test_closing_while_a_task_waits_ends_the_wait() -> None:
    source = Source()
    async with anyio.create_task_group() as group:
        with source.open() as stream:

            async def read() -> None:
                with pytest.raises(StreamClosedError):
                    await stream.receive()

            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            await stream.aclose()


async def test_receive_always_gives_way() -> None:
    source = Source()
    with source.open() as stream:
        source.put(1)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await stream.receive()
        assert scope.cancelled_caught
        assert await stream.receive() == 1


def test_closed_rooms_speak_through_both_families() -> None:
    assert issubclass(RoomClosedError, trio.BrokenResourceError)
    assert issubclass(RoomClosedError, anyio.BrokenResourceError)
