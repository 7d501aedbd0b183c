"""Statistics of sources, connections and their ways through the network, field by field; see `_stats_rtp.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ._stats_rtp import Stats

if TYPE_CHECKING:
    from ._stats_enums import (
        DataChannelState,
        DtlsRole,
        DtlsTransportState,
        IceCandidatePairState,
        IceCandidateType,
        IceRole,
        IceServerTransportProtocol,
        IceTcpCandidateType,
        IceTransportState,
    )


@attrs.frozen(kw_only=True)
class MediaSourceStats(Stats):
    """What we send, before it is compressed.

    Attributes:
        track_identifier: libwebrtc's name of the track.
        kind: ``audio`` or ``video``; the fields of the other are 0.
        audio_level: of the last moment, 0 to 1.
        total_audio_energy: of all samples, for the mean level over an interval.
        total_samples_duration: of all samples, in seconds.
        echo_return_loss: in decibels.
        echo_return_loss_enhancement: in decibels.
        dropped_samples_duration: seconds of sound that were dropped.
        dropped_samples_events: times that some was.
        total_capture_delay: between capture and here, in seconds, over all samples.
        total_samples_captured: samples of one channel.
        width: of the last video frame, in pixels.
        height: likewise.
        frames: video frames.
        frames_per_second: video frames in the last second.
    """

    track_identifier: str
    kind: str
    audio_level: float
    total_audio_energy: float
    total_samples_duration: float
    echo_return_loss: float
    echo_return_loss_enhancement: float
    dropped_samples_duration: float
    dropped_samples_events: int
    total_capture_delay: float
    total_samples_captured: int
    width: int
    height: int
    frames: int
    frames_per_second: float


@attrs.frozen(kw_only=True)
class MediaPlayoutStats(Stats):
    """What is played through a loudspeaker of the native library.

    Attributes:
        kind: ``audio``.
        synthesized_samples_duration: seconds of sound that were made up since too little came.
        synthesized_samples_events: times that some was.
        total_samples_duration: of all samples, in seconds.
        total_playout_delay: until they were heard, in seconds, over all samples.
        total_samples_count: samples of one channel.
    """

    kind: str
    synthesized_samples_duration: float
    synthesized_samples_events: int
    total_samples_duration: float
    total_playout_delay: float
    total_samples_count: int


@attrs.frozen(kw_only=True)
class PeerConnectionStats(Stats):
    """A peer connection: a room has one or two.

    Attributes:
        data_channels_opened: data channels.
        data_channels_closed: data channels.
    """

    data_channels_opened: int
    data_channels_closed: int


@attrs.frozen(kw_only=True)
class DataChannelStats(Stats):
    """A data channel.

    Attributes:
        label: such as ``_reliable`` and ``_lossy``.
        protocol: empty.
        data_channel_identifier: its SCTP stream.
        state: None: not said.
        messages_sent: messages.
        bytes_sent: payload, in bytes.
        messages_received: messages.
        bytes_received: payload, in bytes.
    """

    label: str
    protocol: str
    data_channel_identifier: int
    state: DataChannelState | None
    messages_sent: int
    bytes_sent: int
    messages_received: int
    bytes_received: int


@attrs.frozen(kw_only=True)
class TransportStats(Stats):
    """The way that everything of a peer connection takes.

    Attributes:
        packets_sent: packets.
        packets_received: packets.
        bytes_sent: bytes, without those of IP and UDP.
        bytes_received: likewise.
        ice_role: whether we choose the candidate pair.
        ice_local_username_fragment: of our ICE session.
        dtls_state: None: not said.
        ice_state: None: not said.
        selected_candidate_pair_id: the `CandidatePairStats` in use.
        local_certificate_id: our `CertificateStats`.
        remote_certificate_id: the other side's.
        tls_version: in hexadecimal digits, such as ``FEFD`` for DTLS 1.2.
        dtls_cipher: of the handshake.
        dtls_role: which side began it.
        srtp_cipher: of the media.
        selected_candidate_pair_changes: times that the pair in use has changed.
    """

    packets_sent: int
    packets_received: int
    bytes_sent: int
    bytes_received: int
    ice_role: IceRole
    ice_local_username_fragment: str
    dtls_state: DtlsTransportState | None
    ice_state: IceTransportState | None
    selected_candidate_pair_id: str
    local_certificate_id: str
    remote_certificate_id: str
    tls_version: str
    dtls_cipher: str
    dtls_role: DtlsRole
    srtp_cipher: str
    selected_candidate_pair_changes: int


@attrs.frozen(kw_only=True)
class CandidatePairStats(Stats):
    """A way that was tried or is in use.

    Attributes:
        transport_id: its `TransportStats`.
        local_candidate_id: its `LocalCandidateStats`.
        remote_candidate_id: its `RemoteCandidateStats`.
        state: None: not said.
        nominated: whether it was chosen.
        packets_sent: packets.
        packets_received: packets.
        bytes_sent: payload, in bytes.
        bytes_received: likewise.
        last_packet_sent_timestamp: in seconds since 1970.
        last_packet_received_timestamp: likewise.
        total_round_trip_time: of all answered checks, in seconds.
        current_round_trip_time: of the last one.
        available_outgoing_bitrate: an estimate, in bits per second.
        available_incoming_bitrate: likewise.
        requests_received: connectivity checks.
        requests_sent: likewise.
        responses_received: answers to them.
        responses_sent: likewise.
        consent_requests_sent: checks that keep the way open.
        packets_discarded_on_send: packets that could not be sent.
        bytes_discarded_on_send: of those.
    """

    transport_id: str
    local_candidate_id: str
    remote_candidate_id: str
    state: IceCandidatePairState | None
    nominated: bool
    packets_sent: int
    packets_received: int
    bytes_sent: int
    bytes_received: int
    last_packet_sent_timestamp: float
    last_packet_received_timestamp: float
    total_round_trip_time: float
    current_round_trip_time: float
    available_outgoing_bitrate: float
    available_incoming_bitrate: float
    requests_received: int
    requests_sent: int
    responses_received: int
    responses_sent: int
    consent_requests_sent: int
    packets_discarded_on_send: int
    bytes_discarded_on_send: int


@attrs.frozen(kw_only=True)
class IceCandidateStats(Stats):
    """An address at which one side can be reached.

    Attributes:
        transport_id: its `TransportStats`.
        address: IP address.
        port: port.
        protocol: ``udp`` or ``tcp``.
        candidate_type: where the address comes from; None: not said.
        priority: the higher, the sooner it is tried.
        url: of the STUN or TURN server that it came from.
        relay_protocol: how that is reached; None: no relay.
        foundation: the same for addresses that share their origin.
        related_address: of the machine itself, where *address* is another.
        related_port: likewise.
        username_fragment: of the ICE session.
        tcp_type: None: not TCP.
    """

    transport_id: str
    address: str
    port: int
    protocol: str
    candidate_type: IceCandidateType | None
    priority: int
    url: str
    relay_protocol: IceServerTransportProtocol | None
    foundation: str
    related_address: str
    related_port: int
    username_fragment: str
    tcp_type: IceTcpCandidateType | None


@attrs.frozen(kw_only=True)
class LocalCandidateStats(IceCandidateStats):
    """An address of ours."""


@attrs.frozen(kw_only=True)
class RemoteCandidateStats(IceCandidateStats):
    """An address of the other side."""


@attrs.frozen(kw_only=True)
class CertificateStats(Stats):
    """A certificate of the DTLS handshake.

    Attributes:
        fingerprint: in hexadecimal digits.
        fingerprint_algorithm: such as ``sha-256``.
        base64_certificate: the whole of it.
        issuer_certificate_id: of the one above it; empty: none.
    """

    fingerprint: str
    fingerprint_algorithm: str
    base64_certificate: str
    issuer_certificate_id: str


@attrs.frozen(kw_only=True)
class MediaStreamStats(Stats):
    """A group of tracks; libwebrtc reports it no longer.

    Attributes:
        stream_identifier: libwebrtc's name of it.
    """

    stream_identifier: str


@attrs.frozen(kw_only=True)
class TrackStats(Stats):
    """A track; libwebrtc reports it no longer, and the native library tells nothing of it."""
