"""The room service: rooms, who is in them, and what is sent there from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from . import _rpcs
from ._service import Service

if TYPE_CHECKING:
    from livekit.protocol.models import ParticipantInfo, Room
    from livekit.protocol.room import (
        CreateRoomRequest,
        DeleteRoomRequest,
        DeleteRoomResponse,
        ForwardParticipantRequest,
        ForwardParticipantResponse,
        ListParticipantsRequest,
        ListParticipantsResponse,
        ListRoomsRequest,
        ListRoomsResponse,
        MoveParticipantRequest,
        MoveParticipantResponse,
        MuteRoomTrackRequest,
        MuteRoomTrackResponse,
        PerformRpcRequest,
        PerformRpcResponse,
        RemoveParticipantResponse,
        RoomParticipantIdentity,
        SendDataRequest,
        SendDataResponse,
        UpdateParticipantRequest,
        UpdateRoomMetadataRequest,
        UpdateSubscriptionsRequest,
        UpdateSubscriptionsResponse,
    )
    from typing_extensions import Unpack

    from ._fields import (
        CreateRoomFields,
        DeleteRoomFields,
        ForwardParticipantFields,
        ListParticipantsFields,
        ListRoomsFields,
        MoveParticipantFields,
        MuteRoomTrackFields,
        PerformRpcFields,
        RoomParticipantIdentityFields,
        SendDataFields,
        UpdateParticipantFields,
        UpdateRoomMetadataFields,
        UpdateSubscriptionsFields,
    )


@final
class RoomService(Service):
    """Rooms and their participants: `LiveKitAPI.room`.

    Each call takes its request as a message or as the message's fields by keyword, and leaves a message as it is. Each raises
    `ServerError` if the server refuses or fails, and `TransportError` if no valid answer comes.
    """

    __slots__ = ()

    async def create_room(
        self, request: CreateRoomRequest | None = None, /, **fields: Unpack[CreateRoomFields]
    ) -> Room:
        """Create a room, or find the one that has this name already: that one stays as it is.

        Args:
            request: the request; or its fields: ``empty_timeout`` and ``departure_timeout`` are in seconds,
                ``min_playout_delay`` and ``max_playout_delay`` in milliseconds. With ``egress`` the answer takes 10 s if no
                egress worker runs: give the client more time.

        Cancellation:
            The room may be there or not.
        """
        return await self._call(_rpcs.CREATE_ROOM, request, fields)

    async def list_rooms(
        self, request: ListRoomsRequest | None = None, /, **fields: Unpack[ListRoomsFields]
    ) -> ListRoomsResponse:
        """List the rooms: those of ``names``, or all.

        The participants are counted every few seconds only; `list_participants` is exact.

        Cancellation:
            Changes nothing.
        """
        return await self._call(_rpcs.LIST_ROOMS, request, fields)

    async def delete_room(
        self, request: DeleteRoomRequest | None = None, /, **fields: Unpack[DeleteRoomFields]
    ) -> DeleteRoomResponse:
        """Delete a room and disconnect everybody in it.

        Cancellation:
            The room may be deleted or not.
        """
        return await self._call(_rpcs.DELETE_ROOM, request, fields)

    async def update_room_metadata(
        self, request: UpdateRoomMetadataRequest | None = None, /, **fields: Unpack[UpdateRoomMetadataFields]
    ) -> Room:
        """Set a room's metadata; everybody in it is told.

        Cancellation:
            They may be set or not.
        """
        return await self._call(_rpcs.UPDATE_ROOM_METADATA, request, fields)

    async def list_participants(
        self, request: ListParticipantsRequest | None = None, /, **fields: Unpack[ListParticipantsFields]
    ) -> ListParticipantsResponse:
        """List who is in a room.

        Cancellation:
            Changes nothing.
        """
        return await self._call(_rpcs.LIST_PARTICIPANTS, request, fields)

    async def get_participant(
        self, request: RoomParticipantIdentity | None = None, /, **fields: Unpack[RoomParticipantIdentityFields]
    ) -> ParticipantInfo:
        """Look at one participant.

        Cancellation:
            Changes nothing.
        """
        return await self._call(_rpcs.GET_PARTICIPANT, request, fields)

    async def remove_participant(
        self, request: RoomParticipantIdentity | None = None, /, **fields: Unpack[RoomParticipantIdentityFields]
    ) -> RemoveParticipantResponse:
        """Disconnect a participant. Its token stays valid: it may join again.

        Args:
            request: the request; or its fields: ``revoke_token_ts`` (seconds since 1970) is for servers that can refuse the
                tokens that were made before.

        Cancellation:
            It may be removed or not.
        """
        return await self._call(_rpcs.REMOVE_PARTICIPANT, request, fields)

    async def forward_participant(
        self, request: ForwardParticipantRequest | None = None, /, **fields: Unpack[ForwardParticipantFields]
    ) -> ForwardParticipantResponse:
        """Show a participant and its tracks in another room too. For LiveKit Cloud only.

        Raises:
            NotSupportedError: the server is another one.

        Cancellation:
            It may be shown there or not.
        """
        return await self._call(_rpcs.FORWARD_PARTICIPANT, request, fields)

    async def move_participant(
        self, request: MoveParticipantRequest | None = None, /, **fields: Unpack[MoveParticipantFields]
    ) -> MoveParticipantResponse:
        """Move a participant to another room. For LiveKit Cloud only.

        Raises:
            NotSupportedError: the server is another one.

        Cancellation:
            It may be here or there.
        """
        return await self._call(_rpcs.MOVE_PARTICIPANT, request, fields)

    async def mute_published_track(
        self, request: MuteRoomTrackRequest | None = None, /, **fields: Unpack[MuteRoomTrackFields]
    ) -> MuteRoomTrackResponse:
        """Mute a participant's track, or unmute it.

        Raises:
            RemoteUnmuteDisabledError: the server does not let anybody unmute the tracks of others.

        Cancellation:
            It may be muted or not.
        """
        return await self._call(_rpcs.MUTE_PUBLISHED_TRACK, request, fields)

    async def update_participant(
        self, request: UpdateParticipantRequest | None = None, /, **fields: Unpack[UpdateParticipantFields]
    ) -> ParticipantInfo:
        """Change a participant's metadata, name, attributes or permissions.

        Args:
            request: the request; or its fields: an empty ``metadata`` or ``name`` changes nothing, ``attributes`` are merged (an
                empty value removes one), ``permission`` replaces all permissions.

        Cancellation:
            The change may take place or not.
        """
        return await self._call(_rpcs.UPDATE_PARTICIPANT, request, fields)

    async def update_subscriptions(
        self, request: UpdateSubscriptionsRequest | None = None, /, **fields: Unpack[UpdateSubscriptionsFields]
    ) -> UpdateSubscriptionsResponse:
        """Subscribe a participant to tracks of others, or unsubscribe it.

        Cancellation:
            The change may take place or not.
        """
        return await self._call(_rpcs.UPDATE_SUBSCRIPTIONS, request, fields)

    async def send_data(
        self, request: SendDataRequest | None = None, /, **fields: Unpack[SendDataFields]
    ) -> SendDataResponse:
        """Send a data packet to everybody in a room, or to some.

        Args:
            request: the request; or its fields. Without a ``nonce`` it gets one; by it those who receive the packet twice know
                that.

        Cancellation:
            The packet may be sent or not.
        """
        return await self._call(_rpcs.SEND_DATA, request, fields)

    async def perform_rpc(
        self, request: PerformRpcRequest | None = None, /, **fields: Unpack[PerformRpcFields]
    ) -> PerformRpcResponse:
        """Call a method that a participant has registered, and wait for its answer.

        Args:
            request: the request; or its fields: ``response_timeout_ms`` is how long the server waits for the participant. The
                client's own timeout should be longer.

        Cancellation:
            The method may be called or not; its answer is lost.
        """
        return await self._call(_rpcs.PERFORM_RPC, request, fields)
