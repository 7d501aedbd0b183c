"""Rooms of a `FakeLibrary`: they join, send their events and end in the orders of the real library (livekit-ffi 0.13.2)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final, final

import attrs

from ._fake_streams import FakeInflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ._fake_library import FakeLibrary, FakeRequest, Handler

CLIENT_INITIATED: Final = 1
"""DisconnectReason of leaving by oneself."""

_CONNECTED, _DISCONNECTED = 1, 0  # ConnectionState
_AUDIO, _VIDEO = 1, 2  # TrackKind
_RELIABLE, _LOSSY = 1, 0  # DataPacketKind


@final
@attrs.frozen
class FakeTrack:
    """A publication of somebody else.

    Attributes:
        sid: its track SID.
        name: its name.
        kind: its TrackKind, audio by default.
        source: its TrackSource, the microphone by default.
    """

    sid: str
    name: str = ""
    kind: int = _AUDIO
    source: int = 2

    def info(self) -> dict[str, Any]:
        """TrackPublicationInfo, as fields."""
        return {**attrs.asdict(self), "remote": True, "mime_type": "audio/opus" if self.kind == _AUDIO else "video/VP8"}


@final
@attrs.frozen
class FakeParticipant:
    """Somebody in a `FakeRoom`.

    Attributes:
        identity: the identity; the SID is made of it.
        tracks: what they have published.
        info: further fields of ParticipantInfo.
    """

    identity: str
    tracks: tuple[FakeTrack, ...] = ()
    info: dict[str, Any] = attrs.field(factory=dict[str, Any])

    def fields(self) -> dict[str, Any]:
        """OwnedParticipant, as fields."""
        info = {"identity": self.identity, "sid": f"PA_{self.identity}", "state": 2, "joined_at": 1, **self.info}
        return {"info": info}


@final
class FakeRoom:
    """One room that was or will be joined.

    Until `ready_for_room_event` its events are kept back, and leaving waits; then come its SID, its connection state and a
    token, and what was kept. Leaving sends the state, `disconnected` and `eos`, and then the reply.

    Attributes:
        local_info: further fields of our ParticipantInfo.
        handle: the native room handle; 0 before the join.
        local_participant: the handle of the local participant; 0 before the join.
        ready: whether events flow.
        ended: whether `eos` was sent.
    """

    def __init__(
        self, fake: FakeLibrary, name: str, identity: str, participants: Iterable[FakeParticipant], info: dict[str, Any]
    ) -> None:
        self.name = name
        self.sid = f"RM_{name}"
        self.identity = identity
        self.participants = list(participants)
        self.local_info: dict[str, Any] = {}
        self.handle = 0
        self.local_participant = 0
        self.ready = False
        self.ended = False
        self._fake = fake
        self._info = info
        self._kept: list[dict[str, Any]] = []
        self._leaving: FakeRequest | None = None
        self._published: list[str] = []
        self._sid_numbers = itertools.count(1)
        self._stream_numbers = itertools.count(1)
        self._invocation_numbers = itertools.count(1)

    # ---- what happens in the room

    def emit(self, **event: Any) -> None:
        """Send a room event, such as ``emit(room_metadata_changed={"metadata": "m"})``; what is required is added."""
        if self.ready:
            self._fake.emit(room_event={"room_handle": self.handle, **event})
        else:
            self._kept.append(event)

    def join(self, participant: FakeParticipant) -> None:
        """Let somebody join, with their tracks."""
        self.participants.append(participant)
        self.emit(participant_connected={"info": participant.fields()})
        for track in participant.tracks:
            self.emit(
                track_published={"participant_identity": participant.identity, "publication": {"info": track.info()}}
            )

    def publish(self, identity: str, track: FakeTrack) -> None:
        """Let somebody publish another track."""
        self._replace(identity, lambda tracks: (*tracks, track))
        self.emit(track_published={"participant_identity": identity, "publication": {"info": track.info()}})

    def unpublish(self, identity: str, sid: str) -> None:
        """Let somebody withdraw a track, which is unsubscribed first."""
        self._replace(identity, lambda tracks: tuple(track for track in tracks if track.sid != sid))
        self.unsubscribe(identity, sid)
        self.emit(track_unpublished={"participant_identity": identity, "publication_sid": sid})

    def subscribe(self, identity: str, sid: str) -> int:
        """Let a track's media begin to arrive; returns the handle of the track."""
        track = next(known for known in self._tracks_of(identity) if known.sid == sid)
        handle = self._fake.new_handle()
        info = {"sid": sid, "name": track.name, "kind": track.kind, "stream_state": 1, "remote": True}
        owned = {"handle": {"id": handle}, "info": info}
        self.emit(track_subscribed={"participant_identity": identity, "track": owned})
        return handle

    def unsubscribe(self, identity: str, sid: str) -> None:
        """Let a track's media arrive no longer."""
        self.emit(track_unsubscribed={"participant_identity": identity, "track_sid": sid})

    def _tracks_of(self, identity: str) -> tuple[FakeTrack, ...]:
        return next(known.tracks for known in self.participants if known.identity == identity)

    def _replace(self, identity: str, change: Callable[[tuple[FakeTrack, ...]], tuple[FakeTrack, ...]]) -> None:
        self.participants = [
            attrs.evolve(known, tracks=change(known.tracks)) if known.identity == identity else known
            for known in self.participants
        ]

    def leave(self, identity: str, reason: int = CLIENT_INITIATED) -> None:
        """Let somebody leave, and their tracks with them."""
        participant = next(known for known in self.participants if known.identity == identity)
        self.participants.remove(participant)
        for track in participant.tracks:
            self.emit(track_unpublished={"participant_identity": identity, "publication_sid": track.sid})
        self.emit(participant_disconnected={"participant_identity": identity, "disconnect_reason": reason})

    def send_data(self, data: bytes, identity: str = "", topic: str | None = None, *, reliable: bool = True) -> None:
        """Let *identity*, or the server, send a data packet."""
        user: dict[str, Any] = {"data": self._fake.new_buffer(data)}
        if topic is not None:
            user["topic"] = topic
        kind = _RELIABLE if reliable else _LOSSY
        self.emit(data_packet_received={"kind": kind, "participant_identity": identity, "user": user})

    def invoke(self, method: str, payload: str = "", caller: str = "bob", timeout_ms: int = 8000) -> int:
        """Let *caller* call a method of ours; the invocation's number, by which `answer_to` finds the answer."""
        number = next(self._invocation_numbers)
        self._fake.emit(
            rpc_method_invocation={
                "local_participant_handle": self.local_participant,
                "invocation_id": number,
                "method": method,
                "request_id": f"request {number}",
                "caller_identity": caller,
                "payload": payload,
                "response_timeout_ms": timeout_ms,
            }
        )
        return number

    def answer_to(self, invocation: int) -> str | int | None:
        """What an invocation was answered: the payload, or the error's code; None if it was not answered yet.

        Raises:
            AssertionError: it was answered more than once.
        """
        requests = [request.message for request in self._fake.requested("rpc_method_invocation_response")]
        answers = [message for message in requests if message.invocation_id == invocation]
        if len(answers) > 1:
            raise AssertionError(f"invocation {invocation} was answered {len(answers)} times")
        return next((answer.error.code if answer.HasField("error") else answer.payload for answer in answers), None)

    def open_stream(self, identity: str, topic: str, *, text: bool = True, **info: Any) -> FakeInflow:
        """Let *identity* open a text or byte stream. *info*: further fields of its info."""
        kind = "text" if text else "byte"
        fields: dict[str, Any] = {"stream_id": f"s{next(self._stream_numbers)}", "topic": topic, **info}
        reader = {"handle": {"id": self._fake.new_handle()}, "info": fields}
        self.emit(**{f"{kind}_stream_opened": {"reader": reader, "participant_identity": identity}})
        inflow = FakeInflow(self._fake, kind, reader["handle"]["id"])
        self._fake.rooms.inflows[inflow.reader] = inflow
        return inflow

    def end(self, reason: int) -> None:
        """End the room, as the server or the network does; *reason* is a DisconnectReason."""
        self.emit(connection_state_changed={"state": _DISCONNECTED})
        self.emit(disconnected={"reason": reason})
        self.emit(eos={})
        self.ended = True

    # ---- what we ask of it

    def result(self) -> dict[str, Any]:
        """ConnectCallback.Result, as fields. The room is joined by this."""
        self.handle, self.local_participant = self._fake.new_handle(), self._fake.new_handle()
        everybody = [
            {"participant": known.fields(), "publications": [{"info": track.info()} for track in known.tracks]}
            for known in self.participants
        ]
        local = {
            "handle": {"id": self.local_participant},
            **FakeParticipant(self.identity, info=self.local_info).fields(),
        }
        info = {"name": self.name, "sid": self.sid, "num_participants": len(everybody) + 1, **self._info}
        return {
            "room": {"handle": {"id": self.handle}, "info": info},
            "local_participant": local,
            "participants": everybody,
        }

    def on_ready(self) -> None:
        """`ready_for_room_event`: let events flow."""
        if self.ready:
            return
        self.ready = True
        self.emit(room_sid_changed={"sid": self.sid})
        self.emit(connection_state_changed={"state": _CONNECTED})
        self.emit(token_refreshed={"token": "fake"})
        kept, self._kept = self._kept, []
        for event in kept:
            self.emit(**event)
        if self._leaving is not None:
            self.on_disconnect(self._leaving)

    def on_disconnect(self, request: FakeRequest) -> None:
        """`disconnect`: end, then reply."""
        if not self.ready:
            self._leaving = request  # the real library waits here for ready, for up to 15 s
            return
        if not self.ended:
            for sid in self._published:
                self.emit(local_track_unpublished={"publication_sid": sid})
            self.end(CLIENT_INITIATED)
        request.reply()

    def on_publish(self, request: FakeRequest, name: str, kind: int) -> None:
        """`publish_track`: the reply precedes the event."""
        sid = f"TR_{self.identity}_{next(self._sid_numbers)}"
        self._published.append(sid)
        info = {"sid": sid, "name": name, "kind": kind, "source": request.message.options.source}
        request.reply(publication={"info": info})
        self.emit(local_track_published={"track_sid": sid})

    def on_unpublish(self, request: FakeRequest) -> None:
        """`unpublish_track`: the event precedes the reply."""
        sid = request.message.track_sid
        if sid in self._published:
            self._published.remove(sid)
            self.emit(local_track_unpublished={"publication_sid": sid})
        request.reply()

    def on_update(self, request: FakeRequest) -> None:
        """`set_local_metadata`, `_name` and `_attributes`: the event precedes the reply."""
        what = request.name.removeprefix("set_local_")
        new: Any = getattr(request.message, what)
        change: dict[str, Any] = {what: new}
        if what == "attributes":
            change["changed_attributes"] = new
        self.emit(**{f"participant_{what}_changed": {"participant_identity": self.identity, **change}})
        request.reply()


@final
class FakeRooms:
    """All rooms of one library, and the requests that concern them."""

    def __init__(self, fake: FakeLibrary) -> None:
        self._fake = fake
        self._expected: list[FakeRoom] = []
        self._joined: list[FakeRoom] = []
        self._tracks: dict[int, tuple[str, int]] = {}
        self.inflows: dict[int, FakeInflow] = {}
        """Streams that somebody else has opened, by the handle of their reader."""

    def expect(self, room: FakeRoom) -> FakeRoom:
        """Let a later `connect` join *room*."""
        self._expected.append(room)
        return room

    def handlers(self) -> dict[str, Handler]:
        """What does the requests about rooms."""
        return {
            "connect": self._connect,
            "ready_for_room_event": lambda request: self._of(request).on_ready(),
            "disconnect": lambda request: self._of(request).on_disconnect(request),
            "create_audio_track": lambda request: self._create_track(request, _AUDIO),
            "create_video_track": lambda request: self._create_track(request, _VIDEO),
            "text_read_incremental": self._read,
            "byte_read_incremental": self._read,
            "publish_track": self._publish,
            "unpublish_track": lambda request: self._of(request).on_unpublish(request),
            "set_local_metadata": lambda request: self._of(request).on_update(request),
            "set_local_name": lambda request: self._of(request).on_update(request),
            "set_local_attributes": lambda request: self._of(request).on_update(request),
        }

    def _connect(self, request: FakeRequest) -> None:
        if not self._expected:
            self._fake.room()
        room = self._expected.pop(0)
        self._joined.append(room)
        request.reply(result=room.result())

    def _create_track(self, request: FakeRequest, kind: int) -> None:
        handle, name = self._fake.new_handle(), request.message.name
        self._tracks[handle] = (name, kind)
        info = {"sid": "TR_unknown", "name": name, "kind": kind}
        request.respond(track={"handle": {"id": handle}, "info": info})

    def _read(self, request: FakeRequest) -> None:
        inflow = self.inflows.get(request.message.reader_handle)
        if inflow is not None:  # else nothing will come
            inflow.on_read()

    def _publish(self, request: FakeRequest) -> None:
        self._of(request).on_publish(request, *self._tracks.get(request.message.track_handle, ("", _AUDIO)))

    def _of(self, request: FakeRequest) -> FakeRoom:
        handles = {getattr(request.message, field, 0) for field in ("room_handle", "local_participant_handle")}
        room = next((room for room in self._joined if handles & {room.handle, room.local_participant}), None)
        if room is None:
            request.refuse()
        return room
