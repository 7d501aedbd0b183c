"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.protobuf.message import Message
    from livekit.protocol.models import ParticipantInfo, Room


def print_json(what: Message | Sequence[Message]) -> None:
    """Print a message, or an array of them, with the names of the protocol."""
    from google.protobuf.json_format import MessageToDict

    def plain(message: Message) -> dict[str, Any]:
        return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)

    said = [plain(each) for each in what] if isinstance(what, (list, tuple)) else plain(what)  # pyright: ignore[reportArgumentType]
    typer.echo(json.dumps(said, indent=2, ensure_ascii=False))


def print_rooms(rooms: Iterable[Room]) -> None:
    """Print a line for each room."""
    columns = ("name", "sid", "participants", "publishers", "since", "metadata")
    _print_table(
        columns,
        (
            (each.name, each.sid, each.num_participants, each.num_publishers, _date(each.creation_time), each.metadata)
            for each in rooms
        ),
    )


def print_participants(participants: Iterable[ParticipantInfo]) -> None:
    """Print a line for each participant."""
    _print_table(
        ("identity", "name", "kind", "state", "since", "tracks"),
        (
            (
                who.identity,
                who.name,
                who.Kind.Name(who.kind),
                who.State.Name(who.state),
                _date(who.joined_at),
                ", ".join(track.name or track.sid for track in who.tracks),
            )
            for who in participants
        ),
    )


def print_participant(who: ParticipantInfo) -> None:
    """Print everything about one participant."""
    permission = who.permission
    allowed = [field.name for field, value in permission.ListFields() if value is True]
    facts = {
        "identity": who.identity,
        "sid": who.sid,
        "name": who.name,
        "kind": who.Kind.Name(who.kind),
        "state": who.State.Name(who.state),
        "since": _date(who.joined_at),
        "metadata": who.metadata,
        **{f"attribute {name}": value for name, value in sorted(who.attributes.items())},
        "may": ", ".join(allowed),
    }
    _print_table(("", ""), facts.items())
    if who.tracks:
        from livekit.protocol.models import TrackSource, TrackType

        _print_table(
            ("track", "name", "kind", "source", "muted"),
            (
                (each.sid, each.name, TrackType.Name(each.type), TrackSource.Name(each.source), each.muted)
                for each in who.tracks
            ),
        )


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Nothing is left out for want of width: a long cell takes several lines."""
    table = Table(show_header=any(columns), header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    Console().print(table)


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
