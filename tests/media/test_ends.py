"""Every way in which received media can end × {waiting reader, slow reader} × {audio, video} × {track stream, participant stream}."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio
import attrs
import pytest

from livekit_trio import rtc
from livekit_trio.rtc._track import facts_of
from tests.media.fakes import AUDIO, TRACKS, VIDEO, open_participant_stream, open_stream
from tests.media.rooms import joined, playing, remote_audio, remote_video, showing

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from tests.media.fakes import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

Stream: TypeAlias = rtc.AudioStream | rtc.VideoStream

WITHIN: Final = 0.1
"""Seconds from the reducer's event to the end of the stream, in a loop that is never late."""

MICROPHONE: Final = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
CAMERA: Final = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA)


@attrs.define(eq=False)
class Reader:
    """Somebody who reads one stream."""

    name: str
    stream: Stream
    follows_participant: bool
    slow: bool
    frames: int = 0
    before_end: int = 0
    """Of a slow one: how many frames were buffered when the track ended."""
    ended_at: float = 0.0
    error: BaseException | None = None
    wakes: anyio.Event = attrs.field(factory=anyio.Event)
    came: anyio.Event = attrs.field(factory=anyio.Event)
    """There was a frame since this was made anew."""

    async def run(self) -> None:
        if self.slow:
            await self.wakes.wait()
        try:
            async for _ in self.stream:
                self.frames += 1
                self.came.set()
        except rtc.StreamClosedError as error:
            self.error = error
        self.ended_at = time.monotonic()

    def on_track_end(self) -> None:
        if self.slow:
            self.before_end = self.stream.statistics().buffered


@attrs.define(eq=False)
class Lateness:
    """By how many seconds the loop has been late at worst: so much is the machine's, and not the stream's."""

    worst: float = 0.0

    async def measure(self, readers: list[Reader]) -> None:
        while not all(reader.ended_at for reader in readers):
            begin = time.monotonic()
            await anyio.sleep(0.01)
            self.worst = max(self.worst, time.monotonic() - begin - 0.01)


@attrs.define(eq=False)
class Scene:
    server: DevServer
    room_name: str
    ann: rtc.Room
    bob: rtc.Room
    published: list[tuple[rtc.LocalTrack, rtc.TrackPublishOptions]]
    readers: list[Reader]

    async def unpublish(self) -> None:
        await self.bob.local_participant.unpublish_all()

    async def publish(self) -> None:
        for track, options in self.published:
            await self.bob.local_participant.publish_track(track, options)

    async def subscribe(self, subscribed: bool) -> None:
        for publication in self.ann.remote_participants["bob"].track_publications.values():
            publication.set_subscribed(subscribed)
        await anyio.lowlevel.checkpoint()

    async def permit(self, can_publish: bool) -> None:
        permission = {"can_publish": can_publish, "can_subscribe": True, "can_publish_data": True}
        await self.server.update_participant(self.room_name, "bob", permission=permission)
        await self.bob.wait_until(lambda: bob_may_publish(self.bob) == can_publish)

    async def close_streams(self) -> None:
        for reader in self.readers:
            reader.stream.close()
        await anyio.lowlevel.checkpoint()


def bob_may_publish(bob: rtc.Room) -> bool:
    permissions = bob.local_participant.permissions
    return permissions is not None and permissions.can_publish


Step: TypeAlias = Callable[[Scene], Awaitable[None]]


async def demote(scene: Scene) -> None:
    await scene.permit(False)


async def promote(scene: Scene) -> None:
    await scene.permit(True)
    await scene.bob.wait_until(lambda: not scene.bob.local_participant.track_publications)
    await scene.publish()


async def subscribe_again(scene: Scene) -> None:
    # livekit-server 1.13.5 loses a wish that comes while it still takes the track off, and tells nobody when it has.
    await anyio.sleep(1)
    await scene.subscribe(True)


async def reconnect(scene: Scene) -> None:
    with scene.bob.open_events(rtc.Reconnected) as events:
        await scene.bob.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_FULL_RECONNECT)
        await events.receive()  # what is unpublished before fails: "internal webrtc failure"


ENDS_THE_TRACK: Final[dict[str, tuple[Step, Step]]] = {
    "unpublished": (Scene.unpublish, Scene.publish),
    "unsubscribed": (lambda scene: scene.subscribe(False), subscribe_again),
    "demoted": (demote, promote),
}
"""What ends it, and what brings it back."""

ENDS_EVERYTHING: Final[dict[str, Step]] = {
    "left": lambda scene: scene.bob.disconnect(),
    "kicked": lambda scene: scene.server.remove_participant(scene.room_name, "bob"),
    "room deleted": lambda scene: scene.server.delete_room(scene.room_name),
    # The server says that bob has left, of his own accord, and then that he has come: nothing tells this from a real leaving.
    "full reconnect of the publisher": reconnect,
    "own leave": lambda scene: scene.ann.disconnect(),
}


def open_all(stack: AsyncExitStack, track: rtc.RemoteTrack, bob: rtc.RemoteParticipant, kind: str) -> list[Reader]:
    readers = [
        Reader(
            f"{kind}, {'participant' if follows else 'track'} stream, {'slow' if slow else 'waiting'} reader",
            stream,
            follows,
            slow,
        )
        for follows in (False, True)
        for slow in (False, True)
        for stream in (open_participant_stream(bob, kind) if follows else open_stream(track),)
    ]
    for reader in readers:
        stack.enter_context(reader.stream)
    return readers


async def play(
    server: DevServer, room_name: str, cause: str, end: Step, back: Step | None, error: type[Exception] | None = None
) -> None:
    async with AsyncExitStack() as stack:
        ann, bob = await stack.enter_async_context(joined(server, room_name, "ann", "bob"))
        sound = await stack.enter_async_context(playing(bob, options=MICROPHONE))
        pictures = await stack.enter_async_context(showing(bob, options=CAMERA, size=(320, 180)))
        tracks: dict[str, rtc.RemoteTrack] = {AUDIO: await remote_audio(ann), VIDEO: await remote_video(ann)}
        participant = ann.remote_participants["bob"]
        readers = [reader for kind in tracks for reader in open_all(stack, tracks[kind], participant, kind)]
        scene = Scene(server, room_name, ann, bob, [(sound, MICROPHONE), (pictures, CAMERA)], readers)
        ended_at: dict[str, float] = {}
        late = Lateness()
        async with anyio.create_task_group() as group:
            for reader in readers:
                group.start_soon(reader.run)
            for kind, track in tracks.items():
                for reader in readers:
                    if reader.name.startswith(kind):
                        facts_of(track).call_at_end(reader.on_track_end)
                facts_of(track).call_at_end(lambda kind=kind: ended_at.update({kind: time.monotonic()}))
            with anyio.fail_after(30):
                for reader in readers:
                    if reader.slow:
                        while not reader.stream.statistics().buffered:
                            await anyio.sleep(0.01)
                    else:
                        await reader.came.wait()
                group.start_soon(late.measure, readers)
                await end(scene)
                if error is None:
                    while len(ended_at) < 2:  # noqa: ASYNC110 - the callbacks are no tasks
                        await anyio.sleep(0.01)
                for reader in readers:
                    reader.came = anyio.Event()
                    reader.wakes.set()
                if back is not None:
                    await back(scene)
                    for reader in readers:
                        if reader.follows_participant:
                            await reader.came.wait()
                    await bob.disconnect()
                    await ann.wait_until(lambda: "bob" not in ann.remote_participants)
        for reader in readers:
            kind = reader.name[:5]
            if error is not None:
                assert isinstance(reader.error, error), reader.name
                continue
            assert reader.error is None
            if not reader.slow and not (reader.follows_participant and back):
                took = reader.ended_at - ended_at[kind]
                print(f"{cause}, {reader.name}: {took:.4f} s after its track, the loop {late.worst:.4f} s late")  # noqa: T201
                assert -WITHIN < took < WITHIN + late.worst, reader.name
            if reader.slow:
                print(f"{cause}, {reader.name}: {reader.before_end} were buffered, {reader.frames} delivered")  # noqa: T201
                assert reader.before_end > 0
                assert reader.frames == reader.before_end or (reader.follows_participant and back)
                assert reader.frames == reader.stream.statistics().delivered >= reader.before_end


@pytest.mark.parametrize("cause", ENDS_THE_TRACK)
async def test_a_track_ends_and_comes_back(server: DevServer, room_name: str, cause: str) -> None:
    end, back = ENDS_THE_TRACK[cause]
    await play(server, room_name, cause, end, back)


@pytest.mark.parametrize("cause", ENDS_EVERYTHING)
async def test_everything_ends(server: DevServer, room_name: str, cause: str) -> None:
    await play(server, room_name, cause, ENDS_EVERYTHING[cause], None)


async def test_own_close(server: DevServer, room_name: str) -> None:
    await play(server, room_name, "own close", Scene.close_streams, None, rtc.StreamClosedError)


# ---- on the fake library, which never says that a stream has ended

FAKE_ENDS: Final[dict[str, Callable[[Stage, str], object]]] = {
    "unpublished": lambda stage, kind: stage.native.unpublish("bob", TRACKS[kind].sid),
    "unsubscribed": lambda stage, kind: stage.native.unsubscribe("bob", TRACKS[kind].sid),
    "subscribed anew": lambda stage, kind: stage.native.subscribe("bob", TRACKS[kind].sid),
    "left": lambda stage, kind: stage.native.leave("bob"),
    "room deleted": lambda stage, kind: stage.native.end(rtc.DisconnectReason.ROOM_DELETED),
    "kicked": lambda stage, kind: stage.native.end(rtc.DisconnectReason.PARTICIPANT_REMOVED),
}
LASTING: Final = ("unpublished", "unsubscribed", "subscribed anew")
"""After these a participant stream goes on."""


@pytest.mark.parametrize("kind", [AUDIO, VIDEO])
@pytest.mark.parametrize("slow", [False, True], ids=["waiting", "slow"])
@pytest.mark.parametrize("cause", FAKE_ENDS)
async def test_without_a_native_end(stage: Stage, cause: str, slow: bool, kind: str) -> None:
    track = await stage.subscribe(kind)
    with (
        open_stream(track, capacity=3) as of_track,
        open_participant_stream(stage.bob, kind, capacity=3) as of_participant,
    ):
        both = [Reader("track", of_track, False, slow), Reader("participant", of_participant, True, slow)]
        async with anyio.create_task_group() as group:
            for reader in both:
                group.start_soon(reader.run)
            if slow:
                for stream in stage.fake.media.streams:
                    for _ in range(2):
                        stream.send_audio(b"\0" * 320) if kind == AUDIO else stream.send_video(b"\0" * 24, 4, 4)
            await anyio.wait_all_tasks_blocked()
            FAKE_ENDS[cause](stage, kind)
            for reader in both:
                reader.wakes.set()
            await anyio.wait_all_tasks_blocked()
            assert both[0].ended_at
            assert bool(both[1].ended_at) == (cause not in LASTING)
            assert [reader.frames for reader in both] == ([2, 2] if slow else [0, 0])
            assert len([stream for stream in stage.fake.media.streams if stream.open]) == (cause == "subscribed anew")
            if cause in LASTING:
                of_participant.close()
