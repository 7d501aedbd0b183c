"""What a server, or a script that stands in for one, needs beside a room: access tokens, calls of the server, webhooks.

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

fix_public_paths(__name__, globals())
del fix_public_paths
