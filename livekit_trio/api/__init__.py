"""Access tokens: what a server, or a script that stands in for one, needs beside a room.

Nothing in here loads the native library or imports `livekit_trio.rtc`.
"""

from __future__ import annotations

from ._grants import AgentEndpointGrants as AgentEndpointGrants
from ._grants import AgentGrants as AgentGrants
from ._grants import AgentThreadGrants as AgentThreadGrants
from ._grants import InferenceGrants as InferenceGrants
from ._grants import ObservabilityGrants as ObservabilityGrants
from ._grants import SIPGrants as SIPGrants
from ._grants import VideoGrants as VideoGrants
from ._token import AccessToken as AccessToken
from ._token import Claims as Claims
from ._token import TokenVerifier as TokenVerifier
