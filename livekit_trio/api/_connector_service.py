"""The connector service: calls of other networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from . import _rpcs
from ._service import Service

if TYPE_CHECKING:
    from livekit.protocol.connector_twilio import ConnectTwilioCallRequest, ConnectTwilioCallResponse
    from livekit.protocol.connector_whatsapp import (
        AcceptWhatsAppCallRequest,
        AcceptWhatsAppCallResponse,
        ConnectWhatsAppCallRequest,
        ConnectWhatsAppCallResponse,
        DialWhatsAppCallRequest,
        DialWhatsAppCallResponse,
        DisconnectWhatsAppCallRequest,
        DisconnectWhatsAppCallResponse,
    )
    from typing_extensions import Unpack

    from ._fields import (
        AcceptWhatsAppCallFields,
        ConnectTwilioCallFields,
        ConnectWhatsAppCallFields,
        DialWhatsAppCallFields,
        DisconnectWhatsAppCallFields,
    )


@final
class ConnectorService(Service):
    """Calls of other networks, WhatsApp and Twilio, in rooms of LiveKit Cloud: `LiveKitAPI.connector`.

    Each call takes its request as a message or as the message's fields by keyword, and leaves a message as it is. Each raises
    `ServerError` if the server refuses or fails, and `TransportError` if no valid answer comes.
    """

    __slots__ = ()

    async def dial_whatsapp_call(
        self, request: DialWhatsAppCallRequest | None = None, /, **fields: Unpack[DialWhatsAppCallFields]
    ) -> DialWhatsAppCallResponse:
        """Call somebody on WhatsApp, into a room.

        Cancellation:
            The call may be placed or not.
        """
        return await self._call(_rpcs.DIAL_WHATSAPP_CALL, request, fields)

    async def disconnect_whatsapp_call(
        self, request: DisconnectWhatsAppCallRequest | None = None, /, **fields: Unpack[DisconnectWhatsAppCallFields]
    ) -> DisconnectWhatsAppCallResponse:
        """End a WhatsApp call.

        Cancellation:
            It may end or go on.
        """
        return await self._call(_rpcs.DISCONNECT_WHATSAPP_CALL, request, fields)

    async def connect_whatsapp_call(
        self, request: ConnectWhatsAppCallRequest | None = None, /, **fields: Unpack[ConnectWhatsAppCallFields]
    ) -> ConnectWhatsAppCallResponse:
        """Connect the media of a WhatsApp call that was dialled and is answered.

        Cancellation:
            They may be connected or not.
        """
        return await self._call(_rpcs.CONNECT_WHATSAPP_CALL, request, fields)

    async def connect_twilio_call(
        self, request: ConnectTwilioCallRequest | None = None, /, **fields: Unpack[ConnectTwilioCallFields]
    ) -> ConnectTwilioCallResponse:
        """Connect a call at Twilio with a room; the answer has the address that Twilio is to stream to.

        Cancellation:
            The address may be made or not.
        """
        return await self._call(_rpcs.CONNECT_TWILIO_CALL, request, fields)

    async def accept_whatsapp_call(
        self,
        request: AcceptWhatsAppCallRequest | None = None,
        /,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it is raised to the ring window
        **fields: Unpack[AcceptWhatsAppCallFields],
    ) -> AcceptWhatsAppCallResponse:
        """Accept a WhatsApp call, into a room.

        Args:
            request: the request; or its fields: with ``wait_until_answered`` the answer comes when somebody in the room has
                taken the call.
            timeout: seconds, instead of the client's. A call that waits has at least its ring window and 2 s.

        Cancellation:
            It may be accepted or not.
        """
        return await self._call(_rpcs.ACCEPT_WHATSAPP_CALL, request, fields, timeout)
