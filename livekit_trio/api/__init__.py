"""Access tokens: what a server, or a script that stands in for one, needs beside a room.

Nothing in here loads the native library or imports `livekit_trio.rtc`.
"""

from __future__ import annotations

from .._errors import (
    LiveKitError as LiveKitError,
    TokenError as TokenError,
    WebhookError as WebhookError,
    WebhookErrorKind as WebhookErrorKind,
)
from .._metadata import fix_public_paths
from ._client import LiveKitAPI as LiveKitAPI
from ._errors import (
    NotSupportedError as NotSupportedError,
    RemoteUnmuteDisabledError as RemoteUnmuteDisabledError,
    ServerError as ServerError,
    ServerErrorCode as ServerErrorCode,
    SipCallError as SipCallError,
    TransportError as TransportError,
    TransportErrorKind as TransportErrorKind,
)
from ._grants import (
    AgentEndpointGrants as AgentEndpointGrants,
    AgentGrants as AgentGrants,
    AgentThreadGrants as AgentThreadGrants,
    InferenceGrants as InferenceGrants,
    ObservabilityGrants as ObservabilityGrants,
    SIPGrants as SIPGrants,
    VideoGrants as VideoGrants,
)
from ._room_service import RoomService as RoomService
from ._token import AccessToken as AccessToken, Claims as Claims, TokenVerifier as TokenVerifier
from ._webhook import WebhookReceiver as WebhookReceiver
from ._webhook_app import webhook_app as webhook_app

fix_public_paths(__name__, globals())
del fix_public_paths
