"""What a trace says again is what was said."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from livekit_trio import rtc
from livekit_trio.testing import replay
from livekit_trio.testing._fake_library import FakeLibrary
from livekit_trio.testing._fake_room import FakeParticipant
from tests.peers.listener import listen
from tests.peers.tracks import publish_silence

if TYPE_CHECKING:
    from pathlib import Path

    from livekit_trio.testing import DevServer


async def visit(server: DevServer, room_name: str) -> list[rtc.RoomEvent]:
    """Be in a room while somebody comes, publishes, says something and goes; what was heard."""
    async with rtc.open_room(server.url, server.token("ann", room_name)) as ann:
        with listen(ann, include_existing=True) as ears:
            await publish_silence(ann)
            async with rtc.open_room(server.url, server.token("bob", room_name)) as bob:
                await publish_silence(bob)
                await ears.hear(rtc.TrackSubscribed)
                await bob.local_participant.publish_data("hello", topic="greeting")
                await ears.hear(rtc.DataReceived)
            await ears.hear(rtc.ParticipantDisconnected)
            await ann.disconnect()
            await ears.hear_all()
            return ears.heard


@pytest.mark.anyio
async def test_a_real_room_is_said_again(server: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = tmp_path / "trace"
    monkeypatch.setenv("LIVEKIT_TRIO_TRACE", str(trace))
    heard = await visit(server, "replayed")
    said = list(replay(trace, room="replayed"))
    assert [repr(event) for _, event in said] == [repr(event) for event in heard]
    assert isinstance(said[-1][1], rtc.Disconnected)
    assert [at for at, _ in said] == sorted(at for at, _ in said)
    assert 0 < said[-1][0] < 60
    [packet] = [event for _, event in said if isinstance(event, rtc.DataReceived)]
    assert (packet.data, packet.topic) == (b"hello", "greeting")
    assert isinstance(packet.sender, rtc.RemoteParticipant)
    [published] = [event for _, event in said if isinstance(event, rtc.TrackPublished)]
    with pytest.raises(rtc.RoomClosedError):
        published.publication.set_subscribed(False)


@pytest.mark.anyio
async def test_the_first_visit_to_each_room_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = tmp_path / "trace"
    monkeypatch.setenv("LIVEKIT_TRIO_TRACE", str(trace))
    fake = FakeLibrary()
    with fake.installed():
        for name, identity in (("one", "bob"), ("two", "carol"), ("one", "eve")):
            fake.room(name, participants=[FakeParticipant(identity)])
            async with rtc.open_room("ws://fake", "token") as room:
                await room.wait_until(lambda room=room: room.connection_state == rtc.ConnectionState.CONN_CONNECTED)
    for chosen, present in ((None, "bob"), ("one", "bob"), ("two", "carol")):
        events = [event for _, event in replay(trace, room=chosen)]
        [connected] = [event for event in events if isinstance(event, rtc.ParticipantConnected)]
        assert connected.participant.identity == present
        assert isinstance(events[-1], rtc.Disconnected)
    with pytest.raises(ValueError, match="nobody joined 'three'"):
        next(replay(trace, room="three"))


@pytest.mark.anyio
async def test_a_trace_that_breaks_off_has_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = tmp_path / "trace"
    monkeypatch.setenv("LIVEKIT_TRIO_TRACE", str(trace))
    fake = FakeLibrary()
    native = fake.room(participants=[FakeParticipant("bob")])
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            native.leave("bob", reason=0)  # as before a reconnect: it is held back, and comes true
            await room.wait_until(lambda: not room.remote_participants)
    lines = trace.read_text().splitlines(keepends=True)
    _, left = [number for number, line in enumerate(lines) if b"bob" in base64.b64decode(json.loads(line)["payload"])]
    trace.write_text("".join(lines[: left + 1]))
    *_, (at, event) = replay(trace)
    assert isinstance(event, rtc.ParticipantDisconnected)
    assert at > 0.2


def which_room_event(line: dict[str, Any]) -> str | None:
    from livekit_trio._ffi._proto import RoomEvent

    return RoomEvent.FromString(base64.b64decode(line["payload"])).WhichOneof("message") if line["kind"] == 1 else None


@pytest.mark.anyio
async def test_a_room_that_was_left_before_its_last_event_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "trace"
    monkeypatch.setenv("LIVEKIT_TRIO_TRACE", str(trace))
    fake = FakeLibrary()
    fake.room()
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            await room.wait_until(lambda: room.connection_state == rtc.ConnectionState.CONN_CONNECTED)
    lines = trace.read_text().splitlines(keepends=True)
    last = ("disconnected", "eos")
    trace.write_text("".join(line for line in lines if which_room_event(json.loads(line)) not in last))
    *_, (_, event) = replay(trace)
    assert isinstance(event, rtc.Disconnected)
    assert event.reason == rtc.DisconnectReason.CLIENT_INITIATED


@pytest.mark.parametrize("text", ["{}", "[]", "no trace", '{"t": 1}', "\n"])
def test_what_is_no_trace_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(ValueError, match="is not a trace"):
        next(replay(path))


def test_an_empty_trace_has_no_room(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.touch()
    with pytest.raises(ValueError, match="no room was joined"):
        next(replay(path))
    with pytest.raises(FileNotFoundError):
        next(replay(tmp_path / "nothing"))
