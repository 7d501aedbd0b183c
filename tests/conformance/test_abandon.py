"""Replies that nobody waits for any more, and the end of an inbox."""

from __future__ import annotations

import os
import select
import socket
from typing import TYPE_CHECKING, Any

import pytest

from livekit_trio._ffi._abc import OWNER_SHIFT

from ..native.fake_control import HANDLE, Flood
from .subjects import Reader, Subject, drop_owned

if TYPE_CHECKING:
    from collections.abc import Callable

ROOM = 0x11

PARTICIPANTS: list[dict[str, Any]] = [{"publications": [{}, {}]}, {"publications": [{}]}]


def join_reply(subject: Subject, async_id: int) -> tuple[bytes, int]:
    """A successful ConnectCallback and its room handle; it owns 7 handles."""
    room = subject.new_handle()
    result: dict[str, Any] = {"room": {"handle": {"id": room}}, "participants": PARTICIPANTS}
    return subject.event(connect={"async_id": async_id, "result": result}), room


def undone(subject: Subject) -> list[tuple[str, int]]:
    """The requests since the last call, as (name, room handle); what is answered finds nobody."""
    names: list[tuple[str, int]] = []
    for sent in subject.requests():
        name = sent.WhichOneof("message")
        message = getattr(sent, name)
        names.append((name, message.room_handle))
        if name == "disconnect":
            assert message.request_async_id >> OWNER_SHIFT == 0
            assert message.request_async_id > 0
    return names


def test_a_reply_abandoned_before_it_comes(subject: Subject, reader: Reader) -> None:
    reader.inbox.abandon(reader.async_id(1))
    subject.emit(publish_track={"async_id": reader.async_id(1), "publication": {}})
    assert subject.live_handles() == 0
    assert reader.take() == []
    assert subject.library.statistics()["dropped_abandoned"] == 1
    subject.emit(publish_data={"async_id": reader.async_id(1)})
    assert reader.kinds() == [11]  # that it was abandoned is not remembered for ever


def test_a_reply_abandoned_after_it_came(subject: Subject, reader: Reader) -> None:
    for number in (1, 2, 3):
        subject.emit(publish_track={"async_id": reader.async_id(number), "publication": {}})
    reader.inbox.abandon(reader.async_id(2))
    assert subject.live_handles() == 2
    events = reader.take()
    assert [key for _, key, *_ in events] == [reader.async_id(1), reader.async_id(3)]
    drop_owned(subject, events)
    assert subject.live_handles() == 0
    assert subject.library.statistics()["dropped_abandoned"] == 1


def test_abandoning_concerns_one_reply_only(subject: Subject, reader: Reader) -> None:
    reader.inbox.route(reader.async_id(1))  # a handle with the same number is something else
    subject.emit(room_event={"room_handle": reader.async_id(1), "reconnecting": {}})
    reader.inbox.abandon(reader.async_id(1))
    subject.emit(publish_data={"async_id": reader.async_id(2)})
    assert reader.kinds() == [1, 11]


def test_abandoning_the_only_event_clears_the_wake(subject: Subject, reader: Reader) -> None:
    subject.emit(publish_data={"async_id": reader.async_id(1)})
    reader.inbox.abandon(reader.async_id(1))
    assert reader.take() == []
    assert not reader.woken()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_join_that_nobody_waits_for_is_undone(subject: Subject, reader: Reader, when: str) -> None:
    event, room = join_reply(subject, reader.async_id(1))
    assert subject.live_handles() == 7
    if when == "before":
        reader.inbox.abandon(reader.async_id(1))
        subject.emit_raw(event)
    else:
        subject.emit_raw(event)
        reader.inbox.abandon(reader.async_id(1))
    assert undone(subject) == [("ready_for_room_event", room), ("disconnect", room)]
    assert subject.live_handles() == 0
    assert reader.take() == []
    assert subject.library.statistics()["undone_joins"] == 1


def test_a_failed_join_needs_no_undoing(subject: Subject, reader: Reader) -> None:
    reader.inbox.abandon(reader.async_id(1))
    subject.emit(connect={"async_id": reader.async_id(1), "error": "refused"})
    assert subject.requests() == []
    assert subject.library.statistics()["undone_joins"] == 0


@pytest.mark.parametrize("when", ["queued", "later"])
def test_closing_the_inbox_undoes_joins(subject: Subject, reader: Reader, when: str) -> None:
    event, room = join_reply(subject, reader.async_id(1))
    if when == "queued":
        subject.emit_raw(event)
        reader.inbox.close()
    else:
        reader.inbox.close()
        subject.emit_raw(event)
    assert undone(subject) == [("ready_for_room_event", room), ("disconnect", room)]
    assert subject.live_handles() == 0


def fill(subject: Subject, reader: Reader) -> None:
    """Leave one of each kind of thing in the inbox; with the join it owns 7 + 4 handles."""
    event, _ = join_reply(subject, reader.async_id(1))
    subject.emit_raw(event)
    reader.inbox.route(ROOM)
    reader.inbox.abandon(reader.async_id(99))
    subject.emit(publish_track={"async_id": reader.async_id(2), "publication": {}})
    subject.emit(room_event={"room_handle": ROOM, "track_subscribed": {}})
    subject.emit(room_event={"room_handle": ROOM, "participant_connected": {}})
    user: dict[str, Any] = {"data": subject.new_buffer(b"x")}
    packet = {"kind": 1, "participant_identity": "", "user": user}
    subject.emit(room_event={"room_handle": ROOM, "data_packet_received": packet})
    subject.emit(panic={"message": "p"})
    assert subject.live_handles() == 11


def test_closing_with_everything_pending(subject: Subject, reader: Reader) -> None:
    fill(subject, reader)
    reader.inbox.close()
    assert subject.live_handles() == 0
    assert reader.inbox.take(100) == []
    assert reader.inbox.statistics()["buffered"] == 0
    subject.emit(room_event={"room_handle": ROOM, "track_subscribed": {}})
    subject.emit(publish_track={"async_id": reader.async_id(2), "publication": {}})
    assert subject.live_handles() == 0


def test_closing_twice_and_using_it_afterwards(subject: Subject, reader: Reader) -> None:
    reader.inbox.close()
    reader.inbox.close()
    assert reader.inbox.take(1) == []
    assert reader.inbox.fileno() == -1
    reader.inbox.unroute(ROOM)
    reader.inbox.abandon(reader.async_id(1))
    with pytest.raises(ValueError, match="closed"):
        reader.inbox.route(ROOM)


def test_closing_leaves_other_inboxes_alone(subject: Subject, open_reader: Callable[[], Reader]) -> None:
    first, second = open_reader(), open_reader()
    first.inbox.route(ROOM)
    second.inbox.route(ROOM + 1)
    first.inbox.close()
    subject.emit(room_event={"room_handle": ROOM + 1, "reconnecting": {}})
    subject.emit(publish_data={"async_id": second.async_id(1)})
    assert second.kinds() == [1, 11]
    second.inbox.route(ROOM)
    subject.emit(room_event={"room_handle": ROOM, "reconnecting": {}})
    assert second.kinds() == [1]


def test_no_write_into_a_descriptor_that_was_closed(subject: Subject) -> None:
    """The number of a closed descriptor is given out again at once; a late wake must not reach its new owner."""
    for _ in range(200):
        reader = Reader(subject, "descriptor")
        event = subject.event(publish_data={"async_id": reader.async_id(1)})
        fd = reader.inbox.fileno()
        subject.start_floods([Flood(event, 20)] * 2)
        reader.inbox.close()
        again = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        subject.join_threads()
        try:
            assert again == fd
            with pytest.raises(BlockingIOError):
                os.eventfd_read(again)
        finally:
            os.close(again)


def test_a_pair_of_descriptors(subject: Subject) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    fds = ours.detach(), theirs.detach()
    inbox = subject.library.open_inbox(*fds)
    assert inbox.fileno() == fds[0]
    for _ in range(3):
        subject.emit(publish_data={"async_id": inbox.owner << OWNER_SHIFT | 1})
        subject.emit(publish_data={"async_id": inbox.owner << OWNER_SHIFT | 2})
        assert select.select([fds[0]], [], [], 0)[0]
        assert len(inbox.take(1)) == 1
        assert select.select([fds[0]], [], [], 0)[0]
        assert len(inbox.take(10)) == 1
        assert not select.select([fds[0]], [], [], 0)[0]
    inbox.close()
    for fd in fds:
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(fd)


def test_threads_call_back_while_inboxes_come_and_go(subject: Subject) -> None:
    """Whatever a callback meets, every handle is dropped once."""
    readers = [Reader(subject) for _ in range(20)]
    publication = {"handle": {"id": HANDLE}, "info": {}}
    events = [
        subject.event(publish_track={"async_id": reader.async_id(), "publication": publication}) for reader in readers
    ]
    subject.start_floods([Flood(event, 200) for event in events])
    for reader in readers:
        drop_owned(subject, reader.take(50))
        reader.inbox.abandon(reader.async_id())
        reader.inbox.close()
    subject.join_threads()
    assert subject.live_handles() == 0


def test_a_refused_undoing_does_no_harm(subject: Subject, reader: Reader) -> None:
    """The room may have ended in the meantime; its handles are dropped all the same."""
    event, _ = join_reply(subject, reader.async_id(1))
    reader.inbox.abandon(reader.async_id(1))
    subject.refusing = True
    subject.emit_raw(event)
    assert subject.live_handles() == 0
    assert [name for name, _ in undone(subject)] == ["ready_for_room_event", "disconnect"]
