"""``livekit-trio record``: what a room sends, in files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import attrs
import trio
import typer
from rich.console import Console

from .. import rtc
from ._joining import Joining, joining

TOGETHER: Final = 1.0
"""Seconds in which a participant's second kind of track, sound or pictures, still comes into the same file as the first."""
LONGEST_NAME: Final = 60


@joining
async def record(
    where: Joining,
    out: Annotated[Path, typer.Option(help="The directory for the files.")] = Path("recordings"),
    identity_of: Annotated[list[str] | None, typer.Option("--only", help="Only of this participant.")] = None,
) -> None:
    """Record everybody in a room, a file for each, until the room ends or Ctrl-C."""
    out.mkdir(parents=True, exist_ok=True)
    recording = _Recording(out)
    async with where.open_room() as room, trio.open_nursery() as nursery:
        with room.open_events(rtc.TrackSubscribed, include_existing=True) as events:
            async for event in events:
                if not identity_of or event.participant.identity in identity_of:
                    nursery.start_soon(recording.follow, room, event.participant)


@attrs.frozen
class _Recording:
    """The files of one call.

    Attributes:
        out: where they are.
        taken: the SIDs of the tracks in them.
    """

    out: Path
    console: Console = attrs.field(factory=Console)
    taken: set[str] = attrs.field(factory=set[str])

    async def follow(self, room: rtc.Room, who: rtc.RemoteParticipant) -> None:  # noqa: ASYNC910 - a task of its own
        """Record what of theirs is in no file yet, sound and pictures together."""
        try:
            with trio.move_on_after(TOGETHER):
                await room.wait_until(lambda: len({track.kind for track in self._new(who)}) != 1)
        except rtc.RoomClosedError:
            return  # noqa: ASYNC910 - nothing of theirs comes any more
        tracks = self._new(who)
        if tracks:
            self.taken.update(track.sid for track in tracks)
            await self._record(_free(self.out, who.identity), tracks)

    def _new(self, who: rtc.RemoteParticipant) -> list[rtc.RemoteTrack]:
        tracks = (publication.track for publication in who.track_publications.values())
        return [track for track in tracks if track is not None and track.sid not in self.taken]

    async def _record(self, path: Path, tracks: list[rtc.RemoteTrack]) -> None:
        recorder = rtc.TrackRecorder(path, tracks)
        self.console.print(f"{path}: recording {len(tracks)} tracks", soft_wrap=True)
        try:
            async with recorder:
                await recorder.wait_ended()
        finally:
            seconds = max((recording.duration for recording in recorder.statistics()), default=0)
            self.console.print(f"{path}: {seconds:.1f} s", soft_wrap=True)


def _free(out: Path, identity: str) -> Path:
    """A file that is not there yet, named after a participant, whatever they call themselves."""
    name = "".join(char if char.isalnum() or char in "-_.@ " else "_" for char in identity)[:LONGEST_NAME]
    number = 0
    while True:
        path = out / f"{name}{f'-{number}' if number else ''}.mkv"
        if not path.exists():
            return path
        number += 1
