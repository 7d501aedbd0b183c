"""A script of calls that visits every method, to be played by clients of several makes against the same server.

It is a generator: it yields a method and its call, and is told what came of it, since later calls need the ids that earlier ones
have made. Each client plays it in a *space* of its own, whose names and ids are taken out before the outcomes are compared.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import attrs
import livekit.api
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from livekit.protocol.agent_dispatch import CreateAgentDispatchRequest
from livekit.protocol.egress import (
    ParticipantEgressRequest,
    RoomCompositeEgressRequest,
    StartEgressRequest,
    TrackCompositeEgressRequest,
    TrackEgressRequest,
)
from livekit.protocol.ingress import (
    CreateIngressRequest,
    DeleteIngressRequest,
    IngressInput,
    ListIngressRequest,
    UpdateIngressRequest,
)
from livekit.protocol.models import DataPacket, ListUpdate, ParticipantPermission
from livekit.protocol.room import (
    CreateRoomRequest,
    DeleteRoomRequest,
    ForwardParticipantRequest,
    ListParticipantsRequest,
    ListRoomsRequest,
    MoveParticipantRequest,
    MuteRoomTrackRequest,
    RoomParticipantIdentity,
    SendDataRequest,
    UpdateParticipantRequest,
    UpdateRoomMetadataRequest,
    UpdateSubscriptionsRequest,
)
from livekit.protocol.sip import (
    CreateSIPDispatchRuleRequest,
    CreateSIPInboundTrunkRequest,
    CreateSIPOutboundTrunkRequest,
    DeleteSIPDispatchRuleRequest,
    DeleteSIPTrunkRequest,
    ListSIPDispatchRuleRequest,
    ListSIPInboundTrunkRequest,
    ListSIPOutboundTrunkRequest,
    SIPDispatchRuleInfo,
    SIPInboundTrunkInfo,
    SIPOutboundTrunkInfo,
)

from livekit_trio.api import ServerError
from tests.api.calls import CALLS, FILE, Call

if TYPE_CHECKING:
    from collections.abc import Generator

Step: TypeAlias = tuple[str, Call]

IDENTITY: Final = "guest"
"""Of the participant that is in the space's room from the start."""

IDS: Final = re.compile(r"\b(RM|PA|TR|EG|IN|ST|SDR|AD|SCL|ND)_\w+")
VOLATILE: Final = {
    "cid",
    "created_at",
    "creation_time",
    "creation_time_ms",
    "joined_at",
    "joined_at_ms",
    "sid",
    "state_updated_at",
    "stream",
    "stream_key",
    "turn_password",
    "updated_at",
    "url",
    "version",
}
"""Ids and times: they differ from call to call. That they are there is compared."""
CHANGING: Final = frozenset({"num_participants", "num_publishers"})
"""What the server takes note of a moment later."""


@attrs.frozen
class Space:
    """The names of one player."""

    name: str
    number: str
    track_sid: str
    ignored: frozenset[str] = CHANGING

    @property
    def room(self) -> str:
        return f"room-of-{self.name}"

    def without(self, value: Any) -> Any:
        """The value as it would be in any other space."""
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value).items()
            return {
                key: bool(entry) if key in VOLATILE else self.without(entry)
                for key, entry in fields
                if key not in self.ignored
            }
        if isinstance(value, list):
            return [self.without(entry) for entry in cast("list[Any]", value)]
        if isinstance(value, str):
            return IDS.sub(r"\1_…", value.replace(self.name, "<space>").replace(self.number, "<number>"))
        return value


@attrs.define
class Outcome:
    """What came of a call, in a form that can be compared."""

    method: str
    result: Any = None
    error: dict[str, Any] | None = None

    @property
    def is_twirp(self) -> bool:
        """Whether the answer was one of a Twirp server's; livekit-api makes this of others."""
        return self.error is None or (self.error["code"], self.error["message"]) != ("unknown", "")


def outcome_of(method: str, space: Space, result: Any) -> Outcome:
    """An outcome of what a call has returned or raised."""
    if isinstance(result, (ServerError, livekit.api.ServerError)):
        facts = {"code": result.code, "message": result.message, "status": result.status, "meta": result.metadata}
        return Outcome(method, error=space.without(facts))
    if method.startswith("agent_dispatch."):  # a moment later it has a state, and a dispatch to all agents is there too
        space = attrs.evolve(space, ignored=space.ignored | {"state"})
    if isinstance(result, list):
        listed = [each for each in cast("list[Any]", result) if each.agent_name]
        return Outcome(method, [space.without(as_fields(each)) for each in listed])
    return Outcome(method, space.without(as_fields(result)))


def as_fields(message: Any) -> Any:
    """All fields of a message, those with their default value too."""
    if not isinstance(message, Message):
        return message
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def script(space: Space) -> Generator[Step, Any, None]:
    """All calls but those that wait for workers of egress that are not there (`slow_calls`)."""
    yield from _rooms(space)
    yield from _agents(space)
    yield from _ingress(space)
    yield from _sip(space)
    yield from _egress(space)
    # What no server of one's own has, and what needs nothing to be there.
    for method in CALLS:
        if method.startswith("connector."):
            yield method, CALLS[method]
    yield from _ends(space)


def _rooms(space: Space) -> Generator[Step, Any, None]:
    room = space.room
    who: dict[str, Any] = {"room": room, "identity": IDENTITY}
    yield "room.create_room", Call((CreateRoomRequest(name=room, metadata="ignored", empty_timeout=7),))
    yield "room.list_rooms", Call((ListRoomsRequest(names=[room]),))
    yield "room.update_room_metadata", Call((UpdateRoomMetadataRequest(room=room, metadata="new"),))
    yield "room.update_room_metadata", Call((UpdateRoomMetadataRequest(room="nowhere", metadata="new"),))
    yield "room.list_participants", Call((ListParticipantsRequest(room=room),))
    yield "room.list_participants", Call((ListParticipantsRequest(room="nowhere"),))
    yield "room.get_participant", Call((RoomParticipantIdentity(**who),))
    yield "room.get_participant", Call((RoomParticipantIdentity(room=room, identity="nobody"),))
    for muted in (True, False):
        request = MuteRoomTrackRequest(**who, track_sid=space.track_sid, muted=muted)
        yield "room.mute_published_track", Call((request,))
    yield "room.mute_published_track", Call((MuteRoomTrackRequest(**who, track_sid="TR_none", muted=True),))
    permission = ParticipantPermission(can_publish=True, can_subscribe=True, can_update_metadata=True)
    changes = UpdateParticipantRequest(
        **who, name="name", metadata="metadata", attributes={"key": "value"}, permission=permission
    )
    yield "room.update_participant", Call((changes,))
    yield "room.update_participant", Call((UpdateParticipantRequest(room=room, identity="nobody", name="n"),))
    for subscribe in (True, False):
        request = UpdateSubscriptionsRequest(**who, track_sids=["TR_none"], subscribe=subscribe)
        yield "room.update_subscriptions", Call((request,))
    for topic in ("topic", None):
        yield "room.send_data", Call((SendDataRequest(room=room, data=b"x", kind=DataPacket.RELIABLE, topic=topic),))
    yield "room.forward_participant", Call((ForwardParticipantRequest(**who, destination_room="elsewhere"),))
    yield "room.move_participant", Call((MoveParticipantRequest(**who, destination_room="elsewhere"),))


def _agents(space: Space) -> Generator[Step, Any, None]:
    request = CreateAgentDispatchRequest(agent_name="nobody", room=space.room, metadata="m", attributes={"k": "v"})
    dispatch = yield "agent_dispatch.create_dispatch", Call((request,))
    yield "agent_dispatch.list_dispatch", Call((space.room,))
    yield "agent_dispatch.get_dispatch", Call((dispatch.id, space.room))
    yield "agent_dispatch.get_dispatch", Call(("AD_none", space.room))
    yield "agent_dispatch.delete_dispatch", Call((dispatch.id, space.room))
    yield "agent_dispatch.delete_dispatch", Call(("AD_none", space.room))


def _ingress(space: Space) -> Generator[Step, Any, None]:
    request = CreateIngressRequest(
        input_type=IngressInput.RTMP_INPUT, name=space.name, room_name=space.room, participant_identity="i"
    )
    made = yield "ingress.create_ingress", Call((request,))
    ingress_id = getattr(made, "ingress_id", "IN_none")
    yield "ingress.update_ingress", Call((UpdateIngressRequest(ingress_id=ingress_id, name=f"{space.name}-2"),))
    yield "ingress.list_ingress", Call((ListIngressRequest(room_name=space.room),))
    for _ in range(2):
        yield "ingress.delete_ingress", Call((DeleteIngressRequest(ingress_id=ingress_id),))


def _sip(space: Space) -> Generator[Step, Any, None]:
    numbers = [space.number]
    incoming = SIPInboundTrunkInfo(name=space.name, numbers=numbers, auth_username="u", auth_password="p")
    made = yield "sip.create_inbound_trunk", Call((CreateSIPInboundTrunkRequest(trunk=incoming),))
    inbound = getattr(made, "sip_trunk_id", "ST_none")
    yield "sip.update_inbound_trunk", Call((inbound, SIPInboundTrunkInfo(name=f"{space.name}-2", numbers=numbers)))
    changes: dict[str, Any] = {"name": f"{space.name}-3", "allowed_addresses": ["10.0.0.0/8"], "metadata": "m"}
    yield "sip.update_inbound_trunk_fields", Call((inbound,), changes)
    more = {"allowed_addresses": ListUpdate(add=["10.0.0.1"], remove=["10.0.0.0/8"])}
    yield "sip.update_inbound_trunk_fields", Call((inbound,), more)
    yield "sip.list_inbound_trunk", Call((ListSIPInboundTrunkRequest(trunk_ids=[inbound]),))

    outgoing = SIPOutboundTrunkInfo(name=space.name, address="127.0.0.1", numbers=numbers)
    made = yield "sip.create_outbound_trunk", Call((CreateSIPOutboundTrunkRequest(trunk=outgoing),))
    outbound = getattr(made, "sip_trunk_id", "ST_none")
    yield "sip.update_outbound_trunk", Call((outbound, outgoing))
    yield "sip.update_outbound_trunk_fields", Call((outbound,), {"metadata": "m", "address": "127.0.0.2"})
    yield "sip.list_outbound_trunk", Call((ListSIPOutboundTrunkRequest(trunk_ids=[outbound]),))

    rule = SIPDispatchRuleInfo(
        name=space.name, trunk_ids=[inbound], rule={"dispatch_rule_direct": {"room_name": space.room}}
    )
    made = yield "sip.create_dispatch_rule", Call((CreateSIPDispatchRuleRequest(dispatch_rule=rule),))
    rule_id = getattr(made, "sip_dispatch_rule_id", "SDR_none")
    yield "sip.update_dispatch_rule", Call((rule_id, rule))
    yield "sip.update_dispatch_rule_fields", Call((rule_id,), {"metadata": "m", "attributes": {"k": "v"}})
    yield "sip.list_dispatch_rule", Call((ListSIPDispatchRuleRequest(dispatch_rule_ids=[rule_id]),))
    for _ in range(2):
        yield "sip.delete_dispatch_rule", Call((DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id=rule_id),))
    for trunk in (inbound, outbound, "ST_none"):
        yield "sip.delete_trunk", Call((DeleteSIPTrunkRequest(sip_trunk_id=trunk),))
    yield "sip.create_sip_participant", CALLS["sip.create_sip_participant"]
    yield "sip.transfer_sip_participant", CALLS["sip.transfer_sip_participant"]


def _egress(space: Space) -> Generator[Step, Any, None]:
    for method in CALLS:
        if method.startswith("egress.") and method not in SLOW:
            yield method, CALLS[method]


def _ends(space: Space) -> Generator[Step, Any, None]:
    yield "room.remove_participant", Call((RoomParticipantIdentity(room=space.room, identity=IDENTITY),))
    yield "room.remove_participant", Call((RoomParticipantIdentity(room=space.room, identity="nobody"),))
    for _ in range(2):
        yield "room.delete_room", Call((DeleteRoomRequest(room=space.room),))


SLOW: Final = ("egress.update_stream", "egress.stop_egress", "egress.start_web_egress")


def slow_calls(space: Space) -> list[Step]:
    """To be made side by side: they take 23 s; the room's takes 10 s, updating and stopping 3 s."""
    room = space.room
    return [
        *((method, CALLS[method]) for method in SLOW),
        ("egress.start_room_composite_egress", Call((RoomCompositeEgressRequest(room_name=room, file=FILE),))),
        (
            "egress.start_participant_egress",
            Call((ParticipantEgressRequest(room_name=room, identity=IDENTITY, file_outputs=[FILE]),)),
        ),
        (
            "egress.start_track_composite_egress",
            Call((TrackCompositeEgressRequest(room_name=room, audio_track_id=space.track_sid, file=FILE),)),
        ),
        ("egress.start_track_egress", Call((TrackEgressRequest(room_name=room, track_id=space.track_sid),))),
        ("egress.start_egress", Call((StartEgressRequest(room_name=room),))),
        (
            "room.create_room",
            Call((CreateRoomRequest(name=f"{room}-2", egress={"room": {"file_outputs": [FILE]}}),)),
        ),
    ]
