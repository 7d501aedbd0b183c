"""The demo's call, from the first join to the comparison of the recording with the file."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, cast

import anyio
import anyio.to_thread
import attrs

from ... import rtc
from . import _scenes
from ._compare import RATE, pictures_problem, read_media, sound_problem
from ._picture import draw
from ._place import open_place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from PIL import Image

    from ... import api
    from ._picture import Moment
    from ._place import Elsewhere, Place
    from ._report import Report

SPEAKER, LISTENER, CLERK = "speaker", "listener", "clerk"
PEOPLE: Final = (SPEAKER, LISTENER, CLERK)

WEBHOOKS: Final = {
    "room_started": 1,
    "participant_joined": 3,
    "track_published": 2,
    "track_unpublished": 2,
    "participant_left": 3,
    "room_finished": 1,
}
WEBHOOKS_WITHIN: Final = 30.0
LEAVING_WITHIN: Final = 60.0
"""Seconds, for two. On a busy machine, or where packets are lost, the server's goodbye gets lost now and then; the native library then
tries for 25 s, or joins anew, and it is true that not everybody was sent home."""
FIRST_FRAMES: Final = 100
"""Of silence, 10 ms each, that have arrived before the file is played: it is then found as a whole in the recording."""
LAST_FRAMES: Final = 1.0
"""Seconds that are recorded after the file has been played: nothing tells when the last that was on its way has arrived."""


@attrs.frozen
class Plan:
    """What to do.

    Attributes:
        file: what the speaker publishes.
        out: the directory for what comes of it.
        elsewhere: the server; None for one of our own.
    """

    file: Path
    out: Path
    elsewhere: Elsewhere | None = None


@attrs.define
class _Findings:
    """What was seen beside the recording."""

    picture: Image.Image | None = None
    lost: float = 0.0
    """Which part of the packets the network has lost on their way to the listener."""
    moments: list[Moment] = attrs.field(factory=list["Moment"])


async def hold_call(plan: Plan, report: Report, say: Callable[[str], None]) -> None:
    """Hold the call and compare the recording; what was found out is in *report*.

    Args:
        plan: what to do.
        report: gets a row for each thing, as soon as it is known.
        say: told what is being done.
    """
    findings = _Findings()
    say("starting a server" if plan.elsewhere is None else f"going to {plan.elsewhere.url}")
    async with open_place(plan.elsewhere) as place:
        async with place.open_api() as lkapi:
            await _meet(plan, place, lkapi, report, findings, say)
        if place.has_webhooks:
            say("waiting for the last webhooks")
            await _check_webhooks(place, report)
    say("comparing the recording with the file")
    await anyio.to_thread.run_sync(_compare, plan, report, findings)


async def _meet(
    plan: Plan, place: Place, lkapi: api.LiveKitAPI, report: Report, findings: _Findings, say: Callable[[str], None]
) -> None:
    begin = anyio.current_time()
    async with AsyncExitStack() as rooms:
        speaker, listener, clerk = [
            await rooms.enter_async_context(rtc.open_room(place.url, place.token(identity))) for identity in PEOPLE
        ]
        for room in (listener, clerk):
            for identity in PEOPLE:
                if identity != room.local_participant.identity:
                    await (await room.wait_for_participant(identity)).wait_until_active()
        report.add(f"{len(PEOPLE)} participants join", seconds=anyio.current_time() - begin)

        async with rtc.MediaFileSource(plan.file) as media, AsyncExitStack() as published:
            for track, source in (
                (media.audio_track, rtc.TrackSource.SOURCE_MICROPHONE),
                (media.video_track, rtc.TrackSource.SOURCE_CAMERA),
            ):
                if track is None:
                    raise rtc.OperationError(f"{plan.file} must have both sound and pictures")
                # One layer: everybody gets the same pictures, and the machine encodes them once.
                options = rtc.TrackPublishOptions(source=source, simulcast=False)
                await published.enter_async_context(speaker.local_participant.published_track(track, options))
            await _record(plan, media, lkapi, report, findings, (listener, clerk), say)

        say("sending the clerk away and closing the room")
        await _close(lkapi, report, listener, clerk)


async def _record(
    plan: Plan,
    media: rtc.MediaFileSource,
    lkapi: api.LiveKitAPI,
    report: Report,
    findings: _Findings,
    people: tuple[rtc.Room, rtc.Room],
    say: Callable[[str], None],
) -> None:
    """Play the file, record what arrives, and let everything else happen meanwhile."""
    listener, clerk = people
    audio, video = await _tracks(listener)
    recorder = rtc.TrackRecorder(plan.out / "call.mp4", [audio, video])
    begin = anyio.current_time()
    async with recorder, anyio.create_task_group() as watching:
        watching.start_soon(_scenes.watch_stats, listener, findings.moments)

        async def look() -> None:
            findings.picture = await _scenes.take_picture(video, after=30)

        watching.start_soon(look)
        with audio.open_stream(frame_size_ms=10) as silence, anyio.fail_after(_scenes.PATIENCE):  # noqa: ASYNC912 - there are some frames to wait for
            for _ in range(FIRST_FRAMES):
                await silence.receive()
        media.resume()
        say("talking, by a text stream")
        await _scenes.talk(report, clerk, listener)
        say("sending a file")
        await _scenes.send_file(report, clerk, listener, plan.file, plan.out / "received")
        say("managing the room by the server API")
        await _scenes.manage(report, lkapi, listener, len(PEOPLE))
        say("losing the network")
        await _scenes.lose_network(report, listener)
        say("calling remote procedures")
        await _scenes.call(report, clerk, listener)
        say("listening to the rest")
        await media.wait_ended()
        await anyio.sleep(LAST_FRAMES)
        findings.lost = await _scenes.measure_loss(audio, video)
        watching.cancel_scope.cancel()
    for recording in recorder.statistics():
        report.add(
            "sound, recorded" if recording.kind == rtc.TrackKind.KIND_AUDIO else "pictures, recorded",
            received=f"{recording.delivered} frames",
            dropped=recording.dropped,
            seconds=anyio.current_time() - begin,
            problem="" if recording.written == recording.delivered else f"{recording.written} of them were written",
        )


async def _tracks(listener: rtc.Room) -> tuple[rtc.RemoteAudioTrack, rtc.RemoteVideoTrack]:
    with anyio.fail_after(_scenes.PATIENCE):
        tracks = [
            (await listener.wait_for(rtc.TrackSubscribed, _is_of(kind), include_existing=True)).track
            for kind in (rtc.RemoteAudioTrack, rtc.RemoteVideoTrack)
        ]
    return cast("tuple[rtc.RemoteAudioTrack, rtc.RemoteVideoTrack]", tuple(tracks))


def _is_of(kind: type[rtc.RemoteTrack]) -> Callable[[rtc.TrackSubscribed], bool]:
    return lambda event: isinstance(event.track, kind)


async def _close(lkapi: api.LiveKitAPI, report: Report, listener: rtc.Room, clerk: rtc.Room) -> None:
    begin = anyio.current_time()
    with anyio.fail_after(LEAVING_WITHIN):
        await lkapi.room.remove_participant(room=listener.name, identity=CLERK)
        removed = await clerk.wait_closed()
        await lkapi.room.delete_room(room=listener.name)
        deleted = await listener.wait_closed()
    wanted = (rtc.DisconnectReason.PARTICIPANT_REMOVED, rtc.DisconnectReason.ROOM_DELETED)
    report.add(
        "everybody is sent home",
        received=f"{removed.name}, {deleted.name}",
        seconds=anyio.current_time() - begin,
        problem="" if (removed, deleted) == wanted else "for another reason",
    )


async def _check_webhooks(place: Place, report: Report) -> None:
    begin = anyio.current_time()
    missing = await place.wait_for_webhooks(WEBHOOKS, WEBHOOKS_WITHIN)
    listed = ", ".join(f"{count} {name}" for name, count in missing.items())
    report.add(
        "webhooks",
        received=f"{place.webhooks.total()} events",
        seconds=anyio.current_time() - begin,
        problem=f"missing: {listed}" if missing else "",
    )


def _compare(plan: Plan, report: Report, findings: _Findings) -> None:
    source, recording = read_media(plan.file), read_media(plan.out / "call.mp4")
    report.add(
        "the sound, compared",
        sent=f"{len(source.sound) / RATE:.1f} s",
        received=f"{len(recording.sound) / RATE:.1f} s",
        problem=sound_problem(source.sound, recording.sound, findings.lost),
    )
    arrived = len({number for _, number in recording.numbered})
    report.add(
        "the pictures, compared",
        sent=len(source.pictures),
        received=arrived or len(recording.pictures),
        dropped=max(0, len(source.pictures) - (arrived or len(recording.pictures))),
        problem=pictures_problem(source, recording, findings.lost),
    )
    if findings.picture is not None:
        draw(plan.out / "call.png", findings.picture, recording.sound, RATE, findings.moments)
