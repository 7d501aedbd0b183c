"""The client against a real server: the calls as a program makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from livekit.protocol.room import CreateRoomRequest

from livekit_trio.api import LiveKitAPI, ServerError

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

pytestmark = pytest.mark.anyio


def client_of(server: DevServer) -> LiveKitAPI:
    return LiveKitAPI(server.url, server.api_key, server.api_secret)


async def test_a_room_comes_is_changed_and_goes(server: DevServer, anyio_backend_name: str) -> None:
    name = f"api-{anyio_backend_name}"
    async with client_of(server) as lkapi:
        room = await lkapi.room.create_room(name=name, empty_timeout=60, metadata="old")
        assert (room.name, room.empty_timeout, room.metadata) == (name, 60, "old")
        assert await lkapi.room.create_room(CreateRoomRequest(name=name, metadata="ignored")) == room
        changed = await lkapi.room.update_room_metadata(room=name, metadata="new")
        assert changed.metadata == "new"
        [listed] = (await lkapi.room.list_rooms(names=[name])).rooms
        assert (listed.sid, listed.metadata) == (room.sid, "new")
        assert list((await lkapi.room.list_participants(room=name)).participants) == []
        await lkapi.room.delete_room(room=name)
        assert list((await lkapi.room.list_rooms(names=[name])).rooms) == []
        with pytest.raises(ServerError) as refused:
            await lkapi.room.get_participant(room=name, identity="nobody")
    assert (refused.value.code, refused.value.status) == ("not_found", 404)
