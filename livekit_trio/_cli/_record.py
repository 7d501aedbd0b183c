"""``livekit-trio record``: what a room sends, in files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import trio
import typer
from rich.console import Console

from .. import rtc
from ..rtc._files import safe_name
from ._joining import Joining, joining

if TYPE_CHECKING:
    from collections.abc import Iterable

CANNOT_WRITE: Final = 1
SETTLING: Final = 1.0
"""Seconds after a participant's first track in which another one still comes into the same file."""


@joining
async def record(
    where: Joining,
    out: Annotated[Path, typer.Option(help="The directory for the files.")] = Path("recordings"),
    identity_of: Annotated[list[str] | None, typer.Option("--only", help="Only of this participant.")] = None,
) -> None:
    """Record everybody in a room, a file for each, until the room ends or Ctrl-C."""
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    async with where.open_room() as room, trio.open_nursery() as nursery:
        taken: set[str] = set()
        with room.open_events(rtc.TrackSubscribed, include_existing=True) as events:
            async for event in events:
                who = event.participant
                if event.track.sid in taken or (identity_of and who.identity not in identity_of):
                    continue
                await trio.sleep(SETTLING)
                tracks = [track for track in _tracks(who) if track.sid not in taken]
                taken.update(track.sid for track in tracks)
                if tracks:
                    nursery.start_soon(_record, console, _free(out, who.identity), tracks)


def _tracks(who: rtc.RemoteParticipant) -> Iterable[rtc.RemoteTrack]:
    return (publication.track for publication in who.track_publications.values() if publication.track is not None)


def _free(out: Path, identity: str) -> Path:
    """A file that is not there yet, named after a participant, whatever they call themselves."""
    number = 0
    while True:
        path = out / f"{safe_name(identity)}{f'-{number}' if number else ''}.mkv"
        if not path.exists():
            return path
        number += 1


async def _record(console: Console, path: Path, tracks: list[rtc.RemoteTrack]) -> None:
    recorder = rtc.TrackRecorder(path, tracks)
    console.print(f"{path}: recording {len(tracks)} tracks", soft_wrap=True)
    try:
        async with recorder:
            await recorder.wait_ended()
    finally:
        seconds = max((recording.duration for recording in recorder.statistics()), default=0)
        console.print(f"{path}: {seconds:.1f} s", soft_wrap=True)
