"""The messages of livekit-protocol that livekit-api shows, for `livekit_trio.api` to show them as well.

Importing this imports protobuf; the package does so when the first message is asked for.
"""

# ruff: noqa: F403 - whatever these modules export is shown
# pyright: reportWildcardImportFromLibrary=false

from __future__ import annotations

from livekit.protocol.agent import *
from livekit.protocol.agent_dispatch import *
from livekit.protocol.connector_twilio import *
from livekit.protocol.connector_whatsapp import *
from livekit.protocol.egress import *
from livekit.protocol.ingress import *
from livekit.protocol.models import *
from livekit.protocol.room import *
from livekit.protocol.sip import *
from livekit.protocol.webhook import *
