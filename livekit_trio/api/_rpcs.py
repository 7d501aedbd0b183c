"""The methods of all services: what each needs, and whether it may be sent twice.

The grants are those that livekit-server asks for (its pkg/service/auth.go). *repeatable* is what a second execution does to the
state: setting, listing and deleting are repeatable; what creates something under a new id, starts, dials or moves is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._rpc import Needs, Rings, Rpc

if TYPE_CHECKING:
    from livekit.protocol import (
        agent_dispatch,
        connector_twilio,
        connector_whatsapp,
        egress,
        ingress,
        models,
        room,
        sip,
    )

CREATE: Final = Needs(video=("room_create",))
LIST: Final = Needs(video=("room_list",))
ADMIN: Final = Needs(video=("room_admin",), room="room")
SEND_ELSEWHERE: Final = Needs(video=("room_admin",), room="room", destination_room="destination_room")
RECORD: Final = Needs(video=("room_record",))
INGRESS: Final = Needs(video=("ingress_admin",))
SIP_ADMIN: Final = Needs(sip=("admin",))
SIP_CALL: Final = Needs(sip=("call",))
SIP_TRANSFER: Final = Needs(video=("room_admin",), room="room_name", sip=("call",))

# ---- rooms

CREATE_ROOM: Final[Rpc[room.CreateRoomRequest, models.Room]] = Rpc(
    "room", "RoomService", "CreateRoom", CREATE, repeatable=True
)
LIST_ROOMS: Final[Rpc[room.ListRoomsRequest, room.ListRoomsResponse]] = Rpc(
    "room", "RoomService", "ListRooms", LIST, repeatable=True
)
DELETE_ROOM: Final[Rpc[room.DeleteRoomRequest, room.DeleteRoomResponse]] = Rpc(
    "room", "RoomService", "DeleteRoom", CREATE, repeatable=True
)
UPDATE_ROOM_METADATA: Final[Rpc[room.UpdateRoomMetadataRequest, models.Room]] = Rpc(
    "room", "RoomService", "UpdateRoomMetadata", ADMIN, repeatable=True
)
LIST_PARTICIPANTS: Final[Rpc[room.ListParticipantsRequest, room.ListParticipantsResponse]] = Rpc(
    "room", "RoomService", "ListParticipants", ADMIN, repeatable=True
)
GET_PARTICIPANT: Final[Rpc[room.RoomParticipantIdentity, models.ParticipantInfo]] = Rpc(
    "room", "RoomService", "GetParticipant", ADMIN, repeatable=True
)
REMOVE_PARTICIPANT: Final[Rpc[room.RoomParticipantIdentity, room.RemoveParticipantResponse]] = Rpc(
    "room", "RoomService", "RemoveParticipant", ADMIN, repeatable=True
)
FORWARD_PARTICIPANT: Final[Rpc[room.ForwardParticipantRequest, room.ForwardParticipantResponse]] = Rpc(
    "room", "RoomService", "ForwardParticipant", SEND_ELSEWHERE, repeatable=False
)
MOVE_PARTICIPANT: Final[Rpc[room.MoveParticipantRequest, room.MoveParticipantResponse]] = Rpc(
    "room", "RoomService", "MoveParticipant", SEND_ELSEWHERE, repeatable=False
)
MUTE_PUBLISHED_TRACK: Final[Rpc[room.MuteRoomTrackRequest, room.MuteRoomTrackResponse]] = Rpc(
    "room", "RoomService", "MutePublishedTrack", ADMIN, repeatable=True
)
UPDATE_PARTICIPANT: Final[Rpc[room.UpdateParticipantRequest, models.ParticipantInfo]] = Rpc(
    "room", "RoomService", "UpdateParticipant", ADMIN, repeatable=True
)
UPDATE_SUBSCRIPTIONS: Final[Rpc[room.UpdateSubscriptionsRequest, room.UpdateSubscriptionsResponse]] = Rpc(
    "room", "RoomService", "UpdateSubscriptions", ADMIN, repeatable=True
)
SEND_DATA: Final[Rpc[room.SendDataRequest, room.SendDataResponse]] = Rpc(
    "room", "RoomService", "SendData", ADMIN, repeatable=True, nonce=True
)
PERFORM_RPC: Final[Rpc[room.PerformRpcRequest, room.PerformRpcResponse]] = Rpc(
    "room", "RoomService", "PerformRpc", ADMIN, repeatable=False
)

# ---- egress

START_ROOM_COMPOSITE_EGRESS: Final[Rpc[egress.RoomCompositeEgressRequest, egress.EgressInfo]] = Rpc(
    "egress", "Egress", "StartRoomCompositeEgress", RECORD, repeatable=False
)
START_WEB_EGRESS: Final[Rpc[egress.WebEgressRequest, egress.EgressInfo]] = Rpc(
    "egress", "Egress", "StartWebEgress", RECORD, repeatable=False
)
START_PARTICIPANT_EGRESS: Final[Rpc[egress.ParticipantEgressRequest, egress.EgressInfo]] = Rpc(
    "egress", "Egress", "StartParticipantEgress", RECORD, repeatable=False
)
START_TRACK_COMPOSITE_EGRESS: Final[Rpc[egress.TrackCompositeEgressRequest, egress.EgressInfo]] = Rpc(
    "egress", "Egress", "StartTrackCompositeEgress", RECORD, repeatable=False
)
START_TRACK_EGRESS: Final[Rpc[egress.TrackEgressRequest, egress.EgressInfo]] = Rpc(
    "egress", "Egress", "StartTrackEgress", RECORD, repeatable=False
)
START_EGRESS: Final[Rpc[egress.StartEgressRequest, egress.EgressInfo]] = Rpc(
    "egress", "Egress", "StartEgress", RECORD, repeatable=False
)
UPDATE_LAYOUT: Final[Rpc[egress.UpdateLayoutRequest, egress.EgressInfo]] = Rpc(
    "egress", "Egress", "UpdateLayout", RECORD, repeatable=True
)
# Adding a stream twice is refused or doubles it: the workers decide.
UPDATE_STREAM: Final[Rpc[egress.UpdateStreamRequest, egress.EgressInfo]] = Rpc(
    "egress", "Egress", "UpdateStream", RECORD, repeatable=False
)
LIST_EGRESS: Final[Rpc[egress.ListEgressRequest, egress.ListEgressResponse]] = Rpc(
    "egress", "Egress", "ListEgress", RECORD, repeatable=True
)
STOP_EGRESS: Final[Rpc[egress.StopEgressRequest, egress.EgressInfo]] = Rpc(
    "egress", "Egress", "StopEgress", RECORD, repeatable=True
)

# ---- ingress

CREATE_INGRESS: Final[Rpc[ingress.CreateIngressRequest, ingress.IngressInfo]] = Rpc(
    "ingress", "Ingress", "CreateIngress", INGRESS, repeatable=False
)
UPDATE_INGRESS: Final[Rpc[ingress.UpdateIngressRequest, ingress.IngressInfo]] = Rpc(
    "ingress", "Ingress", "UpdateIngress", INGRESS, repeatable=True
)
LIST_INGRESS: Final[Rpc[ingress.ListIngressRequest, ingress.ListIngressResponse]] = Rpc(
    "ingress", "Ingress", "ListIngress", INGRESS, repeatable=True
)
DELETE_INGRESS: Final[Rpc[ingress.DeleteIngressRequest, ingress.IngressInfo]] = Rpc(
    "ingress", "Ingress", "DeleteIngress", INGRESS, repeatable=True
)

# ---- telephony

LIST_TRUNK: Final[Rpc[sip.ListSIPTrunkRequest, sip.ListSIPTrunkResponse]] = Rpc(
    "sip", "SIP", "ListSIPTrunk", SIP_ADMIN, repeatable=True
)
CREATE_INBOUND_TRUNK: Final[Rpc[sip.CreateSIPInboundTrunkRequest, sip.SIPInboundTrunkInfo]] = Rpc(
    "sip", "SIP", "CreateSIPInboundTrunk", SIP_ADMIN, repeatable=False
)
UPDATE_INBOUND_TRUNK: Final[Rpc[sip.UpdateSIPInboundTrunkRequest, sip.SIPInboundTrunkInfo]] = Rpc(
    "sip", "SIP", "UpdateSIPInboundTrunk", SIP_ADMIN, repeatable=True
)
GET_INBOUND_TRUNK: Final[Rpc[sip.GetSIPInboundTrunkRequest, sip.GetSIPInboundTrunkResponse]] = Rpc(
    "sip", "SIP", "GetSIPInboundTrunk", SIP_ADMIN, repeatable=True
)
LIST_INBOUND_TRUNK: Final[Rpc[sip.ListSIPInboundTrunkRequest, sip.ListSIPInboundTrunkResponse]] = Rpc(
    "sip", "SIP", "ListSIPInboundTrunk", SIP_ADMIN, repeatable=True
)
CREATE_OUTBOUND_TRUNK: Final[Rpc[sip.CreateSIPOutboundTrunkRequest, sip.SIPOutboundTrunkInfo]] = Rpc(
    "sip", "SIP", "CreateSIPOutboundTrunk", SIP_ADMIN, repeatable=False
)
UPDATE_OUTBOUND_TRUNK: Final[Rpc[sip.UpdateSIPOutboundTrunkRequest, sip.SIPOutboundTrunkInfo]] = Rpc(
    "sip", "SIP", "UpdateSIPOutboundTrunk", SIP_ADMIN, repeatable=True
)
GET_OUTBOUND_TRUNK: Final[Rpc[sip.GetSIPOutboundTrunkRequest, sip.GetSIPOutboundTrunkResponse]] = Rpc(
    "sip", "SIP", "GetSIPOutboundTrunk", SIP_ADMIN, repeatable=True
)
LIST_OUTBOUND_TRUNK: Final[Rpc[sip.ListSIPOutboundTrunkRequest, sip.ListSIPOutboundTrunkResponse]] = Rpc(
    "sip", "SIP", "ListSIPOutboundTrunk", SIP_ADMIN, repeatable=True
)
DELETE_TRUNK: Final[Rpc[sip.DeleteSIPTrunkRequest, sip.SIPTrunkInfo]] = Rpc(
    "sip", "SIP", "DeleteSIPTrunk", SIP_ADMIN, repeatable=True
)
CREATE_DISPATCH_RULE: Final[Rpc[sip.CreateSIPDispatchRuleRequest, sip.SIPDispatchRuleInfo]] = Rpc(
    "sip", "SIP", "CreateSIPDispatchRule", SIP_ADMIN, repeatable=False
)
UPDATE_DISPATCH_RULE: Final[Rpc[sip.UpdateSIPDispatchRuleRequest, sip.SIPDispatchRuleInfo]] = Rpc(
    "sip", "SIP", "UpdateSIPDispatchRule", SIP_ADMIN, repeatable=True
)
LIST_DISPATCH_RULE: Final[Rpc[sip.ListSIPDispatchRuleRequest, sip.ListSIPDispatchRuleResponse]] = Rpc(
    "sip", "SIP", "ListSIPDispatchRule", SIP_ADMIN, repeatable=True
)
DELETE_DISPATCH_RULE: Final[Rpc[sip.DeleteSIPDispatchRuleRequest, sip.SIPDispatchRuleInfo]] = Rpc(
    "sip", "SIP", "DeleteSIPDispatchRule", SIP_ADMIN, repeatable=True
)
CREATE_SIP_PARTICIPANT: Final[Rpc[sip.CreateSIPParticipantRequest, sip.SIPParticipantInfo]] = Rpc(
    "sip", "SIP", "CreateSIPParticipant", SIP_CALL, repeatable=False, rings=Rings.IF_ASKED
)
TRANSFER_SIP_PARTICIPANT: Final[Rpc[sip.TransferSIPParticipantRequest, sip.TransferSIPParticipantResponse]] = Rpc(
    "sip", "SIP", "TransferSIPParticipant", SIP_TRANSFER, repeatable=False, rings=Rings.ALWAYS
)

# ---- agents

CREATE_DISPATCH: Final[Rpc[agent_dispatch.CreateAgentDispatchRequest, agent_dispatch.AgentDispatch]] = Rpc(
    "agent_dispatch", "AgentDispatchService", "CreateDispatch", ADMIN, repeatable=False
)
DELETE_DISPATCH: Final[Rpc[agent_dispatch.DeleteAgentDispatchRequest, agent_dispatch.AgentDispatch]] = Rpc(
    "agent_dispatch", "AgentDispatchService", "DeleteDispatch", ADMIN, repeatable=True
)
LIST_DISPATCH: Final[Rpc[agent_dispatch.ListAgentDispatchRequest, agent_dispatch.ListAgentDispatchResponse]] = Rpc(
    "agent_dispatch", "AgentDispatchService", "ListDispatch", ADMIN, repeatable=True
)

# ---- connectors

DIAL_WHATSAPP_CALL: Final[
    Rpc[connector_whatsapp.DialWhatsAppCallRequest, connector_whatsapp.DialWhatsAppCallResponse]
] = Rpc("connector", "Connector", "DialWhatsAppCall", CREATE, repeatable=False)
DISCONNECT_WHATSAPP_CALL: Final[
    Rpc[connector_whatsapp.DisconnectWhatsAppCallRequest, connector_whatsapp.DisconnectWhatsAppCallResponse]
] = Rpc("connector", "Connector", "DisconnectWhatsAppCall", CREATE, repeatable=True)
CONNECT_WHATSAPP_CALL: Final[
    Rpc[connector_whatsapp.ConnectWhatsAppCallRequest, connector_whatsapp.ConnectWhatsAppCallResponse]
] = Rpc("connector", "Connector", "ConnectWhatsAppCall", CREATE, repeatable=False, rings=Rings.IF_ASKED)
ACCEPT_WHATSAPP_CALL: Final[
    Rpc[connector_whatsapp.AcceptWhatsAppCallRequest, connector_whatsapp.AcceptWhatsAppCallResponse]
] = Rpc("connector", "Connector", "AcceptWhatsAppCall", CREATE, repeatable=False, rings=Rings.IF_ASKED)
CONNECT_TWILIO_CALL: Final[
    Rpc[connector_twilio.ConnectTwilioCallRequest, connector_twilio.ConnectTwilioCallResponse]
] = Rpc("connector", "Connector", "ConnectTwilioCall", CREATE, repeatable=False)
