"""A few calls of the server API, for tests of rooms: raw JSON over Twirp, with a token that may do everything.

A test aid, not a client: programs use the server API of `livekit_trio.api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from .. import api
from .._errors import LiveKitError

if TYPE_CHECKING:
    from collections.abc import Mapping


class AdminCallError(LiveKitError):
    """The server refused a call.

    Attributes:
        method: the method of ``livekit.RoomService``.
        status: the HTTP status.
        code: Twirp's name for it, such as ``not_found``.
        message: the server's text.
    """

    def __init__(self, method: str, status: int, code: str, message: str) -> None:
        super().__init__(method, status, code, message)
        self.method = method
        self.status = status
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.method}: {self.status} {self.code}: {self.message}"


class RoomAdmin:
    """The room service of one server, as far as tests of rooms need it. Each call raises `AdminCallError`."""

    def __init__(self, http_url: str, api_key: str, api_secret: str) -> None:
        self.http_url = http_url
        self.api_key = api_key
        self.api_secret = api_secret

    async def list_participants(self, room: str) -> list[dict[str, Any]]:
        """Who is in the room, each a ``ParticipantInfo`` as JSON with snake_case names. Nobody, if there is no such room."""
        try:
            return (await self.call_room_service("ListParticipants", {"room": room}))["participants"]
        except AdminCallError as error:
            if error.code == "not_found":
                return []
            raise

    async def delete_room(self, room: str) -> None:
        """Close the room; everybody in it is disconnected with ROOM_DELETED."""
        await self.call_room_service("DeleteRoom", {"room": room})

    async def remove_participant(self, room: str, identity: str) -> None:
        """Disconnect a participant with PARTICIPANT_REMOVED. Its token stays valid."""
        await self.call_room_service("RemoveParticipant", {"room": room, "identity": identity})

    async def update_participant(self, room: str, identity: str, **changes: object) -> None:
        """Change a participant.

        Args:
            changes: fields of ``UpdateParticipantRequest``: metadata, name, attributes, permission (a mapping).
        """
        await self.call_room_service("UpdateParticipant", {"room": room, "identity": identity, **changes})

    async def mute_track(self, room: str, identity: str, track_sid: str, *, muted: bool = True) -> None:
        """Mute a track. To unmute one the server needs ``settings={"room": {"enable_remote_unmute": True}}``."""
        request = {"room": room, "identity": identity, "track_sid": track_sid, "muted": muted}
        await self.call_room_service("MutePublishedTrack", request)

    async def call_room_service(self, method: str, request: Mapping[str, object]) -> dict[str, Any]:
        """Call any method of ``livekit.RoomService``, such as ``UpdateRoomMetadata`` or ``SendData`` (bytes as base64).

        Raises:
            AdminCallError: the server refused.
            httpx.HTTPError: it did not answer.
        """
        grants = api.VideoGrants(
            room_create=True, room_list=True, room_admin=True, room=str(request.get("room", "")), destination_room="*"
        )
        token = api.AccessToken(self.api_key, self.api_secret).with_grants(grants).to_jwt()
        # trust_env=False: a proxy of the environment has no business with a loopback address.
        async with httpx.AsyncClient(base_url=self.http_url, trust_env=False, timeout=10) as client:
            response = await client.post(
                f"/twirp/livekit.RoomService/{method}", json=request, headers={"Authorization": f"Bearer {token}"}
            )
        if response.is_success:
            return response.json()
        raise _refusal(method, response)


def _refusal(method: str, response: httpx.Response) -> AdminCallError:
    try:
        body: dict[str, Any] = response.json()
    except ValueError:  # not from a Twirp handler: authentication answers in plain text
        body = {"code": "", "msg": response.text}
    return AdminCallError(method, response.status_code, body["code"], body["msg"])
