"""Access tokens: building and checking them.

A LiveKit access token is a JWT signed with HS256: the API secret is the key, the API key the issuer, the participant's
identity the subject. The algorithm is fixed on both sides; what a token's header says about it is only ever compared.

Neither a secret nor a token is in any repr, error or log of this module. For that reason PyJWT's errors are not chained:
some of them hold a piece of the token.
"""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, TypeVar, cast

import attrs
import jwt
from typing_extensions import override

from .._errors import TokenError
from ._grants import (
    AgentEndpointGrants,
    AgentGrants,
    AgentThreadGrants,
    InferenceGrants,
    ObservabilityGrants,
    SIPGrants,
    VideoGrants,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from livekit.protocol.room import RoomConfiguration

ParticipantKindName: TypeAlias = Literal["standard", "egress", "ingress", "sip", "agent"]

ALGORITHM: Final = "HS256"
DEFAULT_TTL: Final = timedelta(hours=6)
"""As in LiveKit's own SDKs."""
DEFAULT_LEEWAY: Final = timedelta(minutes=1)
"""As in LiveKit's own SDKs."""
MAX_TOKEN_LENGTH: Final = 1 << 20
"""A token travels in an HTTP header; Go's server takes at most 1 MiB of those."""

_GRANTS: Final = (
    VideoGrants,
    SIPGrants,
    InferenceGrants,
    ObservabilityGrants,
    AgentGrants,
    AgentEndpointGrants,
    AgentThreadGrants,
)
_Grants = TypeVar("_Grants")

# PyJWT's signatures name types of `cryptography`, which HS256 does not need and which need not be installed.
_jwt = cast("Any", jwt)


@attrs.define(kw_only=True)
class Claims:
    """What a token says. `AccessToken` fills it in, `TokenVerifier.verify` returns it.

    A grant that the token does not hold is None: it grants nothing.
    """

    identity: str = ""
    """The participant's identity; the token's subject."""
    name: str = ""
    """The participant's display name."""
    kind: str = ""
    """What the participant is; empty means standard."""
    metadata: str = ""
    """The participant's metadata."""
    video: VideoGrants | None = None
    """What its bearer may do with rooms."""
    sip: SIPGrants | None = None
    """… with telephony."""
    inference: InferenceGrants | None = None
    """… with hosted models."""
    observability: ObservabilityGrants | None = None
    """… with observability data."""
    agent: AgentGrants | None = None
    """… with hosted agents."""
    agent_endpoint: AgentEndpointGrants | None = None
    """… with the HTTP endpoints of hosted agents."""
    agent_thread: AgentThreadGrants | None = None
    """… with the threads of hosted agents."""
    attributes: dict[str, str] | None = None
    """The participant's attributes."""
    sha256: str | None = None
    """The base64 of the SHA-256 of a request's body; webhooks carry it."""
    room_preset: str | None = None
    """The room configuration, by its name at the server, for a room that this participant creates by joining."""
    room_config: RoomConfiguration | None = None
    """The same, spelled out."""

    def asdict(self) -> dict[str, Any]:
        """The claims as they stand in the token, without its subject, issuer and times."""
        claims = {name: value for name, value in _filled_in(self) if name != "identity"}  # which is the subject
        for name, value in claims.items():
            if isinstance(value, _GRANTS):
                claims[name] = {_camel(key): entry for key, entry in _filled_in(value)}
        if self.room_config is not None:
            from google.protobuf.json_format import MessageToDict

            claims["room_config"] = MessageToDict(self.room_config)
        return {_camel(name): value for name, value in claims.items()}


@attrs.define(init=False)
class AccessToken:
    """A builder for access tokens: ``AccessToken(key, secret).with_identity("bot").with_grants(...).to_jwt()``.

    Every ``with_`` method changes this builder and returns it. Needed to join a room are an identity and
    `VideoGrants(room_join=True, room=...)`.

    Args:
        api_key: the API key; default the environment's LIVEKIT_API_KEY.
        api_secret: the API secret that belongs to it; default the environment's LIVEKIT_API_SECRET.

    Raises:
        ValueError: key or secret is neither given nor in the environment.
    """

    ParticipantKind = ParticipantKindName

    api_key: str
    api_secret: str = attrs.field(repr=False)
    identity: str
    """Set by `with_identity`; empty before."""
    ttl: timedelta
    """Set by `with_ttl`."""
    claims: Claims
    """What the other ``with_`` methods have set."""

    def __init__(self, api_key: str | None = None, api_secret: str | None = None) -> None:
        self.api_key, self.api_secret = _credentials(api_key, api_secret)
        self.identity = ""
        self.ttl = DEFAULT_TTL
        self.claims = Claims()

    def with_ttl(self, ttl: timedelta) -> Self:
        """The token expires this long after `to_jwt`; default six hours. Who is in a room by then stays in it."""
        self.ttl = ttl
        return self

    def with_identity(self, identity: str) -> Self:
        """The participant's identity, unique in its room: who joins with one already there takes its place."""
        self.identity = identity
        return self

    def with_name(self, name: str) -> Self:
        """The participant's display name; need not be unique."""
        self.claims.name = name
        return self

    def with_kind(self, kind: ParticipantKindName) -> Self:
        """What the participant is; default a standard one."""
        self.claims.kind = kind
        return self

    def with_metadata(self, metadata: str) -> Self:
        """The participant's metadata: any text, seen by everybody in the room."""
        self.claims.metadata = metadata
        return self

    def with_attributes(self, attributes: Mapping[str, str]) -> Self:
        """The participant's attributes, seen by everybody in the room."""
        self.claims.attributes = dict(attributes)
        return self

    def with_grants(self, grants: VideoGrants) -> Self:
        """What the bearer may do with rooms. Without it the token gives access to none."""
        self.claims.video = grants
        return self

    def with_sip_grants(self, grants: SIPGrants) -> Self:
        """What the bearer may do with telephony."""
        self.claims.sip = grants
        return self

    def with_inference_grants(self, grants: InferenceGrants) -> Self:
        """What the bearer may do with LiveKit Cloud's hosted models."""
        self.claims.inference = grants
        return self

    def with_observability_grants(self, grants: ObservabilityGrants) -> Self:
        """What the bearer may do with LiveKit Cloud's observability data."""
        self.claims.observability = grants
        return self

    def with_agent_grants(self, grants: AgentGrants) -> Self:
        """What the bearer may administer of LiveKit Cloud's hosted agents."""
        self.claims.agent = grants
        return self

    def with_agent_endpoint_grants(self, grants: AgentEndpointGrants) -> Self:
        """Which HTTP endpoints of hosted agents the bearer may call."""
        self.claims.agent_endpoint = grants
        return self

    def with_agent_thread_grants(self, grants: AgentThreadGrants) -> Self:
        """Which threads of hosted agents the bearer may use."""
        self.claims.agent_thread = grants
        return self

    def with_sha256(self, sha256: str) -> Self:
        """The base64 of the SHA-256 of the request's body that this token signs."""
        self.claims.sha256 = sha256
        return self

    def with_room_preset(self, preset: str) -> Self:
        """The server's name of a room configuration, for a room that this participant creates by joining."""
        self.claims.room_preset = preset
        return self

    def with_room_config(self, config: RoomConfiguration) -> Self:
        """The configuration of a room that this participant creates by joining: time-outs, size, agents, egress.

        Args:
            config: a ``livekit.protocol.room.RoomConfiguration``. It is read by `to_jwt`.
        """
        self.claims.room_config = config
        return self

    def to_jwt(self) -> str:
        """Sign the token. It is valid from now on, for its time to live.

        Raises:
            TokenError: it is to join a room, but has no identity or no room.
        """
        video = self.claims.video
        if video is not None and video.room_join and not (self.identity and video.room):
            raise TokenError("identity and room must be set when joining a room")
        now = time.time()
        registered = {
            "sub": self.identity,
            "iss": self.api_key,
            "nbf": int(now),
            "exp": int(now + self.ttl.total_seconds()),
        }
        return _jwt.encode(self.claims.asdict() | registered, self.api_secret, algorithm=ALGORITHM)


class TokenVerifier:
    """Checks access tokens against one API key and its secret.

    Args:
        api_key: the issuer that a token must name; default the environment's LIVEKIT_API_KEY.
        api_secret: the secret that a token must be signed with; default the environment's LIVEKIT_API_SECRET.
        leeway: how far the clocks of issuer and verifier may be apart.

    Raises:
        ValueError: key or secret is neither given nor in the environment.
    """

    __slots__ = ("_leeway", "_secret", "api_key")

    api_key: str

    def __init__(
        self, api_key: str | None = None, api_secret: str | None = None, *, leeway: timedelta = DEFAULT_LEEWAY
    ) -> None:
        self.api_key, self._secret = _credentials(api_key, api_secret)
        self._leeway = leeway

    @override
    def __repr__(self) -> str:
        return f"TokenVerifier(api_key={self.api_key!r}, leeway={self._leeway!r})"

    def verify(self, token: str) -> Claims:
        """Return what *token* says, if it is right in every respect.

        It must be signed with HS256 and the secret, name the API key as its issuer, be valid by now and not expired; the
        issuer and both times must be there.

        Raises:
            TokenError: it is not.
        """
        claims = self._verify(token)
        if isinstance(claims, str):
            raise TokenError(claims)
        return claims

    def _verify(self, token: str) -> Claims | str:
        """The claims, or what is wrong. Returned, not raised, so that no error has one as its context that quotes the token."""
        if len(token) > MAX_TOKEN_LENGTH:
            return f"the token is longer than {MAX_TOKEN_LENGTH} characters"
        try:
            payload: dict[str, Any] = _jwt.decode(
                token,
                key=self._secret,
                algorithms=[ALGORITHM],
                issuer=self.api_key,
                leeway=self._leeway,
                options={"require": ["exp", "nbf", "iss"], "verify_aud": False},
            )
            return _read_claims(payload)
        except jwt.InvalidTokenError as error:
            return _reason(error)
        # Claims of a wrong type. And PyJWT lets through: text that is no UTF-8, JSON nested too deep, a time that is infinite.
        except (TypeError, ValueError, RecursionError, OverflowError):
            return "the token is malformed"


_REASONS: Final[tuple[tuple[type[jwt.InvalidTokenError], str], ...]] = (
    (jwt.ExpiredSignatureError, "the token has expired"),
    (jwt.ImmatureSignatureError, "the token is not valid yet"),
    (jwt.InvalidIssuerError, "the token was issued for another API key"),
    (jwt.InvalidAlgorithmError, f"the token is not signed with {ALGORITHM}"),
    (jwt.InvalidSignatureError, "the token's signature is wrong"),
)


def _reason(error: jwt.InvalidTokenError) -> str:
    """Our own words for PyJWT's error, which may quote the token."""
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"the token has no {error.claim}"  # one of those that we require: our own text
    return next((text for kind, text in _REASONS if isinstance(error, kind)), "the token is malformed")


def _credentials(api_key: str | None, api_secret: str | None) -> tuple[str, str]:
    key = api_key or os.environ.get("LIVEKIT_API_KEY")
    secret = api_secret or os.environ.get("LIVEKIT_API_SECRET")
    if not key or not secret:
        raise ValueError("api_key and api_secret must be given, or LIVEKIT_API_KEY and LIVEKIT_API_SECRET be set")
    return key, secret


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _fields(cls: type) -> list[str]:
    return [field.name for field in attrs.fields(cast("Any", cls))]


def _filled_in(instance: object) -> list[tuple[str, Any]]:
    """The fields that go into the token: all but None and the empty string, to keep it short."""
    values = ((name, getattr(instance, name)) for name in _fields(type(instance)))
    return [(name, value) for name, value in values if value is not None and value != ""]


def _read_claims(payload: Mapping[str, Any]) -> Claims:
    return Claims(
        identity=_text(payload, "sub"),
        name=_text(payload, "name"),
        kind=_text(payload, "kind"),
        metadata=_text(payload, "metadata"),
        video=_read_grants(payload, VideoGrants, "video"),
        sip=_read_grants(payload, SIPGrants, "sip"),
        inference=_read_grants(payload, InferenceGrants, "inference"),
        observability=_read_grants(payload, ObservabilityGrants, "observability"),
        agent=_read_grants(payload, AgentGrants, "agent"),
        agent_endpoint=_read_grants(payload, AgentEndpointGrants, "agentEndpoint"),
        agent_thread=_read_grants(payload, AgentThreadGrants, "agentThread"),
        attributes={_string(key): _string(value) for key, value in _object(payload, "attributes").items()},
        sha256=_text(payload, "sha256"),
        room_preset=_text(payload, "roomPreset") or None,
        room_config=_read_room_config(payload),
    )


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {type(value).__name__}")
    return value


def _text(payload: Mapping[str, Any], key: str) -> str:
    return _string(payload.get(key, ""))


def _object(payload: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = payload.get(key, {})
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, got {type(value).__name__}")
    return cast("dict[str, Any]", value)


def _read_grants(payload: Mapping[str, Any], grants: type[_Grants], key: str) -> _Grants | None:
    """The grants under *key*; what this version does not know of them grants nothing."""
    if key not in payload:
        return None
    known = {_camel(name): name for name in _fields(grants)}
    return grants(**{known[name]: value for name, value in _object(payload, key).items() if name in known})


def _read_room_config(payload: Mapping[str, Any]) -> RoomConfiguration | None:
    value = _object(payload, "roomConfig")
    if not value:
        return None
    from google.protobuf.json_format import ParseDict, ParseError
    from livekit.protocol.room import RoomConfiguration

    try:
        return ParseDict(value, RoomConfiguration(), ignore_unknown_fields=True)
    except ParseError as error:
        raise ValueError("not a RoomConfiguration") from error
