"""Publishing on a real server: what the room and the others see, refusals with their reasons, and cancelling."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.testing import assert_idle
from livekit_trio.testing._fake_library import FakeLibrary
from tests.cancelling import SCOPE, TASK, cancel_at, ways
from tests.media.rooms import joined, remote_audio

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

MICROPHONE: Final = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)


def new_track(name: str = "mic") -> rtc.LocalAudioTrack:
    return rtc.LocalAudioTrack.create_audio_track(name, rtc.AudioSource(48_000, 1))


async def published_on_the_server(server: DevServer, room_name: str, identity: str) -> set[str]:
    """The SIDs of what the server says that somebody publishes."""
    participants = await server.list_participants(room_name)
    return {track["sid"] for one in participants if one["identity"] == identity for track in one.get("tracks", ())}


# ---- what it does


async def test_a_track_is_published_withdrawn_and_published_again(server: DevServer, room_name: str) -> None:
    async with joined(server, room_name, "ann", "bob") as (ann, bob):
        me = bob.local_participant
        track = new_track()
        assert track.sid == "TR_unknown"
        sids: list[str] = []
        for handed_in in ("sid", "publication", "track"):
            with bob.open_events(rtc.LocalTrackPublished, rtc.LocalTrackUnpublished) as events:
                publication = await me.publish_track(track, MICROPHONE)
                assert me.track_publications == {publication.sid: publication}
                assert (publication.track, track.sid) == (track, publication.sid)
                assert (publication.name, publication.source) == ("mic", rtc.TrackSource.SOURCE_MICROPHONE)
                await publication.wait_for_subscription()
                assert (await remote_audio(ann)).sid == publication.sid
                given: Any = {"sid": publication.sid, "publication": publication, "track": track}[handed_in]
                await me.unpublish_track(given)
                assert me.track_publications == {}
                assert [type(await events.receive()) for _ in range(2)] == [
                    rtc.LocalTrackPublished,
                    rtc.LocalTrackUnpublished,
                ]
            await ann.wait_until(lambda: not ann.remote_participants["bob"].track_publications)
            sids.append(publication.sid)
        assert len(set(sids)) == 3


async def test_a_scope_publishes_and_withdraws_however_it_is_left(server: DevServer, room_name: str) -> None:
    async with joined(server, room_name, "ann", "bob") as (ann, bob):
        me = bob.local_participant
        track = new_track()
        bobs = ann.remote_participants["bob"]
        with pytest.raises(ZeroDivisionError):
            async with me.published_track(track) as publication:
                await ann.wait_until(lambda: bobs.track_publications)
                assert set(bobs.track_publications) == {publication.sid}
                raise ZeroDivisionError
        assert me.track_publications == {}
        with anyio.CancelScope() as scope:
            async with me.published_track(track):
                await ann.wait_until(lambda: bobs.track_publications)
                scope.cancel()
                await anyio.sleep_forever()
        with anyio.fail_after(10):
            await ann.wait_until(lambda: not bobs.track_publications)
            await bob.wait_until(lambda: not me.track_publications)
        async with me.published_track(track):
            await me.unpublish_track(track)
        async with me.published_track(track):
            await bob.disconnect()


async def test_all_is_withdrawn(server: DevServer, room_name: str) -> None:
    async with joined(server, room_name, "ann", "bob") as (ann, bob):
        me = bob.local_participant
        await me.unpublish_all()
        for name in ("a", "b", "c"):
            await me.publish_track(new_track(name))
        assert len(me.track_publications) == 3
        await me.unpublish_all()
        assert me.track_publications == {}
        await ann.wait_until(lambda: not ann.remote_participants["bob"].track_publications)
        assert await published_on_the_server(server, room_name, "bob") == set()


async def test_mute_before_and_after_publishing_and_by_the_server(server: DevServer, room_name: str) -> None:
    async with joined(server, room_name, "ann", "bob") as (ann, bob):
        track = new_track()
        track.mute()
        assert track.muted
        publication = await bob.local_participant.publish_track(track, MICROPHONE)
        assert publication.muted
        remote = (await ann.wait_for(rtc.TrackPublished, include_existing=True)).publication
        assert remote.muted
        for muted in (False, True, False):
            (track.mute if muted else track.unmute)()
            with anyio.fail_after(10):
                await bob.wait_until(lambda muted=muted: publication.muted == track.muted == muted)
                await ann.wait_until(lambda muted=muted: remote.muted == muted)
        await server.mute_track(room_name, "bob", publication.sid)
        with anyio.fail_after(10):
            await bob.wait_until(lambda: publication.muted and track.muted)
        await bob.local_participant.unpublish_track(track)
        track.unmute()
        assert not track.muted


async def test_the_codec_is_told_even_if_it_is_another_one(server: DevServer, room_name: str) -> None:
    async with joined(server, room_name, "bob") as (bob,), anyio.create_task_group() as group:
        source = rtc.VideoSource(320, 180)

        async def show() -> None:
            frame = rtc.VideoFrame.create(320, 180, rtc.VideoBufferType.I420)
            while True:
                source.capture_frame(frame)
                await anyio.sleep(1 / 30)

        group.start_soon(show)
        for wanted, sent in ((rtc.VideoCodec.H264, "video/H264"), (rtc.VideoCodec.H265, "video/VP8")):
            track = rtc.LocalVideoTrack.create_video_track("cam", source)
            async with bob.local_participant.published_track(
                track, rtc.TrackPublishOptions(video_codec=wanted)
            ) as found:
                with anyio.fail_after(10):
                    assert await found.wait_for_codec() == sent == found.mime_type
        with pytest.raises(rtc.OperationError):
            await found.wait_for_codec()
        group.cancel_scope.cancel()


# ---- refusals, each at once and with its reason


async def test_what_we_know_to_be_refused_is_refused_at_once(server: DevServer, room_name: str) -> None:
    async with joined(server, room_name, "ann", "bob") as (_, bob):
        me, track = bob.local_participant, new_track()
        with anyio.fail_after(5):  # natively each of these takes 10 s
            await me.publish_track(track, MICROPHONE)
            with pytest.raises(rtc.PublishTrackError, match="published already"):
                await me.publish_track(track)
            other = new_track("closed")
            other.close()
            with pytest.raises(rtc.SourceClosedError):
                await me.publish_track(other)
            for unknown in ("TR_unknown", "nonsense", other):
                with pytest.raises(rtc.UnpublishTrackError, match="have not published"):
                    await me.unpublish_track(unknown)
            not_a_track: Any = "mic"
            with pytest.raises(TypeError):
                await me.publish_track(not_a_track)
            await permit(server, room_name, bob, can_publish=True, can_publish_sources=["CAMERA"])
            await bob.wait_until(lambda: not me.track_publications)  # the server has taken it off
            with pytest.raises(rtc.PublishTrackError, match="SOURCE_MICROPHONE, only SOURCE_CAMERA"):
                await me.publish_track(track, MICROPHONE)
            await permit(server, room_name, bob, can_publish=False)
            with pytest.raises(rtc.PublishTrackError, match="no permission to publish"):
                await me.publish_track(track)
            await permit(server, room_name, bob, can_publish=True)
            await me.publish_track(track)
    with pytest.raises(rtc.RoomClosedError):
        await me.publish_track(track)
    with pytest.raises(rtc.RoomClosedError):
        await me.unpublish_track(track)


async def permit(server: DevServer, room_name: str, room: rtc.Room, **permission: object) -> None:
    """Change what somebody may do; returns once they know."""
    with room.open_events(rtc.ParticipantPermissionsChanged) as events:
        changed = {"can_subscribe": True, "can_publish_data": True, **permission}
        await server.update_participant(room_name, room.local_participant.identity, permission=changed)
        await events.receive()


async def test_a_demotion_while_publishing_is_told_at_once() -> None:
    fake = FakeLibrary()
    native = fake.room()
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room, anyio.create_task_group() as group:
            await anyio.wait_all_tasks_blocked()
            track, held = new_track(), fake.hold("publish_track")
            failed = anyio.Event()

            async def publish() -> None:
                with pytest.raises(rtc.PublishTrackError, match="no permission"):
                    await room.local_participant.publish_track(track)
                failed.set()

            group.start_soon(publish)
            await anyio.wait_all_tasks_blocked()
            permission = {
                "can_subscribe": True, "can_publish": False, "can_publish_data": True, "hidden": False,
                "can_update_metadata": True, "can_subscribe_metrics": False, "can_manage_agent_session": False,
            }  # fmt: skip
            native.emit(participant_permission_changed={"participant_identity": "me", "permission": permission})
            await failed.wait()
            held.release()  # it is undone
            await anyio.wait_all_tasks_blocked()
            assert len(fake.requested("unpublish_track")) == 1
            track.close()
        await assert_idle()
    fake.check()


UNANSWERED, FAILED, TOO_LATE, LATER = "", "engine: internal webrtc failure", "room failure: track not found", "later"
REPUBLISHED = "published again, unanswered"


async def publish_until(lost: anyio.Event, me: rtc.LocalParticipant, track: rtc.LocalAudioTrack, scoped: bool) -> None:
    if scoped:
        async with me.published_track(track):
            await lost.wait()
    else:
        publication = await me.publish_track(track)
        await lost.wait()
        await me.unpublish_track(publication)


@pytest.mark.parametrize("answer", [UNANSWERED, FAILED, TOO_LATE, LATER, REPUBLISHED])
@pytest.mark.parametrize("scoped", [True, False])
async def test_unpublishing_as_the_connection_is_lost(answer: str, scoped: bool) -> None:
    """Asked just before, the native side does not answer, fails, or publishes the track again; later on it must not be asked."""
    fake = FakeLibrary()
    native = fake.room()
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room, anyio.create_task_group() as group:
            await anyio.wait_all_tasks_blocked()
            me, track, lost = room.local_participant, new_track(), anyio.Event()

            group.start_soon(publish_until, lost, me, track, scoped)
            await room.wait_for(rtc.LocalTrackPublished)
            good = fake.handler("unpublish_track")
            if answer in (FAILED, TOO_LATE):
                fake.fail("unpublish_track", answer)
            elif answer in (UNANSWERED, REPUBLISHED):
                fake.hold("unpublish_track")
            else:
                native.emit(reconnecting={})
                await anyio.wait_all_tasks_blocked()
            lost.set()
            await anyio.wait_all_tasks_blocked()
            native.emit(reconnecting={})
            await anyio.wait_all_tasks_blocked()
            [publication] = me.track_publications.values()
            if answer == LATER:
                assert fake.requested("unpublish_track") == []
            if answer in (TOO_LATE, REPUBLISHED):
                again = {"sid": "TR_new", "name": "mic", "kind": 1, "source": 2}
                republished = {"publication_handle": fake.new_handle(), "previous_sid": publication.sid, "info": again}
                native.emit(local_track_republished=republished)
                native._published.append("TR_new")
                fake.on("unpublish_track", good)
            with room.open_events(rtc.LocalTrackUnpublished) as events:
                native.emit(reconnected={})
                assert (await events.receive()).publication is publication
            assert me.track_publications == {}
            withdrawn = [request.message.track_sid for request in fake.requested("unpublish_track")]
            if answer == LATER:
                assert set(withdrawn) == {"TR_me_1"}  # once for the end, and perhaps once for the answer
            else:
                assert set(withdrawn[1:]) == ({"TR_new"} if answer in (TOO_LATE, REPUBLISHED) else set())
            track.close()
        await assert_idle()


@pytest.mark.parametrize("scoped", [True, False])
async def test_unpublishing_is_refused_once_the_connection_is_back(scoped: bool) -> None:
    """Whoever unpublishes while the connection is lost hears what the native side says when it can be asked."""
    fake = FakeLibrary()
    native = fake.room()
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room, anyio.create_task_group() as group:
            await anyio.wait_all_tasks_blocked()
            me, track, lost, refused = room.local_participant, new_track(), anyio.Event(), anyio.Event()

            async def unpublish_while_lost() -> None:
                with pytest.raises(rtc.UnpublishTrackError, match="the server says no"):
                    await publish_until(lost, me, track, scoped)
                refused.set()

            group.start_soon(unpublish_while_lost)
            await room.wait_for(rtc.LocalTrackPublished)
            native.emit(reconnecting={})
            await anyio.wait_all_tasks_blocked()
            lost.set()
            await anyio.wait_all_tasks_blocked()
            assert fake.requested("unpublish_track") == []
            good = fake.handler("unpublish_track")
            fake.fail("unpublish_track", "the server says no")
            native.emit(reconnected={})
            await refused.wait()
            [publication] = me.track_publications.values()
            with pytest.raises(rtc.PublishTrackError, match="is published already"):
                await me.publish_track(track)
            fake.on("unpublish_track", good)
            await me.unpublish_track(publication)
            assert me.track_publications == {}
            track.close()
        await assert_idle()
    fake.check()


# ---- cancelling


async def publish_and_withdraw(room: rtc.Room, track: rtc.LocalAudioTrack) -> None:
    publication = await room.local_participant.publish_track(track)
    await room.local_participant.unpublish_track(publication)


@pytest.mark.parametrize("delayed", ["", "publish_track", "unpublish_track"])
async def test_cancelled_at_every_suspension(anyio_backend_name: str, delayed: str) -> None:
    for way in ways(anyio_backend_name):
        for at in itertools.count(1):
            if not await cancel_once(way, at, delayed):
                assert at > 3
                break


async def cancel_once(way: str, at: int, delayed: str) -> bool:
    """Cancel there; afterwards both sides agree, and the same track can be published."""
    fake = FakeLibrary()
    native = fake.room()
    reached = False
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room, anyio.create_task_group() as group:
            await anyio.wait_all_tasks_blocked()
            track = new_track()
            held = fake.hold(delayed) if delayed else None

            async def help_on() -> None:
                while True:
                    await anyio.wait_all_tasks_blocked()
                    if held is not None and held.requests:
                        held.handler(held.requests.pop(0))

            group.start_soon(help_on)
            reached = await cancel_at(lambda: publish_and_withdraw(room, track), at, way)
            me = room.local_participant
            with anyio.fail_after(5):  # what is under way comes to its end, and then both sides agree
                while rtc.runtime_statistics().pending_calls or set(me.track_publications) != set(native._published):
                    await anyio.wait_all_tasks_blocked()
                if not me.track_publications:
                    await me.publish_track(track)
            group.cancel_scope.cancel()
            track.close()
        await assert_idle()
    fake.check()
    return reached


async def test_cancelled_at_twenty_moments_on_a_real_server(
    server: DevServer, room_name: str, anyio_backend_name: str
) -> None:
    async with joined(server, room_name, "bob") as (bob,):
        ours, track = bob.local_participant, new_track()
        for moment in range(20):
            way = TASK if anyio_backend_name == "asyncio" and moment % 2 else SCOPE
            await run_for(moment * 0.0005, way, lambda: publish_and_withdraw(bob, track))
            with anyio.fail_after(15):
                while await published_on_the_server(server, room_name, "bob") != set(ours.track_publications):
                    await anyio.sleep(0.05)
                if not ours.track_publications:
                    await ours.publish_track(track)
                await ours.unpublish_all()


async def run_for(seconds: float, way: str, program: Any) -> None:
    if way == SCOPE:
        with anyio.move_on_after(seconds):
            await program()
        return
    task = asyncio.ensure_future(program())
    await asyncio.wait([task], timeout=seconds)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
