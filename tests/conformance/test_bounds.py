"""What waits for one route is bounded, in bytes; state events are not."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pytest

from livekit_trio._ffi._abc import LAGGED, RouteLimits

from .subjects import Reader, Subject, drop_owned, messages

if TYPE_CHECKING:
    from livekit_trio._ffi._abc import Event

ROOM, STREAM = 0x11, 0x22
LOSSY, RELIABLE = 0, 1
CHUNK = 100


def send_packet(subject: Subject, kind: int, data: bytes, room: int = ROOM) -> int:
    """Emit a data packet and return what it counts."""
    user = {"data": subject.new_buffer(data)}
    event = subject.event(
        room_event={
            "room_handle": room,
            "data_packet_received": {"kind": kind, "participant_identity": "bob", "user": user},
        }
    )
    subject.emit_raw(event)
    return messages.FfiEvent.FromString(event).room_event.ByteSize() + len(data)


def send_chunk(subject: Subject, content: str) -> None:
    subject.emit(text_stream_reader_event={"reader_handle": STREAM, "chunk_received": {"content": content}})


def lengths(events: list[Event]) -> list[int | str]:
    """The data lengths of packets and chunks in *events*, and what else is there."""
    found: list[int | str] = []
    for kind, _, _, payload in events:
        if kind == LAGGED:
            found.append(f"lagged {payload.decode()}")
        elif kind == 1:
            event = messages.RoomEvent.FromString(payload)
            packet = event.data_packet_received
            found.append(packet.user.data.data.data_len if packet.HasField("user") else event.WhichOneof("message"))
        else:
            event = messages.TextStreamReaderEvent.FromString(payload)
            which = event.WhichOneof("detail")
            found.append(len(event.chunk_received.content) if which == "chunk_received" else which)
    return found


def test_lossy_packets_lose_their_oldest(subject: Subject, reader: Reader) -> None:
    reader.inbox.route(ROOM, RouteLimits(lossy=3_500))
    for length in range(1_000, 1_010):
        send_packet(subject, LOSSY, bytes(length))
        subject.emit(room_event={"room_handle": ROOM, "reconnecting": {}})
    assert subject.live_handles() == 3
    events = reader.take()
    assert lengths(events) == ["reconnecting"] * 7 + [
        1_007,
        "reconnecting",
        1_008,
        "reconnecting",
        1_009,
        "reconnecting",
    ]
    assert reader.inbox.statistics()["dropped_lossy"] == 7
    drop_owned(subject, events)
    assert subject.live_handles() == 0


def test_a_lossy_packet_larger_than_the_bound_pushes_nothing_out(subject: Subject, reader: Reader) -> None:
    reader.inbox.route(ROOM, RouteLimits(lossy=2_000))
    send_packet(subject, LOSSY, bytes(1_000))
    send_packet(subject, LOSSY, bytes(5_000))
    events = reader.take()
    assert lengths(events) == [1_000]
    drop_owned(subject, events)
    assert subject.live_handles() == 0


def test_a_flood_of_lossy_packets_keeps_to_its_bound(subject: Subject, reader: Reader) -> None:
    limit = 100_000
    reader.inbox.route(ROOM, RouteLimits(lossy=limit))
    sizes = [send_packet(subject, LOSSY, bytes(1_000)) for _ in range(5_001)]  # the numbers in them grow
    kept = sum(total <= limit for total in accumulate(reversed(sizes)))
    counted = reader.inbox.statistics()
    assert counted["buffered"] == kept
    assert counted["peak_bytes"] <= limit
    assert counted["dropped_lossy"] == 5_001 - kept
    assert subject.live_handles() == kept


def test_reliable_packets_are_dropped_loudly_in_their_place(subject: Subject, reader: Reader) -> None:
    reader.inbox.route(ROOM, RouteLimits(reliable=2_500))
    for length in (1_000, 1_001, 1_002, 1_003):
        send_packet(subject, RELIABLE, bytes(length))
    subject.emit(room_event={"room_handle": ROOM, "reconnecting": {}})
    send_packet(subject, RELIABLE, bytes(1_004))
    events = reader.take()
    assert lengths(events) == [1_000, 1_001, "lagged 3", "reconnecting"]
    assert [key for _, key, *_ in events] == [ROOM] * 4
    assert reader.inbox.statistics()["dropped_reliable"] == 3
    drop_owned(subject, events[:2])
    assert subject.live_handles() == 0
    send_packet(subject, RELIABLE, bytes(1_005))
    events = reader.take()
    assert lengths(events) == [1_005]
    drop_owned(subject, events)


def test_each_gap_has_a_mark_of_its_own(subject: Subject, reader: Reader) -> None:
    reader.inbox.route(ROOM, RouteLimits(reliable=1_500))
    send_packet(subject, RELIABLE, bytes(1_000))
    send_packet(subject, RELIABLE, bytes(1_001))
    events = reader.take(1)
    send_packet(subject, RELIABLE, bytes(1_002))
    send_packet(subject, RELIABLE, bytes(1_003))
    send_packet(subject, RELIABLE, bytes(1_004))
    send_packet(subject, RELIABLE, bytes(100))
    events += reader.take()
    assert lengths(events) == [1_000, "lagged 1", 1_002, "lagged 2", 100]
    drop_owned(subject, [event for event in events if event[0] == 1])
    assert subject.live_handles() == 0


def test_a_mark_that_was_taken_counts_no_more(subject: Subject, reader: Reader) -> None:
    reader.inbox.route(ROOM, RouteLimits(reliable=1_500))
    for expected in ("lagged 2", "lagged 1"):
        for _ in range(int(expected[-1])):
            send_packet(subject, RELIABLE, bytes(2_000))
        assert lengths(reader.take()) == [expected]
    assert subject.live_handles() == 0


@pytest.mark.parametrize("kind", [28, 35])
def test_the_end_of_a_stream_finds_room(subject: Subject, reader: Reader, kind: int) -> None:
    reader.inbox.route(STREAM, RouteLimits(reliable=0))
    name = "byte_stream_reader_event" if kind == 28 else "text_stream_reader_event"
    subject.emit(**{name: {"reader_handle": STREAM, "chunk_received": {}}})
    subject.emit(**{name: {"reader_handle": STREAM, "eos": {}}})
    assert reader.kinds() == [LAGGED, kind]


def test_chunks_are_bounded_and_the_end_is_not(subject: Subject, reader: Reader) -> None:
    reader.inbox.route(STREAM, RouteLimits(reliable=10 * CHUNK))
    for _ in range(50):
        send_chunk(subject, "x" * (CHUNK - 8))
    subject.emit(text_stream_reader_event={"reader_handle": STREAM, "eos": {}})
    found = lengths(reader.take())
    taken = [item for item in found if isinstance(item, int)]
    assert found == [CHUNK - 8] * len(taken) + [f"lagged {50 - len(taken)}", "eos"]
    assert 8 <= len(taken) <= 10
    assert reader.inbox.statistics()["dropped_reliable"] == 50 - len(taken)


def test_byte_chunks_are_bounded_too(subject: Subject, reader: Reader) -> None:
    reader.inbox.route(STREAM, RouteLimits(reliable=250))
    for _ in range(3):
        subject.emit(byte_stream_reader_event={"reader_handle": STREAM, "chunk_received": {"content": bytes(100)}})
    subject.emit(byte_stream_reader_event={"reader_handle": STREAM, "eos": {}})
    assert reader.kinds() == [28, 28, LAGGED, 28]


def test_the_bounds_of_two_routes_are_apart(subject: Subject, reader: Reader) -> None:
    reader.inbox.route(ROOM, RouteLimits(lossy=1_500, reliable=1_500))
    reader.inbox.route(ROOM + 1, RouteLimits(lossy=1_500, reliable=1_500))
    for room in (ROOM, ROOM + 1):
        for kind in (LOSSY, RELIABLE):
            send_packet(subject, kind, bytes(1_000), room)
    events = reader.take()
    assert lengths(events) == [1_000] * 4
    drop_owned(subject, events)


@pytest.mark.parametrize("event", ["reconnecting", "participant_connected", "token_refreshed", "sip_dtmf"])
def test_state_events_are_never_dropped(subject: Subject, reader: Reader, event: str) -> None:
    reader.inbox.route(ROOM, RouteLimits(lossy=0, reliable=0))
    what: dict[str, Any] = {event: {}}
    if event == "sip_dtmf":
        what = {"data_packet_received": {"kind": RELIABLE, "sip_dtmf": {"code": 1}}}
    for _ in range(2_000):
        subject.emit(room_event={"room_handle": ROOM, **what})
    events = reader.take()
    assert [kind for kind, *_ in events] == [1] * 2_000
    drop_owned(subject, events)
    assert subject.live_handles() == 0


def test_new_limits_hold_for_what_comes(subject: Subject, reader: Reader) -> None:
    reader.inbox.route(ROOM, RouteLimits(reliable=1_500))
    send_packet(subject, RELIABLE, bytes(1_000))
    reader.inbox.route(ROOM, RouteLimits(reliable=10_000))
    send_packet(subject, RELIABLE, bytes(1_000))
    events = reader.take()
    assert lengths(events) == [1_000, 1_000]
    drop_owned(subject, events)


def test_the_limits_without_a_word(subject: Subject, reader: Reader) -> None:
    reader.inbox.route(ROOM)
    for _ in range(100):
        send_packet(subject, LOSSY, bytes(60_000))
        send_packet(subject, RELIABLE, bytes(60_000))
    counted = reader.inbox.statistics()
    assert counted["dropped_lossy"] == 100 - (1 << 20) // 60_040
    assert counted["dropped_reliable"] == 100 - (4 << 20) // 60_040
