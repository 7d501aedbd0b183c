"""The request table against the descriptors: every request has a row, and what a row says of replies and fields is true."""

from __future__ import annotations

from typing import Any

import pytest

from livekit_trio._ffi import _proto
from livekit_trio._ffi._messages import encode_request
from livekit_trio._ffi._requests import REQUESTS, OnCancel

proto: Any = _proto  # everything here is looked up by name

_FIELDS = {field.name: field for field in proto.FfiRequest.DESCRIPTOR.fields}
_EVENTS = {field.name: field for field in proto.FfiEvent.DESCRIPTOR.fields}


def test_every_request_has_a_row_and_no_row_is_left_over() -> None:
    assert set(REQUESTS) == set(_FIELDS)
    assert len(REQUESTS) == 90


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_waits_exactly_if_it_takes_an_async_id(name: str) -> None:
    row = REQUESTS[name]
    takes_id = "request_async_id" in _FIELDS[name].message_type.fields_by_name
    assert bool(row.reply) == (takes_id or row.on_cancel is OnCancel.NEVER)
    assert (row.on_cancel is OnCancel.AT_ONCE) == (not row.reply)


@pytest.mark.parametrize("name", [name for name, row in REQUESTS.items() if row.reply])
def test_a_reply_is_an_event_that_names_its_async_id(name: str) -> None:
    callback = _EVENTS[REQUESTS[name].reply].message_type
    assert callback.fields_by_name["async_id"].number == 1


@pytest.mark.parametrize("name", [name for name, row in REQUESTS.items() if row.takes])
def test_what_a_request_takes_over_is_a_field_of_it(name: str) -> None:
    assert REQUESTS[name].takes in _FIELDS[name].message_type.fields_by_name


def test_exactly_what_compensates_has_an_undo() -> None:
    undone = {name for name, row in REQUESTS.items() if row.undo is not None}
    assert undone == {name for name, row in REQUESTS.items() if row.on_cancel is OnCancel.COMPENSATE}


def steps(name: str, fields: dict[str, Any], reply: Any) -> Any:
    undo = REQUESTS[name].undo
    assert undo is not None
    undoing = undo(fields, reply)
    for step, step_fields in undoing:
        assert proto.FfiRequest.FromString(encode_request(step, step_fields)).WhichOneof("message") == step
    return undoing


def test_undoing_a_join_leaves_and_undoing_a_failed_one_does_nothing() -> None:
    done = proto.ConnectCallback(async_id=1)
    done.result.room.handle.id = 7
    assert steps("connect", {}, done) == (
        ("ready_for_room_event", {"room_handle": 7}),
        ("disconnect", {"room_handle": 7}),
    )
    assert steps("connect", {}, proto.ConnectCallback(async_id=1, error="no")) == ()


def test_undoing_a_publish_unpublishes_and_undoing_a_failed_one_does_nothing() -> None:
    done = proto.PublishTrackCallback(async_id=1)
    done.publication.handle.id = 7
    done.publication.info.sid = "TR_x"
    ((name, fields),) = steps("publish_track", {"local_participant_handle": 5}, done)
    assert (name, fields["track_sid"], fields["local_participant_handle"]) == ("unpublish_track", "TR_x", 5)
    failed = proto.PublishTrackCallback(async_id=1, error="no")
    assert steps("publish_track", {"local_participant_handle": 5}, failed) == ()


@pytest.mark.parametrize("kind", ["byte", "text"])
def test_undoing_an_open_closes_the_writer_with_a_reason(kind: str) -> None:
    reply = getattr(proto, f"{kind.title()}StreamOpenCallback")(async_id=1)
    reply.writer.handle.id = 9
    ((name, fields),) = steps(f"{kind}_stream_open", {}, reply)
    assert (name, fields) == (f"{kind}_stream_close", {"writer_handle": 9, "reason": "cancelled"})
    assert REQUESTS[name].takes == "writer_handle"
