"""The client of the server API for threads: scripts, Django, notebooks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self, final

from typing_extensions import override

from ._conversation import Caller
from ._settings import DEFAULT_CONNECTIONS, DEFAULT_TIMEOUT, Failover, complete_settings
from ._sync_services import (
    SyncAgentDispatchService,
    SyncConnectorService,
    SyncEgressService,
    SyncIngressService,
    SyncRoomService,
    SyncSipService,
)

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    import httpx
    from typing_extensions import Unpack

    from ._settings import ClientSettings


@final
class SyncLiveKitAPI:
    """The server API for threads: the same as `LiveKitAPI`, but its calls block.

    ``with SyncLiveKitAPI(url, key, secret) as lkapi: lkapi.room.list_rooms()``. Any number of threads may use it at once. It runs
    beside an event loop as well, but blocks the one of the thread that calls.

    A call's time is kept between reads, not within one: a server that sends byte after byte of a header can stretch it.

    Args:
        url: as for `LiveKitAPI`, like the others.
        api_key: …
        api_secret: …
        token: …
        timeout: …
        failover: …
        tls: …
        proxy: …
        http2: …
        max_connections: …
        client: an `httpx.Client`.

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
        client: httpx.Client | None = None,
    ) -> None:
        import httpx

        from ._transport import SyncTransport, client_settings

        settings = complete_settings(url, api_key, api_secret, token, timeout, failover)
        given = client_settings(tls, proxy, http2, max_connections, client)
        self._caller = Caller(settings, time.monotonic)
        self._owns_client = client is None
        self._client = client or httpx.Client(**given)
        transport = SyncTransport(self._client)
        self._room = SyncRoomService(self._caller, transport)
        self._egress = SyncEgressService(self._caller, transport)
        self._ingress = SyncIngressService(self._caller, transport)
        self._sip = SyncSipService(self._caller, transport)
        self._agent_dispatch = SyncAgentDispatchService(self._caller, transport)
        self._connector = SyncConnectorService(self._caller, transport)

    @classmethod
    def with_token(cls, token: str, url: str | None = None, **settings: Unpack[ClientSettings[httpx.Client]]) -> Self:
        """A client that sends *token* with every call, as `LiveKitAPI.with_token`."""
        return cls(url, token=token, **settings)

    @override
    def __repr__(self) -> str:
        return f"<SyncLiveKitAPI {self._caller.settings.url}>"

    @property
    def room(self) -> SyncRoomService:
        """Rooms and their participants."""
        return self._room

    @property
    def egress(self) -> SyncEgressService:
        """Recordings and streams out of rooms."""
        return self._egress

    @property
    def ingress(self) -> SyncIngressService:
        """Streams into rooms."""
        return self._ingress

    @property
    def sip(self) -> SyncSipService:
        """Telephony."""
        return self._sip

    @property
    def agent_dispatch(self) -> SyncAgentDispatchService:
        """Which agents are sent into which rooms."""
        return self._agent_dispatch

    @property
    def connector(self) -> SyncConnectorService:
        """Calls of other networks."""
        return self._connector

    def close(self) -> None:
        """Close the connections, unless they are those of a client that was given. Calls of other threads fail."""
        if self._owns_client:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
