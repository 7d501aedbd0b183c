"""What tests of LiveKit programs need: a real local server."""

from __future__ import annotations

from .._metadata import fix_public_paths
from ._admin import AdminCallError as AdminCallError
from ._find_server import find_server as find_server
from ._idle import assert_idle as assert_idle
from ._server import DevServer as DevServer, open_server as open_server
from ._server_errors import ServerNotFoundError as ServerNotFoundError, ServerStartError as ServerStartError
from ._server_process import ServerProcess as ServerProcess

fix_public_paths(__name__, globals())
del fix_public_paths
