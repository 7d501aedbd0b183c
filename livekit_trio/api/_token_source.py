"""Token sources: how a program that does not know the API secret gets the address of a server and a token for it.

The request and the response are those of LiveKit's standard token endpoint (``livekit_token_source.proto``), which its clients
for other languages ask too.
"""

from __future__ import annotations

import functools
import inspect
import json
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, cast, final
from urllib.parse import urlsplit

import anyio
import attrs
import jwt
from typing_extensions import override

from .._json import parse_json
from ._errors import TransportError, TransportErrorKind
from ._settings import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    import ssl
    from collections.abc import Generator, Mapping

    import httpx
    from livekit.protocol.room import RoomConfiguration

    from ._conversation import Answer, Step
    from ._twirp import HttpResponse

EXPIRY_MARGIN: Final = 60.0
"""A token that has fewer seconds left is not handed out again, as in LiveKit's own clients."""


@attrs.frozen(kw_only=True)
class TokenSourceRequest:
    """What the token is to say. What is None the source decides."""

    room_name: str | None = None
    """The room to join."""
    participant_identity: str | None = None
    """The identity to join with."""
    participant_name: str | None = None
    """The display name."""
    participant_metadata: str | None = None
    """The participant's metadata."""
    participant_attributes: Mapping[str, str] | None = None
    """The participant's attributes."""
    room_config: RoomConfiguration | None = None
    """The configuration of a room that is created by joining it, with the agents that come to it."""

    def to_json(self) -> str:
        """The body of the request for a standard token endpoint."""
        said: dict[str, Any] = {
            name: value for name, value in attrs.asdict(self, recurse=False).items() if value is not None
        }
        if self.participant_attributes is not None:
            said["participant_attributes"] = dict(self.participant_attributes)
        if self.room_config is not None:
            from google.protobuf.json_format import MessageToDict

            said["room_config"] = MessageToDict(self.room_config, preserving_proto_field_name=True)
        return json.dumps(said)


@attrs.frozen
class TokenSourceResponse:
    """What `livekit_trio.rtc.open_room` needs."""

    server_url: str
    """The server's address."""
    participant_token: str = attrs.field(repr=False)
    """The access token."""


Fetch: TypeAlias = Callable[[TokenSourceRequest], TokenSourceResponse | Awaitable[TokenSourceResponse]]


@final
class TokenSource:
    """Hands out tokens, each until it is about to expire.

    One object is for one participant at a time, on one event loop: it remembers the last token only, and hands it out again if
    the same is requested while it is valid for another minute. To join a room::

        found = await source.fetch(TokenSourceRequest(room_name="demo"))
        async with rtc.open_room(found.server_url, found.participant_token) as room: ...

    Args:
        get: makes or gets the response for a request, as a plain or an async function. A plain one must not block.
    """

    __slots__ = ("_cached", "_get", "_kind", "_lock")

    def __init__(self, get: Fetch) -> None:
        self._get = get
        self._kind = f"of {getattr(get, '__qualname__', type(get).__name__)}"
        self._lock = anyio.Lock()
        self._cached: tuple[str, TokenSourceResponse] | None = None

    @classmethod
    def literal(cls, server_url: str, participant_token: str) -> Self:
        """A source that has this one token and does not look at what is requested."""
        response = TokenSourceResponse(server_url, participant_token)
        source = cls(lambda _: response)
        source._kind = f"of a token for {server_url}"
        return source

    @classmethod
    def endpoint(
        cls,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        client: httpx.AsyncClient | None = None,
    ) -> Self:
        """A source that asks a standard token endpoint, by a POST request with JSON.

        Args:
            url: of the endpoint.
            headers: sent with each request, to tell the endpoint who asks; in no repr and no error.
            timeout: seconds for a whole request.
            client: an HTTP client to be used instead of one for each request; it is not closed.

        Raises:
            ValueError: the URL is none for HTTP, or has a password in it.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise ValueError("url must be that of an endpoint, http://… or https://…, without user name and password")
        source = cls(_Endpoint(url, dict(headers or {}), timeout, client))
        source._kind = f"that asks {url.partition('?')[0]}"
        return source

    @override
    def __repr__(self) -> str:
        return f"<TokenSource {self._kind}>"

    async def fetch(self, request: TokenSourceRequest | None = None, *, force: bool = False) -> TokenSourceResponse:
        """Return the address of a server and a token for it.

        Tasks that ask at the same time wait for each other, so that one request is enough for all who want the same.

        Args:
            request: what the token is to say; default: all that is for the source to decide.
            force: get a new token even if the last one is still valid.

        Raises:
            ServerError: the endpoint refused; `ServerError.status` is its HTTP status.
            TransportError: the endpoint gave no valid answer.
            Exception: whatever the function raised that this source was made with.

        Cancellation:
            Nothing is remembered; the endpoint may have made a token.
        """
        wanted = request or TokenSourceRequest()
        key = wanted.to_json()
        async with self._lock:
            if self._cached is not None and not force:
                for_what, response = self._cached
                if for_what == key and _expiry(response.participant_token) - time.time() > EXPIRY_MARGIN:
                    return response
            got = self._get(wanted)
            response = await got if inspect.isawaitable(got) else got
            self._cached = key, response
            return response


@attrs.frozen
class _Endpoint:
    """Asks a token endpoint."""

    url: str
    headers: dict[str, str] = attrs.field(repr=False)
    timeout: float
    client: httpx.AsyncClient | None

    async def __call__(self, request: TokenSourceRequest) -> TokenSourceResponse:
        import httpx

        from ._transport import AsyncTransport

        conversation = self._ask(request)
        if self.client is not None:
            return await AsyncTransport(self.client).run(conversation)
        async with httpx.AsyncClient(verify=self._tls) as client:
            return await AsyncTransport(client).run(conversation)

    @functools.cached_property
    def _tls(self) -> ssl.SSLContext:
        """The usual certificates, read once: that blocks for some 20 ms."""
        import httpx

        return httpx.create_ssl_context()

    def _ask(self, request: TokenSourceRequest) -> Generator[Step, Answer, TokenSourceResponse]:
        from ._twirp import HttpRequest, decode_error

        headers = {"Content-Type": "application/json", "Accept": "application/json"} | self.headers
        answer = yield HttpRequest("POST", self.url, headers, request.to_json().encode(), self.timeout)
        if isinstance(answer, TransportError):
            raise answer
        answered = cast("HttpResponse", answer)  # a request is answered with nothing else
        if not 200 <= answered.status < 300:
            raise decode_error(answered)
        response = _read(answered.body)
        if response is None:
            text = "the answer is no JSON object with server_url and participant_token"
            raise TransportError(TransportErrorKind.MALFORMED, answered.url, text)
        return response


def _read(body: bytes) -> TokenSourceResponse | None:
    """The response, or None if it is none. No error is raised inside the handler: the JSON module's, as a context, would quote it."""
    try:
        said: Any = parse_json(body)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    found = cast("dict[str, Any]", said)
    # protobuf's JSON may have either name.
    url = found.get("server_url") or found.get("serverUrl")
    token = found.get("participant_token") or found.get("participantToken")
    if not isinstance(url, str) or not isinstance(token, str):
        return None
    return TokenSourceResponse(url, token)


def _expiry(token: str) -> float:
    """When the token expires, in seconds since 1970; 0 if it does not say, or is none that can be read here."""
    try:
        # PyJWT's signatures name types of `cryptography`, which need not be installed.
        return float(cast("Any", jwt).decode(token, options={"verify_signature": False}).get("exp", 0))
    except (jwt.InvalidTokenError, TypeError, ValueError, RecursionError, OverflowError):
        return 0.0
