"""What a library does apart from inboxes: requests, buffers, logs, panics, and its end."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from livekit_trio._errors import NativeRefusalError, UsedAfterForkError
from livekit_trio._ffi import _logs
from livekit_trio._ffi._abc import PANIC

from .subjects import Reader, Subject, messages, request

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit_trio._ffi._abc import NativeBuffer

ERROR, WARN, INFO, DEBUG, TRACE = range(5)


# ---- requests


def test_a_request_is_answered(subject: Subject) -> None:
    response = messages.FfiResponse(clear_audio_buffer={}).SerializeToString()
    subject.answer(response)
    sent = request(clear_audio_buffer={"source_handle": subject.new_handle()})
    live = subject.live_handles()
    assert subject.library.request(sent) == response
    assert [message.SerializeToString() for message in subject.requests()] == [sent]
    assert subject.live_handles() == live  # the response buffer, a handle itself, is gone
    for buffer in (bytearray(sent), memoryview(sent)):
        subject.answer(response)
        assert subject.library.request(buffer) == response


def test_a_refused_request(subject: Subject) -> None:
    subject.refuse('InvalidRequest("no such source")')
    with pytest.raises(NativeRefusalError):
        subject.library.request(request(clear_audio_buffer={"source_handle": subject.new_handle()}))
    assert _logs.failure_text(subject.library) == 'InvalidRequest("no such source")'


def test_dropping_handles(subject: Subject) -> None:
    handle = subject.new_handle()
    assert subject.library.drop(handle)
    assert not subject.library.drop(handle)
    assert not subject.library.drop(1 << 60)
    subject.allowed_false_drops = 2
    assert subject.live_handles() == 0


# ---- buffers


def new_buffer(subject: Subject, data: bytes) -> NativeBuffer:
    fields = subject.new_buffer(data)
    return subject.library.buffer(fields["handle"]["id"], fields["data"]["data_ptr"], fields["data"]["data_len"])


def test_a_buffer_shows_native_memory(subject: Subject) -> None:
    data = bytes(range(256)) * 4
    buffer = new_buffer(subject, data)
    assert len(buffer) == len(data)
    assert bytes(buffer) == data
    view = memoryview(buffer)
    assert (view.format, view.ndim, view.readonly, view.c_contiguous) == ("B", 1, True, True)
    with pytest.raises(TypeError):
        view[0] = 1
    array = np.frombuffer(memoryview(buffer), np.int16)
    assert array.tobytes() == data
    assert not array.flags.writeable


@pytest.mark.parametrize("data", [b"", b"x"])
def test_small_buffers(subject: Subject, data: bytes) -> None:
    buffer = new_buffer(subject, data)
    assert (len(buffer), bytes(buffer)) == (len(data), data)
    del buffer
    gc.collect()
    assert subject.live_handles() == 0


def test_the_handle_drops_with_the_last_view(subject: Subject) -> None:
    buffer = new_buffer(subject, b"0123456789")
    view = memoryview(buffer)[2:5]
    array = np.frombuffer(view, np.uint8)
    del buffer
    gc.collect()
    assert subject.live_handles() == 1
    del view
    gc.collect()
    assert subject.live_handles() == 1
    assert array.tobytes() == b"234"
    del array
    gc.collect()
    assert subject.live_handles() == 0


def test_the_last_view_may_die_on_another_thread(subject: Subject) -> None:
    views = [memoryview(new_buffer(subject, b"x"))]
    thread = threading.Thread(target=views.clear)
    thread.start()
    thread.join()
    gc.collect()
    assert subject.live_handles() == 0


# ---- logs


def log(subject: Subject, *levels: int) -> None:
    records = [{"level": level, "target": "livekit", "message": f"at {level}"} for level in levels]
    subject.emit(logs={"records": records})


def texts(subject: Subject) -> list[str]:
    return [messages.LogRecord.FromString(record).message for record in subject.library.take_logs()]


@pytest.mark.parametrize("level", [ERROR, WARN, INFO, DEBUG, TRACE])
def test_records_are_filtered_by_level(subject: Subject, level: int) -> None:
    subject.library.set_log_level(level)
    subject.library.take_logs()
    log(subject, ERROR, WARN, INFO, DEBUG, TRACE)
    log(subject, TRACE, ERROR)
    assert texts(subject) == [f"at {each}" for each in (*range(5), TRACE, ERROR) if each <= level]
    assert texts(subject) == []


def test_errors_are_kept_from_the_start(subject: Subject) -> None:
    subject.library.take_logs()
    log(subject, ERROR)
    assert texts(subject) == ["at 0"]


def test_records_are_bounded(subject: Subject) -> None:
    subject.library.take_logs()
    for number in range(1500):
        subject.emit(logs={"records": [{"level": ERROR, "target": "t", "message": str(number)}]})
    assert texts(subject) == [str(number) for number in range(1500 - 1024, 1500)]
    assert subject.library.statistics()["dropped_logs"] == 1500 - 1024


def test_records_wake_one_loop(subject: Subject, open_reader: Callable[[], Reader]) -> None:
    readers = [open_reader(), open_reader()]
    subject.library.take_logs()
    for reader in readers:
        reader.take()
    subject.library.set_log_level(ERROR)
    log(subject, INFO)
    assert [reader.woken() for reader in readers] == [False, False]
    log(subject, ERROR)
    assert [reader.woken() for reader in readers].count(True) == 1
    for reader in readers:
        assert reader.take() == []
        assert not reader.woken()


def test_the_wake_for_records_passes_on(subject: Subject, open_reader: Callable[[], Reader]) -> None:
    """If the loop that was woken for them closes its inbox, another one is woken."""
    readers = [open_reader(), open_reader()]
    log(subject, ERROR)
    [woken] = [reader for reader in readers if reader.woken()]
    [other] = [reader for reader in readers if reader is not woken]
    woken.inbox.close()
    assert other.woken()


def test_the_wake_for_records_outlasts_other_events(subject: Subject, reader: Reader) -> None:
    reader.inbox.route(1)
    subject.emit(room_event={"room_handle": 1, "reconnecting": {}})
    log(subject, ERROR)
    reader.inbox.unroute(1)
    assert reader.woken()
    assert reader.take() == []
    assert not reader.woken()


def test_an_inbox_closed_with_a_wake_for_records_has_nothing_to_take(subject: Subject, reader: Reader) -> None:
    log(subject, ERROR)
    assert reader.woken()
    reader.inbox.close()
    assert reader.inbox.take(1) == []


# ---- panics


def test_a_panic_reaches_every_inbox(subject: Subject, open_reader: Callable[[], Reader]) -> None:
    readers = [open_reader() for _ in range(3)]
    subject.emit(publish_data={"async_id": readers[0].async_id(1)})
    subject.emit(panic={"message": "at the disco"})
    assert readers[0].kinds() == [11, PANIC]
    for reader in readers[1:]:
        [(kind, _, _, payload)] = reader.take()
        assert kind == PANIC
        assert messages.Panic.FromString(payload).message == "at the disco"


def test_a_panic_without_inboxes(subject: Subject) -> None:
    subject.emit(panic={"message": "alone"})


# ---- counters


def test_the_counters_of_the_process(subject: Subject) -> None:
    assert set(subject.library.statistics()) == {
        "callbacks",
        "callback_max_ns",
        "dropped_unrouted",
        "dropped_abandoned",
        "dropped_raw",
        "dropped_frames",
        "dropped_logs",
        "undone_joins",
        "malformed",
    }


# ---- the end


def test_a_silenced_library_does_nothing(subject: Subject, reader: Reader) -> None:
    event = subject.event(publish_track={"async_id": reader.async_id(1), "publication": {}})
    buffer = new_buffer(subject, b"x")
    subject.library.silence()
    subject.emit_raw(event)
    assert reader.take() == []
    subject.emit(logs={"records": [{"level": 0, "target": "t", "message": "m"}]})
    assert subject.library.take_logs() == []
    del buffer
    gc.collect()
    assert subject.live_handles() == 2  # nothing is dropped any more: the process ends


def test_a_disowned_library(subject: Subject, reader: Reader) -> None:
    """As in a forked child: what would need the library raises, everything else does nothing."""
    reader.inbox.route(0x11)
    subject.emit(room_event={"room_handle": 0x11, "track_subscribed": {}})
    buffer = new_buffer(subject, b"x")
    live = subject.live_handles()
    fd = reader.inbox.fileno()
    library = subject.library
    library.disown()
    for use in (
        lambda: library.request(request(clear_audio_buffer={"source_handle": 1})),
        lambda: library.open_inbox(-1, -1, None),
        lambda: reader.inbox.open_ring(b"", 1),
    ):
        with pytest.raises(UsedAfterForkError):
            use()
    assert reader.inbox.take(10) == []
    reader.inbox.route(0x22)
    reader.inbox.unroute(0x11)
    reader.inbox.abandon(reader.async_id(1))
    reader.inbox.close()
    assert not library.drop(1)
    assert library.take_logs() == []
    library.set_log_level(3)
    library.statistics()
    reader.inbox.statistics()
    del buffer
    gc.collect()
    subject.emit(room_event={"room_handle": 0x11, "reconnecting": {}})
    assert subject.live_handles() == live
    assert subject.requests() == []
    if fd != -1:
        import os

        os.close(fd)  # it is still open: parent and child share what it stands for
