"""One call of each method of the services, and what other tests need to make them."""

from __future__ import annotations

import inspect
import ssl
from typing import TYPE_CHECKING, Any, Final

import attrs
import httpx
from google.protobuf.duration_pb2 import Duration
from livekit.protocol.agent_dispatch import CreateAgentDispatchRequest
from livekit.protocol.connector_twilio import ConnectTwilioCallRequest
from livekit.protocol.connector_whatsapp import (
    AcceptWhatsAppCallRequest,
    ConnectWhatsAppCallRequest,
    DialWhatsAppCallRequest,
    DisconnectWhatsAppCallRequest,
)
from livekit.protocol.egress import (
    EncodedFileOutput,
    ListEgressRequest,
    ParticipantEgressRequest,
    RoomCompositeEgressRequest,
    StartEgressRequest,
    StopEgressRequest,
    TrackCompositeEgressRequest,
    TrackEgressRequest,
    UpdateLayoutRequest,
    UpdateStreamRequest,
    WebEgressRequest,
)
from livekit.protocol.ingress import (
    CreateIngressRequest,
    DeleteIngressRequest,
    IngressInput,
    ListIngressRequest,
    UpdateIngressRequest,
)
from livekit.protocol.room import (
    CreateRoomRequest,
    DeleteRoomRequest,
    ForwardParticipantRequest,
    ListParticipantsRequest,
    ListRoomsRequest,
    MoveParticipantRequest,
    MuteRoomTrackRequest,
    PerformRpcRequest,
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
    CreateSIPParticipantRequest,
    DeleteSIPDispatchRuleRequest,
    DeleteSIPTrunkRequest,
    GetSIPInboundTrunkRequest,
    GetSIPOutboundTrunkRequest,
    ListSIPDispatchRuleRequest,
    ListSIPInboundTrunkRequest,
    ListSIPOutboundTrunkRequest,
    ListSIPTrunkRequest,
    SIPDispatchRuleInfo,
    SIPInboundTrunkInfo,
    SIPOutboundTrunkInfo,
    TransferSIPParticipantRequest,
)

from livekit_trio.api import SyncLiveKitAPI, _rpcs
from livekit_trio.api._rpc import Rpc

if TYPE_CHECKING:
    from collections.abc import Callable

TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""It trusts nobody, and is not used; reading the usual certificates takes 50 ms for each client."""

SERVICES: Final = ("room", "egress", "ingress", "sip", "agent_dispatch", "connector")
ROWS: Final[dict[str, Rpc[Any, Any]]] = {row.path: row for row in vars(_rpcs).values() if isinstance(row, Rpc)}


@attrs.frozen
class Call:
    """A call's arguments, the same for our client and for livekit-api's."""

    arguments: tuple[Any, ...]
    keywords: dict[str, Any] = attrs.field(factory=dict[str, Any])

    def make(self, client: Any, method: str) -> Any:
        """Call *method* of a client of any make; an awaitable, unless the client is for threads."""
        return find_method(client, method)(*self.arguments, **self.keywords)


def find_method(client: Any, method: str) -> Callable[..., Any]:
    service, name = method.split(".")
    return getattr(getattr(client, service), name)


def methods_of(client: type) -> dict[str, Callable[..., Any]]:
    """The methods of all services of a client's class, by service and name, but for those that are deprecated."""
    found: dict[str, Callable[..., Any]] = {}
    for service in SERVICES:
        # Both packages annotate the services' properties.
        function = inspect.getattr_static(client, service).fget
        kind = inspect.get_annotations(function)["return"]
        cls = function.__globals__[kind] if isinstance(kind, str) else kind
        for name, value in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith("_") and ".. deprecated::" not in (value.__doc__ or ""):
                found[f"{service}.{name}"] = value
    return found


FILE: Final = EncodedFileOutput(filepath="/tmp/nowhere.mp4")

CALLS: Final = {
    "room.create_room": Call((CreateRoomRequest(name="room", metadata="m"),)),
    "room.list_rooms": Call((ListRoomsRequest(names=["room"]),)),
    "room.delete_room": Call((DeleteRoomRequest(room="room"),)),
    "room.update_room_metadata": Call((UpdateRoomMetadataRequest(room="room", metadata="m"),)),
    "room.list_participants": Call((ListParticipantsRequest(room="room"),)),
    "room.get_participant": Call((RoomParticipantIdentity(room="room", identity="i"),)),
    "room.remove_participant": Call((RoomParticipantIdentity(room="room", identity="i"),)),
    "room.forward_participant": Call((ForwardParticipantRequest(room="room", identity="i", destination_room="d"),)),
    "room.move_participant": Call((MoveParticipantRequest(room="room", identity="i", destination_room="d"),)),
    "room.mute_published_track": Call((MuteRoomTrackRequest(room="room", identity="i", track_sid="TR", muted=True),)),
    "room.update_participant": Call((UpdateParticipantRequest(room="room", identity="i", name="n"),)),
    "room.update_subscriptions": Call((UpdateSubscriptionsRequest(room="room", identity="i", track_sids=["TR"]),)),
    "room.send_data": Call((SendDataRequest(room="room", data=b"data", topic="t"),)),
    "room.perform_rpc": Call((PerformRpcRequest(room="room", destination_identity="i", method="m", payload="p"),)),
    "egress.start_room_composite_egress": Call((RoomCompositeEgressRequest(room_name="room", file=FILE),)),
    "egress.start_web_egress": Call((WebEgressRequest(url="http://127.0.0.1:1/", file=FILE),)),
    "egress.start_participant_egress": Call(
        (ParticipantEgressRequest(room_name="room", identity="i", file_outputs=[FILE]),)
    ),
    "egress.start_track_composite_egress": Call(
        (TrackCompositeEgressRequest(room_name="room", audio_track_id="TR", file=FILE),)
    ),
    "egress.start_track_egress": Call((TrackEgressRequest(room_name="room", track_id="TR"),)),
    "egress.start_egress": Call((StartEgressRequest(room_name="room"),)),
    "egress.update_layout": Call((UpdateLayoutRequest(egress_id="EG_none", layout="grid"),)),
    "egress.update_stream": Call((UpdateStreamRequest(egress_id="EG_none", add_output_urls=["rtmp://127.0.0.1/x"]),)),
    "egress.list_egress": Call((ListEgressRequest(room_name="room"),)),
    "egress.stop_egress": Call((StopEgressRequest(egress_id="EG_none"),)),
    "ingress.create_ingress": Call(
        (
            CreateIngressRequest(
                input_type=IngressInput.RTMP_INPUT, name="n", room_name="room", participant_identity="i"
            ),
        )
    ),
    "ingress.update_ingress": Call((UpdateIngressRequest(ingress_id="IN_none", name="n"),)),
    "ingress.list_ingress": Call((ListIngressRequest(room_name="room"),)),
    "ingress.delete_ingress": Call((DeleteIngressRequest(ingress_id="IN_none"),)),
    "sip.list_trunk": Call((ListSIPTrunkRequest(),)),
    "sip.create_inbound_trunk": Call(
        (CreateSIPInboundTrunkRequest(trunk=SIPInboundTrunkInfo(name="n", numbers=["+1"], auth_username="u")),)
    ),
    "sip.update_inbound_trunk": Call(("ST_none", SIPInboundTrunkInfo(name="n", numbers=["+1"]))),
    "sip.update_inbound_trunk_fields": Call(("ST_none",), {"name": "n", "numbers": ["+1", "+2"]}),
    "sip.get_inbound_trunk": Call((GetSIPInboundTrunkRequest(sip_trunk_id="ST_none"),)),
    "sip.list_inbound_trunk": Call((ListSIPInboundTrunkRequest(trunk_ids=["ST_none"]),)),
    "sip.create_outbound_trunk": Call(
        (CreateSIPOutboundTrunkRequest(trunk=SIPOutboundTrunkInfo(name="n", address="127.0.0.1", numbers=["+1"])),)
    ),
    "sip.update_outbound_trunk": Call(
        ("ST_none", SIPOutboundTrunkInfo(name="n", address="127.0.0.1", numbers=["+1"])),
    ),
    "sip.update_outbound_trunk_fields": Call(("ST_none",), {"name": "n", "address": "127.0.0.1"}),
    "sip.get_outbound_trunk": Call((GetSIPOutboundTrunkRequest(sip_trunk_id="ST_none"),)),
    "sip.list_outbound_trunk": Call((ListSIPOutboundTrunkRequest(trunk_ids=["ST_none"]),)),
    "sip.delete_trunk": Call((DeleteSIPTrunkRequest(sip_trunk_id="ST_none"),)),
    "sip.create_dispatch_rule": Call(
        (
            CreateSIPDispatchRuleRequest(
                dispatch_rule=SIPDispatchRuleInfo(name="n", rule={"dispatch_rule_direct": {"room_name": "room"}})
            ),
        )
    ),
    "sip.update_dispatch_rule": Call(
        ("SDR_none", SIPDispatchRuleInfo(name="n", rule={"dispatch_rule_direct": {"room_name": "room"}})),
    ),
    "sip.update_dispatch_rule_fields": Call(("SDR_none",), {"name": "n", "trunk_ids": ["ST_none"]}),
    "sip.list_dispatch_rule": Call((ListSIPDispatchRuleRequest(dispatch_rule_ids=["SDR_none"]),)),
    "sip.delete_dispatch_rule": Call((DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id="SDR_none"),)),
    "sip.create_sip_participant": Call(
        (CreateSIPParticipantRequest(sip_trunk_id="ST_none", sip_call_to="+1", room_name="room"),)
    ),
    "sip.transfer_sip_participant": Call(
        (
            TransferSIPParticipantRequest(
                room_name="room", participant_identity="i", transfer_to="tel:+1", ringing_timeout=Duration(seconds=1)
            ),
        )
    ),
    "agent_dispatch.create_dispatch": Call((CreateAgentDispatchRequest(agent_name="a", room="room", metadata="m"),)),
    "agent_dispatch.delete_dispatch": Call(("AD_none", "room")),
    "agent_dispatch.list_dispatch": Call(("room",)),
    "agent_dispatch.get_dispatch": Call(("AD_none", "room")),
    "connector.dial_whatsapp_call": Call((DialWhatsAppCallRequest(whatsapp_phone_number_id="1", room_name="room"),)),
    "connector.disconnect_whatsapp_call": Call((DisconnectWhatsAppCallRequest(whatsapp_call_id="1"),)),
    "connector.connect_whatsapp_call": Call((ConnectWhatsAppCallRequest(whatsapp_call_id="1"),)),
    "connector.accept_whatsapp_call": Call((AcceptWhatsAppCallRequest(whatsapp_call_id="1", room_name="room"),)),
    "connector.connect_twilio_call": Call((ConnectTwilioCallRequest(room_name="room"),)),
}
"""For each method arguments that make sense, and of which nothing exists at a server where nobody has created it."""


def rows_of_methods() -> dict[str, Rpc[Any, Any]]:
    """The row of the table that each method uses, as seen by what it sends."""

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        return httpx.Response(200)

    paths: list[str] = []
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        lkapi = SyncLiveKitAPI("http://host", "key", "secret" * 6, client=client)
        for method, call in CALLS.items():
            call.make(lkapi, method)
    return {method: ROWS[path] for method, path in zip(CALLS, paths, strict=True)}


ONLY_OURS: Final = {"room.perform_rpc", "sip.list_trunk", "sip.get_inbound_trunk", "sip.get_outbound_trunk"}
"""What livekit-api 1.2.2 has no method for."""
