"""Connections that break and come back: afterwards we know what the server knows, by the objects that we had."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import anyio
import attrs
import pytest

from livekit_trio import rtc
from livekit_trio.rtc import SimulateScenarioKind as Kind
from livekit_trio.testing import DevServer, open_server
from tests.peers.listener import Listener, listen
from tests.peers.proxy import open_proxy
from tests.peers.tracks import publish_data_track, publish_silence

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

COME_BACK: Final = [
    Kind.SIMULATE_SIGNAL_RECONNECT,
    Kind.SIMULATE_NODE_FAILURE,
    Kind.SIMULATE_MIGRATION,
    Kind.SIMULATE_FORCE_TCP,
    Kind.SIMULATE_FULL_RECONNECT,
    Kind.SIMULATE_DISCONNECT_SIGNAL_ON_RESUME,
]
PATIENCE: Final = 60.0
"""Seconds. It takes some 10, and says where it stands when it takes longer."""
PERMISSIONS: Final = ("can_subscribe", "can_publish", "can_publish_data", "hidden", "can_update_metadata")


def what_we_know(room: rtc.Room) -> dict[str, Any]:
    return {
        who.identity: {
            "sid": who.sid,
            "name": who.name,
            "metadata": who.metadata,
            "attributes": dict(who.attributes),
            "permission": {name: getattr(who.permissions, name) for name in PERMISSIONS},
            "tracks": {sid: (track.name, track.muted) for sid, track in who.track_publications.items()},
        }
        for who in (room.local_participant, *room.remote_participants.values())
    }


async def what_the_server_knows(server: DevServer, room: str) -> dict[str, Any]:
    return {
        who["identity"]: {
            **{field: who[field] for field in ("sid", "name", "metadata", "attributes")},
            "permission": {name: who["permission"][name] for name in PERMISSIONS},
            "tracks": {track["sid"]: (track["name"], track["muted"]) for track in who["tracks"]},
        }
        for who in await server.list_participants(room)
    }


async def agree_with_server(server: DevServer, *rooms: rtc.Room) -> None:
    """Wait until each room's view is the server's; news may still be on their way."""
    ours: list[dict[str, Any]] = []
    theirs: dict[str, Any] = {}
    with anyio.move_on_after(10):
        while True:
            theirs = await what_the_server_knows(server, rooms[0].name)
            ours = [what_we_know(room) for room in rooms]
            if all(view == theirs for view in ours):
                break
            await anyio.sleep(0.05)
    assert ours == [theirs] * len(rooms)


@attrs.frozen
class Scene:
    """ann, who loses her connection, and bob, who stays. Both publish."""

    server: DevServer
    ann: rtc.Room
    bob: rtc.Room
    heard: Listener
    publication: rtc.LocalTrackPublication
    of_bob: rtc.RemoteTrackPublication

    async def say_something(self) -> None:
        """Data goes both ways, and tracks arrive."""
        for source, target in ((self.ann, self.bob), (self.bob, self.ann)):
            with target.open_events(rtc.DataReceived) as events, anyio.fail_after(5):
                await source.local_participant.publish_data("hello")
                assert (await events.receive()).sender is target.remote_participants[source.local_participant.identity]
        with anyio.fail_after(10):
            for room in (self.ann, self.bob):
                await room.wait_until(lambda room=room: all(track.subscribed for track in tracks_of_others(room)))


def tracks_of_others(room: rtc.Room) -> list[rtc.RemoteTrackPublication]:
    return [track for who in room.remote_participants.values() for track in who.track_publications.values()]


@asynccontextmanager
async def open_scene(server: DevServer, name: str, url: str = "") -> AsyncGenerator[Scene]:
    grants = {"can_update_own_metadata": True}
    async with (
        rtc.open_room(server.url, server.token("bob", name, **grants)) as bob,
        rtc.open_room(url or server.url, server.token("ann", name, **grants)) as ann,
    ):
        with listen(ann) as heard:
            await publish_silence(bob, "of bob")
            await publish_data_track(bob, "of bob")
            publication = await publish_silence(ann, "of ann")
            of_bob = (await ann.wait_for(rtc.TrackSubscribed, include_existing=True)).publication
            await bob.wait_for(rtc.TrackSubscribed, include_existing=True)
            await bob.local_participant.set_attributes({"role": "stays"})
            seen = ann.remote_participants["bob"]
            await ann.wait_until(lambda: seen.attributes and seen.data_tracks)
            yield Scene(server, ann, bob, heard, publication, of_bob)


@asynccontextmanager
async def same_afterwards(scene: Scene) -> AsyncGenerator[None]:
    """What the block breaks comes back: the objects are the same, nobody seems to have left, what waited still waits."""
    ann, me, bob = scene.ann, scene.ann.local_participant, scene.ann.remote_participants["bob"]
    [data_track] = bob.data_tracks.values()
    waited: list[object] = []

    async def wait_for_carol() -> None:
        waited.append(await ann.wait_for_participant("carol"))

    async def rename_meanwhile() -> None:
        await ann.wait_for(rtc.Reconnecting)
        with anyio.fail_after(6):
            try:
                await me.set_name("Ann")
            except rtc.UpdateError as error:  # the reconnect has swallowed it
                waited.append(error)
            else:
                waited.append(me.name)

    async with anyio.create_task_group() as group:
        group.start_soon(wait_for_carol)
        group.start_soon(rename_meanwhile)
        await anyio.wait_all_tasks_blocked()
        yield
        await scene.heard.hear(rtc.Reconnected)
        assert ann.connection_state == rtc.ConnectionState.CONN_CONNECTED
        await agree_with_server(scene.server, ann, scene.bob)
        assert ann.local_participant is me
        assert me.track_publications == {scene.publication.sid: scene.publication}
        assert ann.remote_participants == {"bob": bob}
        assert bob.track_publications == {scene.of_bob.sid: scene.of_bob}
        assert bob.data_tracks == {data_track.sid: data_track}
        left = [event for event in scene.heard.heard if isinstance(event, rtc.ParticipantDisconnected)]
        assert left == []
        await scene.say_something()
        await me.set_attributes({"back": "yes"})
        await agree_with_server(scene.server, ann, scene.bob)
        async with rtc.open_room(scene.server.url, scene.server.token("carol", ann.name)) as carol:
            await publish_silence(carol)  # so that the server tells of her at once
            with anyio.fail_after(7):
                await ann.wait_until(lambda: len(waited) == 2)
        assert ann.get_participant("carol") in (*waited, None)
    renamed = [outcome for outcome in waited if not isinstance(outcome, rtc.RemoteParticipant)]
    assert renamed == ["Ann"] or isinstance(renamed[0], rtc.UpdateError)


async def test_scenarios_that_come_back(server: DevServer, room_name: str) -> None:
    """All of them side by side, each in a room of its own."""

    async def act_out(kind: Kind) -> None:
        try:
            with anyio.fail_after(PATIENCE):
                await come_back(kind)
        except BaseException as error:
            error.add_note(kind.name)
            raise

    async def come_back(kind: Kind) -> None:
        async with open_scene(server, f"{room_name}-{kind.name}") as scene, same_afterwards(scene):
            await scene.ann.simulate_scenario(kind)
            begin = anyio.current_time()
            await scene.heard.hear(rtc.Reconnecting)
            await scene.ann.wait_until(lambda: scene.ann.connection_state == rtc.ConnectionState.CONN_CONNECTED)
            print(f"{kind.name}: back after {anyio.current_time() - begin:.1f} s")  # noqa: T201
            assert anyio.current_time() - begin < 10

    async with anyio.create_task_group() as group:
        for kind in COME_BACK:
            group.start_soon(act_out, kind)


async def test_a_signal_cut_of_3_seconds(server: DevServer, room_name: str) -> None:
    async with (
        open_proxy(server.url) as proxy,
        open_scene(server, room_name, proxy.url) as scene,
        same_afterwards(scene),
    ):
        async with proxy.cut():
            await scene.heard.hear(rtc.Reconnecting)
            await anyio.sleep(3)


@pytest.mark.parametrize("auto_subscribe", [True, False])
async def test_wishes_outlive_a_full_reconnect(server: DevServer, room_name: str, auto_subscribe: bool) -> None:
    options = rtc.RoomOptions(auto_subscribe=auto_subscribe)
    async with (
        rtc.open_room(server.url, server.token("bob", room_name)) as bob,
        rtc.open_room(server.url, server.token("ann", room_name), options=options) as ann,
    ):
        names = ("wanted", "unwanted")
        for name in names:
            await publish_silence(bob, name)
        await ann.wait_until(lambda: len(tracks_of_others(ann)) == len(names))
        wanted, unwanted = sorted(tracks_of_others(ann), key=lambda publication: names.index(publication.name))
        wanted.set_subscribed(True)
        unwanted.set_subscribed(False)
        with anyio.fail_after(10):
            await ann.wait_until(lambda: wanted.subscribed and not unwanted.subscribed)
        with listen(ann) as heard:
            await ann.simulate_scenario(Kind.SIMULATE_FULL_RECONNECT)
            await heard.hear(rtc.Reconnected)
            with anyio.fail_after(5):
                await ann.wait_until(lambda: wanted.subscribed)
            # A younger track has come when what the server does for everybody who comes back is done.
            await publish_silence(bob, "late")
            late = (await heard.hear(rtc.TrackPublished, lambda event: event.publication.name == "late")).publication
            await late.subscribe()
            with anyio.fail_after(5):
                await ann.wait_until(lambda: not unwanted.subscribed)
            assert (wanted.is_desired, unwanted.is_desired) == (True, False)
            assert set(tracks_of_others(ann)) == {wanted, unwanted, late}
            assert await unwanted.subscribe() is unwanted.track


async def test_the_server_dies_and_comes_back() -> None:
    """Everybody has to find back by themselves: what stays the same is what is ours."""
    async with open_server() as server, open_scene(server, "room") as scene:
        me, sids = scene.ann.local_participant, (scene.ann.sid, scene.publication.sid)
        server.process.kill()
        await scene.heard.hear(rtc.Reconnecting)
        await server.restart()
        for room in (scene.ann, scene.bob):
            with anyio.fail_after(20):
                await room.wait_until(lambda room=room: room.connection_state == rtc.ConnectionState.CONN_CONNECTED)
        await scene.heard.hear(rtc.LocalTrackRepublished)
        await scene.heard.hear(rtc.Reconnected)
        for room in (scene.ann, scene.bob):
            await room.wait_until(lambda room=room: len(room.remote_participants) == 1 and tracks_of_others(room))
        await agree_with_server(server, scene.ann, scene.bob)
        assert scene.ann.local_participant is me
        assert me.track_publications == {scene.publication.sid: scene.publication}
        assert (scene.ann.sid, scene.publication.sid) != sids
        assert scene.ann.sid == scene.bob.sid
        await scene.say_something()
        await me.set_name("Ann")
        await agree_with_server(server, scene.ann, scene.bob)


async def test_no_way_back(server: DevServer, room_name: str) -> None:
    """FORCE_TLS wants TURN over TLS, which this server does not have. One can leave meanwhile."""
    async with open_scene(server, room_name) as scene:
        await scene.ann.simulate_scenario(Kind.SIMULATE_FORCE_TLS)
        await scene.heard.hear(rtc.Reconnecting)
        with anyio.move_on_after(4):
            await scene.heard.hear(rtc.Reconnected)
            pytest.fail("it found a way")
        assert scene.ann.connected
        with anyio.fail_after(3):
            await scene.ann.disconnect()
        assert scene.ann.disconnect_reason == rtc.DisconnectReason.CLIENT_INITIATED


async def test_the_server_sends_us_away(server: DevServer, room_name: str) -> None:
    async with open_scene(server, room_name) as scene:
        with suppress(rtc.RoomClosedError):  # the farewell may come before the answer
            await scene.ann.simulate_scenario(Kind.SIMULATE_SERVER_LEAVE)
        with anyio.fail_after(5):
            assert await scene.ann.wait_closed() == rtc.DisconnectReason.SERVER_SHUTDOWN
        assert not {rtc.Reconnecting, rtc.Reconnected} & scene.heard.classes()


async def test_a_simulated_speaker_breaks_nothing(server: DevServer, room_name: str) -> None:
    async with open_scene(server, room_name) as scene:
        await scene.ann.simulate_scenario(Kind.SIMULATE_SPEAKER)
        assert (await scene.heard.hear(rtc.ActiveSpeakersChanged)).speakers == (scene.ann.local_participant,)
        assert scene.ann.local_participant.is_speaking
        await scene.say_something()
        assert not {rtc.Reconnecting, rtc.Reconnected} & scene.heard.classes()
