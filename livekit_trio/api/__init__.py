"""What a server, or a script that stands in for one, needs beside a room: access tokens, calls of the server, webhooks.

Nothing in here loads the native library or imports `livekit_trio.rtc`. The messages of the package livekit-protocol are here
too, under their own names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._errors import (
    LiveKitError as LiveKitError,
    TokenError as TokenError,
    WebhookError as WebhookError,
    WebhookErrorKind as WebhookErrorKind,
)
from .._metadata import fix_public_paths
from ._agent_dispatch_service import AgentDispatchService as AgentDispatchService
from ._client import LiveKitAPI as LiveKitAPI
from ._connector_service import ConnectorService as ConnectorService
from ._egress_service import EgressService as EgressService
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
from ._ingress_service import IngressService as IngressService
from ._room_service import RoomService as RoomService
from ._sip_service import SipService as SipService
from ._sync_client import SyncLiveKitAPI as SyncLiveKitAPI
from ._sync_services import (
    SyncAgentDispatchService as SyncAgentDispatchService,
    SyncConnectorService as SyncConnectorService,
    SyncEgressService as SyncEgressService,
    SyncIngressService as SyncIngressService,
    SyncRoomService as SyncRoomService,
    SyncSipService as SyncSipService,
)
from ._token import AccessToken as AccessToken, Claims as Claims, TokenVerifier as TokenVerifier
from ._token_source import (
    TokenSource as TokenSource,
    TokenSourceRequest as TokenSourceRequest,
    TokenSourceResponse as TokenSourceResponse,
)
from ._webhook import WebhookReceiver as WebhookReceiver
from ._webhook_app import webhook_app as webhook_app

if TYPE_CHECKING:
    from ._messages import *  # noqa: F403 - whatever livekit-protocol's modules export
else:

    def __getattr__(name: str) -> object:
        """The messages of livekit-protocol, such as ``CreateRoomRequest``: protobuf is imported for who asks for one."""
        if not name.startswith("_"):
            from . import _messages

            if hasattr(_messages, name):
                return getattr(_messages, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


fix_public_paths(__name__, globals())
del fix_public_paths, TYPE_CHECKING
