"""The clients of the server API: one for event loops, one for threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, final

import anyio
from typing_extensions import override

from ._agent_dispatch_service import AgentDispatchService
from ._connector_service import ConnectorService
from ._conversation import Caller
from ._egress_service import EgressService
from ._ingress_service import IngressService
from ._room_service import RoomService
from ._settings import DEFAULT_CONNECTIONS, DEFAULT_TIMEOUT, Failover, complete_settings
from ._sip_service import SipService

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    import httpx
    from typing_extensions import Unpack

    from ._settings import ClientSettings


@final
class LiveKitAPI:
    """The server API, for Trio and asyncio.

    ``async with LiveKitAPI(url, key, secret) as lkapi: await lkapi.room.list_rooms()``. Any number of tasks may use it at once,
    all on one event loop. What every call raises stands at its service.

    A call's token grants what that call needs and no more. A call that fails is not sent again, unless failover is on.

    Args:
        url: the server's address, with ``http``, ``https``, ``ws`` or ``wss``; default the environment's LIVEKIT_URL.
        api_key: the API key. If neither key nor secret nor token is given, they come from the environment: LIVEKIT_TOKEN, else
            LIVEKIT_API_KEY and LIVEKIT_API_SECRET.
        api_secret: the API secret that belongs to it.
        token: an access token to be sent with every call, instead of key and secret; see `with_token`.
        timeout: seconds for a whole call, all its tries and the body of its answer included. Calls that wait until a phone is
            answered have at least as long as it rings, and 2 s more.
        failover: whether a call that meets an unreachable or failing server goes to another region of LiveKit Cloud, if it can
            be carried out twice without harm or cannot have reached the server. True: for LiveKit Cloud's own hosts;
            ``"always"``: whatever the host. With less than 5 s for a call there is no failover.
        tls: what decides which certificates are accepted; default the certificates of the package ``certifi``.
        proxy: the address of an HTTP proxy; default what the environment says (HTTPS_PROXY, NO_PROXY …).
        http2: speak HTTP/2 where the server does, over TLS only; this needs the package ``h2``. All calls then share a connection,
            and one that is cancelled while it is sent breaks it for the next. On asyncio, cancel by scopes, not by ``Task.cancel()``.
        max_connections: how many calls may be on their way at once; the others wait their turn, within their time.
        client: an HTTP client to be used instead of an own one; it is not closed. *tls*, *proxy* and *http2* are then its own
            business.

    Raises:
        ValueError: the URL or the credentials are missing or make no sense, or both *client* and one of its settings are given.
    """

    __slots__ = (
        "_agent_dispatch",
        "_caller",
        "_client",
        "_connector",
        "_egress",
        "_ingress",
        "_owns_client",
        "_room",
        "_sip",
    )

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        api_secret: str | None = None,
        *,
        token: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        failover: Failover = True,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        http2: bool = False,
        max_connections: int = DEFAULT_CONNECTIONS,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        import httpx

        from ._transport import AsyncTransport, client_settings

        settings = complete_settings(url, api_key, api_secret, token, timeout, failover)
        given = client_settings(tls, proxy, http2, max_connections, client)
        self._caller = Caller(settings, anyio.current_time)
        self._owns_client = client is None
        self._client = client or httpx.AsyncClient(**given)
        transport = AsyncTransport(self._client, max_connections)
        self._room = RoomService(self._caller, transport)
        self._egress = EgressService(self._caller, transport)
        self._ingress = IngressService(self._caller, transport)
        self._sip = SipService(self._caller, transport)
        self._agent_dispatch = AgentDispatchService(self._caller, transport)
        self._connector = ConnectorService(self._caller, transport)

    @classmethod
    def with_token(
        cls, token: str, url: str | None = None, **settings: Unpack[ClientSettings[httpx.AsyncClient]]
    ) -> Self:
        """A client that sends *token* with every call; what it does not grant, the server refuses.

        For programs that must not know the API secret. The other arguments are those of the class.
        """
        return cls(url, token=token, **settings)

    @override
    def __repr__(self) -> str:
        return f"<LiveKitAPI {self._caller.settings.url}>"

    @property
    def room(self) -> RoomService:
        """Rooms and their participants."""
        return self._room

    @property
    def egress(self) -> EgressService:
        """Recordings and streams out of rooms."""
        return self._egress

    @property
    def ingress(self) -> IngressService:
        """Streams into rooms."""
        return self._ingress

    @property
    def sip(self) -> SipService:
        """Telephony."""
        return self._sip

    @property
    def agent_dispatch(self) -> AgentDispatchService:
        """Which agents are sent into which rooms."""
        return self._agent_dispatch

    @property
    def connector(self) -> ConnectorService:
        """Calls of other networks."""
        return self._connector

    async def aclose(self) -> None:
        """Close the connections, unless they are those of a client that was given. Calls that still run fail.

        Cancellation:
            They are closed all the same.
        """
        if self._owns_client:
            with anyio.CancelScope(shield=True):  # nothing in there waits for the other side
                await self._client.aclose()
        await anyio.lowlevel.checkpoint()

    async def __aenter__(self) -> Self:
        return self  # noqa: ASYNC910 - nothing to wait for

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
