"""Where the demo's call is held: on a server of its own with webhooks, or on any other."""

from __future__ import annotations

import secrets
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import attrs

from ... import api
from ...testing import open_server
from ._hooks import open_hooks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from anyio.streams.memory import MemoryObjectReceiveStream
    from livekit.protocol.webhook import WebhookEvent


@attrs.frozen
class Elsewhere:
    """A server that runs already.

    Attributes:
        url: its address.
        api_key: one of its keys.
        api_secret: the key's secret.
    """

    url: str
    api_key: str
    api_secret: str = attrs.field(repr=False)


@attrs.define
class Place:
    """A server, and what it tells by webhooks."""

    url: str
    api_key: str
    api_secret: str = attrs.field(repr=False)
    room: str
    has_webhooks: bool
    webhooks: Counter[str] = attrs.field(factory=Counter[str])
    """How many events of each name have come."""
    _heard: anyio.Event = attrs.field(factory=anyio.Event)

    def token(self, identity: str) -> str:
        grants = api.VideoGrants(room_join=True, room=self.room, can_update_own_metadata=True)
        return api.AccessToken(self.api_key, self.api_secret).with_identity(identity).with_grants(grants).to_jwt()

    def open_api(self) -> api.LiveKitAPI:
        return api.LiveKitAPI(self.url, self.api_key, self.api_secret)

    async def wait_for_webhooks(self, wanted: Mapping[str, int], seconds: float) -> dict[str, int]:
        """Return how many of each are still missing: none, or those that have not come in time."""
        await anyio.lowlevel.checkpoint()
        with anyio.move_on_after(seconds):  # noqa: ASYNC912 - waits if there is anything to wait for
            while self._missing(wanted):
                await self._heard.wait()
        return self._missing(wanted)

    def _missing(self, wanted: Mapping[str, int]) -> dict[str, int]:
        return {name: count - self.webhooks[name] for name, count in wanted.items() if self.webhooks[name] < count}

    async def listen(self, events: MemoryObjectReceiveStream[WebhookEvent]) -> None:
        async for event in events:
            self.webhooks[event.event] += 1
            self._heard.set()
            self._heard = anyio.Event()


@asynccontextmanager
async def open_place(elsewhere: Elsewhere | None) -> AsyncGenerator[Place]:
    """A place for a call: a server made for it, unless there is one *elsewhere*."""
    room = f"demo-{secrets.token_hex(3)}"
    if elsewhere is not None:
        yield Place(elsewhere.url, elsewhere.api_key, elsewhere.api_secret, room, has_webhooks=False)
        return
    key, secret = f"API{secrets.token_hex(6)}", secrets.token_urlsafe(32)
    async with (
        open_hooks(key, secret) as (address, events),
        open_server(webhook_urls=[address], api_key=key, api_secret=secret) as server,
        anyio.create_task_group() as listening,
    ):
        place = Place(server.url, key, secret, room, has_webhooks=True)
        listening.start_soon(place.listen, events)
        yield place
        listening.cancel_scope.cancel()
