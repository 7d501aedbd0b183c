"""What several files here ask: a token endpoint in a web server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from anyio.from_thread import start_blocking_portal

from tests.peers.web_servers import open_web_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from livekit_trio.testing import DevServer

ENDPOINT_PASSWORD: Final = "the-password-of-the-endpoint"


@pytest.fixture(scope="session")
def token_endpoint(server: DevServer) -> Iterator[str]:
    """The URL of `tests/peers/token_app.py`, for the whole run; it wants `ENDPOINT_PASSWORD`."""
    environment = {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "ENDPOINT_PASSWORD": ENDPOINT_PASSWORD,
    }
    opened = open_web_server("hypercorn-trio", "tests.peers.token_app:app", environment)
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(opened) as client:
        yield str(client.base_url.join("/token"))
