"""A few calls of the server API, for tests of rooms: raw JSON over Twirp, with a token that may do everything.

A test aid, not a client: programs use the server API of `livekit_trio.api`. It speaks HTTP by hand, because a cancelled
httpx request leaves async generators behind, about which Trio warns, and tests turn warnings into errors.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
from typing_extensions import override

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

    @override
    def __str__(self) -> str:
        return f"{self.method}: {self.status} {self.code}: {self.message}"


class RoomAdmin:
    """The room service of one server, as far as tests of rooms need it.

    What each call raises stands at `call_room_service`.
    """

    def __init__(self, http_url: str, api_key: str, api_secret: str) -> None:
        self.http_url = http_url
        self.api_key = api_key
        self.api_secret = api_secret

    async def list_participants(self, room: str) -> list[dict[str, Any]]:
        """Who is in the room, each a ``ParticipantInfo`` as JSON with snake_case names. Nobody, if there is no such room.

        Cancellation:
            Changes nothing.
        """
        try:
            response = await self.call_room_service("ListParticipants", {"room": room})
        except AdminCallError as error:
            if error.code != "not_found":
                raise
            return []  # noqa: ASYNC910 - the refused call was one
        return response["participants"]

    async def delete_room(self, room: str) -> None:
        """Close the room; everybody in it is disconnected with ROOM_DELETED.

        Cancellation:
            It may be deleted or not.
        """
        await self.call_room_service("DeleteRoom", {"room": room})

    async def remove_participant(self, room: str, identity: str) -> None:
        """Disconnect a participant with PARTICIPANT_REMOVED. Its token stays valid.

        Cancellation:
            It may be removed or not.
        """
        await self.call_room_service("RemoveParticipant", {"room": room, "identity": identity})

    async def update_participant(self, room: str, identity: str, **changes: object) -> None:
        """Change a participant.

        Args:
            room: the room's name.
            identity: whom to change.
            changes: fields of ``UpdateParticipantRequest``: metadata, name, attributes, permission (a mapping).

        Cancellation:
            The change may take place or not.
        """
        await self.call_room_service("UpdateParticipant", {"room": room, "identity": identity, **changes})

    async def mute_track(self, room: str, identity: str, track_sid: str, *, muted: bool = True) -> None:
        """Mute a track. To unmute one the server needs ``settings={"room": {"enable_remote_unmute": True}}``.

        Cancellation:
            It may be muted or not.
        """
        request = {"room": room, "identity": identity, "track_sid": track_sid, "muted": muted}
        await self.call_room_service("MutePublishedTrack", request)

    async def call_room_service(self, method: str, request: Mapping[str, object]) -> dict[str, Any]:
        """Call any method of ``livekit.RoomService``, such as ``UpdateRoomMetadata`` or ``SendData`` (bytes as base64).

        Raises:
            AdminCallError: the server refused.
            OSError: nothing listens there.
            anyio.BrokenResourceError: the server hung up.

        Cancellation:
            The server may have carried it out or not.
        """
        grants = api.VideoGrants(
            room_create=True, room_list=True, room_admin=True, room=str(request.get("room", "")), destination_room="*"
        )
        token = api.AccessToken(self.api_key, self.api_secret).with_grants(grants).to_jwt()
        status, body = await _post(f"{self.http_url}/twirp/livekit.RoomService/{method}", token, json.dumps(request))
        if status == 200:
            return json.loads(body)
        raise _refusal(method, status, body)


async def _post(url: str, token: str, body: str) -> tuple[int, str]:
    """Send a JSON request and return the status and the body of the response."""
    address = urlsplit(url)
    # HTTP/1.0: the response is not chunked, and ends where the connection does.
    request = (
        f"POST {address.path} HTTP/1.0\r\nHost: {address.netloc}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}"
    )
    response = b""
    async with await anyio.connect_tcp(str(address.hostname), address.port or 80) as stream:
        await stream.send(request.encode())
        async for chunk in stream:
            response += chunk
    head, end_of_head, answer = response.partition(b"\r\n\r\n")
    if not end_of_head:
        raise anyio.BrokenResourceError
    return int(head.split(maxsplit=2)[1]), answer.decode()


def _refusal(method: str, status: int, body: str) -> AdminCallError:
    try:
        error: dict[str, str] = json.loads(body)
    except ValueError:  # not from a Twirp handler: authentication answers in plain text
        error = {"code": "", "msg": body}
    return AdminCallError(method, status, error["code"], error["msg"])
