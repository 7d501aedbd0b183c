"""``livekit-trio rooms``: the rooms of a server."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import api  # noqa: TC001 - typer reads the annotations
from ._calling import Json, calling
from ._tables import print_json, print_rooms

rooms = typer.Typer(help="List, create, change and delete rooms.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The room's name.")]
Seconds = Annotated[int, typer.Option(min=0, help="Seconds; 0: the server's default.")]


@rooms.command("list")
@calling
async def list_rooms(
    lkapi: api.LiveKitAPI,
    names: Annotated[list[str] | None, typer.Argument(help="Only these.")] = None,
    as_json: Json = False,
) -> None:
    """List rooms. Participants are counted every few seconds only; "participants list" is exact."""
    found = list((await lkapi.room.list_rooms(names=names or ())).rooms)
    print_json(found) if as_json else print_rooms(found)


@rooms.command("create")
@calling
async def create_room(
    lkapi: api.LiveKitAPI,
    name: Name,
    metadata: Annotated[str, typer.Option(help="Any text, seen by everybody in it.")] = "",
    max_participants: Annotated[int, typer.Option(min=0, help="0: any number.")] = 0,
    empty_timeout: Seconds = 0,
    departure_timeout: Seconds = 0,
    as_json: Json = False,
) -> None:
    """Create a room, or show the one that has this name already.

    It ends by itself: after empty-timeout if nobody comes, after departure-timeout when everybody has left.
    """
    room = await lkapi.room.create_room(
        name=name,
        metadata=metadata,
        max_participants=max_participants,
        empty_timeout=empty_timeout,
        departure_timeout=departure_timeout,
    )
    print_json(room) if as_json else print_rooms([room])


@rooms.command("update")
@calling
async def update_room(
    lkapi: api.LiveKitAPI,
    name: Name,
    metadata: Annotated[str, typer.Option(help="Any text, seen by everybody in it.")],
    as_json: Json = False,
) -> None:
    """Change a room's metadata."""
    room = await lkapi.room.update_room_metadata(room=name, metadata=metadata)
    print_json(room) if as_json else print_rooms([room])


@rooms.command("delete")
@calling
async def delete_rooms(  # noqa: ASYNC910 - there is at least one
    lkapi: api.LiveKitAPI, names: Annotated[list[str], typer.Argument(help="The rooms' names.")]
) -> None:
    """Delete rooms; everybody in them is disconnected."""
    for name in names:
        await lkapi.room.delete_room(room=name)
