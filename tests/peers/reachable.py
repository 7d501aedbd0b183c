"""Wait until the server's data reach a participant, which is a moment after it has joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from livekit_trio.api import LiveKitAPI, ServerError

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

UNSUPPORTED_METHOD: Final = "1400"
"""What a participant answers to the call of a method that it does not know."""


async def until_reachable(server: DevServer, room: str, identity: str) -> None:
    """Call a method that nobody knows until that is the answer. Before, the server fails such calls, and loses packets."""
    async with LiveKitAPI(server.url, server.api_key, server.api_secret, timeout=60) as lkapi:
        with anyio.fail_after(60):
            while True:
                try:
                    await lkapi.room.perform_rpc(
                        room=room, destination_identity=identity, method="nothing", response_timeout_ms=5000
                    )
                except ServerError as error:
                    if UNSUPPORTED_METHOD in str(error):
                        return
                await anyio.sleep(0.02)
