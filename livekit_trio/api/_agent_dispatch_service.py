"""The agent dispatch service: which agents are sent into which rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from . import _rpcs
from ._service import Service

if TYPE_CHECKING:
    from livekit.protocol.agent_dispatch import AgentDispatch, CreateAgentDispatchRequest
    from typing_extensions import Unpack

    from ._fields import CreateAgentDispatchFields


@final
class AgentDispatchService(Service):
    """Which agents are sent into which rooms: `LiveKitAPI.agent_dispatch`.

    Each call takes its request as a message or as the message's fields by keyword, and leaves a message as it is. Each raises
    `ServerError` if the server refuses or fails, and `TransportError` if no valid answer comes.
    """

    __slots__ = ()

    async def create_dispatch(
        self, request: CreateAgentDispatchRequest | None = None, /, **fields: Unpack[CreateAgentDispatchFields]
    ) -> AgentDispatch:
        """Send an agent into a room, by the name under which its workers are registered.

        Cancellation:
            It may be sent or not; `list_dispatch` tells.
        """
        return await self._call(_rpcs.CREATE_DISPATCH, request, fields)

    async def delete_dispatch(self, dispatch_id: str, room_name: str) -> AgentDispatch:
        """Take back a dispatch; its agent leaves the room.

        Args:
            dispatch_id: which one.
            room_name: its room.

        Cancellation:
            It may be deleted or not.
        """
        return await self._call(_rpcs.DELETE_DISPATCH, fields={"dispatch_id": dispatch_id, "room": room_name})

    async def list_dispatch(self, room_name: str) -> list[AgentDispatch]:
        """List the dispatches of a room.

        Args:
            room_name: the room's name.

        Cancellation:
            Changes nothing.
        """
        answer = await self._call(_rpcs.LIST_DISPATCH, fields={"room": room_name})
        return list(answer.agent_dispatches)

    async def get_dispatch(self, dispatch_id: str, room_name: str) -> AgentDispatch | None:
        """Look at one dispatch; None: there is none of that id.

        Args:
            dispatch_id: which one.
            room_name: its room.

        Cancellation:
            Changes nothing.
        """
        answer = await self._call(_rpcs.LIST_DISPATCH, fields={"dispatch_id": dispatch_id, "room": room_name})
        return next(iter(answer.agent_dispatches), None)
