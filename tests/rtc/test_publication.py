"""Publications and tracks: subscribing and the rest of what can be asked of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio._errors import NativeRefusalError, OperationError, RoomClosedError, SubscribeError
from livekit_trio._guard import make
from livekit_trio.rtc._track import LocalAudioTrack, TrackFacts, facts_of

from .native import VIDEO, Scene

if TYPE_CHECKING:
    from collections.abc import Callable

LEFT = rtc.DisconnectReason.CLIENT_INITIATED


def scene_with(auto_subscribe: bool = False, **publication: Any) -> Scene:
    scene = Scene(auto_subscribe=auto_subscribe)
    scene.apply(scene.native.connected("bob"), scene.native.published("bob", "TR_1", **publication))
    return scene


def publication_of(scene: Scene) -> rtc.RemoteTrackPublication:
    return scene.state.remote_participants["bob"].track_publications["TR_1"]


def wishes(scene: Scene) -> list[bool]:
    """What was asked for by set_subscribed."""
    return [fields["subscribe"] for name, fields in scene.link.requests if name == "set_subscribed"]


def test_what_can_be_read() -> None:
    scene = scene_with(
        name="cam",
        kind=VIDEO,
        source=1,
        simulcasted=True,
        width=640,
        height=360,
        mime_type="video/VP8",
        encryption_type=1,
        audio_features=[6],
        frame_metadata_features=[1],
    )
    publication = publication_of(scene)
    assert repr(publication) == "rtc.RemoteTrackPublication(sid=TR_1, name=cam, kind=KIND_VIDEO, source=SOURCE_CAMERA)"
    assert (publication.simulcasted, publication.width, publication.height) == (True, 640, 360)
    assert (publication.mime_type, publication.encryption_type) == ("video/VP8", rtc.EncryptionType.GCM)
    assert publication.is_encrypted
    assert publication.audio_features == (rtc.AudioTrackFeature.TF_PRECONNECT_BUFFER,)
    assert publication.frame_metadata_features == (rtc.FrameMetadataFeature.FMF_FRAME_ID,)
    assert (publication.track, publication.subscribed, publication.muted) == (None, False, False)


def test_wishes() -> None:
    scene = scene_with()
    publication = publication_of(scene)
    assert not publication.is_desired
    publication.set_subscribed(True)
    assert publication.is_desired
    publication.set_subscribed(False)
    assert not publication.is_desired
    assert wishes(scene) == [True, False]
    assert publication_of(scene_with(auto_subscribe=True)).is_desired


@pytest.mark.anyio
async def test_subscribing() -> None:
    scene = scene_with()
    publication = publication_of(scene)
    got: list[rtc.RemoteTrack] = []

    async def subscribe() -> None:
        got.append(await publication.subscribe())

    async with anyio.create_task_group() as group:
        group.start_soon(subscribe)
        group.start_soon(subscribe)
        await anyio.wait_all_tasks_blocked()
        assert publication.is_desired
        assert got == []
        scene.apply(scene.native.subscribed("bob", "TR_1"))
    assert got == [publication.track, publication.track]
    assert await publication.subscribe() is publication.track
    assert (publication.is_desired, wishes(scene)) == (True, [True, True])


FAILURES: list[tuple[Callable[[Scene], Any], str]] = [
    (lambda scene: scene.native.unpublished("bob", "TR_1"), "was unpublished"),
    (lambda scene: scene.native.disconnected("bob", LEFT), "was unpublished"),
    (
        lambda scene: scene.native.event(
            "track_subscription_failed", participant_identity="bob", track_sid="TR_1", error="too late"
        ),
        "too late",
    ),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("event", "says"), FAILURES)
async def test_subscribing_in_vain(event: Callable[[Scene], Any], says: str) -> None:
    scene = scene_with()
    publication = publication_of(scene)
    async with anyio.create_task_group() as group:

        async def subscribe() -> None:
            with pytest.raises(SubscribeError, match=says) as failed:
                await publication.subscribe()
            assert failed.value.track_sid == "TR_1"

        group.start_soon(subscribe)
        await anyio.wait_all_tasks_blocked()
        scene.apply(event(scene))
    assert not publication.is_desired
    assert wishes(scene) == ([True, False] if says == "too late" else [True])


@pytest.mark.anyio
async def test_an_unpublication_is_not_overlooked_when_it_comes_back_at_once() -> None:
    scene = scene_with()
    publication = publication_of(scene)
    async with anyio.create_task_group() as group:

        async def subscribe() -> None:
            with pytest.raises(SubscribeError, match="unpublished"):
                await publication.subscribe()

        group.start_soon(subscribe)
        await anyio.wait_all_tasks_blocked()
        scene.apply(scene.native.unpublished("bob", "TR_1"), scene.native.published("bob", "TR_1"))


@pytest.mark.parametrize("auto_subscribe", [False, True])
def test_what_nobody_wants_any_more_is_declined_when_it_comes(auto_subscribe: bool) -> None:
    """The server may have sent it before it heard of the change of mind."""
    scene = scene_with(auto_subscribe=auto_subscribe)
    publication = publication_of(scene)
    publication.set_subscribed(True)
    publication.set_subscribed(False)
    scene.apply(scene.native.subscribed("bob", "TR_1"))
    assert wishes(scene) == [True, False, False]
    scene.close()


@pytest.mark.anyio
async def test_cancelling_takes_the_wish_back() -> None:
    scene = scene_with()
    with anyio.move_on_after(0.01):
        await publication_of(scene).subscribe()
    assert wishes(scene) == [True, False]
    assert not publication_of(scene).is_desired


@pytest.mark.anyio
async def test_cancelling_leaves_a_wish_that_was_there_before() -> None:
    scene = scene_with(auto_subscribe=True)
    with anyio.move_on_after(0.01):
        await publication_of(scene).subscribe()
    assert wishes(scene) == [True]


@pytest.mark.anyio
async def test_cancelling_leaves_the_wish_of_others() -> None:
    scene = scene_with()
    publication = publication_of(scene)
    async with anyio.create_task_group() as others:
        others.start_soon(publication.subscribe)
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0.01):
            await publication.subscribe()
        assert wishes(scene) == [True, True]
        others.cancel_scope.cancel()
    assert wishes(scene) == [True, True, False]


@pytest.mark.anyio
@pytest.mark.parametrize("error", [RoomClosedError(LEFT), NativeRefusalError()])
async def test_a_wish_that_cannot_be_taken_back_hides_no_cancellation(error: Exception) -> None:
    scene = scene_with()
    with anyio.move_on_after(10) as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(publication_of(scene).subscribe)
            await anyio.wait_all_tasks_blocked()
            scene.link.refuse["set_subscribed"] = error
            scope.cancel()
    assert scope.cancelled_caught
    assert wishes(scene) == [True, False]


@pytest.mark.anyio
async def test_the_end_of_the_room_ends_subscribing() -> None:
    scene = scene_with()
    async with anyio.create_task_group() as group:

        async def subscribe() -> None:
            with pytest.raises(RoomClosedError):
                await publication_of(scene).subscribe()

        group.start_soon(subscribe)
        await anyio.wait_all_tasks_blocked()
        scene.link.close(LEFT)


def test_enabling() -> None:
    scene = scene_with(auto_subscribe=True)
    publication = publication_of(scene)
    with pytest.raises(SubscribeError, match="not subscribed"):
        publication.set_enabled(False)
    scene.apply(scene.native.subscribed("bob", "TR_1"))
    publication.set_enabled(False)
    assert not publication.is_enabled
    ((name, fields),) = scene.link.requests
    assert (name, fields["enabled"]) == ("enable_remote_track_publication", False)
    assert fields["track_publication_handle"] in scene.link.live
    scene.apply(scene.native.subscribed("bob", "TR_1"))
    assert publication.is_enabled


def test_choosing_a_layer() -> None:
    scene = scene_with(kind=VIDEO, simulcasted=True)
    publication_of(scene).set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_LOW)
    ((name, fields),) = scene.link.requests
    assert (name, fields["quality"]) == ("set_remote_track_publication_quality", 0)
    with pytest.raises(ValueError, match="no video quality"):
        publication_of(scene).set_video_quality(rtc.VideoQuality(7))
    with pytest.raises(ValueError, match="simulcasted"):
        publication_of(scene_with(kind=VIDEO)).set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_LOW)
    with pytest.raises(ValueError, match="is for video"):
        publication_of(scene_with()).set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_LOW)


def test_saying_how_large_it_is_shown() -> None:
    scene = scene_with(auto_subscribe=True, kind=VIDEO)
    with pytest.raises(SubscribeError, match="not subscribed"):
        publication_of(scene).set_video_dimensions(320, 180)
    scene.apply(scene.native.subscribed("bob", "TR_1", VIDEO))
    publication_of(scene).set_video_dimensions(320, 180)
    ((name, fields),) = scene.link.requests
    assert (name, fields["width"], fields["height"]) == ("update_remote_track_publication_dimension", 320, 180)
    for width, height in ((0, 180), (320, -1), (65536, 1)):
        with pytest.raises(ValueError, match="65535"):
            publication_of(scene).set_video_dimensions(width, height)
    with pytest.raises(ValueError, match="is for video"):
        publication_of(scene_with()).set_video_dimensions(320, 180)


def test_what_is_unpublished_can_be_asked_for_nothing() -> None:
    scene = scene_with(kind=VIDEO, simulcasted=True)
    publication = publication_of(scene)
    scene.apply(scene.native.unpublished("bob", "TR_1"))
    calls: list[Callable[[], None]] = [
        lambda: publication.set_subscribed(True),
        lambda: publication.set_enabled(True),
        lambda: publication.set_video_dimensions(320, 180),
        lambda: publication.set_video_quality(rtc.VideoQuality.VIDEO_QUALITY_LOW),
    ]
    for call in calls:
        with pytest.raises(SubscribeError, match="was unpublished"):
            call()
    assert scene.link.requests == []
    assert publication.sid == "TR_1"


# ---- tracks


def test_a_track_tells_of_its_end_once() -> None:
    facts = TrackFacts(handle=0, sid="TR_1", name="mic", kind=rtc.TrackKind.KIND_AUDIO)
    track = make(LocalAudioTrack, facts)
    assert repr(track) == "rtc.LocalAudioTrack(sid=TR_1, name=mic)"
    assert (track.ended, track.muted, track.stream_state, track.kind) == (False, False, 1, 1)
    heard: list[str] = []

    def forgotten() -> None:
        heard.append("forgotten")

    facts_of(track).call_at_end(lambda: heard.append("first"))
    facts_of(track).call_at_end(forgotten)
    facts_of(track).forget_callback(forgotten)
    facts_of(track).forget_callback(forgotten)
    facts.end()
    facts.end()
    facts_of(track).call_at_end(lambda: heard.append("late"))
    assert heard == ["first", "late"]
    assert track.ended


# ---- our own publications


def publish(scene: Scene) -> rtc.LocalTrackPublication:
    facts = TrackFacts(handle=0, sid="TR_unknown", name="mic", kind=rtc.TrackKind.KIND_AUDIO)
    return scene.state.add_local_publication(scene.native.publication("TR_mine"), make(LocalAudioTrack, facts))[0]


@pytest.mark.anyio
async def test_waiting_for_the_first_subscriber() -> None:
    scene = Scene()
    publication = publish(scene)
    async with anyio.create_task_group() as group:
        group.start_soon(publication.wait_for_subscription)
        await anyio.wait_all_tasks_blocked()
        scene.apply(scene.native.event("local_track_subscribed", track_sid="TR_mine"))
    scene.apply(scene.native.event("local_track_unpublished", publication_sid="TR_mine"))
    await publication.wait_for_subscription()  # there was one


@pytest.mark.anyio
async def test_waiting_for_a_subscriber_of_what_is_unpublished() -> None:
    scene = Scene()
    publication = publish(scene)
    scene.apply(scene.native.event("local_track_unpublished", publication_sid="TR_mine"))
    with pytest.raises(OperationError, match="before anybody subscribed"):
        await publication.wait_for_subscription()
