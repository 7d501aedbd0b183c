"""Requests of the SIP service that are made of more than a message or its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from . import _rpcs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from livekit.protocol.sip import CreateSIPParticipantRequest, SIPOutboundConfig


def update(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an update: a list replaces the old one, also if it is empty; anything else is itself."""
    return {name: _list_update(value) for name, value in fields.items()}


def _list_update(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    strings = cast("list[str]", value)
    return {"set": strings} if strings else {"clear": True}


def sip_participant_request(
    request: CreateSIPParticipantRequest | None,
    fields: Mapping[str, Any],
    trunk_id: str | None,
    trunk: SIPOutboundConfig | None,
) -> CreateSIPParticipantRequest:
    """The request for a call through the trunk that was named or spelled out beside the request, if one was."""
    made = _rpcs.CREATE_SIP_PARTICIPANT.make_request(request, fields)
    if trunk_id is None and trunk is None:
        return made
    completed = type(made)()
    completed.CopyFrom(made)
    if trunk_id is not None:
        completed.sip_trunk_id = trunk_id
    if trunk is not None:
        completed.trunk.CopyFrom(trunk)
    return completed
