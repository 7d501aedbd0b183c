"""The fake native library keeps its promises to those who test with it. `tests/conformance` covers the native contract."""

from __future__ import annotations

from typing import Any

import pytest

from livekit_trio._errors import NativeRefusalError
from livekit_trio._ffi import _logs, _proto
from livekit_trio._ffi._abc import OWNER_SHIFT, Inbox
from livekit_trio._ffi._requests import REQUESTS, OnCancel
from livekit_trio.testing._fake_library import FakeLibrary, FakeRequest
from livekit_trio.testing._fake_messages import complete
from livekit_trio.testing._fake_room import FakeParticipant, FakeRoom, FakeTrack

messages: Any = _proto


class Program:
    """What stands for a runtime: sends requests and reads its inbox."""

    def __init__(self, fake: FakeLibrary) -> None:
        self.fake = fake
        self.pokes = 0
        self.inbox: Inbox = fake.open_inbox(-1, -1, self._poke)
        self._last_id = 0

    def _poke(self) -> None:
        self.pokes += 1

    def request(self, name: str, /, **fields: Any) -> Any:
        """Send one request, with an async id if it takes one; returns the response."""
        message = messages.FfiRequest(**{name: fields})
        inner = getattr(message, name)
        if REQUESTS[name].reply:
            self._last_id += 1
            inner.request_async_id = self.inbox.owner << OWNER_SHIFT | self._last_id
        inner.SetInParent()
        complete(inner, self.fake.new_handle)
        response = messages.FfiResponse.FromString(self.fake.request(message.SerializeToString()))
        return getattr(response, response.WhichOneof("message"))

    def events(self) -> list[Any]:
        """What has come: RoomEvents and callbacks."""
        found: list[Any] = []
        for kind, _, _, payload in self.inbox.take(1000):
            field = messages.FfiEvent.DESCRIPTOR.fields_by_number[kind]
            found.append(getattr(messages, field.message_type.name).FromString(payload))
        return found

    def names(self) -> list[str]:
        """What has come, by name: the kind of a room event, the class of a callback."""
        return [
            event.WhichOneof("message") if event.DESCRIPTOR.name == "RoomEvent" else event.DESCRIPTOR.name
            for event in self.events()
        ]

    def join(self, room: FakeRoom | None = None) -> FakeRoom:
        """Join a room and route its events here."""
        room = room or self.fake.room()
        self.request("connect", url="", token="", options={})
        assert self.names() == ["ConnectCallback"]
        self.inbox.route(room.handle)
        return room


@pytest.fixture
def fake() -> FakeLibrary:
    return FakeLibrary()


@pytest.fixture
def program(fake: FakeLibrary) -> Program:
    return Program(fake)


@pytest.mark.parametrize("name", sorted(name for name, row in REQUESTS.items() if row.on_cancel is not OnCancel.NEVER))
def test_every_request_has_an_answer(fake: FakeLibrary, program: Program, name: str) -> None:
    room = program.join()
    request_class = messages.FfiRequest.DESCRIPTOR.fields_by_name[name].message_type
    handles = {"room_handle": room.handle, "local_participant_handle": room.local_participant}
    fields = {
        field.name: handles.get(field.name) or fake.new_handle()
        for field in request_class.fields
        if field.name.endswith("_handle")
    }
    response = program.request(name, **fields)
    assert response.IsInitialized()
    program.request("ready_for_room_event", room_handle=room.handle)
    if REQUESTS[name].reply:
        number = messages.FfiEvent.DESCRIPTOR.fields_by_name[REQUESTS[name].reply].number
        async_id = program.inbox.owner << OWNER_SHIFT | 2
        if "async_id" in response.DESCRIPTOR.fields_by_name:
            assert response.async_id == async_id
        assert (number, async_id) in [(kind, key) for kind, key, *_ in program.inbox.take(100)]


def test_a_join_and_its_first_events(fake: FakeLibrary, program: Program) -> None:
    room = fake.room("demo", "me", [FakeParticipant("bob", (FakeTrack("TR_b", "mic"),), {"name": "Bob"})], metadata="m")
    program.request("connect", url="ws://x", token="t", options={})
    [reply] = program.events()
    assert (reply.result.room.info.name, reply.result.room.info.metadata) == ("demo", "m")
    assert reply.result.room.info.sid == "RM_demo"
    assert reply.result.room.handle.id == room.handle
    assert reply.result.local_participant.info.identity == "me"
    [other] = reply.result.participants
    assert (other.participant.info.identity, other.participant.info.name) == ("bob", "Bob")
    assert [publication.info.sid for publication in other.publications] == ["TR_b"]

    program.inbox.route(room.handle)
    room.join(FakeParticipant("eve", (FakeTrack("TR_e"),)))
    assert program.events() == []  # kept back until we are ready
    program.request("ready_for_room_event", room_handle=room.handle)
    assert program.names() == [
        "room_sid_changed",
        "connection_state_changed",
        "token_refreshed",
        "participant_connected",
        "track_published",
    ]
    room.leave("eve")
    assert program.names() == ["track_unpublished", "participant_disconnected"]


def test_leaving(fake: FakeLibrary, program: Program) -> None:
    room = program.join()
    program.request("disconnect", room_handle=room.handle)
    assert program.events() == []  # it waits for ready
    program.request("ready_for_room_event", room_handle=room.handle)
    assert program.names()[3:] == ["connection_state_changed", "disconnected", "eos", "DisconnectCallback"]
    fake.drop(room.handle)
    with pytest.raises(NativeRefusalError):
        program.request("disconnect", room_handle=room.handle)


def test_publishing(program: Program) -> None:
    room = program.join()
    program.request("ready_for_room_event", room_handle=room.handle)
    source = program.request("new_audio_source", sample_rate=48000, num_channels=1).source.handle.id
    track = program.request("create_audio_track", name="mic", source_handle=source).track.handle.id
    program.events()
    mine = {"local_participant_handle": room.local_participant}
    program.request("publish_track", track_handle=track, options={"source": 2}, **mine)
    [reply, event] = program.events()
    info = reply.publication.info
    assert (info.name, info.kind, info.source) == ("mic", 1, 2)
    assert event.local_track_published.track_sid == info.sid
    program.request("unpublish_track", track_sid=info.sid, **mine)
    assert program.names() == ["local_track_unpublished", "UnpublishTrackCallback"]


def test_updating_oneself(program: Program) -> None:
    room = program.join()
    program.request("ready_for_room_event", room_handle=room.handle)
    program.events()
    mine = {"local_participant_handle": room.local_participant}
    program.request("set_local_name", name="Me", **mine)
    program.request("set_local_attributes", attributes=[{"key": "a", "value": "1"}], **mine)
    [named, _, changed, reply] = program.events()
    assert named.participant_name_changed.name == "Me"
    assert changed.participant_attributes_changed.attributes[0].key == "a"
    assert changed.participant_attributes_changed.changed_attributes[0].value == "1"
    assert not reply.HasField("error")


def test_data_is_in_native_memory(fake: FakeLibrary, program: Program) -> None:
    room = program.join()
    program.request("ready_for_room_event", room_handle=room.handle)
    program.events()
    live = set(fake.live_handles)
    room.send_data(b"hello", "bob", "chat", reliable=False)
    [event] = program.events()
    packet = event.data_packet_received
    assert (packet.kind, packet.participant_identity, packet.user.topic) == (0, "bob", "chat")
    buffer = fake.buffer(packet.user.data.handle.id, packet.user.data.data.data_ptr, packet.user.data.data.data_len)
    assert bytes(buffer) == b"hello"
    del buffer
    assert fake.live_handles == live


def test_what_is_sent_is_seen(fake: FakeLibrary, program: Program) -> None:
    room = program.join()
    data = b"outgoing"
    from livekit_trio._ffi._memory import address_of

    fields = {"data_ptr": address_of(data), "data_len": len(data), "reliable": True}
    program.request("publish_data", local_participant_handle=room.local_participant, **fields)
    [request] = fake.requested("publish_data")
    assert request.data == data
    assert [request.name for request in fake.requests] == ["connect", "publish_data"]


def test_holding_and_losing(fake: FakeLibrary, program: Program) -> None:
    room = program.join()
    held = fake.hold("get_session_stats")
    response = program.request("get_session_stats", room_handle=room.handle)
    assert response.async_id == held.requests[0].async_id
    assert program.events() == []
    held.release()
    assert program.names() == ["GetSessionStatsCallback"]
    program.request("get_session_stats", room_handle=room.handle)
    assert program.names() == ["GetSessionStatsCallback"]

    lost = fake.hold("get_session_stats")
    program.request("get_session_stats", room_handle=room.handle)
    lost.lose()
    program.request("get_session_stats", room_handle=room.handle)
    assert program.names() == ["GetSessionStatsCallback"]


def test_refusing_failing_and_scripting(fake: FakeLibrary, program: Program) -> None:
    room = program.join()
    mine = {"local_participant_handle": room.local_participant}
    fake.refuse("set_local_name", 'InvalidRequest("no")')
    with pytest.raises(NativeRefusalError):
        program.request("set_local_name", name="x", **mine)
    assert _logs.failure_text(fake) == 'InvalidRequest("no")'

    fake.fail("set_local_metadata", "not allowed")
    program.request("set_local_metadata", metadata="x", **mine)
    [reply] = program.events()
    assert reply.error == "not allowed"

    def answer_and_interrupt(request: FakeRequest) -> None:
        fake.panic("first")
        request.reply(payload="pong")

    fake.on("perform_rpc", answer_and_interrupt)
    program.request("perform_rpc", destination_identity="bob", method="ping", payload="", **mine)
    [panic, reply] = program.events()
    assert (panic.message, reply.payload) == ("first", "pong")

    with pytest.raises(ValueError, match="there is no request"):
        fake.on("connnect", answer_and_interrupt)


def test_it_notices_leaks_and_double_drops(fake: FakeLibrary) -> None:
    handle = fake.new_handle()
    with pytest.raises(AssertionError, match=rf"not dropped: \[{handle}\]"):
        fake.check()
    fake.drop(handle)
    fake.check()
    fake.drop(handle)
    with pytest.raises(AssertionError, match=rf"in vain: \[{handle}\]"):
        fake.check()


def test_dead_handles_are_refused(fake: FakeLibrary, program: Program) -> None:
    with pytest.raises(NativeRefusalError):
        program.request("clear_audio_buffer", source_handle=77)
    assert "handle not found" in _logs.failure_text(fake)


def test_a_taken_handle_is_gone(fake: FakeLibrary, program: Program) -> None:
    reader = fake.new_handle()
    program.request("text_read_incremental", reader_handle=reader)
    assert reader not in fake.live_handles
    with pytest.raises(NativeRefusalError):
        program.request("text_read_incremental", reader_handle=reader)


def test_it_pokes_once(fake: FakeLibrary, program: Program) -> None:
    for _ in range(3):
        fake.emit(panic={"message": "p"})
    assert program.pokes == 1
    assert len(program.inbox.take(2)) == 2
    fake.emit(panic={"message": "p"})
    assert program.pokes == 1
    program.events()
    fake.emit(panic={"message": "p"})
    assert program.pokes == 2
