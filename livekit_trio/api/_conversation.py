"""A call without I/O: what is sent, when it is sent again and where, until there is an answer or an error.

A conversation is a generator. It yields an `HttpRequest`, which is answered with an `HttpResponse` or a `TransportError`, or a
`Pause`, which is answered with None; it returns the message. Clients only carry out what it yields, on an event loop or in a
thread.

Where LiveKit Cloud's server does not answer, or fails, the call goes to another of its regions, as in LiveKit's own SDKs. Other
than theirs, a call goes there only if nothing is lost by its being carried out twice (`Rpc.repeatable`) or if the server cannot
have seen it, and the time that a call may take is the time for all its tries. A server that answers with 451 is not allowed to
serve the project and has done nothing: every call goes on to a region that is.

A connection that was kept, and that the server closes just when it is used again, is nobody's fault: a repeatable call is then
sent once more at once, whatever the host.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, cast
from urllib.parse import urlsplit

import attrs

from .._json import parse_json
from ._errors import TransportError, TransportErrorKind
from ._rpc import Request, Response
from ._settings import is_cloud_api, to_http
from ._twirp import CONTENT_TYPE, HttpRequest, HttpResponse, decode, request_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from ._rpc import Rpc
    from ._settings import Settings

MAX_TRIES: Final = 3
BACKOFF: Final = 0.2
"""Seconds before the second try, twice that before the third; both numbers as in LiveKit's own SDKs."""
REGIONS_TIMEOUT: Final = 2.0
"""Seconds for asking for the regions: a server that does not answer that either is soon given up."""
PINNED_ELSEWHERE: Final = 451
RINGING_MARGIN: Final = 2.0
"""Seconds that the answer may come after the phone has stopped ringing, as in LiveKit's own SDKs."""


@attrs.frozen
class Pause:
    """Nothing is to happen for a while."""

    seconds: float


Step: TypeAlias = HttpRequest | Pause
Outcome: TypeAlias = HttpResponse | TransportError
Answer: TypeAlias = Outcome | None


@attrs.frozen
class Regions:
    """The other addresses of a server, remembered as long as it allows."""

    origins: tuple[str, ...] = ()
    until: float = 0.0
    """By `time.monotonic`."""


@attrs.define
class Caller:
    """Begins the conversations of one client."""

    settings: Settings
    clock: Callable[[], float]
    """Seconds, of the clock by which the client's timeouts run."""
    regions: Regions = attrs.field(factory=Regions)

    def call(
        self, rpc: Rpc[Request, Response], given: Request | None, fields: Mapping[str, Any], timeout: float | None
    ) -> Generator[Step, Answer, Response]:
        """The conversation of a call that was given a message or its fields, and perhaps a timeout of its own.

        Everything is read from the arguments now; what the caller does with them later changes nothing.

        Raises:
            TypeError: the message or a field is of a wrong type.
            ValueError: a field is unknown or out of range.
        """
        request = rpc.complete(rpc.make_request(given, fields), make_nonce=lambda: uuid.uuid4().bytes)
        seconds = self.settings.timeout if timeout is None else timeout
        window = rpc.ring_window(request)
        if window is not None:
            seconds = max(seconds, window + RINGING_MARGIN)
        headers = request_headers(self.settings.authorization(rpc.needs, request), str(uuid.uuid4()))
        call = _Call(rpc, request.SerializeToString(), headers, seconds)
        return _Conversation(self, call).run()


@attrs.frozen
class _Call(Generic[Request, Response]):
    rpc: Rpc[Request, Response]
    body: bytes = attrs.field(repr=False)
    headers: dict[str, str] = attrs.field(repr=False)
    timeout: float


class _Conversation(Generic[Request, Response]):
    """One call: how many tries there are, where they have gone, and how much time is left."""

    def __init__(self, caller: Caller, call: _Call[Request, Response]) -> None:
        self._caller = caller
        self._call = call
        self._tries = MAX_TRIES if caller.settings.fails_over(call.timeout) else 1
        self._base = caller.settings.url
        self._tried = {_host(self._base)}
        self._deadline = 0.0

    def run(self) -> Generator[Step, Answer, Response]:
        self._deadline = self._caller.clock() + self._call.timeout
        number = 1
        while True:
            answer = yield from _exchange(self._try(number))
            if (
                self._call.rpc.repeatable
                and isinstance(answer, TransportError)
                and answer.kind is TransportErrorKind.STALE
            ):
                answer = yield from _exchange(self._try(number))
            if not (yield from self._goes_on(number, answer)):
                break
            number += 1
        if isinstance(answer, TransportError):
            raise answer
        return decode(self._call.rpc, answer)

    def _goes_on(self, number: int, answer: Outcome) -> Generator[Step, Answer, bool]:
        """Whether another try follows try *number*. If so, find out where it goes, and wait until it is time for it."""
        pinned = isinstance(answer, HttpResponse) and answer.status == PINNED_ELSEWHERE
        if not (number < MAX_TRIES if pinned else number < self._tries and self._may_repeat(answer)):
            return False
        elsewhere = yield from self._elsewhere(refresh=pinned)
        if elsewhere is not None:
            self._base = elsewhere
            self._tried.add(_host(elsewhere))
        if not pinned:
            yield Pause(min(BACKOFF * 2 ** (number - 1), self._left()))
            return True
        return elsewhere is not None

    def _try(self, number: int) -> HttpRequest:
        # A region that accepts the connection and says nothing must leave the others some time.
        share = max(1, self._tries - number + 1) if self._call.rpc.repeatable else 1
        headers = self._call.headers | {"Content-Type": CONTENT_TYPE}
        url = self._base + self._call.rpc.path
        return HttpRequest("POST", url, headers, self._call.body, self._left() / share)

    def _left(self) -> float:
        return max(0.0, self._deadline - self._caller.clock())

    def _may_repeat(self, answer: Outcome) -> bool:
        """Whether *answer* is a failure that another region may not have, and another try does no harm."""
        if isinstance(answer, HttpResponse):
            return answer.status >= 500 and self._call.rpc.repeatable
        return self._call.rpc.repeatable or not answer.sent

    def _elsewhere(self, *, refresh: bool) -> Generator[Step, Answer, str | None]:
        """A region that has not been tried, or None."""
        url = self._caller.settings.url
        if is_cloud_api(urlsplit(url).hostname or ""):
            return None
        if refresh or self._caller.regions.until <= time.monotonic():
            answer = yield from _exchange(self._ask_for_regions())
            if isinstance(answer, HttpResponse):
                self._caller.regions = read_regions(answer) or self._caller.regions
        return next((origin for origin in self._caller.regions.origins if _host(origin) not in self._tried), None)

    def _ask_for_regions(self) -> HttpRequest:
        parts = urlsplit(self._caller.settings.url)
        url = f"{parts.scheme}://{parts.netloc}/settings/regions"
        return HttpRequest("GET", url, self._call.headers, b"", min(REGIONS_TIMEOUT, self._left()))


def _exchange(request: HttpRequest) -> Generator[Step, Answer, Outcome]:
    """Send a request, and return what comes of it."""
    return cast("Outcome", (yield request))


def read_regions(answer: HttpResponse) -> Regions | None:
    """What *answer* says about the server's regions; None if it says nothing."""
    if answer.status != 200:
        return None
    try:
        listed: Any = parse_json(answer.body)["regions"]
        origins = tuple(_origin(region["url"]) for region in listed)
    except (ValueError, TypeError, KeyError):
        return None
    return Regions(origins, time.monotonic() + _max_age(answer.headers.get("cache-control", "")))


def _max_age(cache_control: str) -> int:
    """For how many seconds an answer may be remembered; not at all, if its header does not say."""
    for directive in cache_control.lower().split(","):
        name, _, value = directive.strip().partition("=")
        if name == "max-age" and value.isdecimal():
            return int(value)
    return 0


def _origin(url: str) -> str:
    parts = urlsplit(to_http(url))
    return f"{parts.scheme}://{parts.netloc}"


def _host(url: str) -> str:
    """What says whether two addresses are of one server: host and port."""
    return urlsplit(url).netloc.lower()
