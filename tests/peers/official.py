# pyright: basic
"""A participant on the official SDK (livekit 1.2.0), as a program: JSON lines in, JSON lines out.

A line in is ``{"do": "publish_audio", …its arguments}``; each is answered, in order, by ``{"result": …}`` or
``{"error": …}``. In between come events, ``{"event": "track_subscribed", …}``. The end of the input ends the program, so that
it never outlives the test that has started it. `driver.py` is the other end.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import itertools
import json
import math
import os
import sys
import time
from typing import TYPE_CHECKING, Any, cast

from livekit import api, rtc
from livekit.protocol.room import UpdateParticipantRequest
from livekit.rtc._ffi_client import FfiClient
from livekit.rtc._proto import ffi_pb2
from official_media import Media
from official_streams import Streams

if TYPE_CHECKING:
    from collections.abc import Coroutine

RATE = 48_000
FRAME = RATE // 100


def say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class OfficialPeer(Media, Streams):
    """What it can be told to do: its ``do_…`` methods."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.background: set[asyncio.Task[Any]] = set()
        self.frames = 0
        self.data_tracks: dict[str, rtc.LocalDataTrack] = {}
        self.tracks: dict[str, Any] = {}
        self.seen_data_tracks: list[Any] = []

    @property
    def me(self) -> rtc.LocalParticipant:
        return self.room.local_participant

    def start(self, job: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(job)
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    def watch(self) -> None:
        """Say what happens in the room."""
        room = self.room
        room.on("participant_connected", lambda who: say(event="participant_connected", identity=who.identity))
        room.on("participant_active", lambda who: say(event="participant_active", identity=who.identity))
        room.on("participant_disconnected", lambda who: say(event="participant_disconnected", identity=who.identity))
        room.on(
            "track_subscribed",
            lambda track, publication, who: say(event="track_subscribed", identity=who.identity, sid=publication.sid),
        )
        room.on(
            "track_unsubscribed",
            lambda track, publication, who: say(event="track_unsubscribed", identity=who.identity, sid=publication.sid),
        )
        room.on(
            "participant_metadata_changed",
            lambda who, old, new: say(event="metadata_changed", identity=who.identity, old=old, new=new),
        )
        room.on(
            "participant_name_changed",
            lambda who, old, new: say(event="name_changed", identity=who.identity, old=old, new=new),
        )
        room.on(
            "participant_attributes_changed",
            lambda changed, who: say(
                event="attributes_changed", identity=who.identity, changed=changed, attributes=dict(who.attributes)
            ),
        )
        room.on("local_track_subscribed", lambda track: say(event="local_track_subscribed", sid=track.sid))
        room.on("data_received", self._on_data)
        room.on("sip_dtmf_received", lambda tone: say(event="dtmf", digit=tone.digit, code=tone.code))
        room.on("disconnected", lambda reason: say(event="disconnected", reason=int(reason)))

    def _greet(self, who: rtc.RemoteParticipant) -> None:
        now = str(time.monotonic())
        self.start(self.me.publish_data(now, topic="greeting", destination_identities=[who.identity]))

    def _call_at_once(self, identity: str, method: str) -> None:
        async def call() -> None:
            at = time.monotonic()
            outcome = await self.do_perform_rpc(identity, method)
            say(event="called", identity=identity, at=at, **outcome)

        self.start(call())

    def _on_data(self, packet: rtc.DataPacket) -> None:
        sender = packet.participant.identity if packet.participant else None
        say(event="data_received", data=packet.data.decode(), topic=packet.topic, sender=sender, kind=int(packet.kind))

    # ---- the room

    async def do_join(
        self,
        url: str,
        token: str,
        key: str | None = None,
        *,
        greet: bool = False,
        call: str | None = None,
        stream: str | None = None,
        tell: bool = True,
    ) -> str:
        """Join.

        Args:
            url: the server.
            token: as for any join.
            key: encrypt with this passphrase.
            greet: send the time, by `time.monotonic`, to everybody as soon as they can receive it.
            call: call this method of everybody as soon as they can receive it.
            stream: send a text and a file to this topic of everybody as soon as they can receive it, with the time in them.
            tell: say what happens. Unless somebody listens, more than a pipe holds would stop this program.
        """
        self.room.on("data_track_published", self.seen_data_tracks.append)
        if tell:
            self.watch()
        if greet:
            self.room.on("participant_active", self._greet)
        if call is not None:
            self.room.on("participant_active", lambda who: self._call_at_once(who.identity, call))
        if stream is not None:
            self.room.on("participant_active", lambda who: self.start(self.stream_at_once(who.identity, stream)))
        options = rtc.RoomOptions()
        if key is not None:
            options.encryption = rtc.E2EEOptions(key_provider_options=rtc.KeyProviderOptions(shared_key=key.encode()))
        await self.room.connect(url, token, options)
        return self.me.sid

    async def do_leave(self) -> None:
        await self.room.disconnect()

    async def do_look(self) -> dict[str, Any]:
        """Who is in the room, by identity: what this SDK shows of them."""
        return {
            who.identity: {
                "name": who.name,
                "metadata": who.metadata,
                "attributes": dict(who.attributes),
                "tracks": {sid: publication.name for sid, publication in who.track_publications.items()},
            }
            for who in self.room.remote_participants.values()
        }

    async def do_simulate(self, scenario: int) -> None:
        await self.room.simulate_scenario(cast("Any", scenario))

    async def do_set_metadata(self, metadata: str) -> None:
        await self.me.set_metadata(metadata)

    async def do_set_name(self, name: str) -> None:
        await self.me.set_name(name)

    async def do_set_attributes(self, attributes: dict[str, str]) -> None:
        await self.me.set_attributes(attributes)

    # ---- media

    async def do_publish_audio(self, name: str = "tone", *, loud: bool = True) -> str:
        """Publish a tone, or silence, for as long as the room lasts. Returns the track's SID."""
        source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
        track = rtc.LocalAudioTrack.create_audio_track(name, source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        publication = await self.me.publish_track(track, options)
        self.tracks[publication.sid] = track
        self.start(self._play(source, 16_000 if loud else 0))
        return publication.sid

    async def _play(self, source: rtc.AudioSource, amplitude: int) -> None:
        wave = array.array("h", (int(amplitude * math.sin(n * 2 * math.pi * 440 / RATE)) for n in range(RATE)))
        second = memoryview(wave).cast("B")
        while True:
            for begin in range(0, len(second), 2 * FRAME):
                await source.capture_frame(rtc.AudioFrame(bytes(second[begin : begin + 2 * FRAME]), RATE, 1, FRAME))

    async def do_publish_video(
        self, name: str = "card", width: int = 1280, height: int = 720, *, simulcast: bool = True
    ) -> str:
        """Publish a moving pattern, 15 frames a second. Returns the track's SID."""
        source = rtc.VideoSource(width, height)
        track = rtc.LocalVideoTrack.create_video_track(name, source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=simulcast)
        publication = await self.me.publish_track(track, options)
        self.tracks[publication.sid] = track
        self.start(self._show(source, width, height))
        return publication.sid

    async def _show(self, source: rtc.VideoSource, width: int, height: int) -> None:
        stripes = bytes(range(256)) * (width // 256 + 2)
        chroma = b"\x80" * (width * height // 2)
        for shift in range(1_000_000):
            offset = shift * 3 % 256
            luma = stripes[offset : offset + width] * height
            source.capture_frame(rtc.VideoFrame(width, height, rtc.VideoBufferType.I420, luma + chroma))
            await asyncio.sleep(1 / 15)

    async def do_mute(self, sid: str) -> None:
        self.tracks[sid].mute()

    async def do_unmute(self, sid: str) -> None:
        self.tracks[sid].unmute()

    async def do_unpublish(self, sid: str) -> None:
        await self.me.unpublish_track(sid)

    async def do_allow(self, identities: list[str] | None) -> None:
        """Let only *identities* subscribe to our tracks; None: everybody."""
        permissions = [
            rtc.ParticipantTrackPermission(participant_identity=who, allow_all=True) for who in identities or ()
        ]
        self.me.set_track_subscription_permissions(
            allow_all_participants=identities is None, participant_permissions=permissions
        )

    async def do_watch(self, identity: str) -> None:
        """Begin to count the frames of the first track that *identity* has published."""
        who = self.room.remote_participants[identity]
        track = next(publication.track for publication in who.track_publications.values() if publication.track)
        self.start(self._count(rtc.AudioStream(track)))

    async def _count(self, stream: Any) -> None:
        async for _ in stream:
            self.frames += 1

    # ---- data

    async def do_send_data(
        self, data: str, topic: str = "", *, reliable: bool = True, to: list[str] | None = None
    ) -> None:
        await self.me.publish_data(data, topic=topic, reliable=reliable, destination_identities=to or [])

    async def do_send_dtmf(self, code: int, digit: str) -> None:
        await self.me.publish_dtmf(code=code, digit=digit)

    async def do_send_transcription(self, identity: str, track_sid: str, text: str) -> None:
        segment = rtc.TranscriptionSegment(id="SG_1", text=text, start_time=0, end_time=0, language="en", final=True)
        await self.me.publish_transcription(
            rtc.Transcription(participant_identity=identity, track_sid=track_sid, segments=[segment])
        )

    async def do_send_chat(self, text: str) -> None:
        """By the native request that this SDK has no method for."""
        request = ffi_pb2.FfiRequest()
        request.send_chat_message.local_participant_handle = self.me._ffi_handle.handle
        request.send_chat_message.message = text
        FfiClient.instance.request(request)

    # ---- RPC

    async def do_announce(self, url: str, key: str, secret: str, room: str, identity: str) -> None:
        """Let the server tell of *identity*, who is joining, at once: from now on, until it is active."""

        async def announce() -> None:
            async with api.LiveKitAPI(url, key, secret) as server:
                for count in itertools.count():
                    who = self.room.remote_participants.get(identity)
                    if who is not None and who.state == rtc.ParticipantState.PARTICIPANT_STATE_ACTIVE:
                        break
                    with contextlib.suppress(api.TwirpError):  # it is not in the room yet
                        request = UpdateParticipantRequest(room=room, identity=identity, metadata=str(count))
                        await server.room.update_participant(request)
                    await asyncio.sleep(0.002)

        self.start(announce())

    async def do_serve_rpc(self, method: str) -> None:
        """Answer with the payload turned round; after ``fail:`` with an error, after ``twice:`` with two of it."""

        async def turn_round(call: rtc.RpcInvocationData) -> str:
            if call.payload.startswith("fail:"):
                raise rtc.RpcError(1234, call.payload.removeprefix("fail:"), "facts")
            if call.payload.startswith("twice:"):
                return call.payload * 2
            return call.payload[::-1]

        self.me.register_rpc_method(method, turn_round)

    async def do_perform_rpc(
        self, to: str, method: str, payload: str = "", response_timeout: float | None = None
    ) -> dict[str, Any]:
        try:
            response = await self.me.perform_rpc(
                destination_identity=to, method=method, payload=payload, response_timeout=response_timeout
            )
        except rtc.RpcError as error:
            return {"code": error.code, "message": error.message, "data": error.data}
        return {"response": response}

    async def do_perform_rpcs(self, to: str, method: str, count: int) -> list[dict[str, Any]]:
        """Many at once, with their numbers as payloads."""
        calls = (self.do_perform_rpc(to, method, str(number)) for number in range(count))
        return await asyncio.gather(*calls)

    # ---- data tracks

    async def do_publish_data_track(self, name: str) -> str:
        track = await self.me.publish_data_track(name=name)
        self.data_tracks[track.info.sid] = track
        return track.info.sid

    async def do_push_data_track(self, sid: str, data: str, timestamp: int | None = None) -> None:
        self.data_tracks[sid].try_push(rtc.DataTrackFrame(payload=data.encode(), user_timestamp=timestamp))

    async def do_watch_data_track(self, name: str) -> None:
        """Tell of the frames of a data track that is, or will be, published."""
        track = next((track for track in self.seen_data_tracks if track.info.name == name), None)
        while track is None:
            await asyncio.sleep(0.01)
            track = next((track for track in self.seen_data_tracks if track.info.name == name), None)
        self.start(self._tell_frames(name, track.subscribe()))

    async def _tell_frames(self, name: str, stream: Any) -> None:
        async for frame in stream:
            size, begin = len(frame.payload), frame.payload[:10].decode()
            say(event="frame", name=name, size=size, begin=begin, timestamp=frame.user_timestamp)
        say(event="frames_ended", name=name)

    async def do_unpublish_data_track(self, sid: str) -> None:
        await self.data_tracks.pop(sid).unpublish()


async def main() -> None:
    peer = OfficialPeer()
    lines = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        command = json.loads(line)
        job = getattr(peer, f"do_{command.pop('do')}")
        try:
            say(result=await job(**command))
        except Exception as error:  # noqa: BLE001 - the other end raises it
            say(error=f"{type(error).__name__}: {error or getattr(error, 'message', '')}")
    await peer.room.disconnect()
    os._exit(0)  # the SDK's own end takes more than a second


if __name__ == "__main__":
    asyncio.run(main())
