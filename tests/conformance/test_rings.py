"""The frames of media streams."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from livekit_trio._errors import NativeRefusalError
from livekit_trio._ffi import _wire
from livekit_trio._ffi._abc import READY

from ..native.fake_control import HANDLE, SEQUENCE, Flood
from .subjects import TIMEOUT, Reader, Subject, messages, request

if TYPE_CHECKING:
    from livekit_trio._ffi._abc import Ring

AUDIO, VIDEO = "audio", "video"


def open_request(subject: Subject, kind: str) -> bytes:
    return request(**{f"new_{kind}_stream": {"track_handle": subject.new_handle()}})


def stream_response(handle: int, kind: str = AUDIO) -> bytes:
    response = messages.FfiResponse(
        **{f"new_{kind}_stream": {"stream": {"handle": {"id": handle}, "info": {"type": 0}}}}
    )
    return response.SerializeToString()


def open_ring(subject: Subject, reader: Reader, capacity: int, kind: str = AUDIO) -> Ring:
    """A ring, whose stream's handle is alive."""
    handle = subject.new_handle()
    subject.answer(stream_response(handle, kind))
    message = open_request(subject, kind)
    response, ring = reader.inbox.open_ring(message, capacity)
    assert response == stream_response(handle, kind)
    assert ring.key == handle
    return ring


def frame(subject: Subject, key: int, number: int, kind: str = AUDIO) -> bytes:
    """A frame that has *number* in it."""
    if kind == AUDIO:
        received: dict[str, Any] = {"frame": {"info": {"samples_per_channel": number}}}
    else:
        received = {"timestamp_us": number}
    return subject.event(**{f"{kind}_stream_event": {"stream_handle": key, "frame_received": received}})


def end(subject: Subject, key: int, kind: str = AUDIO) -> bytes:
    return subject.event(**{f"{kind}_stream_event": {"stream_handle": key, "eos": {}}})


def numbers(subject: Subject, ring: Ring, kind: str = AUDIO) -> list[tuple[int | str, int]]:
    """Take everything: (what was in it, frames dropped just before it); their handles are dropped."""
    found: list[tuple[int | str, int]] = []
    while (taken := ring.take()) is not None:
        _, dropped, payload = taken
        event = (messages.AudioStreamEvent if kind == AUDIO else messages.VideoStreamEvent).FromString(payload)
        if event.WhichOneof("message") == "eos":
            found.append(("eos", dropped))
            continue
        received = event.frame_received
        found.append((received.frame.info.samples_per_channel if kind == AUDIO else received.timestamp_us, dropped))
        [handle] = _wire.owned_handles(4 if kind == AUDIO else 3, payload)
        assert subject.library.drop(handle)
    return found


@pytest.mark.parametrize("kind", [AUDIO, VIDEO])
def test_frames_come_in_order_with_one_mark(subject: Subject, reader: Reader, kind: str) -> None:
    ring = open_ring(subject, reader, 10, kind)
    for number in (1, 2, 3):
        subject.emit_raw(frame(subject, ring.key, number, kind))
    assert [(what, key) for what, key, *_ in reader.take()] == [(READY, ring.key)]
    assert numbers(subject, ring, kind) == [(1, 0), (2, 0), (3, 0)]
    subject.emit_raw(frame(subject, ring.key, 4, kind))
    assert [(what, key) for what, key, *_ in reader.take()] == [(READY, ring.key)]
    assert numbers(subject, ring, kind) == [(4, 0)]


def test_a_frame_that_nobody_reads_costs_no_wake(subject: Subject, reader: Reader) -> None:
    ring = open_ring(subject, reader, 4)
    subject.emit_raw(frame(subject, ring.key, 1))
    assert reader.kinds() == [READY]
    for number in range(2, 100):
        subject.emit_raw(frame(subject, ring.key, number))
        assert not reader.woken()
    assert reader.take() == []
    assert numbers(subject, ring) == [(96, 95), (97, 0), (98, 0), (99, 0)]


def test_a_full_ring_drops_its_oldest(subject: Subject, reader: Reader) -> None:
    ring = open_ring(subject, reader, 3)
    live = subject.live_handles()
    for number in range(1, 9):
        subject.emit_raw(frame(subject, ring.key, number))
    assert subject.live_handles() == live + 3
    assert tuple(ring.statistics()) == (8, 5, 3)
    assert numbers(subject, ring) == [(6, 5), (7, 0), (8, 0)]
    assert tuple(ring.statistics()) == (8, 5, 0)
    assert subject.live_handles() == live
    assert subject.library.statistics()["dropped_frames"] == 5


def test_drops_are_told_with_the_next_frame(subject: Subject, reader: Reader) -> None:
    ring = open_ring(subject, reader, 2)
    for number in (1, 2, 3):
        subject.emit_raw(frame(subject, ring.key, number))
    assert ring.take() is not None
    for number in (4, 5):
        subject.emit_raw(frame(subject, ring.key, number))
    assert numbers(subject, ring) == [(4, 1), (5, 0)]


@pytest.mark.parametrize("kind", [AUDIO, VIDEO])
def test_the_end_comes_last_and_is_never_dropped(subject: Subject, reader: Reader, kind: str) -> None:
    ring = open_ring(subject, reader, 1, kind)
    live = subject.live_handles()
    subject.emit_raw(frame(subject, ring.key, 1, kind))
    subject.emit_raw(frame(subject, ring.key, 2, kind))
    subject.emit_raw(end(subject, ring.key, kind))
    subject.emit_raw(frame(subject, ring.key, 3, kind))
    assert numbers(subject, ring, kind) == [(2, 1), ("eos", 0)]
    subject.emit_raw(frame(subject, ring.key, 4, kind))
    assert numbers(subject, ring, kind) == []
    assert subject.live_handles() == live


def test_the_end_alone_is_marked(subject: Subject, reader: Reader) -> None:
    ring = open_ring(subject, reader, 1)
    subject.emit_raw(end(subject, ring.key))
    assert reader.kinds() == [READY]
    assert numbers(subject, ring) == [("eos", 0)]


def test_an_arrival_has_its_stamp(subject: Subject, reader: Reader) -> None:
    ring = open_ring(subject, reader, 1)
    before = time.monotonic_ns()
    subject.emit_raw(frame(subject, ring.key, 1))
    after = time.monotonic_ns()
    taken = ring.take()
    assert taken is not None
    assert before <= taken[0] <= after


def test_frames_before_the_response_are_kept(subject: Subject, reader: Reader) -> None:
    handle, other = subject.new_handle(), subject.new_handle()
    early = [frame(subject, handle, 1), frame(subject, other, 9), frame(subject, handle, 2)]
    subject.answer(stream_response(handle), before=early)
    message = open_request(subject, AUDIO)
    live = subject.live_handles()
    _, ring = reader.inbox.open_ring(message, 10)
    assert subject.live_handles() == live - 1  # the other stream's frame is gone
    assert reader.kinds() == [READY]
    assert numbers(subject, ring) == [(1, 0), (2, 0)]


def test_early_frames_keep_to_the_capacity(subject: Subject, reader: Reader) -> None:
    handle = subject.new_handle()
    subject.answer(stream_response(handle), before=[frame(subject, handle, number) for number in (1, 2, 3)])
    _, ring = reader.inbox.open_ring(open_request(subject, AUDIO), 1)
    assert numbers(subject, ring) == [(3, 2)]


def test_closing_drops_what_waits_and_what_comes(subject: Subject, reader: Reader) -> None:
    ring = open_ring(subject, reader, 10)
    live = subject.live_handles()
    for number in (1, 2):
        subject.emit_raw(frame(subject, ring.key, number))
    subject.emit_raw(end(subject, ring.key))
    ring.close()
    ring.close()
    assert subject.live_handles() == live
    subject.emit_raw(frame(subject, ring.key, 3))
    assert subject.live_handles() == live
    assert ring.take() is None
    assert ring.statistics().buffered == 0


def test_closing_the_inbox_closes_its_rings(subject: Subject, reader: Reader) -> None:
    ring = open_ring(subject, reader, 10)
    live = subject.live_handles()
    subject.emit_raw(frame(subject, ring.key, 1))
    reader.inbox.close()
    assert subject.live_handles() == live
    subject.emit_raw(frame(subject, ring.key, 2))
    assert subject.live_handles() == live
    assert ring.take() is None
    ring.close()
    with pytest.raises(ValueError, match="closed"):
        reader.inbox.open_ring(open_request(subject, AUDIO), 1)


@pytest.mark.parametrize("capacity", [0, -1, 4097])
def test_capacities(subject: Subject, reader: Reader, capacity: int) -> None:
    with pytest.raises(ValueError, match="4096"):
        reader.inbox.open_ring(open_request(subject, AUDIO), capacity)
    assert subject.requests() == []


def test_a_refused_stream(subject: Subject, reader: Reader) -> None:
    subject.refuse("no such track")
    with pytest.raises(NativeRefusalError):
        reader.inbox.open_ring(open_request(subject, AUDIO), 1)
    ring = open_ring(subject, reader, 1)
    subject.emit_raw(frame(subject, ring.key, 1))
    assert numbers(subject, ring) == [(1, 0)]


def test_a_request_that_opens_no_stream(subject: Subject, reader: Reader) -> None:
    subject.answer(messages.FfiResponse(clear_audio_buffer={}).SerializeToString())
    with pytest.raises(ValueError, match="stream"):
        reader.inbox.open_ring(request(clear_audio_buffer={"source_handle": subject.new_handle()}), 1)


def test_no_frame_and_no_mark_is_lost_between_threads(subject: Subject, reader: Reader) -> None:
    """A reader that waits for a mark whenever it has found the ring empty gets or counts every frame."""
    ring = open_ring(subject, reader, 64)
    total = 4_000
    live = subject.live_handles()
    received = {"frame": {"handle": {"id": HANDLE}, "info": {"data_ptr": SEQUENCE}}}
    template = subject.event(audio_stream_event={"stream_handle": ring.key, "frame_received": received})
    subject.start_floods([Flood(template, total)])
    got: list[int] = []
    dropped, deadline = 0, time.monotonic() + TIMEOUT
    while len(got) + dropped < total and time.monotonic() < deadline:
        if not reader.woken(0.01) or READY not in reader.kinds():
            continue
        while (taken := ring.take()) is not None:
            dropped += taken[1]
            frame = messages.AudioStreamEvent.FromString(taken[2]).frame_received.frame
            got.append(frame.info.data_ptr)
            assert subject.library.drop(frame.handle.id)
    subject.join_threads()
    assert len(got) + dropped == total
    assert got == sorted(got)
    assert got[-1] == total - 1
    assert subject.live_handles() == live
