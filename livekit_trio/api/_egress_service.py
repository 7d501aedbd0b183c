"""The egress service: recordings and streams out of rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from . import _rpcs
from ._service import Service

if TYPE_CHECKING:
    from livekit.protocol.egress import (
        EgressInfo,
        ListEgressRequest,
        ListEgressResponse,
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
    from typing_extensions import Unpack

    from ._fields import (
        ListEgressFields,
        ParticipantEgressFields,
        RoomCompositeEgressFields,
        StartEgressFields,
        StopEgressFields,
        TrackCompositeEgressFields,
        TrackEgressFields,
        UpdateLayoutFields,
        UpdateStreamFields,
        WebEgressFields,
    )


@final
class EgressService(Service):
    """Recordings and streams out of rooms: `LiveKitAPI.egress`.

    Starting one takes 20 s and longer if no egress worker runs, and then fails: give the client more time.

    Each call takes its request as a message or as the message's fields by keyword, and leaves a message as it is. Each raises
    `ServerError` if the server refuses or fails, and `TransportError` if no valid answer comes.
    """

    __slots__ = ()

    async def start_room_composite_egress(
        self, request: RoomCompositeEgressRequest | None = None, /, **fields: Unpack[RoomCompositeEgressFields]
    ) -> EgressInfo:
        """Record a room as a page in a browser shows it.

        Cancellation:
            It may be started or not; `list_egress` tells.
        """
        return await self._call(_rpcs.START_ROOM_COMPOSITE_EGRESS, request, fields)

    async def start_web_egress(
        self, request: WebEgressRequest | None = None, /, **fields: Unpack[WebEgressFields]
    ) -> EgressInfo:
        """Record any web page.

        Cancellation:
            It may be started or not; `list_egress` tells.
        """
        return await self._call(_rpcs.START_WEB_EGRESS, request, fields)

    async def start_participant_egress(
        self, request: ParticipantEgressRequest | None = None, /, **fields: Unpack[ParticipantEgressFields]
    ) -> EgressInfo:
        """Record a participant: its camera and microphone, or what it shares.

        Cancellation:
            It may be started or not; `list_egress` tells.
        """
        return await self._call(_rpcs.START_PARTICIPANT_EGRESS, request, fields)

    async def start_track_composite_egress(
        self, request: TrackCompositeEgressRequest | None = None, /, **fields: Unpack[TrackCompositeEgressFields]
    ) -> EgressInfo:
        """Record one audio track and one video track together.

        Cancellation:
            It may be started or not; `list_egress` tells.
        """
        return await self._call(_rpcs.START_TRACK_COMPOSITE_EGRESS, request, fields)

    async def start_track_egress(
        self, request: TrackEgressRequest | None = None, /, **fields: Unpack[TrackEgressFields]
    ) -> EgressInfo:
        """Record one track as it is, without transcoding it.

        Cancellation:
            It may be started or not; `list_egress` tells.
        """
        return await self._call(_rpcs.START_TRACK_EGRESS, request, fields)

    async def start_egress(
        self, request: StartEgressRequest | None = None, /, **fields: Unpack[StartEgressFields]
    ) -> EgressInfo:
        """Record whatever the request's source says, to what its outputs say: the newer form of all the others.

        Cancellation:
            It may be started or not; `list_egress` tells.
        """
        return await self._call(_rpcs.START_EGRESS, request, fields)

    async def update_layout(
        self, request: UpdateLayoutRequest | None = None, /, **fields: Unpack[UpdateLayoutFields]
    ) -> EgressInfo:
        """Change the layout of a room's recording.

        Cancellation:
            It may be changed or not.
        """
        return await self._call(_rpcs.UPDATE_LAYOUT, request, fields)

    async def update_stream(
        self, request: UpdateStreamRequest | None = None, /, **fields: Unpack[UpdateStreamFields]
    ) -> EgressInfo:
        """Add streams to what a recording is sent to, or remove some.

        Cancellation:
            They may be changed or not.
        """
        return await self._call(_rpcs.UPDATE_STREAM, request, fields)

    async def list_egress(
        self, request: ListEgressRequest | None = None, /, **fields: Unpack[ListEgressFields]
    ) -> ListEgressResponse:
        """List the recordings that run or have ended lately.

        Cancellation:
            Changes nothing.
        """
        return await self._call(_rpcs.LIST_EGRESS, request, fields)

    async def stop_egress(
        self, request: StopEgressRequest | None = None, /, **fields: Unpack[StopEgressFields]
    ) -> EgressInfo:
        """End a recording.

        Cancellation:
            It may end or go on.
        """
        return await self._call(_rpcs.STOP_EGRESS, request, fields)
