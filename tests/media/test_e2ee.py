"""End-to-end encryption with the official SDK: the right key, the wrong one, new ones, none; media and data."""

from __future__ import annotations

from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import anyio
import attrs
import pytest

from livekit_trio import rtc
from livekit_trio.rtc import EncryptionState as State, stats
from livekit_trio.testing import loudness, read_counter, tone_frequency
from livekit_trio.testing._fake_library import FakeLibrary
from tests.media.rooms import joined, playing, remote_audio, remote_video, showing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from livekit_trio.testing import DevServer
    from tests.peers.driver import OfficialPeer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

on_trio = pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
"""The loop makes no difference to what the cryptors do; one test runs on both."""

KEY: Final = "the right one"
OURS, THEIRS = 1000, 700
"""The frequencies of the tones."""


def encrypted(key: str | None, **options: Any) -> rtc.RoomOptions:
    keys = rtc.KeyProviderOptions(shared_key=None if key is None else key.encode(), **options)
    return rtc.RoomOptions(encryption=rtc.E2EEOptions(key_provider_options=keys))


@attrs.define
class Scene:
    """We and the official SDK; both play a tone and show bars."""

    room: rtc.Room
    peer: OfficialPeer
    states: list[State]
    """Of the encryption of their tracks, as reported."""
    data: list[bytes]
    """What we got."""

    async def observe(self, seconds: float = 0.8) -> tuple[list[rtc.AudioFrame], list[int | None]]:
        """What comes of their sound, without the first third, and the numbers of their pictures."""
        frames: list[rtc.AudioFrame] = []
        counters: list[int | None] = []

        async def hear() -> None:
            with (await remote_audio(self.room)).open_stream() as stream:
                async for frame in stream:
                    frames.append(frame.copy())  # noqa: PERF401 - it is cut short

        with (await remote_video(self.room)).open_stream() as stream, anyio.move_on_after(seconds):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(hear)
                async for frame in stream:
                    counters.append(read_counter(frame))  # noqa: PERF401 - likewise
        return frames[len(frames) // 3 :], counters

    async def observed(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What they hear and see of us."""
        heard = await self.peer.ask("hear", identity="ours", seconds=0.6)
        return heard, await self.peer.ask("see", identity="ours", seconds=0.8)

    async def exchange_data(self) -> tuple[list[bytes], list[str]]:
        """What arrives of a packet each way, here and there; a second is given to what might not arrive."""
        before = len(self.data)
        arrived: list[str] = []
        await self.peer.ask("send_data", data="from theirs")
        await self.room.local_participant.publish_data(b"from ours")
        with anyio.move_on_after(1.5):
            while len(self.data) == before or not arrived:
                await self.peer.ask("look")  # what it has received by now is said before
                arrived = [event["data"] for event in self.peer.events if event["event"] == "data_received"]
                await anyio.sleep(0.05)
        return self.data[before:], arrived

    async def decoded(self) -> int:
        """How many of their pictures have been decoded."""
        report = await (await remote_video(self.room)).get_stats()
        return sum(entry.frames_decoded for entry in report.of(stats.InboundRtpStats))

    def cryptors_of(self, identity: str) -> list[rtc.FrameCryptor]:
        return [found for found in self.room.e2ee_manager.frame_cryptors() if found.participant_identity == identity]

    async def watch(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:  # noqa: ASYNC114 - started right below
        with self.room.open_events(rtc.E2eeStateChanged, rtc.DataReceived) as events:
            task_status.started()
            async for event in events:
                if isinstance(event, rtc.DataReceived):
                    self.data.append(event.data)
                elif event.participant is not None and event.participant.identity == "theirs":
                    self.states.append(event.state)


@asynccontextmanager
async def meeting(
    server: DevServer, room_name: str, peer: OfficialPeer, ours: rtc.RoomOptions | None, theirs: str | None
) -> AsyncGenerator[Scene]:
    async with rtc.open_room(server.url, server.token("ours", room_name), options=ours) as room:
        scene = Scene(room, peer, [], [])
        async with anyio.create_task_group() as tasks:
            await tasks.start(scene.watch)
            await peer.ask("join", url=server.url, token=server.token("theirs", room_name), key=theirs)
            await (await room.wait_for_participant("theirs")).wait_until_active()
            await peer.ask("publish_tone", hz=THEIRS)
            await peer.ask("publish_bars", simulcast=False)
            async with playing(room, frequency=OURS), showing(room, fps=15):
                for _ in range(2):
                    await peer.wait_for("track_subscribed", identity="ours")
                yield scene
            tasks.cancel_scope.cancel()


def is_rising(counters: list[int | None]) -> bool:
    """Whether pictures came, one after the other; the first may be from before a key frame."""
    known = [counter for counter in counters if counter is not None]
    return len(known) > 3 and len(known) >= len(counters) - 1 and all(a < b for a, b in pairwise(known))


def is_tone(frames: list[rtc.AudioFrame], hz: float) -> bool:
    return abs(tone_frequency(frames) - hz) < 0.01 * hz and loudness(frames) > 0.1


def is_silent(frames: list[rtc.AudioFrame]) -> bool:
    return loudness(frames) < 0.001


async def understand_each_other(scene: Scene) -> None:
    frames, counters = await scene.observe()
    assert is_tone(frames, THEIRS)
    assert is_rising(counters)
    heard, seen = await scene.observed()
    assert heard["hz"] == pytest.approx(OURS, rel=0.01)
    assert heard["level"] > 0.1
    assert is_rising(seen["counters"])


async def understand_nothing(scene: Scene) -> None:
    frames, counters = await scene.observe()
    assert frames
    assert is_silent(frames)
    assert (counters, await scene.decoded()) == ([], 0)
    heard, seen = await scene.observed()
    assert heard["level"] < 0.001
    assert (seen["counters"], seen["decoded"]) == ([], 0)
    assert await scene.exchange_data() == ([], [])


async def test_with_the_right_key_all_is_understood(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    async with meeting(server, room_name, peer, encrypted(KEY), KEY) as scene:
        await understand_each_other(scene)
        assert await scene.exchange_data() == ([b"from theirs"], ["from ours"])
        assert set(scene.states) <= {State.NEW, State.OK}
        publications = [*scene.room.remote_participants["theirs"].track_publications.values()]
        assert {publication.encryption_type for publication in publications} == {rtc.EncryptionType.GCM}
        assert {(found.key_index, found.enabled) for found in scene.cryptors_of("theirs")} == {(0, True)}
        assert len(scene.cryptors_of("ours")) == 2


@on_trio
@pytest.mark.parametrize(
    ("tolerance", "reported"), [(-1, set[State]()), pytest.param(0, {State.DECRYPTION_FAILED}, marks=pytest.mark.long)]
)
async def test_with_the_wrong_key_nothing_is(
    server: DevServer, room_name: str, peer: OfficialPeer, tolerance: int, reported: set[State]
) -> None:
    """With the default tolerance it is not even reported."""
    async with meeting(server, room_name, peer, encrypted("wrong", failure_tolerance=tolerance), KEY) as scene:
        await understand_nothing(scene)
        assert set(scene.states) == reported


@on_trio
async def test_a_new_key_comes_in_the_middle(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    async with meeting(server, room_name, peer, encrypted(KEY), KEY) as scene:
        await scene.observe()
        keys = scene.room.e2ee_manager.key_provider
        keys.set_shared_key(b"another", 1)
        await peer.ask("set_shared_key", key="another", index=1)
        await peer.ask("use_key", index=1)
        for cryptor in scene.cryptors_of("ours"):
            cryptor.set_key_index(1)
            assert cryptor.key_index == 1
        await understand_each_other(scene)
        assert await scene.exchange_data() == ([b"from theirs"], ["from ours"])
        assert (keys.export_shared_key(0), keys.export_shared_key(1)) == (KEY.encode(), b"another")


@pytest.mark.long
@on_trio
async def test_others_follow_a_ratcheted_key(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    async with meeting(server, room_name, peer, encrypted(KEY), KEY) as scene:
        await scene.observe(0.3)
        keys = scene.room.e2ee_manager.key_provider
        ratcheted = keys.ratchet_shared_key()
        assert ratcheted == keys.export_shared_key() != KEY.encode()
        heard, seen = await scene.observed()
        assert heard["level"] > 0.1
        assert is_rising(seen["counters"])


@pytest.mark.long
@on_trio
async def test_each_may_have_a_key_of_its_own(server: DevServer, room_name: str) -> None:
    async with joined(server, room_name, "alice", "bob", options=encrypted(None)) as [alice, bob]:
        for room in (alice, bob):
            for identity in ("alice", "bob"):
                room.e2ee_manager.key_provider.set_key(identity, f"of {identity}".encode())
        ours, theirs = alice.e2ee_manager.key_provider, bob.e2ee_manager.key_provider
        async with playing(alice, frequency=OURS), playing(bob, frequency=THEIRS):
            for _ in range(2):
                assert is_tone(await hear(bob), OURS)
                assert is_tone(await hear(alice), THEIRS)
                assert ours.ratchet_key("alice") == ours.export_key("alice") != b"of alice"
        assert theirs.export_key("bob") == b"of bob"
        with pytest.raises(rtc.OperationError, match="no key at index 3"):
            ours.export_key("alice", 3)
        with pytest.raises(rtc.OperationError, match="no key at index 0"):
            ours.export_key("nobody")
        with pytest.raises(rtc.OperationError, match="each participant has its own"):
            ours.set_shared_key(b"x")


async def hear(room: rtc.Room, seconds: float = 0.5) -> list[rtc.AudioFrame]:
    frames: list[rtc.AudioFrame] = []
    with (await remote_audio(room)).open_stream() as stream, anyio.move_on_after(seconds):
        async for frame in stream:
            frames.append(frame.copy())  # noqa: PERF401 - it is cut short
    return frames[len(frames) // 3 :]


@on_trio
async def test_beside_somebody_without_encryption(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    """They are understood, and understand nothing; without a key encrypted sound is noise to them."""
    async with meeting(server, room_name, peer, encrypted(KEY), None) as scene:
        frames, counters = await scene.observe()
        assert is_tone(frames, THEIRS)
        assert is_rising(counters)
        heard, seen = await scene.observed()
        assert abs(heard["hz"] - OURS) > 0.05 * OURS
        assert (seen["counters"], seen["decoded"]) == ([], 0)
        assert await scene.exchange_data() == ([b"from theirs"], [])
        publications = [*scene.room.remote_participants["theirs"].track_publications.values()]
        assert {publication.encryption_type for publication in publications} == {rtc.EncryptionType.NONE}
        assert scene.states == []


@pytest.mark.long
@on_trio
async def test_encryption_can_be_switched_off_and_on(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    async with meeting(server, room_name, peer, encrypted(KEY), KEY) as scene:
        await scene.observe(0.3)
        manager = scene.room.e2ee_manager
        manager.set_enabled(False)
        assert not manager.enabled
        assert {found.enabled for found in manager.frame_cryptors()} == {False}
        heard, _ = await scene.observed()
        assert abs(heard["hz"] - OURS) > 0.05 * OURS or heard["level"] < 0.1
        assert await scene.exchange_data() == ([b"from theirs"], ["from ours"])  # data stays encrypted
        manager.set_enabled(True)
        for cryptor in scene.cryptors_of("ours"):
            cryptor.set_enabled(False)
            assert not cryptor.enabled
            cryptor.set_enabled(True)
        with anyio.fail_after(20):  # they must ask for a key frame
            while not is_rising((await scene.observed())[1]["counters"]):
                pass
        await understand_each_other(scene)


# ---- what is refused


@on_trio
async def test_what_would_be_swallowed_is_an_error(server: DevServer, room_name: str) -> None:
    async with joined(server, room_name, "alice", options=encrypted(KEY, key_ring_size=4)) as [alice]:
        keys = alice.e2ee_manager.key_provider
        for index in (-1, 4):
            with pytest.raises(ValueError, match="key_index must be from 0 to 3"):
                keys.set_shared_key(b"x", index)
        with pytest.raises(TypeError, match="a key must be bytes, not str"):
            keys.set_shared_key("secret")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="must not be empty"):
            keys.set_shared_key(b"")
        for wrong in (
            lambda: keys.set_key("bob", b"x"),
            lambda: keys.export_key("bob"),
            lambda: keys.ratchet_key("bob"),
        ):
            with pytest.raises(rtc.OperationError, match="share one key"):
                wrong()
        with pytest.raises(rtc.OperationError, match="no key at index 2"):
            keys.ratchet_shared_key(2)
        async with playing(alice):
            await alice.wait_until(alice.e2ee_manager.frame_cryptors)
            [cryptor] = alice.e2ee_manager.frame_cryptors()
            with pytest.raises(ValueError, match="from 0 to 3"):
                cryptor.set_key_index(4)
        with pytest.raises(rtc.OperationError, match="not encrypted any more"):
            cryptor.set_enabled(False)
        manager = alice.e2ee_manager
    for closed in (manager.frame_cryptors, keys.export_shared_key, lambda: manager.set_enabled(False)):
        with pytest.raises(rtc.RoomClosedError):
            closed()


async def test_without_encryption_there_are_no_keys() -> None:
    fake = FakeLibrary()
    fake.room()
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as room:
            manager = room.e2ee_manager
            assert (manager.enabled, manager.options) == (False, None)
            with pytest.raises(rtc.OperationError, match="without encryption"):
                _ = manager.key_provider
            with pytest.raises(rtc.OperationError, match="without encryption"):
                manager.set_enabled(True)
    fake.check()
