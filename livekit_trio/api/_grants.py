"""The grants of an access token: what its bearer may do.

Each class is one object in the token's JSON. A field's name there is the same in camelCase; None and the empty string are
left out. The names and defaults are those of livekit-server's ``auth`` package, which reads them.
"""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any, Final

import attrs
from attrs import validators

if TYPE_CHECKING:
    from collections.abc import Iterable

# Annotations are strings here; each grant field has one of these types.
_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "bool": bool,
    "bool | None": (bool, NoneType),
    "str": str,
    "str | None": (str, NoneType),
    "tuple[str, ...] | None": (tuple, NoneType),
}


def _check_types(_cls: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Let every field refuse a value of another type: the server would ignore it, or refuse the whole token."""
    return [field.evolve(validator=validators.instance_of(_TYPES[str(field.type)])) for field in fields]


def _strings(values: Iterable[str] | None) -> tuple[str, ...] | None:
    """An own, immutable copy. A lone string is an iterable of letters, hence never meant."""
    if values is None:
        return None
    copy = tuple(values)
    if isinstance(values, str) or not all(isinstance(value, str) for value in copy):  # pyright: ignore[reportUnnecessaryIsInstance] - for callers without types
        raise TypeError("expected several strings")
    return copy


@attrs.frozen(kw_only=True, field_transformer=_check_types)
class VideoGrants:
    """What the bearer may do with rooms, as a participant or through the server API.

    Raises:
        TypeError: a field has a value of another type.
    """

    room_create: bool | None = None
    """Create and delete rooms."""
    room_list: bool | None = None
    """List rooms."""
    room_record: bool | None = None
    """Use the egress API."""
    room_admin: bool | None = None
    """Moderate the room `room`: its participants, tracks and metadata."""
    room_join: bool | None = None
    """Join the room `room`."""
    room: str = ""
    """The room that `room_join` and `room_admin` are about."""
    destination_room: str | None = None
    """The room to which participants may be forwarded or moved."""
    can_publish: bool = True
    """Publish tracks."""
    can_subscribe: bool = True
    """Subscribe to tracks."""
    can_publish_data: bool = True
    """Send data packets."""
    can_publish_sources: tuple[str, ...] | None = attrs.field(default=None, converter=_strings)
    """If set, only tracks of these sources may be published, whatever `can_publish` says.

    The sources are ``camera``, ``microphone``, ``screen_share`` and ``screen_share_audio``.
    """
    can_update_own_metadata: bool | None = None
    """Change one's own metadata, name and attributes; without it the server refuses that."""
    ingress_admin: bool | None = None
    """Use the ingress API."""
    hidden: bool | None = None
    """The others do not see this participant."""
    recorder: bool | None = None
    """Deprecated by the server: the participant is a recorder."""
    agent: bool | None = None
    """Register as an agent worker."""
    can_manage_agent_session: bool | None = None
    """Manage an agent's session from outside."""
    can_subscribe_metrics: bool | None = None
    """Receive the participants' metrics."""


@attrs.frozen(kw_only=True, field_transformer=_check_types)
class SIPGrants:
    """What the bearer may do with telephony."""

    admin: bool = False
    """Manage SIP trunks and dispatch rules."""
    call: bool = False
    """Place and transfer calls."""


@attrs.frozen(kw_only=True, field_transformer=_check_types)
class InferenceGrants:
    """What the bearer may do with LiveKit Cloud's hosted models."""

    perform: bool = False
    """Run inference."""


@attrs.frozen(kw_only=True, field_transformer=_check_types)
class ObservabilityGrants:
    """What the bearer may do with LiveKit Cloud's observability data."""

    write: bool = False
    """Write it."""


@attrs.frozen(kw_only=True, field_transformer=_check_types)
class AgentGrants:
    """What the bearer may administer of LiveKit Cloud's hosted agents."""

    admin: bool = False
    """Create, update and delete agents."""
    simulation_admin: bool = False
    """Manage simulations and their scenarios."""
    database_admin: bool = False
    """Reach the agents' databases."""
    dispatch_admin: bool = False
    """Manage the dispatch queue."""


@attrs.frozen(kw_only=True, field_transformer=_check_types)
class AgentEndpointGrants:
    """Which HTTP endpoints of hosted agents the bearer may call."""

    call: bool = False
    """Call the endpoints that are not public."""
    agent_name: str = ""
    """Only this agent's; empty: every agent's."""
    deployment: str = ""
    """Only this deployment's; empty: every deployment's."""


@attrs.frozen(kw_only=True, field_transformer=_check_types)
class AgentThreadGrants:
    """Which threads (stored conversations) of hosted agents the bearer may use, and for what."""

    all: bool = False
    """Every thread of every scope; what may be done with them the other flags say."""
    scope: str = ""
    """The scope in which threads may be listed and created."""
    thread_ids: tuple[str, ...] | None = attrs.field(default=None, converter=_strings)
    """The threads that may be read, written and deleted."""
    list: bool = False
    """List threads."""
    create: bool = False
    """Create threads."""
    write: bool = False
    """Write to threads."""
    read: bool = False
    """Read threads."""
    delete: bool = False
    """Delete threads."""
