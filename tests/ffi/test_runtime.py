"""The runtime: one for each loop, its calls, its pump, its end."""

from __future__ import annotations

import asyncio
import errno
import gc
import io
import json
import logging
import os
import select
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
import trio
from typing_extensions import override

from livekit_trio import rtc
from livekit_trio._errors import InternalError, NativePanicError, NativeRefusalError, UsedAfterForkError
from livekit_trio._ffi import _logs
from livekit_trio._ffi._loop import AsyncioLoop
from livekit_trio._ffi._runtime import hold_runtime, runtimes
from livekit_trio._ffi._trace import Trace
from livekit_trio.testing import assert_idle
from livekit_trio.testing._fake_library import FakeLibrary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.anyio
async def test_one_runtime_for_a_loop_as_long_as_somebody_holds_it() -> None:
    with FakeLibrary().installed():
        with hold_runtime() as outer:
            with hold_runtime() as inner:
                assert inner is outer
            assert runtimes() == [outer]
        assert runtimes() == []
        with hold_runtime() as later:
            assert later is not outer


@pytest.mark.anyio
async def test_a_reply_finds_its_call_whenever_it_comes() -> None:
    fake = FakeLibrary()
    with fake.installed(), hold_runtime() as runtime:
        replies = await runtime.call("get_schema", schema_fields(fake))
        assert replies.async_id == fake.requested("get_schema")[0].async_id
        hold = fake.hold("get_schema")
        async with anyio.create_task_group() as group:
            group.start_soon(runtime.call, "get_schema", schema_fields(fake))
            await anyio.wait_all_tasks_blocked()
            assert runtime.pending_calls == 1
            hold.release()
        assert runtime.pending_calls == 0


def schema_fields(fake: FakeLibrary) -> dict[str, Any]:
    return {"local_participant_handle": fake.new_handle(), "schema_id": {"name": "s"}, "participant_identity": "a"}


@pytest.mark.anyio
async def test_a_refusal_names_the_request_and_what_the_library_logged() -> None:
    fake = FakeLibrary()
    fake.refuse("get_schema", "no such handle")
    with fake.installed(), hold_runtime() as runtime:
        with pytest.raises(NativeRefusalError, match="no such handle") as caught:
            await runtime.call("get_schema", schema_fields(fake))
        assert caught.value.request == "get_schema"
        assert runtime.pending_calls == 0


@pytest.mark.anyio
async def test_disposing_is_never_sent() -> None:
    with FakeLibrary().installed(), hold_runtime() as runtime, pytest.raises(InternalError):
        runtime.request("dispose", **{"async": False})


@pytest.mark.anyio
async def test_a_panic_ends_everything_and_poisons_the_library() -> None:
    fake = FakeLibrary()
    with fake.installed():
        async with rtc.open_room("ws://fake", "t") as room:
            hold = fake.hold("simulate_scenario")
            async with anyio.create_task_group() as group:

                async def simulate() -> None:
                    with pytest.raises(NativePanicError, match="index out of bounds"):
                        await room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_SPEAKER)

                group.start_soon(simulate)
                await anyio.wait_all_tasks_blocked()
                assert len(hold.requests) == 1
                fake.panic("index out of bounds")
            with room.open_events() as events, pytest.raises(NativePanicError):
                await events.receive()
        with pytest.raises(NativePanicError):
            async with rtc.open_room("ws://fake", "t"):
                pytest.fail("joined")
        await assert_idle()


class _Sink:
    def __init__(self) -> None:
        self.failed = anyio.Event()
        self.error: BaseException | None = None

    def deliver(self, kind: int, stamp_ns: int, payload: bytes, /) -> None:
        raise AssertionError(kind)

    def fail(self, error: BaseException, /) -> None:
        self.error = error
        self.failed.set()


@pytest.mark.anyio
async def test_a_panic_gives_each_an_error_of_its_own() -> None:
    fake = FakeLibrary()
    sinks = [_Sink(), _Sink()]
    with fake.installed(), hold_runtime() as runtime:
        for sink in sinks:
            runtime.route(fake.new_handle(), sink)
        fake.panic("index out of bounds")
        for sink in sinks:
            await sink.failed.wait()
    assert sinks[0].error is not sinks[1].error


@pytest.mark.anyio
async def test_nothing_is_joined_after_a_panic_while_the_runtime_is_held() -> None:
    fake = FakeLibrary()
    with fake.installed(), hold_runtime() as runtime:
        hold = fake.hold("get_schema")
        async with anyio.create_task_group() as group:

            async def wait() -> None:
                with pytest.raises(NativePanicError):
                    await runtime.call("get_schema", schema_fields(fake))

            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            assert len(hold.requests) == 1
            fake.panic("index out of bounds")
        with pytest.raises(NativePanicError):
            async with rtc.open_room("ws://fake", "t"):
                pytest.fail("joined")


class _Broken(logging.Filter):
    @override
    def filter(self, record: logging.LogRecord) -> bool:
        raise ZeroDivisionError


@pytest.mark.anyio
async def test_a_log_that_is_broken_hurts_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    fake = FakeLibrary()
    native = fake.room()
    broken = _Broken()
    with fake.installed():
        async with rtc.open_room("ws://fake", "t") as room:
            await anyio.wait_all_tasks_blocked()
            for logger in (logging.getLogger("livekit_trio"), _logs.LOGGER):
                logger.addFilter(broken)
            try:
                fake.log(0, "livekit_ffi", "something")
                await anyio.wait_all_tasks_blocked()
                native.emit(room_metadata_changed={"metadata": "x"})
                await room.wait_until(lambda: room.metadata == "x")
                fake.panic("index out of bounds")
                with pytest.raises(NativePanicError):
                    await room.wait_until(lambda: False)
            finally:
                for logger in (logging.getLogger("livekit_trio"), _logs.LOGGER):
                    logger.removeFilter(broken)
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.anyio
async def test_a_bug_in_a_sink_hurts_its_own_room_only(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeLibrary()
    broken, sound = fake.room("broken"), fake.room("sound")
    with fake.installed():
        with pytest.raises(InternalError) as caught:
            async with rtc.open_room("ws://fake", "t") as one, rtc.open_room("ws://fake", "t") as other:
                await anyio.wait_all_tasks_blocked()

                def fail(*_: object) -> None:
                    raise ZeroDivisionError

                monkeypatch.setattr(one._session.state, "_handlers", {"room_metadata_changed": fail})
                broken.emit(room_metadata_changed={"metadata": "x"})
                sound.emit(room_metadata_changed={"metadata": "y"})
                await other.wait_until(lambda: other.metadata == "y")
                assert not one.connected
                assert other.connected
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        await assert_idle()
    fake.check()
    assert "could not be handled" in caplog.text


@pytest.mark.anyio
async def test_an_object_of_another_loop_says_so() -> None:
    with FakeLibrary().installed():
        async with rtc.open_room("ws://fake", "t") as room:

            async def elsewhere() -> None:
                with pytest.raises(rtc.WrongLoopError):
                    await room.disconnect()
                with pytest.raises(rtc.WrongLoopError), room.open_events():
                    pytest.fail("entered")

            await anyio.to_thread.run_sync(lambda: anyio.run(elsewhere, backend="trio"))
            await anyio.to_thread.run_sync(lambda: anyio.run(elsewhere, backend="asyncio"))
            assert room.connected


@pytest.mark.anyio
async def test_a_trace_has_every_event_and_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trace"
    monkeypatch.setenv("LIVEKIT_TRIO_TRACE", str(path))
    fake = FakeLibrary()
    native = fake.room()
    with fake.installed():
        async with rtc.open_room("ws://fake", "t") as room:
            with room.open_events(rtc.DataReceived) as events:
                native.send_data(b"hello", "bob")
                assert (await events.receive()).data == b"hello"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert next(line["kind"] for line in lines) == 5
    assert [line["data"] for line in lines if "data" in line] == ["aGVsbG8="]
    assert len([line for line in lines if line["kind"] == 1]) >= 6
    assert "fake" not in path.read_text()


@pytest.mark.anyio
async def test_a_full_disk_ends_the_trace_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_TRIO_TRACE", str(tmp_path / "trace"))
    fake = FakeLibrary()
    native = fake.room()
    with fake.installed():
        async with rtc.open_room("ws://fake", "t") as room:

            def fail(*_: object) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

            monkeypatch.setattr(Trace, "_write", fail)
            native.emit(room_metadata_changed={"metadata": "x"})
            await room.wait_until(lambda: room.metadata == "x")
            with anyio.fail_after(4):  # less than `leave_timeout`
                await room.disconnect()
        await assert_idle()


class _Full(io.StringIO):
    @override
    def write(self, text: str, /) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.anyio
@pytest.mark.parametrize("stderr", [io.StringIO, _Full], ids=["told", "stderr is full too"])
async def test_a_full_disk_hurts_nobody(stderr: Callable[[], io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_TRIO_TRACE", "/dev/full")
    told = stderr()
    monkeypatch.setattr(sys, "stderr", told)
    fake = FakeLibrary()
    native = fake.room()
    with fake.installed():
        async with rtc.open_room("ws://fake", "t") as room:
            for number in range(20):
                native.emit(room_metadata_changed={"metadata": str(number)})
            await room.wait_until(lambda: room.metadata == "19")
        await assert_idle()
    assert told.getvalue().count("in record") == (stderr is io.StringIO), "said once"


@pytest.mark.anyio
@pytest.mark.parametrize("why", ["a forked child", "a traced forked child", "a trace that cannot be written"])
async def test_a_runtime_that_cannot_be_had_leaves_no_descriptor(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeLibrary()
    monkeypatch.setattr(fake, "wakes_by", "descriptor")
    if "forked" in why:
        fake.disown()
    if "trace" in why:
        monkeypatch.setenv("LIVEKIT_TRIO_TRACE", str(tmp_path / "trace" if "forked" in why else tmp_path))
    before = os.listdir("/proc/self/fd")
    with fake.installed():
        for _ in range(3):
            with pytest.raises((UsedAfterForkError, IsADirectoryError)), hold_runtime():
                pytest.fail("made")
    assert os.listdir("/proc/self/fd") == before


def test_counting_disturbs_no_thread_and_is_disturbed_by_none() -> None:
    fake = FakeLibrary()
    stop = threading.Event()

    async def join_and_leave() -> None:
        while not stop.is_set():
            async with rtc.open_room("ws://fake", "t"):
                _ = rtc.AudioSource(48000, 1)
                await anyio.lowlevel.checkpoint()

    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with fake.installed():
            threads = [threading.Thread(target=anyio.run, args=(join_and_leave,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            try:
                for _ in range(2000):
                    rtc.runtime_statistics()
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
    finally:
        sys.setswitchinterval(switch_interval)


def test_two_loops_in_two_threads_and_another_run_after_each_other() -> None:
    fake = FakeLibrary()

    async def visit() -> None:
        async with rtc.open_room("ws://fake", "t") as room:
            await room.local_participant.publish_data(b"x")

    with fake.installed():
        for _ in range(2):
            threads = [
                threading.Thread(target=anyio.run, args=(visit,), kwargs={"backend": backend})
                for backend in ("trio", "asyncio")
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            trio.run(visit)
            asyncio.run(visit())
        assert len(fake.requested("publish_data")) == 8
        assert runtimes() == []
    fake.check()


def test_a_loop_that_dies_with_a_room_open_leaves_it() -> None:
    fake = FakeLibrary()
    with fake.installed():
        loop = asyncio.new_event_loop()
        room = rtc.open_room("ws://fake", "t")
        loop.run_until_complete(room.__aenter__())
        assert len(runtimes()) == 1
        loop.close()
        del loop, room
        gc.collect()
        assert len(fake.requested("disconnect")) == 1
        assert runtimes() == []


class _LoopWithoutReaders(asyncio.SelectorEventLoop):
    """As Windows' Proactor loop."""

    @override
    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        raise NotImplementedError


def test_a_loop_without_readers_gets_a_thread() -> None:
    async def fail_to_join() -> None:
        for _ in range(3):
            with pytest.raises(rtc.ConnectError):
                async with rtc.open_room("ws://127.0.0.1:9", "t", options=rtc.RoomOptions(join_retries=0)):
                    pytest.fail("joined")
        await assert_idle()

    with asyncio.Runner(loop_factory=_LoopWithoutReaders) as runner:
        runner.run(fail_to_join())
    assert not [thread for thread in threading.enumerate() if thread.name == "livekit_trio pump"]


def test_the_thread_ends_when_it_is_stopped_as_an_event_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    fd = os.eventfd(1, os.EFD_CLOEXEC)
    selected = threading.Event()
    real_select = select.select

    def select_late(readable: list[Any], writable: list[Any], exceptional: list[Any]) -> Any:
        """As if an event had come just before the pump was stopped, and the thread ran again only afterwards."""
        if not selected.is_set():
            selected.set()
            real_select([each for each in readable if each != fd], [], [])
            time.sleep(0.05)
            return [fd], [], []
        return real_select(readable, writable, exceptional)

    monkeypatch.setattr(select, "select", select_late)

    async def start_and_stop() -> None:
        stop = AsyncioLoop().start_pump(fd, lambda: None, lambda: None)
        selected.wait()
        stop()

    def run() -> None:
        with asyncio.Runner(loop_factory=_LoopWithoutReaders) as runner:
            runner.run(start_and_stop())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    os.close(fd)
