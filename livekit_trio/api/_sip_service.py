"""The SIP service: telephony."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from . import _rpcs
from ._service import Service
from ._sip_requests import sip_participant_request, update

if TYPE_CHECKING:
    from livekit.protocol.sip import (
        CreateSIPDispatchRuleRequest,
        CreateSIPInboundTrunkRequest,
        CreateSIPOutboundTrunkRequest,
        CreateSIPParticipantRequest,
        DeleteSIPDispatchRuleRequest,
        DeleteSIPTrunkRequest,
        GetSIPInboundTrunkRequest,
        GetSIPInboundTrunkResponse,
        GetSIPOutboundTrunkRequest,
        GetSIPOutboundTrunkResponse,
        ListSIPDispatchRuleRequest,
        ListSIPDispatchRuleResponse,
        ListSIPInboundTrunkRequest,
        ListSIPInboundTrunkResponse,
        ListSIPOutboundTrunkRequest,
        ListSIPOutboundTrunkResponse,
        ListSIPTrunkRequest,
        ListSIPTrunkResponse,
        SIPDispatchRuleInfo,
        SIPInboundTrunkInfo,
        SIPOutboundConfig,
        SIPOutboundTrunkInfo,
        SIPParticipantInfo,
        SIPTrunkInfo,
        TransferSIPParticipantRequest,
        TransferSIPParticipantResponse,
    )
    from typing_extensions import Unpack

    from ._fields import (
        CreateSIPDispatchRuleFields,
        CreateSIPInboundTrunkFields,
        CreateSIPOutboundTrunkFields,
        CreateSIPParticipantFields,
        DeleteSIPDispatchRuleFields,
        DeleteSIPTrunkFields,
        GetSIPInboundTrunkFields,
        GetSIPOutboundTrunkFields,
        ListSIPDispatchRuleFields,
        ListSIPInboundTrunkFields,
        ListSIPOutboundTrunkFields,
        ListSIPTrunkFields,
        SIPDispatchRuleUpdateFields,
        SIPInboundTrunkUpdateFields,
        SIPOutboundTrunkUpdateFields,
        TransferSIPParticipantFields,
    )


@final
class SipService(Service):
    """Telephony: `LiveKitAPI.sip`.

    Each call takes its request as a message or as the message's fields by keyword, and leaves a message as it is. Each raises
    `ServerError` if the server refuses or fails, and `TransportError` if no valid answer comes.
    """

    __slots__ = ()

    async def list_trunk(
        self, request: ListSIPTrunkRequest | None = None, /, **fields: Unpack[ListSIPTrunkFields]
    ) -> ListSIPTrunkResponse:
        """List the trunks of both kinds, in the old form that newer servers still answer.

        Cancellation:
            Changes nothing.
        """
        return await self._call(_rpcs.LIST_TRUNK, request, fields)

    async def create_inbound_trunk(
        self, request: CreateSIPInboundTrunkRequest | None = None, /, **fields: Unpack[CreateSIPInboundTrunkFields]
    ) -> SIPInboundTrunkInfo:
        """Create a trunk for calls that come in.

        Cancellation:
            It may be there or not.
        """
        return await self._call(_rpcs.CREATE_INBOUND_TRUNK, request, fields)

    async def get_inbound_trunk(
        self, request: GetSIPInboundTrunkRequest | None = None, /, **fields: Unpack[GetSIPInboundTrunkFields]
    ) -> GetSIPInboundTrunkResponse:
        """Look at one trunk for calls that come in.

        Cancellation:
            Changes nothing.
        """
        return await self._call(_rpcs.GET_INBOUND_TRUNK, request, fields)

    async def list_inbound_trunk(
        self, request: ListSIPInboundTrunkRequest | None = None, /, **fields: Unpack[ListSIPInboundTrunkFields]
    ) -> ListSIPInboundTrunkResponse:
        """List the trunks for calls that come in.

        Cancellation:
            Changes nothing.
        """
        return await self._call(_rpcs.LIST_INBOUND_TRUNK, request, fields)

    async def create_outbound_trunk(
        self, request: CreateSIPOutboundTrunkRequest | None = None, /, **fields: Unpack[CreateSIPOutboundTrunkFields]
    ) -> SIPOutboundTrunkInfo:
        """Create a trunk for calls that go out.

        Cancellation:
            It may be there or not.
        """
        return await self._call(_rpcs.CREATE_OUTBOUND_TRUNK, request, fields)

    async def get_outbound_trunk(
        self, request: GetSIPOutboundTrunkRequest | None = None, /, **fields: Unpack[GetSIPOutboundTrunkFields]
    ) -> GetSIPOutboundTrunkResponse:
        """Look at one trunk for calls that go out.

        Cancellation:
            Changes nothing.
        """
        return await self._call(_rpcs.GET_OUTBOUND_TRUNK, request, fields)

    async def list_outbound_trunk(
        self, request: ListSIPOutboundTrunkRequest | None = None, /, **fields: Unpack[ListSIPOutboundTrunkFields]
    ) -> ListSIPOutboundTrunkResponse:
        """List the trunks for calls that go out.

        Cancellation:
            Changes nothing.
        """
        return await self._call(_rpcs.LIST_OUTBOUND_TRUNK, request, fields)

    async def delete_trunk(
        self, request: DeleteSIPTrunkRequest | None = None, /, **fields: Unpack[DeleteSIPTrunkFields]
    ) -> SIPTrunkInfo:
        """Delete a trunk of either kind.

        Cancellation:
            It may be deleted or not.
        """
        return await self._call(_rpcs.DELETE_TRUNK, request, fields)

    async def create_dispatch_rule(
        self, request: CreateSIPDispatchRuleRequest | None = None, /, **fields: Unpack[CreateSIPDispatchRuleFields]
    ) -> SIPDispatchRuleInfo:
        """Create a rule that says to which room a call goes.

        Cancellation:
            It may be there or not.
        """
        return await self._call(_rpcs.CREATE_DISPATCH_RULE, request, fields)

    async def list_dispatch_rule(
        self, request: ListSIPDispatchRuleRequest | None = None, /, **fields: Unpack[ListSIPDispatchRuleFields]
    ) -> ListSIPDispatchRuleResponse:
        """List the dispatch rules.

        Cancellation:
            Changes nothing.
        """
        return await self._call(_rpcs.LIST_DISPATCH_RULE, request, fields)

    async def delete_dispatch_rule(
        self, request: DeleteSIPDispatchRuleRequest | None = None, /, **fields: Unpack[DeleteSIPDispatchRuleFields]
    ) -> SIPDispatchRuleInfo:
        """Delete a dispatch rule.

        Cancellation:
            It may be deleted or not.
        """
        return await self._call(_rpcs.DELETE_DISPATCH_RULE, request, fields)

    async def update_inbound_trunk(self, trunk_id: str, trunk: SIPInboundTrunkInfo) -> SIPInboundTrunkInfo:
        """Replace a trunk for calls that come in entirely.

        Args:
            trunk_id: which one.
            trunk: what it is to be.

        Cancellation:
            It may be replaced or not.
        """
        return await self._call(_rpcs.UPDATE_INBOUND_TRUNK, fields={"sip_trunk_id": trunk_id, "replace": trunk})

    async def update_inbound_trunk_fields(
        self, trunk_id: str, **fields: Unpack[SIPInboundTrunkUpdateFields]
    ) -> SIPInboundTrunkInfo:
        """Change some fields of a trunk for calls that come in.

        Args:
            trunk_id: which one.
            fields: the new values. A list replaces the old one; a ``ListUpdate`` adds and removes.

        Cancellation:
            They may be changed or not.
        """
        return await self._call(_rpcs.UPDATE_INBOUND_TRUNK, fields={"sip_trunk_id": trunk_id, "update": update(fields)})

    async def update_outbound_trunk(self, trunk_id: str, trunk: SIPOutboundTrunkInfo) -> SIPOutboundTrunkInfo:
        """Replace a trunk for calls that go out entirely.

        Args:
            trunk_id: which one.
            trunk: what it is to be.

        Cancellation:
            It may be replaced or not.
        """
        return await self._call(_rpcs.UPDATE_OUTBOUND_TRUNK, fields={"sip_trunk_id": trunk_id, "replace": trunk})

    async def update_outbound_trunk_fields(
        self, trunk_id: str, **fields: Unpack[SIPOutboundTrunkUpdateFields]
    ) -> SIPOutboundTrunkInfo:
        """Change some fields of a trunk for calls that go out.

        Args:
            trunk_id: which one.
            fields: the new values. A list replaces the old one; a ``ListUpdate`` adds and removes.

        Cancellation:
            They may be changed or not.
        """
        return await self._call(
            _rpcs.UPDATE_OUTBOUND_TRUNK, fields={"sip_trunk_id": trunk_id, "update": update(fields)}
        )

    async def update_dispatch_rule(self, rule_id: str, rule: SIPDispatchRuleInfo) -> SIPDispatchRuleInfo:
        """Replace a dispatch rule entirely.

        Args:
            rule_id: which one.
            rule: what it is to be.

        Cancellation:
            It may be replaced or not.
        """
        return await self._call(_rpcs.UPDATE_DISPATCH_RULE, fields={"sip_dispatch_rule_id": rule_id, "replace": rule})

    async def update_dispatch_rule_fields(
        self, rule_id: str, **fields: Unpack[SIPDispatchRuleUpdateFields]
    ) -> SIPDispatchRuleInfo:
        """Change some fields of a dispatch rule.

        Args:
            rule_id: which one.
            fields: the new values. A list replaces the old one; a ``ListUpdate`` adds and removes.

        Cancellation:
            They may be changed or not.
        """
        return await self._call(
            _rpcs.UPDATE_DISPATCH_RULE, fields={"sip_dispatch_rule_id": rule_id, "update": update(fields)}
        )

    async def create_sip_participant(
        self,
        request: CreateSIPParticipantRequest | None = None,
        /,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it is raised to the ring window
        trunk_id: str | None = None,
        outbound_trunk_config: SIPOutboundConfig | None = None,
        **fields: Unpack[CreateSIPParticipantFields],
    ) -> SIPParticipantInfo:
        """Call a phone, into a room.

        Args:
            request: the request; or its fields: with ``wait_until_answered`` the answer comes when the phone is answered.
            timeout: seconds, instead of the client's. A call that waits has at least its ring window and 2 s.
            trunk_id: the trunk to call through; the same as ``sip_trunk_id`` in the request.
            outbound_trunk_config: the trunk, spelled out; the same as ``trunk`` in the request.

        Raises:
            SipCallError: the phone is busy, the call was declined …

        Cancellation:
            The phone may ring or not. It is not called back.
        """
        made = sip_participant_request(request, fields, trunk_id, outbound_trunk_config)
        return await self._call(_rpcs.CREATE_SIP_PARTICIPANT, made, timeout=timeout)

    async def transfer_sip_participant(
        self,
        request: TransferSIPParticipantRequest | None = None,
        /,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it is raised to the ring window
        **fields: Unpack[TransferSIPParticipantFields],
    ) -> TransferSIPParticipantResponse:
        """Transfer a caller to another phone; it leaves the room. The answer comes when the other phone is answered.

        Args:
            request: the request; or its fields.
            timeout: seconds, instead of the client's. It is at least the ring window and 2 s.

        Raises:
            SipCallError: the transfer failed.

        Cancellation:
            The caller may be transferred or not.
        """
        return await self._call(_rpcs.TRANSFER_SIP_PARTICIPANT, request, fields, timeout)
