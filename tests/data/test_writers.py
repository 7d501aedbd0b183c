"""Streams that go out, on the fake library: what is asked, and how a writer closes whatever becomes of its block."""

from __future__ import annotations

import itertools
from array import array
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.rtc._stream_writers import MAX_TRAILER, PIECE
from livekit_trio.testing import assert_idle
from livekit_trio.testing._fake_library import FakeLibrary
from tests.cancelling import ways
from tests.data.conftest import meanwhile_or_late
from tests.data.test_readers import joined
from tests.rtc.test_cancel import Delays, cancel_once
from tests.rtc.test_close_matrix import CAUSES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from livekit_trio.testing._fake_room import FakeRoom

pytestmark = pytest.mark.anyio

EVERYTHING: Final[dict[str, Any]] = {
    "topic": "t",
    "destination_identities": ["bob"],
    "attributes": {"mood": "good"},
    "stream_id": "mine",
    "sender_identity": "me",
}
OF_TEXT: Final[dict[str, Any]] = {
    "reply_to_id": "other",
    "attachments": ("file",),
    "operation": rtc.TextStreamOperation.UPDATE,
    "version": 2,
    "generated": True,
}


def asked(native: FakeRoom, name: str) -> list[Any]:
    """The requests of one name, oldest first."""
    return [request.message for request in native._fake.requested(name)]


# ---- what is asked


async def test_every_option_of_a_text_is_sent() -> None:
    async with joined() as (native, room):
        me = room.local_participant
        await me.send_text("a", **EVERYTHING, **OF_TEXT, compress=False)
        async with me.stream_text(**EVERYTHING, **OF_TEXT):
            pass
        [sent] = asked(native, "send_text")
        [opened] = asked(native, "text_stream_open")
        assert sent.text == "a"
        assert sent.options.compress is False
        for options in (sent.options, opened.options):
            assert (options.topic, options.id, options.sender_identity) == ("t", "mine", "me")
            assert (list(options.destination_identities), dict(options.attributes)) == (["bob"], {"mood": "good"})
            assert (options.operation_type, options.version, options.generated) == (1, 2, True)
            assert (options.reply_to_stream_id, list(options.attached_stream_ids)) == ("other", ["file"])


async def test_every_option_of_bytes_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "file.png"
    file.write_bytes(b"abc")
    async with joined() as (native, room):
        me = room.local_participant
        await me.send_bytes(bytearray(b"abc"), name="n", mime_type="x/y", compress=False, **EVERYTHING)
        async with me.stream_bytes("n", total_size=3, mime_type="x/y", **EVERYTHING):
            pass
        await me.send_file(file, name="n", mime_type="x/y", **EVERYTHING)
        await me.send_file(file)
        [sent] = asked(native, "send_bytes")
        *opened, plain = asked(native, "byte_stream_open")
        assert (sent.bytes, sent.options.compress) == (b"abc", False)
        for options in (sent.options, *(request.options for request in opened)):
            assert (options.topic, options.id, options.sender_identity) == ("t", "mine", "me")
            assert (list(options.destination_identities), dict(options.attributes)) == (["bob"], {"mood": "good"})
            assert (options.name, options.mime_type, options.total_length) == ("n", "x/y", 3)
        assert (plain.options.name, plain.options.mime_type) == ("file.png", "image/png")


async def test_what_is_not_said_is_left_to_the_library() -> None:
    async with joined() as (native, room):
        await room.local_participant.send_text("a")
        async with room.local_participant.stream_bytes():
            pass
        for request in (*asked(native, "send_text"), *asked(native, "byte_stream_open")):
            assert not request.options.HasField("id")
            assert not request.options.HasField("sender_identity")
        [opened] = asked(native, "byte_stream_open")
        assert not opened.options.HasField("total_length")
        [closed] = asked(native, "byte_stream_close")
        assert (closed.reason, dict(closed.attributes)) == ("", {})


async def test_pieces_are_bounded_and_never_end_within_a_character() -> None:
    async with joined() as (native, room):
        me = room.local_participant
        text, data = "😀" * 100_000, bytes(2 * PIECE + 1)
        async with me.stream_text() as writer:
            await writer.write("")
            await writer.write(text)
            assert writer.sent == len(text.encode())
        async with me.stream_bytes() as writer:
            await writer.write(memoryview(data))
            await writer.write(array("H", [0x4241]))
        texts = [request.text for request in asked(native, "text_stream_write")]
        assert "".join(texts) == text
        assert max(len(piece.encode()) for piece in texts) <= PIECE
        assert [len(request.bytes) for request in asked(native, "byte_stream_write")] == [PIECE, PIECE, 1, 2]


async def test_wrong_arguments_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    async with joined() as (native, room):
        me: Any = room.local_participant
        before = len(native._fake.requests)
        for wrong in (b"bytes", None, 5):
            with pytest.raises(TypeError):
                await me.send_text(wrong)
        for wrong in ("text", None, 5):
            with pytest.raises(TypeError):
                await me.send_bytes(wrong)
        for many in ({"destination_identities": "bob"}, {"attachments": "file"}):
            with pytest.raises(TypeError, match="not one string"):
                await me.send_text("a", **many)
            with pytest.raises(TypeError, match="not one string"):
                me.stream_text(**many)
        with pytest.raises(UnicodeEncodeError):
            await me.send_text("\ud83d")
        with pytest.raises(FileNotFoundError):
            await me.send_file(tmp_path / "missing")
        assert len(native._fake.requests) == before


@pytest.mark.parametrize("way", ["send_text", "stream_text", "send_bytes", "stream_bytes", "send_file"])
async def test_without_permission_it_is_an_error(way: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    arguments: dict[str, tuple[Any, ...]] = {"send_text": ("a",), "send_bytes": (b"a",), "send_file": (file,)}
    async with joined() as (native, room):
        permission = dict.fromkeys(("can_subscribe", "can_publish", "hidden", "can_update_metadata"), True)
        native.emit(
            participant_permission_changed={
                "participant_identity": "me",
                "permission": permission | {"can_publish_data": False},
            }
        )
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(rtc.StreamSendError, match="no permission"):
            made = getattr(room.local_participant, way)(*arguments.get(way, ()))
            await made


async def test_what_the_library_refuses_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    error = {"description": "stream header exceeds maximum size"}
    async with joined() as (native, room):
        me = room.local_participant
        for name in ("send_text", "send_bytes", "text_stream_open", "byte_stream_open"):
            native._fake.on(name, lambda request: request.reply(error=error))

        async def enter(writer: rtc.TextStreamWriter | rtc.ByteStreamWriter) -> None:
            async with writer:
                pass

        for attempt in (
            lambda: me.send_text("a"),
            lambda: me.send_bytes(b"a"),
            lambda: me.send_file(file),
            lambda: enter(me.stream_text()),
            lambda: enter(me.stream_bytes()),
        ):
            with pytest.raises(rtc.StreamSendError, match="header exceeds"):
                await attempt()


# ---- how a writer closes


async def test_a_writer_is_entered_once_and_closed_once() -> None:
    async with joined() as (native, room):
        writer = room.local_participant.stream_text()
        with pytest.raises(rtc.StreamClosedError):
            await writer.write("a")
        with pytest.raises(rtc.StreamClosedError):
            _ = writer.info
        await writer.aclose()
        async with writer:
            assert writer.info.operation == rtc.TextStreamOperation.CREATE
            await writer.aclose(attributes={"end": "reached"})
            await writer.aclose(reason="too late")
            with pytest.raises(rtc.StreamClosedError):
                await writer.write("a")
        with pytest.raises(rtc.StreamClosedError):
            await writer.__aenter__()
        [closed] = asked(native, "text_stream_close")
        assert (closed.reason, dict(closed.attributes)) == ("", {"end": "reached"})


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ({"reason": "x" * MAX_TRAILER}, rtc.StreamSendError),
        ({"attributes": {str(number): "" for number in range(10_000)}}, rtc.StreamSendError),
        ({"attributes": {"a": 5}}, TypeError),
        ({"reason": "\ud800"}, UnicodeEncodeError),
    ],
    ids=["long", "many", "no text", "half a pair"],
)
async def test_an_end_that_cannot_be_sent_leaves_the_stream_open(end: dict[str, Any], error: type[Exception]) -> None:
    """Natively nobody would be told of it: readers would wait for the end until this participant has left."""
    async with joined() as (native, room):
        with pytest.raises(error):
            async with room.local_participant.stream_text() as writer:
                await writer.aclose(**end)
        [closed] = asked(native, "text_stream_close")
        assert closed.reason == error.__name__


async def test_a_block_that_raises_closes_with_the_name_of_the_error() -> None:
    async with joined() as (native, room):
        error = KeyError("a secret")
        with pytest.raises(KeyError) as caught:
            async with room.local_participant.stream_text():
                raise error
        assert caught.value is error
        [closed] = asked(native, "text_stream_close")
        assert closed.reason == "KeyError"


async def test_the_error_of_the_block_counts_more_than_that_of_closing() -> None:
    async with joined() as (native, room):
        native._fake.on("text_stream_close", lambda request: request.reply(error={"description": "lost"}))
        with pytest.raises(KeyError):
            async with room.local_participant.stream_text():
                raise KeyError
        with pytest.raises(rtc.StreamSendError, match="lost"):
            async with room.local_participant.stream_text():
                pass


async def test_a_write_after_a_cancelled_one_waits_for_it() -> None:
    async with joined() as (native, room):
        fake = native._fake
        async with room.local_participant.stream_text() as writer:
            held = fake.hold("text_stream_write")
            async with anyio.create_task_group() as group:
                group.start_soon(writer.write, "a")
                await anyio.wait_all_tasks_blocked()
                group.cancel_scope.cancel()
            async with anyio.create_task_group() as group:
                group.start_soon(writer.write, "b")
                group.start_soon(writer.write, "c")
                await anyio.wait_all_tasks_blocked()
                assert len(held.requests) == 1
                held.release()
        first, *others = (request.text for request in asked(native, "text_stream_write"))
        assert (first, sorted(others)) == ("a", ["b", "c"])


async def test_a_stream_that_lacks_something_is_not_complete() -> None:
    async with joined() as (native, room):
        fake = native._fake
        async with room.local_participant.stream_text() as writer:
            held = fake.hold("text_stream_write")
            async with anyio.create_task_group() as group:
                group.start_soon(writer.write, "lost")
                await anyio.wait_all_tasks_blocked()
                group.cancel_scope.cancel()
            held.release()
            await writer.write("there")
        async with room.local_participant.stream_text() as writer:
            fake.on("text_stream_write", lambda request: request.reply(error={"description": "lost"}))
            with pytest.raises(rtc.StreamSendError):
                await writer.write("lost")
            await writer.aclose(reason="one of my own")
        assert [request.reason for request in asked(native, "text_stream_close")] == ["cancelled", "one of my own"]


async def test_writes_of_two_tasks_go_out_as_wholes() -> None:
    async with joined() as (native, room):
        async with room.local_participant.stream_bytes() as writer, anyio.create_task_group() as group:
            for part in (b"a", b"b"):
                group.start_soon(writer.write, part * 2 * PIECE)
        parts = [request.bytes[:1] for request in asked(native, "byte_stream_write")]
        assert parts in ([b"a", b"a", b"b", b"b"], [b"b", b"b", b"a", b"a"])


async def test_a_file_that_becomes_shorter_is_given_up(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(3 * PIECE))

    def shorten(done: int, _total: int | None) -> None:
        if done:
            file.write_bytes(bytes(done))

    async with joined() as (native, room):
        with pytest.raises(rtc.StreamSendError, match="became shorter"):
            await room.local_participant.send_file(file, progress=shorten)
        [closed] = asked(native, "byte_stream_close")
        assert closed.reason == "StreamSendError"


async def test_progress_that_raises_gives_the_file_up(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    async with joined() as (native, room):
        with pytest.raises(ZeroDivisionError):
            await room.local_participant.send_file(file, progress=lambda done, _: 1 / done)
        [closed] = asked(native, "byte_stream_close")
        assert closed.reason == "ZeroDivisionError"


# ---- the close matrix, and the cancel sweep

CALLS: Final[dict[str, Callable[[rtc.LocalParticipant, Path], Awaitable[object]]]] = {
    "send_text": lambda me, _: me.send_text("a"),
    "send_bytes": lambda me, _: me.send_bytes(b"a"),
    "text_stream_open": lambda me, _: write(me.stream_text(), "a"),
    "text_stream_write": lambda me, _: write(me.stream_text(), "a"),
    "text_stream_close": lambda me, _: write(me.stream_text(), "a"),
    "byte_stream_open": lambda me, file: me.send_file(file),
    "byte_stream_write": lambda me, file: me.send_file(file),
    "byte_stream_close": lambda me, file: me.send_file(file),
}


async def write(writer: Any, content: Any) -> None:
    async with writer:
        await writer.write(content)


@pytest.mark.parametrize("pending", CALLS)
@pytest.mark.parametrize("cause", CAUSES)
async def test_every_call_ends_with_the_room(pending: str, cause: str, tmp_path: Path) -> None:
    end, reason = CAUSES[cause]
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    errors: list[BaseException] = []

    async def pend(me: rtc.LocalParticipant) -> None:
        try:
            await CALLS[pending](me, file)
        except (rtc.RoomClosedError, rtc.NativePanicError) as error:
            errors.append(error)

    async with joined() as (native, room):
        held = native._fake.hold(pending)
        async with anyio.create_task_group() as group:
            group.start_soon(pend, room.local_participant)
            while not held.requests:
                await anyio.sleep(0.001)  # for the thread that opens the file
            await end(native._fake, native, room)
        [error] = errors
        if cause == "panic":
            assert isinstance(error, rtc.NativePanicError)
        else:
            assert isinstance(error, rtc.RoomClosedError)
            assert error.reason == reason
        with pytest.raises((rtc.RoomClosedError, rtc.NativePanicError)):
            await CALLS[pending](room.local_participant, file)
        held.lose()


async def send_a_text(me: rtc.LocalParticipant, _: Path) -> None:
    await me.send_text("a")
    async with me.stream_text() as writer:
        await writer.write("a")
        await writer.write("b")


async def send_a_file(me: rtc.LocalParticipant, file: Path) -> None:
    await me.send_file(file)


@pytest.mark.parametrize(
    ("job", "delayed"),
    [
        (send_a_text, "send_text"),
        (send_a_text, "text_stream_open"),
        (send_a_text, "text_stream_write"),
        (send_a_text, "text_stream_close"),
        (send_a_file, "byte_stream_write"),
    ],
)
@meanwhile_or_late
async def test_cancelled_at_every_suspension(
    anyio_backend_name: str,
    tmp_path: Path,
    job: Callable[[rtc.LocalParticipant, Path], Awaitable[None]],
    delayed: str,
    *,
    late: bool,
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"abc")

    async def visit() -> None:
        async with rtc.open_room("ws://fake", "token", leave_timeout=0.1) as room:
            await job(room.local_participant, file)

    for way in ways(anyio_backend_name):
        for at in itertools.count(1):
            fake = FakeLibrary()
            with fake.installed():
                reached = await cancel_once(Delays(fake, delayed), way, at, late=late, program=visit)
                await assert_idle()
            fake.check()
            check_that_halves_are_not_closed_as_wholes(fake)
            if not reached:
                assert at > 5
                break


def check_that_halves_are_not_closed_as_wholes(fake: FakeLibrary) -> None:
    for kind, field, whole in (("text", "text", "ab"), ("byte", "bytes", b"abc")):
        written = [getattr(request.message, field) for request in fake.requested(f"{kind}_stream_write")]
        for closed in fake.requested(f"{kind}_stream_close"):
            if not closed.message.reason:
                assert type(whole)().join(written) == whole
