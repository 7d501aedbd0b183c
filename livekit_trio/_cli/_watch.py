"""``livekit-trio watch``: a room, live: who is in it, what they send, how loud they are, what happens."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import attrs
import trio
import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .. import rtc
from ._joining import Joining, joining

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

LEVEL_RATE: Final = 8_000
"""Hz: enough for how loud somebody is."""
LEVEL_FRAME_MS: Final = 100
BAR: Final = 20
REFRESH: Final = 4
"""Times a second."""


@attrs.define
class _View:
    """What is shown; `rich.live.Live` asks for it from its own thread, and gets snapshots."""

    room: rtc.Room
    levels: dict[str, float] = attrs.field(factory=dict[str, float])
    """By the SID of the track: 0 to 1."""
    events: deque[Text] = attrs.field(factory=lambda: deque[Text](maxlen=12))

    def __rich__(self) -> RenderableType:
        title = f"{self.room.name}, {self.room.connection_state.name.removeprefix('CONN_').lower()}"
        table = Table(title=title, title_justify="left", expand=True)
        for name in ("participant", "track", "source", "codec or size", "level"):
            table.add_column(name)
        for who in (self.room.local_participant, *self.room.remote_participants.values()):
            name = Text(who.identity, style="bold green" if who.is_speaking else "bold")
            table.add_row(name, f"{who.state.name.removeprefix('PARTICIPANT_STATE_').lower()}", "", "", "")
            for publication in who.track_publications.values():
                table.add_row("", *self._cells(publication))
        return Group(table, *tuple(self.events))

    def _cells(self, publication: rtc.TrackPublication) -> Iterator[str]:
        yield publication.name or publication.sid
        yield publication.source.name.removeprefix("SOURCE_").lower() + (" (muted)" if publication.muted else "")
        size = f" {publication.width}×{publication.height}" if publication.width else ""
        yield publication.mime_type + size
        level = self.levels.get(publication.sid)
        yield "" if level is None else "█" * round(level * BAR)


@joining
async def watch(
    where: Joining,
    levels: Annotated[bool, typer.Option(help="Listen to everybody's sound, to show how loud it is.")] = True,
) -> None:
    """Show who is in a room, what they send, and what happens, until the room ends or Ctrl-C."""
    console = Console()
    async with where.open_room(rtc.RoomOptions(auto_subscribe=levels)) as room:
        view = _View(room)
        with Live(view, console=console, refresh_per_second=REFRESH):
            async with trio.open_nursery() as nursery:
                with room.open_events(include_existing=True) as events:
                    async for event in events:
                        _note(view, console, event)
                        if isinstance(event, rtc.TrackSubscribed) and isinstance(event.track, rtc.RemoteAudioTrack):
                            nursery.start_soon(_listen, view, event.track)
    console.print(f"The room has ended: {(await room.wait_closed()).name}")


def _note(view: _View, console: Console, event: rtc.RoomEvent) -> None:
    if isinstance(event, (rtc.TokenRefreshed, rtc.ActiveSpeakersChanged, rtc.RoomUpdated)):
        return  # a secret; and what the table shows
    line = Text.assemble(f"{datetime.now().astimezone():%H:%M:%S} ", (type(event).__name__, "bold"), " ", _facts(event))
    if console.is_terminal:
        view.events.append(line)
    else:
        console.print(line, soft_wrap=True)


def _facts(event: rtc.RoomEvent) -> str:
    facts: dict[str, Any] = vars(event)
    shown = (f"{name}={getattr(value, 'identity', getattr(value, 'name', value))!r}" for name, value in facts.items())
    return " ".join(shown)


async def _listen(view: _View, track: rtc.RemoteAudioTrack) -> None:
    import numpy as np

    with track.open_stream(sample_rate=LEVEL_RATE, frame_size_ms=LEVEL_FRAME_MS) as frames:
        async for frame in frames:
            view.levels[track.sid] = float(np.abs(frame.to_ndarray().astype(np.int32)).max()) / 32768
    view.levels.pop(track.sid, None)
