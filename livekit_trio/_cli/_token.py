"""``livekit-trio token``: access tokens from the command line."""

from __future__ import annotations

import functools
import inspect
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer
from rich.console import Console

from .. import api
from ._pairs import pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.protocol.room import RoomConfiguration

GRANTS = "Grants"
OTHER_GRANTS: dict[str, type] = {
    "sip": api.SIPGrants,
    "inference": api.InferenceGrants,
    "observability": api.ObservabilityGrants,
    "agent": api.AgentGrants,
    "agent_endpoint": api.AgentEndpointGrants,
    "agent_thread": api.AgentThreadGrants,
}
"""By the prefix of their options, such as ``--sip-admin``, and the name of the claim."""
OPTION_TYPES: dict[str, Any] = {"bool": bool, "str": str, "tuple[str, ...] | None": list[str] | None}

Flag = Annotated[bool | None, typer.Option(rich_help_panel=GRANTS)]
Default = Annotated[bool, typer.Option(rich_help_panel=GRANTS)]


def _other_grants() -> dict[str, inspect.Parameter]:
    """An option for every field of the other grants."""
    options: dict[str, inspect.Parameter] = {}
    for prefix, grants in OTHER_GRANTS.items():
        for field in attrs.fields(grants):
            name = f"{prefix}_{field.name}"
            panel = f"{GRANTS}, {prefix.replace('_', ' ')}"
            option = typer.Option(f"--{name.replace('_', '-')}", rich_help_panel=panel)
            options[name] = inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=Annotated[OPTION_TYPES[str(field.type)], option],
            )
    return options


def _with_other_grants(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of the other grants instead of its ``**other_grants``."""
    own = inspect.signature(command, eval_str=True)
    *options, _ = own.parameters.values()

    @functools.wraps(command)
    def extended(**arguments: Any) -> None:
        command(**arguments)

    vars(extended)["__signature__"] = own.replace(parameters=[*options, *_other_grants().values()])
    return extended


@_with_other_grants
def token(
    identity: Annotated[str, typer.Option(help="The participant's identity.")] = "",
    room: Annotated[str, typer.Option(help="The room that the token is about.")] = "",
    api_key: Annotated[str, typer.Option(envvar="LIVEKIT_API_KEY", help="The API key.")] = "",
    api_secret: Annotated[str, typer.Option(envvar="LIVEKIT_API_SECRET", help="Its secret.")] = "",
    name: Annotated[str, typer.Option(help="The participant's display name.")] = "",
    metadata: Annotated[str, typer.Option(help="The participant's metadata.")] = "",
    attribute: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; may be repeated.")] = None,
    kind: Annotated[api.AccessToken.ParticipantKind | None, typer.Option(help="Default: standard.")] = None,
    room_preset: Annotated[str, typer.Option(help="A configuration that the server knows by this name.")] = "",
    room_config: Annotated[str, typer.Option(help="JSON of a RoomConfiguration, with agents, egress …")] = "",
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
    **other_grants: Any,
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
        access.with_attributes(dict(pairs(attribute)))
    if room_preset:
        access.with_room_preset(room_preset)
    if room_config:
        access.with_room_config(_read_config(room_config))
    _add_grants(access, other_grants)
    signed = access.to_jwt()
    if as_json:
        said = {"token": signed, "identity": identity, "issuer": api_key, "ttl": ttl, "claims": access.claims.asdict()}
        Console().print_json(json.dumps(said))
    else:
        typer.echo(signed)


def _add_grants(access: api.AccessToken, options: dict[str, Any]) -> None:
    """Grant what differs from the defaults."""
    for claim, grants in OTHER_GRANTS.items():
        given = {field.name: options[f"{claim}_{field.name}"] for field in attrs.fields(grants)}
        made = grants(**{name: value for name, value in given.items() if value})
        if made != grants():
            setattr(access.claims, claim, made)


def _read_config(text: str) -> RoomConfiguration:
    from google.protobuf.json_format import Parse, ParseError
    from livekit.protocol.room import RoomConfiguration

    try:
        return Parse(text, RoomConfiguration())
    except ParseError as error:
        raise typer.BadParameter(f"--room-config: {error}") from None
