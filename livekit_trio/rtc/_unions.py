"""What may stand in one place: the unions that events and properties have in common."""

from __future__ import annotations

from typing import TypeAlias

from ._local_participant import LocalParticipant
from ._participant import RemoteParticipant
from ._publication import LocalTrackPublication, RemoteTrackPublication
from ._values import ServerSender, UnknownSender

AnyParticipant: TypeAlias = LocalParticipant | RemoteParticipant
AnyPublication: TypeAlias = LocalTrackPublication | RemoteTrackPublication
Sender: TypeAlias = RemoteParticipant | ServerSender | UnknownSender
