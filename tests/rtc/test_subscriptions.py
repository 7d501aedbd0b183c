"""Choosing what to receive of others' tracks, and who may receive ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.lowlevel
import pytest

from livekit_trio import rtc
from livekit_trio.testing._fake_library import FakeLibrary
from livekit_trio.testing._fake_room import FakeParticipant, FakeTrack
from tests.peers.listener import listen
from tests.peers.media import wait_for_more_media, wait_for_silence
from tests.peers.tracks import publish_silence

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from tests.peers.driver import OfficialPeer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

BY_HAND: Final = rtc.RoomOptions(auto_subscribe=False)


def join(server: DevServer, room: str, **grants: Any) -> Any:
    return rtc.open_room(server.url, server.token("ann", room, **grants), options=BY_HAND)


async def publish_tone(server: DevServer, room: str, peer: OfficialPeer) -> str:
    """Let bob join and play a tone; returns the track's SID."""
    await peer.ask("join", url=server.url, token=server.token("bob", room))
    return await peer.ask("publish_audio")


async def only_publication(room: rtc.Room) -> rtc.RemoteTrackPublication:
    """What bob publishes. The server tells of it when its media has arrived."""
    with anyio.fail_after(5):
        published = await room.wait_for(rtc.TrackPublished, include_existing=True)
    assert published.participant.identity == "bob"
    return published.publication


async def test_wishes(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    sid = await publish_tone(server, room_name, peer)
    async with join(server, room_name) as room:
        with listen(room) as heard:
            publication = await only_publication(room)
            assert publication.sid == sid
            assert (publication.is_desired, publication.subscribed, publication.track) == (False, False, None)
            publication.set_subscribed(True)
            assert publication.is_desired
            track = (await heard.hear(rtc.TrackSubscribed)).track
            assert publication.subscribed
            assert publication.track is track
            assert await publication.subscribe() is track
            await wait_for_more_media(room, track)
            publication.set_subscribed(False)
            assert not publication.is_desired
            assert (await heard.hear(rtc.TrackUnsubscribed)).track is track
            assert (publication.subscribed, publication.track, track.ended) == (False, None, True)
            again = await publication.subscribe()
            assert again is not track
            assert again is publication.track
            assert publication.is_desired
            await wait_for_more_media(room, again)
            subscribed = [event for event in heard.heard if isinstance(event, rtc.TrackSubscribed)]
            assert len(subscribed) == 1


async def test_two_subscribe_at_once(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    await publish_tone(server, room_name, peer)
    tracks: list[rtc.RemoteTrack] = []
    async with join(server, room_name) as room:
        publication = await only_publication(room)

        async def subscribe() -> None:
            tracks.append(await publication.subscribe())

        async with anyio.create_task_group() as group:
            group.start_soon(subscribe)
            group.start_soon(subscribe)
        assert tracks == [publication.track] * 2


async def test_a_cancelled_subscribe_takes_its_wish_back(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    await publish_tone(server, room_name, peer)
    await peer.ask("allow", identities=[])
    async with join(server, room_name) as room:
        with listen(room) as heard:
            publication = await only_publication(room)
            with anyio.move_on_after(0.05):
                await publication.subscribe()
            assert not publication.is_desired
            # Were the wish still there, this would fulfil it, for good; that of the second track is younger.
            await peer.ask("allow", identities=None)
            await peer.ask("publish_video")
            # Of the first one too we may have been told after we joined.
            video = (await heard.hear(rtc.TrackPublished, lambda told: told.publication is not publication)).publication
            await video.subscribe()
            with anyio.fail_after(10):  # the server may hear of the permission before it hears of our change of mind
                await room.wait_until(lambda: publication.track is None)
            await publication.subscribe()
            assert publication.track is not None


async def test_each_wish_is_sent_and_each_taken_back() -> None:
    fake = FakeLibrary()
    native = fake.room(participants=[FakeParticipant("bob", (FakeTrack("TR_1"),))])

    def wishes() -> list[bool]:
        return [request.message.subscribe for request in fake.requested("set_subscribed")]

    with fake.installed():
        async with rtc.open_room("ws://fake", "token", options=BY_HAND) as room, anyio.create_task_group() as group:
            publication = await only_publication(room)
            first, second = anyio.CancelScope(), anyio.CancelScope()

            async def subscribe(scope: anyio.CancelScope) -> None:
                with scope:
                    await publication.subscribe()

            group.start_soon(subscribe, first)
            group.start_soon(subscribe, second)
            await anyio.wait_all_tasks_blocked()
            first.cancel()
            await anyio.wait_all_tasks_blocked()
            assert wishes() == [True, True]
            assert publication.is_desired
            second.cancel()
            await anyio.wait_all_tasks_blocked()
            assert wishes() == [True, True, False]
            assert not publication.is_desired
            publication.set_subscribed(True)
            with anyio.CancelScope() as scope:
                group.start_soon(anyio.lowlevel.checkpoint)
                scope.cancel()
                await publication.subscribe()
            assert publication.is_desired
            assert wishes() == [True, True, False, True]
            track = {"info": {"sid": "TR_1", "name": "", "kind": 1}}
            native.emit(track_subscribed={"participant_identity": "bob", "track": track})
            await room.wait_until(lambda: publication.track)
            assert (await publication.subscribe()).sid == "TR_1"
            assert wishes() == [True, True, False, True]
    fake.check()


async def test_nobody_lets_us(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    """Neither the server nor the native library says so; an error comes all the same, within 6 s."""
    await publish_tone(server, room_name, peer)
    await peer.ask("allow", identities=[])

    async def be_refused(identity: str, *, can_subscribe: bool) -> None:
        token = server.token(identity, room_name, can_subscribe=can_subscribe)
        async with rtc.open_room(server.url, token, options=BY_HAND) as room:
            publication = await only_publication(room)
            with anyio.fail_after(6), pytest.raises(rtc.SubscribeError) as caught:
                await publication.subscribe()
            assert caught.value.track_sid == publication.sid
            assert not publication.is_desired
            await room.local_participant.publish_data("the room goes on", topic=identity)

    async with anyio.create_task_group() as group:
        group.start_soon(lambda: be_refused("ann", can_subscribe=True))
        group.start_soon(lambda: be_refused("carol", can_subscribe=False))
    for topic in ("ann", "carol"):
        await peer.wait_for("data_received", topic=topic)


async def test_nothing_is_there_any_more(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    sid = await publish_tone(server, room_name, peer)
    async with join(server, room_name) as room:
        publication = await only_publication(room)
        with listen(room) as heard:
            await peer.ask("unpublish", sid=sid)
            await heard.hear(rtc.TrackUnpublished)
        with pytest.raises(rtc.SubscribeError, match="unpublished"):
            await publication.subscribe()
        with pytest.raises(rtc.SubscribeError, match="unpublished"):
            publication.set_subscribed(True)
        for change in (lambda: publication.set_enabled(False), lambda: publication.set_enabled(True)):
            with pytest.raises(rtc.SubscribeError, match="unpublished"):
                change()
        await room.disconnect()
        with pytest.raises(rtc.RoomClosedError):
            await publication.subscribe()
        with pytest.raises(rtc.RoomClosedError):
            publication.set_subscribed(True)


async def test_unpublished_while_subscribing(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    sid = await publish_tone(server, room_name, peer)
    await peer.ask("allow", identities=[])
    async with join(server, room_name) as room, anyio.create_task_group() as group:
        publication = await only_publication(room)
        ended: list[rtc.SubscribeError] = []

        async def subscribe() -> None:
            with pytest.raises(rtc.SubscribeError, match="unpublished") as caught:
                await publication.subscribe()
            ended.append(caught.value)

        group.start_soon(subscribe)
        await anyio.wait_all_tasks_blocked()
        await peer.ask("unpublish", sid=sid)
        with anyio.fail_after(4):
            await room.wait_until(lambda: ended)


async def test_disabled_media_stops_and_comes_back(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    await publish_tone(server, room_name, peer)
    async with join(server, room_name) as room:
        publication = await only_publication(room)
        with pytest.raises(rtc.SubscribeError, match="not subscribed"):
            publication.set_enabled(False)
        track = await publication.subscribe()
        await wait_for_more_media(room, track)
        publication.set_enabled(False)
        assert (publication.is_enabled, publication.subscribed) == (False, True)
        await wait_for_silence(room, track)
        assert publication.track is track
        publication.set_enabled(True)
        assert publication.is_enabled
        await wait_for_more_media(room, track)


async def test_what_cannot_be_asked_of_a_publication(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    await publish_tone(server, room_name, peer)
    await peer.ask("publish_video", name="plain", width=320, height=180, simulcast=False)
    async with join(server, room_name) as room:

        def publications() -> tuple[rtc.RemoteTrackPublication, ...]:
            return tuple(room.remote_participants["bob"].track_publications.values())

        await room.wait_until(lambda: len(publications()) == 2)
        [audio] = [publication for publication in publications() if publication.kind == rtc.TrackKind.KIND_AUDIO]
        [video] = [publication for publication in publications() if publication.kind == rtc.TrackKind.KIND_VIDEO]
        with pytest.raises(ValueError, match="video"):
            audio.set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_LOW)
        with pytest.raises(ValueError, match="video"):
            audio.set_video_dimensions(1, 1)
        assert not video.simulcasted
        with pytest.raises(ValueError, match="simulcast"):
            video.set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_LOW)
        for width, height in ((0, 1), (1, 0), (-1, 1), (1 << 16, 1)):
            with pytest.raises(ValueError, match="pixels"):
                video.set_video_dimensions(width, height)


async def test_who_may_subscribe_to_us(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    async with rtc.open_room(server.url, server.token("ann", room_name)) as room:
        me = room.local_participant
        me.set_track_subscription_permissions(allow_all_participants=False)
        await peer.ask("join", url=server.url, token=server.token("bob", room_name))
        publication = await publish_silence(room)
        permission = rtc.ParticipantTrackPermission(participant_identity="carol", allow_all=True)
        me.set_track_subscription_permissions(allow_all_participants=False, participant_permissions=[permission])
        async with rtc.open_room(server.url, server.token("carol", room_name)) as other:
            await other.wait_for(rtc.TrackSubscribed, include_existing=True)
            await publication.wait_for_subscription()
        # bob has seen the offer, and that is all.
        assert (await peer.ask("look"))["ann"]["tracks"] == {publication.sid: "silence"}
        assert not [line for line in peer.events if line["event"] == "track_subscribed"]
        permission = rtc.ParticipantTrackPermission(participant_identity="bob", allowed_track_sids=[publication.sid])
        me.set_track_subscription_permissions(allow_all_participants=False, participant_permissions=[permission])
        await peer.wait_for("track_subscribed", identity="ann", sid=publication.sid)


@pytest.mark.parametrize("auto_subscribe", [True, False])
async def test_a_reconnect_repeats_what_is_not_usual(auto_subscribe: bool) -> None:
    """What is asked for while reconnecting is lost natively. A pending `subscribe` is a wish too."""
    fake = FakeLibrary()
    tracks = tuple(FakeTrack(f"TR_{name}", name) for name in ("usual", "other", "awaited"))
    bob = FakeParticipant("bob", tracks)
    native = fake.room(participants=[bob])

    def wishes() -> list[bool]:
        """Since the last call."""
        requests = [request.message.subscribe for request in fake.requested("set_subscribed")]
        fake.requests.clear()
        return requests

    def subscribed(name: str) -> None:
        track = {"info": {"sid": f"TR_{name}", "name": name, "kind": 1}}
        native.emit(track_subscribed={"participant_identity": "bob", "track": track})

    options = rtc.RoomOptions(auto_subscribe=auto_subscribe)
    with fake.installed():
        async with rtc.open_room("ws://fake", "token", options=options) as room, anyio.create_task_group() as group:
            publications = {track.name: track for track in room.remote_participants["bob"].track_publications.values()}
            publications["other"].set_subscribed(not auto_subscribe)
            publications["awaited"].set_subscribed(False)
            await anyio.wait_all_tasks_blocked()
            assert wishes() == [not auto_subscribe, False]
            native.emit(reconnecting={})
            for track in tracks:
                fields = {"participant_identity": "bob", "publication_sid": track.sid}
                native.emit(track_unpublished=fields)
                native.emit(track_published={"participant_identity": "bob", "publication": {"info": track.info()}})
            await room.wait_for_participant("bob")
            assert wishes() == []
            group.start_soon(publications["awaited"].subscribe)
            await anyio.wait_all_tasks_blocked()
            assert wishes() == [True]
            native.emit(reconnected={})
            await room.wait_until(lambda: fake.requests)
            assert wishes() == ([False] if auto_subscribe else [True, True])
            # The server subscribes everybody who comes to everything, if they want that in general. The others decline it.
            for name in publications:
                subscribed(name)
            await room.wait_until(lambda: all(publication.subscribed for publication in publications.values()))
            assert wishes() == [False]
    fake.check()
