"""The enums of statistics. Source: livekit-ffi stats.proto, which follows the W3C's webrtc-stats."""

from __future__ import annotations

from ._enums import OpenEnum


class DataChannelState(OpenEnum):
    """Whether a data channel can be used."""

    DC_CONNECTING = 0
    DC_OPEN = 1
    DC_CLOSING = 2
    DC_CLOSED = 3


class QualityLimitationReason(OpenEnum):
    """Why a video encoder sends less than it could."""

    LIMITATION_NONE = 0
    LIMITATION_CPU = 1
    LIMITATION_BANDWIDTH = 2
    LIMITATION_OTHER = 3


class IceRole(OpenEnum):
    """Which side chooses the candidate pair."""

    ICE_UNKNOWN = 0
    ICE_CONTROLLING = 1
    ICE_CONTROLLED = 2


class DtlsTransportState(OpenEnum):
    """How far the encryption of a transport has come."""

    DTLS_TRANSPORT_NEW = 0
    DTLS_TRANSPORT_CONNECTING = 1
    DTLS_TRANSPORT_CONNECTED = 2
    DTLS_TRANSPORT_CLOSED = 3
    DTLS_TRANSPORT_FAILED = 4


class IceTransportState(OpenEnum):
    """How far the search for a way has come."""

    ICE_TRANSPORT_NEW = 0
    ICE_TRANSPORT_CHECKING = 1
    ICE_TRANSPORT_CONNECTED = 2
    ICE_TRANSPORT_COMPLETED = 3
    ICE_TRANSPORT_DISCONNECTED = 4
    ICE_TRANSPORT_FAILED = 5
    ICE_TRANSPORT_CLOSED = 6


class DtlsRole(OpenEnum):
    """Which side began the DTLS handshake."""

    DTLS_CLIENT = 0
    DTLS_SERVER = 1
    DTLS_UNKNOWN = 2


class IceCandidatePairState(OpenEnum):
    """What is known of a way."""

    PAIR_FROZEN = 0
    PAIR_WAITING = 1
    PAIR_IN_PROGRESS = 2
    PAIR_FAILED = 3
    PAIR_SUCCEEDED = 4


class IceCandidateType(OpenEnum):
    """Where an address comes from."""

    HOST = 0
    """One of the machine's own."""
    SRFLX = 1
    """What a STUN server sees."""
    PRFLX = 2
    """What the other side sees."""
    RELAY = 3
    """A TURN server's."""


class IceServerTransportProtocol(OpenEnum):
    """How a relay is reached."""

    TRANSPORT_UDP = 0
    TRANSPORT_TCP = 1
    TRANSPORT_TLS = 2


class IceTcpCandidateType(OpenEnum):
    """Which side opens a TCP connection."""

    CANDIDATE_ACTIVE = 0
    CANDIDATE_PASSIVE = 1
    CANDIDATE_SO = 2
    """Both at once."""
