"""The ingress service: streams into rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from . import _rpcs
from ._service import Service

if TYPE_CHECKING:
    from livekit.protocol.ingress import (
        CreateIngressRequest,
        DeleteIngressRequest,
        IngressInfo,
        ListIngressRequest,
        ListIngressResponse,
        UpdateIngressRequest,
    )
    from typing_extensions import Unpack

    from ._fields import CreateIngressFields, DeleteIngressFields, ListIngressFields, UpdateIngressFields


@final
class IngressService(Service):
    """Streams into rooms: `LiveKitAPI.ingress`.

    Each call takes its request as a message or as the message's fields by keyword, and leaves a message as it is. Each raises
    `ServerError` if the server refuses or fails, and `TransportError` if no valid answer comes.
    """

    __slots__ = ()

    async def create_ingress(
        self, request: CreateIngressRequest | None = None, /, **fields: Unpack[CreateIngressFields]
    ) -> IngressInfo:
        """Create an ingress: an address to stream to, or a file or stream to be fetched.

        Cancellation:
            It may be there or not; `list_ingress` tells.
        """
        return await self._call(_rpcs.CREATE_INGRESS, request, fields)

    async def update_ingress(
        self, request: UpdateIngressRequest | None = None, /, **fields: Unpack[UpdateIngressFields]
    ) -> IngressInfo:
        """Change an ingress that nobody streams to.

        Cancellation:
            It may be changed or not.
        """
        return await self._call(_rpcs.UPDATE_INGRESS, request, fields)

    async def list_ingress(
        self, request: ListIngressRequest | None = None, /, **fields: Unpack[ListIngressFields]
    ) -> ListIngressResponse:
        """List the ingresses: those of a room, the one of an id, or all.

        Cancellation:
            Changes nothing.
        """
        return await self._call(_rpcs.LIST_INGRESS, request, fields)

    async def delete_ingress(
        self, request: DeleteIngressRequest | None = None, /, **fields: Unpack[DeleteIngressFields]
    ) -> IngressInfo:
        """Delete an ingress, and end what streams through it.

        Cancellation:
            It may be deleted or not.
        """
        return await self._call(_rpcs.DELETE_INGRESS, request, fields)
