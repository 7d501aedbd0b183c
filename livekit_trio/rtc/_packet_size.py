"""How large a data packet will be on the wire, before it is made.

The native library counts the encoded message, and so must we: what it refuses it refuses after a trip through its queue.
The layout is that of LiveKit's DataPacket with a UserPacket in it; a test compares with the numbers in the library's refusals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PACKET_SIZE: Final = 64_000
"""Bytes of an encoded data packet; payload, topic, identities and encryption together (measured with livekit-ffi 0.13.2)."""

_KIND: Final = 2
_SEQUENCE: Final = 2 + 5
"""Of a reliable packet, with the longest number: the limit is then the same for the first packet and for the millionth."""


def packet_size(
    payload: int, topic: str, identities: Sequence[str], *, reliable: bool, sender_identity: str, sender_sid: str
) -> int:
    """The encoded size of a packet that is not encrypted; encryption adds 41 bytes.

    Args:
        payload: its length in bytes.
        topic: its topic; empty: none.
        identities: whom it is for.
        reliable: which of the two kinds it is.
        sender_identity: our identity.
        sender_sid: our SID.
    """
    user = _field(payload) + (_field(_length(topic)) if topic else 0)
    return (
        _field(user)
        + sum(_field(_length(identity)) for identity in identities)
        + _field(_length(sender_identity))
        + 1  # a field above 15 has a longer tag
        + _field(_length(sender_sid))
        + (_KIND + _SEQUENCE if reliable else 0)
    )


def _field(length: int) -> int:
    """A field of that many bytes, with its tag and its length."""
    return 1 + max(1, -(-length.bit_length() // 7)) + length


def _length(text: str) -> int:
    return len(text.encode())
