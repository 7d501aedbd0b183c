"""``livekit-trio participants``: who is in a room."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .. import api  # noqa: TC001 - typer reads the annotations
from ._calling import Json, calling
from ._pairs import pairs
from ._tables import print_json, print_participant, print_participants

participants = typer.Typer(help="List, change, mute and remove participants; send data to them.", no_args_is_help=True)

PERMISSIONS = "Permissions"

Room = Annotated[str, typer.Argument(help="The room's name.")]
Identity = Annotated[str, typer.Argument(help="The participant's identity.")]
Permission = Annotated[bool | None, typer.Option(rich_help_panel=PERMISSIONS)]


@participants.command("list")
@calling
async def list_participants(lkapi: api.LiveKitAPI, room: Room, as_json: Json = False) -> None:
    """List who is in a room."""
    found = list((await lkapi.room.list_participants(room=room)).participants)
    print_json(found) if as_json else print_participants(found)


@participants.command("get")
@calling
async def get_participant(lkapi: api.LiveKitAPI, room: Room, identity: Identity, as_json: Json = False) -> None:
    """Show everything about one participant."""
    found = await lkapi.room.get_participant(room=room, identity=identity)
    print_json(found) if as_json else print_participant(found)


@participants.command("mute")
@calling
async def mute(  # noqa: ASYNC910 - without tracks it has asked for them
    lkapi: api.LiveKitAPI,
    room: Room,
    identity: Identity,
    track: Annotated[list[str] | None, typer.Option(help="A track's SID; may be repeated. Default: all.")] = None,
    unmute: Annotated[bool, typer.Option("--unmute", help="The contrary, if the server allows it.")] = False,
) -> None:
    """Mute a participant's tracks."""
    sids = track or [each.sid for each in (await lkapi.room.get_participant(room=room, identity=identity)).tracks]
    for sid in sids:
        await lkapi.room.mute_published_track(room=room, identity=identity, track_sid=sid, muted=not unmute)


@participants.command("remove")
@calling
async def remove(  # noqa: ASYNC910 - there is at least one
    lkapi: api.LiveKitAPI,
    room: Room,
    identities: Annotated[list[str], typer.Argument(help="The participants' identities.")],
) -> None:
    """Disconnect participants. Their tokens stay valid."""
    for identity in identities:
        await lkapi.room.remove_participant(room=room, identity=identity)


@participants.command("update")
@calling
async def update(
    lkapi: api.LiveKitAPI,
    room: Room,
    identity: Identity,
    name: Annotated[str, typer.Option(help="The display name.")] = "",
    metadata: Annotated[str, typer.Option(help="Any text, seen by everybody in the room.")] = "",
    attribute: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE; may be repeated. Without VALUE: gone.")
    ] = None,
    can_publish: Permission = None,
    can_subscribe: Permission = None,
    can_publish_data: Permission = None,
    can_update_metadata: Permission = None,
    can_subscribe_metrics: Permission = None,
    hidden: Permission = None,
    as_json: Json = False,
) -> None:
    """Change a participant: what is not given stays as it is."""
    from livekit.protocol.room import UpdateParticipantRequest

    request = UpdateParticipantRequest(
        room=room, identity=identity, name=name, metadata=metadata, attributes=dict(pairs(attribute))
    )
    permissions = {
        "can_publish": can_publish,
        "can_subscribe": can_subscribe,
        "can_publish_data": can_publish_data,
        "can_update_metadata": can_update_metadata,
        "can_subscribe_metrics": can_subscribe_metrics,
        "hidden": hidden,
    }
    given = {permission: value for permission, value in permissions.items() if value is not None}
    if given:
        # The server takes the whole set of them, so that those not mentioned would be lost.
        present = await lkapi.room.get_participant(room=room, identity=identity)
        request.permission.CopyFrom(present.permission)
        for permission, value in given.items():
            setattr(request.permission, permission, value)
    changed = await lkapi.room.update_participant(request)
    print_json(changed) if as_json else print_participant(changed)


@participants.command("send")
@calling
async def send(
    lkapi: api.LiveKitAPI,
    room: Room,
    text: Annotated[str, typer.Argument(help="What to send; -: what comes from standard input, as bytes.")],
    to: Annotated[list[str] | None, typer.Option(help="An identity; may be repeated. Default: everybody.")] = None,
    topic: Annotated[str | None, typer.Option(help="The packet's topic.")] = None,
    lossy: Annotated[bool, typer.Option("--lossy", help="Send it once, whether it arrives or not.")] = False,
) -> None:
    """Send a data packet to those in a room."""
    from livekit.protocol.models import DataPacket
    from livekit.protocol.room import SendDataRequest

    request = SendDataRequest(
        room=room,
        data=sys.stdin.buffer.read() if text == "-" else text.encode(),
        kind=DataPacket.Kind.LOSSY if lossy else DataPacket.Kind.RELIABLE,
        destination_identities=to or (),
        topic=topic,
    )
    await lkapi.room.send_data(request)
