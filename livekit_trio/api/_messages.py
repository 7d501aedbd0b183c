"""The messages of livekit-protocol that livekit-api shows, for `livekit_trio.api` to show them as well.

Importing this imports protobuf; the package does so when the first message is asked for.
"""

# pyright: reportWildcardImportFromLibrary=false

from __future__ import annotations

from livekit.protocol.agent import *  # noqa: F403
from livekit.protocol.agent_dispatch import *  # noqa: F403
from livekit.protocol.connector_twilio import *  # noqa: F403
from livekit.protocol.connector_whatsapp import *  # noqa: F403
from livekit.protocol.egress import *  # noqa: F403
from livekit.protocol.ingress import *  # noqa: F403
from livekit.protocol.models import *  # noqa: F403
from livekit.protocol.room import *  # noqa: F403
from livekit.protocol.sip import *  # noqa: F403
from livekit.protocol.webhook import *  # noqa: F403
