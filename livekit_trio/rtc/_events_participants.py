"""Events of participants: coming, going, and what is said of them; see `_events`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._event import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._enums import ConnectionQuality, DisconnectReason
    from ._participant import RemoteParticipant
    from ._unions import AnyParticipant
    from ._values import ParticipantPermission


class ParticipantConnected(Event):
    """Somebody joined. What it publishes is reported next.

    Attributes:
        participant: who.
    """

    participant: RemoteParticipant


class ParticipantActive(Event):
    """Somebody's media connection is up: it can receive tracks and data from now on.

    Attributes:
        participant: who.
    """

    participant: RemoteParticipant


class ParticipantDisconnected(Event):
    """Somebody left. The end of what it had published has been reported just before.

    Attributes:
        participant: who; not among the room's participants any more.
        reason: why; UNKNOWN_REASON if the server did not say.
    """

    participant: RemoteParticipant
    reason: DisconnectReason


class ParticipantMetadataChanged(Event):
    """A participant's metadata changed.

    Attributes:
        participant: whose; may be ourselves.
        old_metadata: what it was.
        new_metadata: what it became.
    """

    participant: AnyParticipant
    old_metadata: str
    new_metadata: str


class ParticipantNameChanged(Event):
    """A participant's name changed.

    Attributes:
        participant: whose; may be ourselves.
        old_name: what it was.
        new_name: what it became.
    """

    participant: AnyParticipant
    old_name: str
    new_name: str


class ParticipantAttributesChanged(Event):
    """Some of a participant's attributes changed.

    Attributes:
        changed_attributes: the changed ones; a removed one has an empty value.
        participant: whose; may be ourselves. Its `attributes` are all of them.
    """

    changed_attributes: Mapping[str, str]
    participant: AnyParticipant


class ParticipantPermissionsChanged(Event):
    """What a participant may do changed.

    Attributes:
        participant: who; may be ourselves.
        permissions: what it may do now.
    """

    participant: AnyParticipant
    permissions: ParticipantPermission


class ParticipantEncryptionStatusChanged(Event):
    """A participant began or ceased to encrypt all that it sends end to end.

    Attributes:
        participant: who; may be ourselves.
        is_encrypted: whether all it has published, and all data seen from it, is encrypted.
    """

    participant: AnyParticipant
    is_encrypted: bool


class ConnectionQualityChanged(Event):
    """The server's opinion of a participant's connection changed.

    Attributes:
        participant: whose; may be ourselves.
        quality: how good it is now.
    """

    participant: AnyParticipant
    quality: ConnectionQuality


class ActiveSpeakersChanged(Event):
    """Some began or ceased to speak, or speak louder or softer.

    The server reports changes, and the native library leaves out of them who ceased to speak. So this is who is known to
    speak now; somebody who goes on at the same level may be missing.

    Attributes:
        speakers: the loudest first; may contain ourselves.
    """

    speakers: tuple[AnyParticipant, ...]
