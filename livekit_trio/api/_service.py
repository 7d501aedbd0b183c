"""What the services of a client have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._conversation import Caller
    from ._rpc import Request, Response, Rpc
    from ._transport import AsyncTransport, SyncTransport


class Service:
    """One service of a `LiveKitAPI`."""

    __slots__ = ("_caller", "_transport")

    def __init__(self, caller: Caller, transport: AsyncTransport) -> None:
        self._caller = caller
        self._transport = transport

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._caller.settings.url}>"

    async def _call(
        self,
        rpc: Rpc[Request, Response],
        request: Request | None = None,
        fields: Mapping[str, Any] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - of the whole conversation, whose tries share it
    ) -> Response:
        return await self._transport.run(self._caller.call(rpc, request, fields or {}, timeout))


class SyncService:
    """One service of a `SyncLiveKitAPI`."""

    __slots__ = ("_caller", "_transport")

    def __init__(self, caller: Caller, transport: SyncTransport) -> None:
        self._caller = caller
        self._transport = transport

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._caller.settings.url}>"

    def _call(
        self,
        rpc: Rpc[Request, Response],
        request: Request | None = None,
        fields: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Response:
        return self._transport.run(self._caller.call(rpc, request, fields or {}, timeout))
