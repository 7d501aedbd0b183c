"""What `Track.get_stats` and `Room.get_stats` return: reports of the 16 kinds of statistics, and their enums.

A module of its own, since few programs need its many classes: it is imported by the first report.
"""

from __future__ import annotations

from .._metadata import fix_public_paths
from ._stats import Rates as Rates, RoomStats as RoomStats, StatsReport as StatsReport
from ._stats_connection import (
    CandidatePairStats as CandidatePairStats,
    CertificateStats as CertificateStats,
    DataChannelStats as DataChannelStats,
    IceCandidateStats as IceCandidateStats,
    LocalCandidateStats as LocalCandidateStats,
    MediaPlayoutStats as MediaPlayoutStats,
    MediaSourceStats as MediaSourceStats,
    MediaStreamStats as MediaStreamStats,
    PeerConnectionStats as PeerConnectionStats,
    RemoteCandidateStats as RemoteCandidateStats,
    TrackStats as TrackStats,
    TransportStats as TransportStats,
)
from ._stats_enums import (
    DataChannelState as DataChannelState,
    DtlsRole as DtlsRole,
    DtlsTransportState as DtlsTransportState,
    IceCandidatePairState as IceCandidatePairState,
    IceCandidateType as IceCandidateType,
    IceRole as IceRole,
    IceServerTransportProtocol as IceServerTransportProtocol,
    IceTcpCandidateType as IceTcpCandidateType,
    IceTransportState as IceTransportState,
    QualityLimitationReason as QualityLimitationReason,
)
from ._stats_rtp import (
    CodecStats as CodecStats,
    InboundRtpStats as InboundRtpStats,
    OutboundRtpStats as OutboundRtpStats,
    ReceivedRtpStats as ReceivedRtpStats,
    RemoteInboundRtpStats as RemoteInboundRtpStats,
    RemoteOutboundRtpStats as RemoteOutboundRtpStats,
    RtpStats as RtpStats,
    SentRtpStats as SentRtpStats,
    Stats as Stats,
)

fix_public_paths(__name__, globals())
del fix_public_paths
