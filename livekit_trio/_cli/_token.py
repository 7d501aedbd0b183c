"""``livekit-trio token``: access tokens from the command line."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console

from .. import api
from ..api._token import ParticipantKindName  # noqa: TC001 - typer reads the annotations

GRANTS = "Grants"

Flag = Annotated[bool | None, typer.Option(rich_help_panel=GRANTS)]
Default = Annotated[bool, typer.Option(rich_help_panel=GRANTS)]


def token(
    identity: Annotated[str, typer.Option(help="The participant's identity.")] = "",
    room: Annotated[str, typer.Option(help="The room that the token is about.")] = "",
    api_key: Annotated[str, typer.Option(envvar="LIVEKIT_API_KEY", help="The API key.")] = "",
    api_secret: Annotated[str, typer.Option(envvar="LIVEKIT_API_SECRET", help="Its secret.")] = "",
    name: Annotated[str, typer.Option(help="The participant's display name.")] = "",
    metadata: Annotated[str, typer.Option(help="The participant's metadata.")] = "",
    attribute: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; may be repeated.")] = None,
    kind: Annotated[ParticipantKindName | None, typer.Option(help="Default: standard.")] = None,
    ttl: Annotated[float, typer.Option(help="Seconds until it expires.")] = 6 * 3600,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: the token and what it says.")] = False,
    room_join: Annotated[
        bool | None, typer.Option(rich_help_panel=GRANTS, help="Default: yes, with an identity and a room.")
    ] = None,
    room_create: Flag = None,
    room_list: Flag = None,
    room_record: Flag = None,
    room_admin: Flag = None,
    can_publish: Default = True,
    can_subscribe: Default = True,
    can_publish_data: Default = True,
    can_publish_source: Annotated[
        list[str] | None, typer.Option(rich_help_panel=GRANTS, help="camera, microphone …; may be repeated.")
    ] = None,
    can_update_own_metadata: Flag = None,
    can_manage_agent_session: Flag = None,
    can_subscribe_metrics: Flag = None,
    destination_room: Annotated[str | None, typer.Option(rich_help_panel=GRANTS)] = None,
    ingress_admin: Flag = None,
    hidden: Flag = None,
    recorder: Flag = None,
    agent: Flag = None,
) -> None:
    """Print an access token. With an identity and a room it lets the one join the other."""
    if not api_key or not api_secret:
        raise typer.BadParameter("give --api-key and --api-secret, or set LIVEKIT_API_KEY and LIVEKIT_API_SECRET")
    grants = api.VideoGrants(
        room_join=bool(identity and room) or None if room_join is None else room_join,
        room=room,
        room_create=room_create,
        room_list=room_list,
        room_record=room_record,
        room_admin=room_admin,
        can_publish=can_publish,
        can_subscribe=can_subscribe,
        can_publish_data=can_publish_data,
        can_publish_sources=can_publish_source or None,
        can_update_own_metadata=can_update_own_metadata,
        can_manage_agent_session=can_manage_agent_session,
        can_subscribe_metrics=can_subscribe_metrics,
        destination_room=destination_room,
        ingress_admin=ingress_admin,
        hidden=hidden,
        recorder=recorder,
        agent=agent,
    )
    access = (
        api.AccessToken(api_key, api_secret)
        .with_identity(identity)
        .with_name(name)
        .with_metadata(metadata)
        .with_ttl(timedelta(seconds=ttl))
        .with_grants(grants)
    )
    if kind is not None:
        access.with_kind(kind)
    if attribute:
        access.with_attributes(dict(_pair(text) for text in attribute))
    signed = access.to_jwt()
    if as_json:
        said = {"token": signed, "identity": identity, "issuer": api_key, "ttl": ttl, "claims": access.claims.asdict()}
        Console().print_json(json.dumps(said))
    else:
        typer.echo(signed)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value
