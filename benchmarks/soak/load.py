"""The load: in each room a speaker who sends numbered packets and streams, a listener who hears them; guests come and go, some of whom publish sound or pictures.

All of it is written into the diary, and none of it gives up: who has lost a room joins it again.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import anyio
import attrs

from livekit_trio import rtc
from livekit_trio.testing import colour_bars, tone_frames

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable

    from livekit_trio.testing import DevServer

    from .accounts import Diary

PACKET_EVERY: Final = 0.5
STREAM_EVERY: Final = 5.0
GUEST_EVERY: Final = 3.0
GUEST_STAYS: Final = 1.0
REJOIN_AFTER: Final = 1.0
TEXT: Final = "Bonjour, ça va ? "
TEXTS_IN_A_STREAM: Final = 300
FPS: Final = 5
SIZE: Final = (320, 180)
TOPIC: Final = "numbers"


@attrs.define
class Pair:
    """A room with its speaker and its listener, who may be away.

    Attributes:
        number: the room's.
        server: where it is.
        diary: of all rooms.
        speaker: the speaker's room now.
        listener: the listener's.
        sent: the last number of each kind.
        heard: whether a packet has come through yet.
        silent: whether the speaker says nothing more.
    """

    number: int
    server: DevServer
    diary: Diary
    speaker: rtc.Room | None = None
    listener: rtc.Room | None = None
    sent: dict[str, int] = attrs.field(factory=lambda: {"packet": 0, "text": 0, "bytes": 0})
    heard: anyio.Event = attrs.field(factory=anyio.Event)
    silent: bool = False

    @property
    def name(self) -> str:
        return f"soak-{self.number}"

    def token(self, identity: str) -> str:
        return self.server.token(identity, self.name)

    def note(self, what: str, **facts: object) -> None:
        self.diary.note(what, room=self.number, **facts)

    async def run(self) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._stay, "listener", self._listen)
            group.start_soon(self._stay, "speaker", self._speak)

    async def _stay(self, identity: str, do: Callable[[rtc.Room], Awaitable[None]]) -> None:
        """Be in the room, and join again whenever it has ended."""
        while True:
            begin = anyio.current_time()
            try:
                async with rtc.open_room(self.server.url, self.token(identity)) as room:
                    with room.open_events(rtc.Reconnecting, rtc.Reconnected, rtc.Disconnected) as events:
                        self.note("up", who=identity)
                        setattr(self, identity, room)
                        async with anyio.create_task_group() as group:
                            group.start_soon(_until_it_ends, do, room)
                            async for event in events:
                                up = isinstance(event, rtc.Reconnected)
                                self.note("up" if up else "down", who=identity, event=type(event).__name__)
                            group.cancel_scope.cancel()
            except rtc.ConnectError as error:
                self.note("failed", doing=f"{identity} joins", error=str(error), since=begin)
            setattr(self, identity, None)
            await anyio.sleep(REJOIN_AFTER)

    async def _speak(self, room: rtc.Room) -> None:
        me = room.local_participant
        await _wait_for_listener(room)

        async def packet(number: int) -> None:
            await me.publish_data(str(number), topic=TOPIC)

        async def text(number: int) -> None:
            facts = {"number": str(number)}
            await me.send_text(words(number), topic=TOPIC, attributes=facts, compress=False)

        async def data(number: int) -> None:
            async with me.stream_bytes(name="numbers", topic=TOPIC, attributes={"number": str(number)}) as writer:
                await writer.write(words(number).encode())

        async with anyio.create_task_group() as group:
            group.start_soon(self._send, "packet", packet, PACKET_EVERY)
            group.start_soon(self._send, "text", text, STREAM_EVERY)
            await anyio.sleep(STREAM_EVERY / 2)
            group.start_soon(self._send, "bytes", data, STREAM_EVERY)

    async def _send(self, kind: str, send: Callable[[int], Awaitable[None]], every: float) -> None:
        while not self.silent:
            self.sent[kind] += 1
            number = self.sent[kind]
            self.note("sent", kind=kind, number=number)
            begin = anyio.current_time()
            try:
                await send(number)
            except rtc.RoomClosedError:
                return
            except rtc.LiveKitError as error:
                self.note("failed", doing=f"sends {kind} {number}", error=str(error), since=begin)
            await anyio.sleep(every)

    async def _listen(self, room: rtc.Room) -> None:
        with (
            room.open_events(rtc.DataReceived) as packets,
            room.accept_text_streams(TOPIC) as texts,
            room.accept_byte_streams(TOPIC) as files,
        ):
            async with anyio.create_task_group() as group:
                group.start_soon(self._hear_streams, "text", texts)
                group.start_soon(self._hear_streams, "bytes", files)
                async for packet in packets:
                    if packet.topic == TOPIC:
                        self.note("arrived", kind="packet", number=int(packet.data))
                        self.heard.set()
                group.cancel_scope.cancel()

    async def _hear_streams(
        self, kind: str, streams: AsyncIterable[rtc.TextStreamReader | rtc.ByteStreamReader]
    ) -> None:
        async for reader in streams:
            number = int(reader.info.attributes["number"])
            begin = anyio.current_time()
            try:
                content = await reader.read_all()
            except rtc.LiveKitError as error:
                self.note("failed", doing=f"reads {kind} {number}", error=repr(error), since=begin)
                continue
            said = content if isinstance(content, str) else content.decode()
            self.note("arrived" if said == words(number) else "garbled", kind=kind, number=number)


async def _until_it_ends(do: Callable[[rtc.Room], Awaitable[None]], room: rtc.Room) -> None:
    with suppress(rtc.RoomClosedError):
        await do(room)


async def _wait_for_listener(room: rtc.Room) -> None:
    while True:
        who = await room.wait_for_participant("listener")
        with suppress(rtc.OperationError):  # they have gone again
            return await who.wait_until_active()


def words(number: int) -> str:
    """What a stream of that number says: some 5 kB."""
    return f"{number} {TEXT * TEXTS_IN_A_STREAM}"


async def run_guests(pairs: list[Pair]) -> None:
    """Come into one room after the other, hear a packet, and leave."""
    count = 0
    while True:
        pair = pairs[count % len(pairs)]
        count += 1
        begin = anyio.current_time()
        try:
            async with rtc.open_room(pair.server.url, pair.token(f"guest-{count}")) as room:
                await room.wait_for(rtc.DataReceived)
                await anyio.sleep(GUEST_STAYS)
                tracks = sum(len(who.track_publications) for who in room.remote_participants.values())
                pair.note("guest", tracks=tracks)
        except rtc.LiveKitError as error:
            pair.note("failed", doing="a guest joins", error=str(error), since=begin)
        await anyio.sleep(max(0, begin + GUEST_EVERY - anyio.current_time()))


async def run_media(pair: Pair, kind: str, count: int) -> None:
    """Come into a room, publish a track, let the listener count what comes of it, and leave when cancelled.

    Whoever publishes leaves: the native library keeps a track's encoder, 1.5 MB and a thread, until then, published or not.
    """
    frames = 0
    begin = anyio.current_time()
    try:
        if pair.listener is None:
            return
        async with rtc.open_room(pair.server.url, pair.token(f"{kind}-{count}")) as room:
            async with playing(room) if kind == "sound" else showing(room):
                who = await pair.listener.wait_for_participant(room.local_participant.identity)
                with who.open_audio_stream() if kind == "sound" else who.open_video_stream() as stream:
                    async for _ in stream:
                        frames += 1
    except* rtc.LiveKitError as group:
        pair.note("failed", doing=f"{kind} is published", error=repr(group.exceptions), since=begin)
    finally:
        pair.note("media", kind=kind, frames=frames, seconds=round(anyio.current_time() - begin, 1))


@asynccontextmanager
async def playing(room: rtc.Room) -> AsyncGenerator[None]:
    """A published tone."""
    source = rtc.AudioSource(48_000, 1)
    track = rtc.LocalAudioTrack.create_audio_track("tone", source)

    async def play() -> None:
        for frame in tone_frames(440, frame_ms=100):
            await source.capture_frame(frame)

    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    with source:
        async with room.local_participant.published_track(track, options), anyio.create_task_group() as group:
            group.start_soon(play)
            yield
            group.cancel_scope.cancel()


@asynccontextmanager
async def showing(room: rtc.Room) -> AsyncGenerator[None]:
    """Published colour bars."""
    source = rtc.VideoSource(*SIZE)
    track = rtc.LocalVideoTrack.create_video_track("bars", source)

    async def show() -> None:
        number = 0
        while True:
            source.capture_frame(colour_bars(number, *SIZE))
            number += 1
            await anyio.sleep(1 / FPS)

    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=False)
    with source:
        async with room.local_participant.published_track(track, options), anyio.create_task_group() as group:
            group.start_soon(show)
            yield
            group.cancel_scope.cancel()
