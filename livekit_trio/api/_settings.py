"""Where the server is and who asks: the arguments of a client, completed from the environment and checked."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeAlias, TypedDict, TypeVar
from urllib.parse import urlsplit

import attrs

from ._token import AccessToken

if TYPE_CHECKING:
    import ssl

    from google.protobuf.message import Message

    from ._rpc import Needs

Failover: TypeAlias = Literal[True, False, "always"]
Client = TypeVar("Client")

DEFAULT_TIMEOUT: Final = 10.0
"""Seconds, as in LiveKit's own SDKs."""
DEFAULT_CONNECTIONS: Final = 100
MIN_FAILOVER_TIMEOUT: Final = 5.0
"""Who has less time than that wants the answer or the error, as in LiveKit's own SDKs."""
TOKEN_TTL: Final = timedelta(minutes=10)
"""Of the token that a call carries: longer than any call, and than clocks are apart."""


class ClientSettings(TypedDict, Generic[Client], total=False):
    """The keywords of a client: how it reaches the server, whoever asks."""

    timeout: float
    failover: Failover
    tls: ssl.SSLContext | None
    proxy: str | None
    http2: bool
    max_connections: int
    client: Client | None


@attrs.frozen(kw_only=True)
class Settings:
    """What is the same for all calls of a client. Use `complete_settings`."""

    url: str
    """Of the server, ``http`` or ``https``, perhaps with a path, without a slash at its end."""
    api_key: str
    api_secret: str = attrs.field(repr=False)
    token: str | None = attrs.field(repr=False)
    """To be sent with every call, instead of one made with key and secret for each."""
    timeout: float
    failover: Failover

    def authorization(self, needs: Needs, request: Message) -> str:
        """The value of the header of that name."""
        return f"Bearer {self.token or self._sign(needs, request)}"

    def _sign(self, needs: Needs, request: Message) -> str:
        token = AccessToken(self.api_key, self.api_secret).with_ttl(TOKEN_TTL)
        video, sip = needs.video_grants(request), needs.sip_grants()
        if video is not None:
            token.with_grants(video)
        if sip is not None:
            token.with_sip_grants(sip)
        return token.to_jwt()

    def fails_over(self, timeout: float) -> bool:
        """Whether a call with *timeout* may go to other regions."""
        if not self.failover or timeout < MIN_FAILOVER_TIMEOUT:
            return False
        host = urlsplit(self.url).hostname or ""
        return self.failover == "always" or host.endswith(".livekit.cloud") or is_cloud_api(host)


def is_cloud_api(host: str) -> bool:
    """Whether *host* serves all regions under one name: it is asked again, and knows of no others."""
    return host.startswith("cloud-api.") and host.endswith(".livekit.io")


def complete_settings(
    url: str | None, api_key: str | None, api_secret: str | None, token: str | None, timeout: float, failover: Failover
) -> Settings:
    """The arguments of a client, with what is missing taken from the environment.

    Credentials are taken from there only if none is given: a token that happens to be set never stands in for a given key.

    Raises:
        ValueError: the URL or credentials are missing, or the URL is none of a server.
    """
    url = url or os.environ.get("LIVEKIT_URL")
    if not url:
        raise ValueError("url must be given, or LIVEKIT_URL be set")
    if not (token or api_key or api_secret):
        token = os.environ.get("LIVEKIT_TOKEN")
        if not token:
            api_key = os.environ.get("LIVEKIT_API_KEY")
            api_secret = os.environ.get("LIVEKIT_API_SECRET")
    if not token and not (api_key and api_secret):
        raise ValueError(
            "a token, or api_key and api_secret, must be given, or LIVEKIT_TOKEN, or LIVEKIT_API_KEY and LIVEKIT_API_SECRET be set"
        )
    if timeout <= 0:
        raise ValueError("timeout must be positive")
    return Settings(
        url=to_http(url),
        api_key=api_key or "",
        api_secret=api_secret or "",
        token=token,
        timeout=timeout,
        failover=failover,
    )


def to_http(url: str) -> str:
    """The address for HTTP of the server at *url*, which may be a WebSocket's: without query, and without a slash at its end.

    Raises:
        ValueError: it is none of a server. The text does not quote it, since a password may be in it.
    """
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    if scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("url must be that of a server: https://…, http://…, wss://… or ws://…")
    if "@" in parts.netloc:
        raise ValueError("url must not have a user name or a password")
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}"
