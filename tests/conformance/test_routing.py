"""Which inbox an event finds, and that what finds none gives up its handles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from livekit_trio._ffi import _wire
from livekit_trio._ffi._abc import HANDLE_KEYED, OWNER_SHIFT
from livekit_trio.testing._fake_messages import complete

from .subjects import Reader, Subject, drop_owned, messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KINDS: dict[str, int] = {field.name: field.number for field in messages.FfiEvent.DESCRIPTOR.fields}
REPLIES = sorted(name for name, kind in KINDS.items() if kind not in HANDLE_KEYED | {2, 18, 20})
ROUTED = sorted(name for name, kind in KINDS.items() if kind in HANDLE_KEYED - {3, 4})


def test_replies_go_to_the_inbox_of_their_owner(subject: Subject, open_reader: Callable[[], Reader]) -> None:
    readers = [open_reader() for _ in range(5)]
    for number, name in enumerate(REPLIES, 1):
        for reader in readers:
            subject.emit(**{name: {"async_id": reader.async_id(number)}})
    for reader in readers:
        events = reader.take()
        assert [(kind, key) for kind, key, *_ in events] == [
            (KINDS[name], reader.async_id(number)) for number, name in enumerate(REPLIES, 1)
        ]
        drop_owned(subject, events)
    assert subject.live_handles() == 0


@pytest.mark.parametrize("name", ROUTED)
def test_handle_keyed_events_go_to_the_inbox_of_the_route(
    subject: Subject, open_reader: Callable[[], Reader], name: str
) -> None:
    first, second = open_reader(), open_reader()
    first.inbox.route(0x11)
    second.inbox.route(0x22)
    key_field = messages.FfiEvent.DESCRIPTOR.fields_by_name[name].message_type.fields_by_number[1].name
    for key in (0x22, 0x11, 0x33):
        subject.emit(**{name: {key_field: key}})
    for reader, key in ((first, 0x11), (second, 0x22)):
        events = reader.take()
        assert [(kind, its_key) for kind, its_key, *_ in events] == [(KINDS[name], key)]
        drop_owned(subject, events)
    assert subject.live_handles() == 0
    assert subject.library.statistics()["dropped_unrouted"] == 1


def every_handle_of(message: Any, new_handle: Callable[[], int]) -> Iterator[Any]:
    """Copies of *message* that between them own handles wherever its type can own one, each repeated field twice."""
    variants = [message]
    for oneof in message.DESCRIPTOR.oneofs:
        variants = [_with_field(variant, field) for variant in variants for field in oneof.fields]
    for variant in variants:
        _fill_with_handles(variant)
        complete(variant, new_handle)
        yield variant


def _with_field(message: Any, field: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    if field.message_type is not None:
        getattr(copy, field.name).SetInParent()
    else:
        setattr(copy, field.name, field.default_value)
    return copy


def _fill_with_handles(message: Any) -> None:
    for field in message.DESCRIPTOR.fields:
        inner = field.message_type
        if inner is None or inner.GetOptions().map_entry or inner.name == "FfiOwnedHandle":
            continue
        value = getattr(message, field.name)
        if hasattr(value, "add"):
            value.add()
            value.add()
        elif field.containing_oneof is None:
            value.SetInParent()
        elif message.WhichOneof(field.containing_oneof.name) != field.name:
            continue
        for each in value if hasattr(value, "add") else [value]:
            _fill_with_handles(each)


def variants_of(name: str, subject: Subject) -> list[bytes]:
    """Serialised events of kind *name*, one for each thing that can be in it."""
    inner = messages.FfiEvent.DESCRIPTOR.fields_by_name[name].message_type
    event_class = getattr(messages, inner.name)
    return [
        messages.FfiEvent(**{name: variant}).SerializeToString()
        for variant in every_handle_of(event_class(), subject.new_handle)
    ]


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"logs", "panic", "track_event"}))
def test_what_finds_nobody_gives_up_its_handles(subject: Subject, reader: Reader, name: str) -> None:
    del reader  # an inbox that none of this is for
    variants = variants_of(name, subject)
    for data in variants:
        expected = subject.live_handles() - len(_wire.owned_handles(*_wire.split(data)))
        subject.emit_raw(data)
        assert subject.live_handles() == expected
    assert subject.live_handles() == 0
    statistics = subject.library.statistics()
    assert statistics["dropped_unrouted"] + statistics["dropped_abandoned"] == len(variants)


def test_these_events_own_handles_at_all(subject: Subject) -> None:
    """The test above would prove nothing if its events owned nothing."""
    owned = {
        name: sum(len(_wire.owned_handles(*_wire.split(data))) for data in variants_of(name, subject)) for name in KINDS
    }
    assert {name for name, count in owned.items() if count} == {
        "room_event",
        "video_stream_event",
        "audio_stream_event",
        "connect",
        "publish_track",
        "byte_stream_open",
        "text_stream_open",
        "publish_data_track",
        "new_capture_source",
    }
    assert owned["connect"] == 1 + 1 + 2 + 4


def test_a_route_ends_with_what_waits_for_it(subject: Subject, reader: Reader) -> None:
    reader.inbox.route(0x11)
    reader.inbox.route(0x22)
    for key in (0x11, 0x22, 0x11):
        subject.emit(room_event={"room_handle": key, "track_subscribed": {}})
    subject.emit(publish_data={"async_id": 0x11 | reader.inbox.owner << OWNER_SHIFT})
    assert subject.live_handles() == 3
    reader.inbox.unroute(0x11)
    reader.inbox.unroute(0x11)
    assert subject.live_handles() == 1
    subject.emit(room_event={"room_handle": 0x11, "track_subscribed": {}})
    events = reader.take()
    assert [kind for kind, *_ in events] == [1, 11]
    drop_owned(subject, events)
    assert subject.live_handles() == 0


def test_unrouting_the_last_event_clears_the_wake(subject: Subject, reader: Reader) -> None:
    reader.inbox.route(0x11)
    subject.emit(room_event={"room_handle": 0x11, "reconnecting": {}})
    reader.inbox.unroute(0x11)
    assert reader.take() == []
    assert not reader.woken()


def test_a_handle_has_one_route(subject: Subject, open_reader: Callable[[], Reader]) -> None:
    first, second = open_reader(), open_reader()
    first.inbox.route(0x11)
    with pytest.raises(ValueError, match="another inbox"):
        second.inbox.route(0x11)
    second.inbox.unroute(0x11)  # it is not theirs to end
    subject.emit(room_event={"room_handle": 0x11, "reconnecting": {}})
    assert first.kinds() == [1]
    first.inbox.unroute(0x11)
    second.inbox.route(0x11)
    subject.emit(room_event={"room_handle": 0x11, "reconnecting": {}})
    assert second.kinds() == [1]


@pytest.mark.parametrize("what", ["stream_header_received", "stream_chunk_received", "stream_trailer_received"])
def test_raw_stream_events_are_dropped_unless_asked_for(subject: Subject, reader: Reader, what: str) -> None:
    reader.inbox.route(0x11)
    subject.emit(room_event={"room_handle": 0x11, what: {}})
    assert reader.take() == []
    assert subject.library.statistics()["dropped_raw"] == 1
    reader.inbox.route(0x11, raw_streams=True)
    subject.emit(room_event={"room_handle": 0x11, what: {}})
    assert reader.kinds() == [1]
    assert subject.library.statistics()["dropped_raw"] == 1


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x08\x01", b"\xff" * 11, b"\x0a\xff\x01\x00", b"\x0a\x02\x08", b"\x0a\x00"], ids=repr
)
def test_bytes_that_make_no_sense_are_counted(subject: Subject, reader: Reader, data: bytes) -> None:
    subject.emit_raw(data)
    assert subject.library.statistics()["malformed"] == 1
    subject.emit(publish_data={"async_id": reader.async_id()})
    assert reader.keys() == [reader.async_id()]


def test_events_of_kinds_that_nobody_knows_yet(subject: Subject, reader: Reader) -> None:
    """A newer library's reply has an async id in its field 1 like all others."""
    payload = messages.PublishDataCallback(async_id=reader.async_id()).SerializeToString()
    tag = 77 << 3 | 2
    subject.emit_raw(bytes([tag & 0x7F | 0x80, tag >> 7, len(payload)]) + payload)
    assert [(kind, key, data) for kind, key, _, data in reader.take()] == [(77, reader.async_id(), payload)]
