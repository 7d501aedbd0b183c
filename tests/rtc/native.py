"""Native messages for tests, with handles that a `Link` watches over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit_trio._ffi import _proto as native
from livekit_trio.rtc import DisconnectReason
from livekit_trio.rtc._room_state import RoomState

from .link import Link

if TYPE_CHECKING:
    from collections.abc import Iterable

AUDIO, VIDEO = native.KIND_AUDIO, native.KIND_VIDEO
ACTIVE = native.PARTICIPANT_STATE_ACTIVE
JOINED = native.PARTICIPANT_STATE_JOINED


class Native:
    """Makes messages as the native library would."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def handle(self) -> native.FfiOwnedHandle:
        return native.FfiOwnedHandle(id=self.link.mint())

    # ---- values

    def room_info(self, **changes: Any) -> native.RoomInfo:
        facts: dict[str, Any] = {
            "sid": "RM_1",
            "name": "room",
            "metadata": "",
            "lossy_dc_buffered_amount_low_threshold": 0,
            "reliable_dc_buffered_amount_low_threshold": 0,
            "empty_timeout": 300,
            "departure_timeout": 20,
            "max_participants": 0,
            "creation_time": 1_700_000_000_000,
            "num_participants": 1,
            "num_publishers": 0,
            "active_recording": False,
        }
        return native.RoomInfo(**facts | changes)

    def permissions(self, **changes: Any) -> native.ParticipantPermission:
        facts: dict[str, Any] = {
            "can_subscribe": True,
            "can_publish": True,
            "can_publish_data": True,
            "hidden": False,
            "can_update_metadata": True,
            "can_subscribe_metrics": False,
            "can_manage_agent_session": False,
        }
        return native.ParticipantPermission(**facts | changes)

    def participant_info(self, identity: str, **changes: Any) -> native.ParticipantInfo:
        facts: dict[str, Any] = {
            "sid": f"PA_{identity}",
            "identity": identity,
            "name": "",
            "state": ACTIVE,
            "metadata": "",
            "attributes": {},
            "kind": native.PARTICIPANT_KIND_STANDARD,
            "disconnect_reason": native.UNKNOWN_REASON,
            "joined_at": 1_700_000_000_500,
            "permission": self.permissions(),
            "client_protocol": 2,
        }
        return native.ParticipantInfo(**{k: v for k, v in (facts | changes).items() if v is not None})

    def participant(self, identity: str, **changes: Any) -> native.OwnedParticipant:
        return native.OwnedParticipant(handle=self.handle(), info=self.participant_info(identity, **changes))

    def publication_info(self, sid: str, **changes: Any) -> native.TrackPublicationInfo:
        facts: dict[str, Any] = {
            "sid": sid,
            "name": "",
            "kind": AUDIO,
            "source": native.SOURCE_MICROPHONE,
            "simulcasted": False,
            "width": 0,
            "height": 0,
            "mime_type": "audio/red",
            "muted": False,
            "remote": True,
            "encryption_type": native.NONE,
        }
        return native.TrackPublicationInfo(**facts | changes)

    def publication(self, sid: str, **changes: Any) -> native.OwnedTrackPublication:
        return native.OwnedTrackPublication(handle=self.handle(), info=self.publication_info(sid, **changes))

    def track(self, sid: str, kind: int = AUDIO) -> native.OwnedTrack:
        info: Any = {"sid": sid, "name": "", "kind": kind, "stream_state": 1, "muted": False, "remote": True}
        return native.OwnedTrack(handle=self.handle(), info=native.TrackInfo(**info))

    def data_track(self, sid: str, publisher: str, name: str = "data") -> native.OwnedRemoteDataTrack:
        info = native.DataTrackInfo(sid=sid, name=name, uses_e2ee=False)
        return native.OwnedRemoteDataTrack(handle=self.handle(), info=info, publisher_identity=publisher)

    def result(
        self,
        *present: tuple[native.OwnedParticipant, Iterable[native.OwnedTrackPublication]],
        local: native.OwnedParticipant | None = None,
        **room: Any,
    ) -> native.ConnectCallback.Result:
        entries = [
            native.ConnectCallback.ParticipantWithTracks(participant=participant, publications=publications)
            for participant, publications in present
        ]
        owned = native.OwnedRoom(handle=native.FfiOwnedHandle(id=1), info=self.room_info(**room))
        local = local or self.participant("me")
        return native.ConnectCallback.Result(room=owned, local_participant=local, participants=entries)

    # ---- events

    def event(self, name: str, message: Any = None, /, **fields: Any) -> native.RoomEvent:
        """A room event of that kind, of a message or of the message's fields."""
        event = native.RoomEvent(room_handle=1)
        target = getattr(event, name)
        target.SetInParent()
        if message is not None:
            target.CopyFrom(message)
        for field, value in fields.items():
            if isinstance(value, (list, tuple)):
                getattr(target, field).extend(value)
            elif hasattr(value, "ListFields"):
                getattr(target, field).CopyFrom(value)
            else:
                setattr(target, field, value)
        return native.RoomEvent.FromString(event.SerializeToString())

    def connected(self, identity: str, **changes: Any) -> native.RoomEvent:
        return self.event("participant_connected", info=self.participant(identity, **changes))

    def disconnected(self, identity: str, reason: int = native.UNKNOWN_REASON) -> native.RoomEvent:
        return self.event("participant_disconnected", participant_identity=identity, disconnect_reason=reason)

    def active(self, identity: str) -> native.RoomEvent:
        return self.event("participant_active", participant_identity=identity)

    def published(self, identity: str, sid: str, **changes: Any) -> native.RoomEvent:
        publication = self.publication(sid, **changes)
        return self.event("track_published", participant_identity=identity, publication=publication)

    def unpublished(self, identity: str, sid: str) -> native.RoomEvent:
        return self.event("track_unpublished", participant_identity=identity, publication_sid=sid)

    def subscribed(self, identity: str, sid: str, kind: int = AUDIO) -> native.RoomEvent:
        return self.event("track_subscribed", participant_identity=identity, track=self.track(sid, kind))

    def unsubscribed(self, identity: str, sid: str) -> native.RoomEvent:
        return self.event("track_unsubscribed", participant_identity=identity, track_sid=sid)

    def muted(self, identity: str, sid: str, *, muted: bool = True) -> native.RoomEvent:
        return self.event("track_muted" if muted else "track_unmuted", participant_identity=identity, track_sid=sid)

    def data_track_published(self, identity: str, sid: str) -> native.RoomEvent:
        return self.event("data_track_published", track=self.data_track(sid, identity))

    def data_track_unpublished(self, sid: str) -> native.RoomEvent:
        return self.event("data_track_unpublished", sid=sid)

    def updated(self, *infos: native.ParticipantInfo) -> native.RoomEvent:
        return self.event("participants_updated", participants=infos)

    def state(self, state: int) -> native.RoomEvent:
        return self.event("connection_state_changed", state=state)

    def packet(self, identity: str, length: int = 3, **user: Any) -> native.RoomEvent:
        buffer = native.OwnedBuffer(handle=self.handle(), data=native.BufferInfo(data_ptr=4096, data_len=length))
        packet = native.UserPacket(data=buffer, **user)
        kind = native.KIND_RELIABLE
        return self.event("data_packet_received", kind=kind, participant_identity=identity, user=packet)

    def stream_opened(self, kind: str, identity: str) -> native.RoomEvent:
        info: dict[str, Any] = {
            "stream_id": "s",
            "timestamp": 0,
            "mime_type": "",
            "topic": "t",
            "encryption_type": 0,
        }
        if kind == "text_stream_opened":
            text = native.TextStreamInfo(**info, operation_type=0)
            reader: Any = native.OwnedTextStreamReader(handle=self.handle(), info=text)
        else:
            reader = native.OwnedByteStreamReader(handle=self.handle(), info=native.ByteStreamInfo(**info, name=""))
        return self.event(kind, reader=reader, participant_identity=identity)


class Scene:
    """A room state, its link, a message factory and a clock, for one test."""

    def __init__(
        self, link: Link | None = None, result: native.ConnectCallback.Result | None = None, **options: Any
    ) -> None:
        self.link = link or Link()
        self.native = Native(self.link)
        self.state = RoomState(result or self.native.result(), self.link, **options)
        self.now = 0.0

    def apply(self, *events: native.RoomEvent) -> list[Any]:
        """Apply them in order; returns all that is said."""
        said: list[Any] = []
        for event in events:
            said += self.state.apply(event, self.now)
            self.link.notify()
        return said

    def counted(self) -> dict[str, int]:
        """What was counted since the last time; empty again afterwards."""
        counted = dict(self.state.counters)
        self.state.counters.clear()
        return counted

    def close(self) -> None:
        """Close the room; then every handle that the native side handed over has been dropped, once."""
        self.state.close(DisconnectReason.CLIENT_INITIATED)
        assert self.link.live == set()
