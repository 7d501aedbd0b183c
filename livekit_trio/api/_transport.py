"""HTTP by httpx, on an event loop and in a thread: the one module that knows it.

A transport carries out the steps of a conversation. It answers a request with a response or with a `TransportError`, which it
does not raise: what follows from it is for the conversation to say.

httpx follows no redirection here, whatever the client's own settings: the token is for one server.
"""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
import httpx
from typing_extensions import override

from ._conversation import Pause
from ._errors import TransportError, TransportErrorKind
from ._settings import DEFAULT_CONNECTIONS
from ._twirp import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping

    from ._conversation import Answer, Step

_Message = TypeVar("_Message")

KEEP_ALIVE: Final = 30.0
"""Seconds that an idle connection is kept; proxies commonly close them after a minute."""
KEPT: Final = 10
"""Idle connections that are kept. For each call httpx compares all of them with all: with 100 a call takes 9 ms, not 1."""


class AsyncTransport:
    """Carries out conversations on an event loop."""

    def __init__(self, client: httpx.AsyncClient, max_connections: int = DEFAULT_CONNECTIONS) -> None:
        self._client = client
        # httpx looks through its whole queue for a connection whenever one is free: 1 000 calls at once took 30 s, not 2.
        self._gate = anyio.Semaphore(max_connections)

    async def run(self, conversation: Generator[Step, Answer, _Message]) -> _Message:
        """Carry out a conversation to its end.

        Raises:
            ServerError: the server refused or failed.
            TransportError: no valid answer came.

        Cancellation:
            The request may have been sent; its connection is closed.
        """
        answer: Answer = None
        while True:
            try:
                step = conversation.send(answer)
            except StopIteration as end:
                return end.value  # noqa: ASYNC910 - there was a request
            if isinstance(step, Pause):
                await anyio.sleep(step.seconds)
                answer = None
            else:
                answer = await self._send(step)

    async def _send(self, request: HttpRequest) -> HttpResponse | TransportError:
        trace = _GuardedTrace()
        with anyio.move_on_after(request.timeout):  # noqa: ASYNC912 - sending is a cancel point
            try:
                async with self._gate:
                    with trace.scope:
                        built = _build(self._client, request, trace.watch)
                        response = await self._client.send(built, follow_redirects=False)
                        return _read(request, response)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                return _failure(request, error, trace)  # noqa: ASYNC910 - there was a request
            except BaseException:
                await trace.close_handshake()  # noqa: ASYNC102 - shielded itself
                raise
        return _timed_out(request)


class SyncTransport:
    """Carries out conversations in the calling thread."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def run(self, conversation: Generator[Step, Answer, _Message]) -> _Message:
        """Carry out a conversation to its end.

        Raises:
            ServerError: the server refused or failed.
            TransportError: no valid answer came.
        """
        answer: Answer = None
        while True:
            try:
                step = conversation.send(answer)
            except StopIteration as end:
                return end.value
            if isinstance(step, Pause):
                time.sleep(step.seconds)
                answer = None
            else:
                answer = self._send(step)

    def _send(self, request: HttpRequest) -> HttpResponse | TransportError:
        """Send, and look at the clock whenever something has come: nothing ends a blocking read in time but its own timeout."""
        deadline = time.monotonic() + request.timeout
        trace = _Trace()
        built = _build(self._client, request, trace.note)
        built.extensions["timeout"] = httpx.Timeout(request.timeout).as_dict()
        body = bytearray()
        try:
            response = self._client.send(built, stream=True, follow_redirects=False)
            try:
                for chunk in response.iter_bytes():
                    body += chunk
                    if time.monotonic() > deadline:
                        return _timed_out(request)
            finally:
                response.close()
        except httpx.TimeoutException:
            return _timed_out(request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _failure(request, error, trace)
        return HttpResponse(request.shown_url, response.status_code, _headers(response), bytes(body))


class _Trace:
    """What happens to one request on its way, as told by httpx's extension ``trace``."""

    def __init__(self) -> None:
        self.stream: Any = None
        """The connection that was opened for it."""
        self._sent = False
        self._answered = False

    @property
    def stale(self) -> bool:
        """Whether it was sent on a connection that had been kept, and no answer has begun."""
        return self._sent and self.stream is None and not self._answered

    def note(self, event: str, facts: Mapping[str, Any]) -> None:
        match event.partition(".")[2]:
            case "connect_tcp.complete":
                self.stream = facts["return_value"]
            case "send_request_headers.started":
                self._sent = True
            case "receive_response_headers.complete":
                self._answered = True
            case _:
                pass


class _GuardedTrace(_Trace):
    """The same for event loops; it also mends what httpcore does wrong when it is cancelled while it opens a connection.

    In a TLS handshake it closes the connection after an `Exception` only (``start_tls`` in its backends): so it is closed here.
    Between the preface of HTTP/2 and the first request it would leave its count of streams wrong for ever
    (``handle_async_request``, where it takes all places but one): so nothing is cancelled there. It waits for nothing there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scope = anyio.CancelScope()
        self._shakes_hands = False

    async def watch(self, event: str, facts: Mapping[str, Any]) -> None:  # noqa: ASYNC910 - httpcore waits around it
        self.note(event, facts)
        match event.partition(".")[2]:
            case "start_tls.started":
                self._shakes_hands = True
            case "start_tls.complete":
                self._shakes_hands = False
            case "send_connection_init.complete":
                self.scope.shield = True
            case "send_request_headers.started":
                self.scope.shield = False
            case _:
                pass

    async def close_handshake(self) -> None:  # noqa: ASYNC910 - on the way out of a cancelled call
        """Close the connection, if it has not come further than that."""
        if self._shakes_hands and self.stream is not None:
            with anyio.CancelScope(shield=True):  # it says nothing to the other side, and waits for nothing
                await self.stream.aclose()


class _Body(httpx.AsyncByteStream, httpx.SyncByteStream):
    """A request's body.

    httpx's own is an async generator, which stays behind unfinished when sending is cancelled; Trio warns about those.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body

    @override
    def __iter__(self) -> Iterator[bytes]:
        return iter((self._body,))

    @override
    def __aiter__(self) -> AsyncIterator[bytes]:
        return _Once(self._body)


class _Once:
    """Yields one value."""

    def __init__(self, value: bytes) -> None:
        self._values = [value]

    def __aiter__(self) -> _Once:
        return self

    async def __anext__(self) -> bytes:  # noqa: ASYNC910 - never waits
        if not self._values:
            raise StopAsyncIteration
        return self._values.pop()  # noqa: ASYNC910 - never waits


def _build(client: httpx.AsyncClient | httpx.Client, request: HttpRequest, watch: Callable[..., Any]) -> httpx.Request:
    """The request with the client's own headers and cookies, and without a timeout of httpx's: the deadline is total."""
    built = client.build_request(
        request.method, request.url, headers=request.headers, content=request.body or None, timeout=None
    )
    if request.body:
        built.stream = _Body(request.body)
    built.extensions["trace"] = watch
    return built


def _read(request: HttpRequest, response: httpx.Response) -> HttpResponse:
    return HttpResponse(request.shown_url, response.status_code, _headers(response), response.content)


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _timed_out(request: HttpRequest) -> TransportError:
    return TransportError(
        TransportErrorKind.TIMEOUT, request.shown_url, f"no complete answer within {request.timeout:.3g} s"
    )


def _failure(request: HttpRequest, error: Exception, trace: _Trace) -> TransportError:
    """Our error for one of httpx's."""
    kind = TransportErrorKind.STALE if trace.stale else TransportErrorKind.BROKEN
    if isinstance(error, (httpx.ConnectError, httpx.ProxyError, httpx.UnsupportedProtocol, httpx.InvalidURL)):
        secured = any(isinstance(each, ssl.SSLError) for each in _causes(error))
        kind = TransportErrorKind.TLS if secured else TransportErrorKind.CONNECT
    texts = [str(each) for each in _causes(error)]
    text = next(filter(None, texts), type(error).__name__)
    failure = TransportError(kind, request.shown_url, text)
    failure.__cause__ = error
    return failure


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def client_settings(
    tls: ssl.SSLContext | None, proxy: str | None, http2: bool, max_connections: int, client: object | None
) -> dict[str, Any]:
    """The arguments for an httpx client of our own.

    Raises:
        ValueError: there is a client already, and a setting that it would not get.
    """
    if client is not None:
        if tls is not None or proxy is not None or http2:
            raise ValueError("tls, proxy and http2 are settings of the client that was given")
        return {}
    return {
        "verify": True if tls is None else tls,
        "proxy": proxy,
        "http2": http2,
        "limits": httpx.Limits(
            max_connections=max_connections, max_keepalive_connections=KEPT, keepalive_expiry=KEEP_ALIVE
        ),
    }
