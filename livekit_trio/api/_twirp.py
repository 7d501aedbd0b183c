"""Twirp without I/O: requests as values, answers to messages and errors.

A call is a POST of a protobuf message. A success is a message too; a failure is JSON, or whatever the thing says that stands
between here and the server.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from .. import __version__
from .._json import parse_json
from ._errors import ServerError, ServerErrorCode, TransportError, TransportErrorKind, server_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._rpc import Request, Response, Rpc

CONTENT_TYPE: Final = "application/protobuf"
REQUEST_ID: Final = "X-Livekit-Request-Id"
"""The same on every try of a call, so that a server can know a repetition."""
SHOWN: Final = 500
"""Characters of a foreign text that go into an error."""
TOKEN: Final = re.compile(rb"\beyJ[\w-]+\.[\w-]+(\.[\w-]*)?")
"""livekit-server quotes the token that it does not accept; header and claims begin with the base64 of ``{"``."""

STATUS_CODES: Final = {
    301: ServerErrorCode.INTERNAL,
    302: ServerErrorCode.INTERNAL,
    303: ServerErrorCode.INTERNAL,
    307: ServerErrorCode.INTERNAL,
    308: ServerErrorCode.INTERNAL,
    400: ServerErrorCode.INTERNAL,
    401: ServerErrorCode.UNAUTHENTICATED,
    403: ServerErrorCode.PERMISSION_DENIED,
    404: ServerErrorCode.BAD_ROUTE,
    429: ServerErrorCode.RESOURCE_EXHAUSTED,
    502: ServerErrorCode.UNAVAILABLE,
    503: ServerErrorCode.UNAVAILABLE,
    504: ServerErrorCode.UNAVAILABLE,
}
"""What an answer means that is not Twirp's: section "Errors from Intermediary Proxies" of Twirp's specification."""


@attrs.frozen
class HttpRequest:
    """What is to be sent. Whoever sends it answers with an `HttpResponse` or a `TransportError`."""

    method: str
    url: str
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    timeout: float
    """Seconds from now to the last byte of the answer."""

    @property
    def shown_url(self) -> str:
        """The URL for texts."""
        return self.url.partition("?")[0]


@attrs.frozen
class HttpResponse:
    """What came back."""

    url: str
    status: int
    headers: Mapping[str, str]
    """Their names in lower case."""
    body: bytes = attrs.field(repr=False)

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def request_headers(authorization: str, request_id: str) -> dict[str, str]:
    """Those of every request of a call."""
    return {
        "Authorization": authorization,
        "User-Agent": f"livekit-trio/{__version__}",
        "Accept-Encoding": "identity",  # answers are small, and what is not encoded need not be decoded
        REQUEST_ID: request_id,
    }


def decode(rpc: Rpc[Request, Response], answer: HttpResponse) -> Response:
    """The message in *answer*.

    Raises:
        ServerError: it is a failure.
        TransportError: it is a success, but no protobuf.
    """
    if answer.status != 200:
        raise decode_error(answer)
    if answer.content_type not in {CONTENT_TYPE, ""}:
        text = f"the answer is {answer.content_type}"
        raise TransportError(TransportErrorKind.MALFORMED, answer.url, text)
    from google.protobuf.message import DecodeError

    try:
        return rpc.response_type().FromString(answer.body)
    except DecodeError as error:
        text = f"the answer is no {rpc.response_type().__name__}"
        raise TransportError(TransportErrorKind.MALFORMED, answer.url, text) from error


def decode_error(answer: HttpResponse) -> ServerError:
    """The error that *answer* stands for, without the tokens that are quoted in it."""
    answer = attrs.evolve(answer, body=TOKEN.sub(b"<token>", answer.body))
    try:
        said: Any = parse_json(answer.body)
    except ValueError:
        said = None
    if isinstance(said, dict):
        failure = cast("dict[str, Any]", said)
        code = failure.get("code")
        if isinstance(code, str) and code:
            return server_error(code, str(failure.get("msg", "")), answer.status, _meta(failure.get("meta")))
    code = STATUS_CODES.get(answer.status, ServerErrorCode.UNKNOWN)
    return ServerError(code.value, _foreign_text(answer), answer.status)


def _meta(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {str(name): str(text) for name, text in cast("dict[Any, Any]", value).items()}


def _foreign_text(answer: HttpResponse) -> str:
    """What something says that does not speak Twirp."""
    if 300 <= answer.status < 400:
        return "a redirection, which calls do not follow: their token is for one server"
    if answer.content_type in {"", "text/plain"}:
        return answer.body.decode(errors="replace").strip()[:SHOWN]
    return f"the answer is {answer.content_type}"
