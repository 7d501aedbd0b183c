"""What tests of LiveKit programs need: a real local server, media that can be told again at the other end, traces said again."""

from __future__ import annotations

from .._metadata import fix_public_paths
from ._admin import AdminCallError as AdminCallError
from ._find_server import find_server as find_server
from ._idle import assert_idle as assert_idle
from ._media import (
    colour_bars as colour_bars,
    has_flash as has_flash,
    loudness as loudness,
    read_counter as read_counter,
    silence_frames as silence_frames,
    tone_frames as tone_frames,
    tone_frequency as tone_frequency,
)
from ._replay import replay as replay
from ._server import DevServer as DevServer, open_server as open_server
from ._server_errors import ServerNotFoundError as ServerNotFoundError, ServerStartError as ServerStartError
from ._server_process import ServerProcess as ServerProcess

fix_public_paths(__name__, globals())
del fix_public_paths
