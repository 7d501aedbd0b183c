"""The client against a real server: the calls as a program makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
import httpx
import pytest
from livekit.protocol.models import ParticipantPermission
from livekit.protocol.room import CreateRoomRequest

from livekit_trio.api import (
    LiveKitAPI,
    NotSupportedError,
    RemoteUnmuteDisabledError,
    ServerError,
    SyncLiveKitAPI,
    VideoGrants,
)
from livekit_trio.testing import open_server
from tests.api.calls import CALLS, TLS
from tests.api.redis_nodes import open_redis
from tests.peers.driver import open_official_peer
from tests.peers.reachable import UNSUPPORTED_METHOD, until_reachable

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

pytestmark = pytest.mark.anyio

WHO: Final = "guest"


def client_of(server: DevServer) -> LiveKitAPI:
    return LiveKitAPI(server.url, server.api_key, server.api_secret, tls=TLS, timeout=60)


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


async def test_a_participant_is_moderated(server: DevServer, anyio_backend_name: str) -> None:
    room = f"api-moderated-{anyio_backend_name}"
    who: Any = {"room": room, "identity": WHO}
    async with client_of(server) as lkapi, open_official_peer() as peer:
        await peer.ask("join", url=server.url, token=server.token(WHO, room))
        await until_reachable(server, room, WHO)
        with pytest.raises(ServerError) as refused:
            await lkapi.room.perform_rpc(room=room, destination_identity=WHO, method="turn")
        assert UNSUPPORTED_METHOD in str(refused.value)
        await peer.ask("serve_rpc", method="turn")
        answer = await lkapi.room.perform_rpc(room=room, destination_identity=WHO, method="turn", payload="abc")
        assert answer.payload == "cba"
        await lkapi.room.send_data(room=room, data=b"hello", topic="greetings", destination_identities=[WHO])
        assert (await peer.wait_for("data_received"))["data"] == "hello"

        track = await peer.ask("publish_audio")
        muted = await lkapi.room.mute_published_track(**who, track_sid=track, muted=True)
        assert muted.track.muted
        with pytest.raises(RemoteUnmuteDisabledError):
            await lkapi.room.mute_published_track(**who, track_sid=track, muted=False)
        for call in (lkapi.room.forward_participant, lkapi.room.move_participant):
            with pytest.raises(NotSupportedError):
                await call(**who, destination_room="elsewhere")

        changed = await lkapi.room.update_participant(
            **who, name="Name", attributes={"key": "value"}, permission=ParticipantPermission(can_publish=False)
        )
        assert (changed.name, dict(changed.attributes), changed.permission.can_publish) == (
            "Name",
            {"key": "value"},
            False,
        )
        await lkapi.room.remove_participant(**who)
        await peer.wait_for("disconnected")


async def test_the_grants_of_a_dispatch_are_for_one_room(server: DevServer) -> None:
    """What the mock does not look at."""
    elsewhere = VideoGrants(room_admin=True, room="elsewhere")
    token = server.access_token().with_grants(elsewhere).to_jwt()
    async with LiveKitAPI.with_token(token, server.url, tls=TLS) as lkapi:
        for method in (method for method in CALLS if method.startswith("agent_dispatch.")):
            with pytest.raises(ServerError) as refused:
                await CALLS[method].make(lkapi, method)
            assert refused.value.status == 401


async def test_credentials_of_another_server(server: DevServer) -> None:
    for key, secret in ((server.api_key, "x" * 32), ("APIother", server.api_secret)):
        async with LiveKitAPI(server.url, key, secret, tls=TLS) as lkapi:
            with pytest.raises(ServerError) as refused:
                await lkapi.room.list_rooms()
        assert (refused.value.status, refused.value.code) == (401, "unauthenticated")
        assert refused.value.message != ""


async def test_a_client_that_was_given_stays_open(server: DevServer) -> None:
    async with httpx.AsyncClient(verify=TLS) as client:
        for _ in range(2):
            async with LiveKitAPI(server.url, server.api_key, server.api_secret, client=client) as lkapi:
                await lkapi.room.list_rooms()
        assert not client.is_closed


async def test_one_of_its_own_does_not(server: DevServer) -> None:
    async with client_of(server) as lkapi:
        await lkapi.room.list_rooms()
    assert lkapi._client.is_closed


async def test_in_a_thread_and_beside_a_running_loop(server: DevServer) -> None:
    with SyncLiveKitAPI(server.url, server.api_key, server.api_secret, tls=TLS) as lkapi:
        here = lkapi.room.list_rooms(names=["nobody"])  # blocks this loop
        async with anyio.create_task_group() as threads:
            for _ in range(20):
                threads.start_soon(anyio.to_thread.run_sync, lkapi.room.list_rooms)
    assert list(here.rooms) == []
    assert lkapi._client.is_closed


@pytest.mark.redis
async def test_trunks() -> None:
    """With the methods that livekit-api does not have."""
    async with open_redis() as redis, open_server(redis=redis) as server, client_of(server) as lkapi:
        made = await lkapi.sip.create_inbound_trunk(trunk={"name": "in", "numbers": ["+1"], "auth_username": "u"})
        got = await lkapi.sip.get_inbound_trunk(sip_trunk_id=made.sip_trunk_id)
        assert (got.trunk.name, list(got.trunk.numbers)) == ("in", ["+1"])
        cleared = await lkapi.sip.update_inbound_trunk_fields(made.sip_trunk_id, allowed_numbers=["+2"])
        assert list(cleared.allowed_numbers) == ["+2"]
        cleared = await lkapi.sip.update_inbound_trunk_fields(made.sip_trunk_id, allowed_numbers=[])
        assert list(cleared.allowed_numbers) == []
        out = await lkapi.sip.create_outbound_trunk(trunk={"name": "out", "address": "127.0.0.1", "numbers": ["+1"]})
        assert (await lkapi.sip.get_outbound_trunk(sip_trunk_id=out.sip_trunk_id)).trunk.address == "127.0.0.1"
        listed = (await lkapi.sip.list_trunk()).items
        assert {trunk.sip_trunk_id for trunk in listed} == {made.sip_trunk_id, out.sip_trunk_id}
        with pytest.raises(ServerError) as refused:
            await lkapi.sip.get_inbound_trunk(sip_trunk_id="ST_none")
        assert refused.value.code == "not_found"
