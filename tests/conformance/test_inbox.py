"""The FIFO of one event loop: order, batches, wakes, counters."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from ..native.fake_control import SEQUENCE, Flood
from .subjects import TIMEOUT, Reader, Subject, messages

if TYPE_CHECKING:
    from collections.abc import Callable

ROOM, READER = 0x7001, 0x7002


def test_replies_room_events_and_reader_events_keep_their_order(subject: Subject, reader: Reader) -> None:
    reader.inbox.route(ROOM)
    reader.inbox.route(READER)
    choice = random.Random(1)
    sent: list[tuple[int, int]] = []
    for number in range(1, 500):
        what = choice.choice(["reply", "room", "reader"])
        if what == "reply":
            subject.emit(publish_data={"async_id": reader.async_id(number)})
            sent.append((11, reader.async_id(number)))
        elif what == "room":
            subject.emit(room_event={"room_handle": ROOM, "reconnecting": {}})
            sent.append((1, ROOM))
        else:
            subject.emit(text_stream_reader_event={"reader_handle": READER, "chunk_received": {"content": "x"}})
            sent.append((35, READER))
    assert [(kind, key) for kind, key, *_ in reader.take()] == sent


def test_an_event_is_taken_as_it_came(subject: Subject, reader: Reader) -> None:
    before = time.monotonic_ns()
    subject.emit(publish_data={"async_id": reader.async_id(), "error": "no"})
    after = time.monotonic_ns()
    [(kind, key, stamp, payload)] = reader.take()
    assert (kind, key) == (11, reader.async_id())
    assert before <= stamp <= after
    data = subject.event(publish_data={"async_id": reader.async_id(), "error": "no"})
    assert data.endswith(payload)
    assert isinstance(payload, bytes)


def test_take_keeps_to_its_limit(subject: Subject, reader: Reader) -> None:
    for number in range(1, 11):
        subject.emit(publish_data={"async_id": reader.async_id(number)})
    sizes = [len(reader.take(4)) for _ in range(4)]
    assert sizes == [4, 4, 2, 0]


def test_the_wake_stays_until_everything_was_taken(subject: Subject, reader: Reader) -> None:
    assert not reader.woken()
    subject.emit(publish_data={"async_id": reader.async_id(1)})
    subject.emit(publish_data={"async_id": reader.async_id(2)})
    assert reader.woken()
    reader.take(1)
    assert reader.woken()
    reader.take(10)
    assert not reader.woken()
    subject.emit(publish_data={"async_id": reader.async_id(3)})
    assert reader.woken()
    assert reader.keys() == [reader.async_id(3)]


def test_taking_from_an_empty_inbox(reader: Reader) -> None:
    assert reader.take() == []
    assert not reader.woken()


@pytest.mark.parametrize("limit", [1, 3, 256])
def test_no_wake_is_lost_and_order_is_kept_while_threads_call_back(
    subject: Subject, open_reader: Callable[[], Reader], limit: int
) -> None:
    """A reader that only ever reads when it was woken gets everything, each thread's events in their order."""
    threads, rounds = 4, 2_000
    readers = [open_reader(), open_reader()]
    floods: list[Flood] = []
    for thread in range(threads):
        key = ROOM + thread
        readers[thread % 2].inbox.route(key)
        republished: dict[str, Any] = {"publication_handle": SEQUENCE, "previous_sid": "", "info": {}}
        floods.append(
            Flood(subject.event(room_event={"room_handle": key, "local_track_republished": republished}), rounds)
        )
    subject.start_floods(floods)
    got: list[list[int]] = [[], []]
    deadline = time.monotonic() + TIMEOUT
    while sum(map(len, got)) < threads * rounds and time.monotonic() < deadline:
        for reader, mine in zip(readers, got, strict=True):
            if reader.woken(0.001):
                events = [messages.RoomEvent.FromString(payload) for *_, payload in reader.take(limit)]
                mine.extend(event.local_track_republished.publication_handle for event in events)
    subject.join_threads()
    for reader, mine in zip(readers, got, strict=True):
        for thread in range(threads):
            expected = list(range(rounds)) if thread % 2 == readers.index(reader) else []
            assert [number & 0xFFFF_FFFF for number in mine if number >> 32 == thread] == expected
        assert reader.take() == []
        assert not reader.woken()


def test_owners_are_not_used_again_soon(subject: Subject) -> None:
    owners: list[int] = []
    for _ in range(300):
        reader = Reader(subject)
        owners.append(reader.inbox.owner)
        reader.inbox.close()
    assert len(set(owners)) == 300
    assert all(1 <= owner <= 0xFFFF for owner in owners)


def test_the_counters_of_an_inbox(subject: Subject, reader: Reader) -> None:
    zero = {"buffered", "buffered_bytes", "peak_bytes", "taken", "batches", "dropped_lossy", "dropped_reliable"}
    assert dict(reader.inbox.statistics()) == dict.fromkeys(zero, 0)
    for number in (1, 2, 3):
        subject.emit(publish_data={"async_id": reader.async_id(number)})
    size = len(subject.event(publish_data={"async_id": reader.async_id(1)})) - 2
    counted = reader.inbox.statistics()
    assert counted["buffered"] == 3
    assert counted["buffered_bytes"] == counted["peak_bytes"] == 3 * size
    reader.take(2)
    counted = reader.inbox.statistics()
    assert (counted["buffered"], counted["taken"], counted["batches"]) == (1, 2, 1)
    assert (counted["buffered_bytes"], counted["peak_bytes"]) == (size, 3 * size)
    reader.take()
    reader.take()
    counted = reader.inbox.statistics()
    assert (counted["buffered"], counted["buffered_bytes"], counted["taken"], counted["batches"]) == (0, 0, 3, 2)


def test_callbacks_are_counted_and_timed(subject: Subject, reader: Reader) -> None:
    before = subject.library.statistics()
    for number in range(1, 6):
        subject.emit(publish_data={"async_id": reader.async_id(number)})
    after = subject.library.statistics()
    assert after["callbacks"] - before["callbacks"] == 5
    assert after["callback_max_ns"] > 0
