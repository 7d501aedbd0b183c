"""Statistics of codecs and RTP streams, field by field.

The names and meanings are those of the W3C's webrtc-stats; all durations and moments are in seconds here. What the native
library does not measure is 0 or empty. Counters count from the beginning of the stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._stats_enums import QualityLimitationReason


@attrs.frozen(kw_only=True)
class Stats:
    """What all kinds have in common.

    Attributes:
        id: names this object in its report, and in later ones.
        timestamp: when it was measured, in seconds since 1970.
    """

    id: str
    timestamp: float


@attrs.frozen(kw_only=True)
class CodecStats(Stats):
    """A codec that is in use.

    Attributes:
        payload_type: its number in RTP packets.
        transport_id: the `TransportStats` that it is used on.
        mime_type: such as ``video/VP8``.
        clock_rate: of RTP timestamps, in Hz.
        channels: of audio.
        sdp_fmtp_line: its parameters, as negotiated.
    """

    payload_type: int
    transport_id: str
    mime_type: str
    clock_rate: int
    channels: int
    sdp_fmtp_line: str


@attrs.frozen(kw_only=True)
class RtpStats(Stats):
    """What all RTP streams have in common.

    Attributes:
        ssrc: the stream's number in RTP packets.
        kind: ``audio`` or ``video``.
        transport_id: its `TransportStats`.
        codec_id: its `CodecStats`.
    """

    ssrc: int
    kind: str
    transport_id: str
    codec_id: str


@attrs.frozen(kw_only=True)
class ReceivedRtpStats(RtpStats):
    """What is known of a stream where it is received.

    Attributes:
        packets_received: packets.
        packets_lost: packets that never came; negative if some came twice.
        jitter: how unevenly they come, in seconds.
    """

    packets_received: int
    packets_lost: int
    jitter: float


@attrs.frozen(kw_only=True)
class SentRtpStats(RtpStats):
    """What is known of a stream where it is sent.

    Attributes:
        packets_sent: packets.
        bytes_sent: their payload, in bytes.
    """

    packets_sent: int
    bytes_sent: int


@attrs.frozen(kw_only=True)
class InboundRtpStats(ReceivedRtpStats):
    """A stream that we receive.

    Attributes:
        track_identifier: libwebrtc's name of the track.
        mid: of its section in the session description.
        remote_id: the sender's view of it, a `RemoteOutboundRtpStats`.
        frames_decoded: video frames.
        key_frames_decoded: those among them that stand alone.
        frames_rendered: video frames shown; 0, since we show none.
        frames_dropped: video frames dropped before they were decoded or shown.
        frame_width: of the last video frame, in pixels.
        frame_height: likewise.
        frames_per_second: video frames decoded in the last second.
        qp_sum: of the quantisers of all decoded frames: the higher the mean, the coarser the picture.
        total_decode_time: seconds.
        total_inter_frame_delay: between decoded frames, in seconds.
        total_squared_inter_frame_delay: of their squares, for the variance.
        pause_count: pauses of the video of more than 5 s.
        total_pause_duration: in seconds.
        freeze_count: times that the picture stood still.
        total_freeze_duration: in seconds.
        last_packet_received_timestamp: in seconds since 1970.
        header_bytes_received: bytes of RTP headers and padding.
        packets_discarded: packets that came too late or too early to be of use.
        fec_bytes_received: bytes of error correction.
        fec_packets_received: packets of error correction.
        fec_packets_discarded: those that were of no use.
        bytes_received: payload, in bytes.
        nack_count: requests for lost packets that we sent.
        fir_count: requests for a whole picture that we sent.
        pli_count: reports of lost pictures that we sent.
        total_processing_delay: from a packet's arrival to its being decoded, in seconds, over all samples or frames.
        estimated_playout_timestamp: when the last sample or frame was due to be played, in seconds since 1970; 0: unknown.
        jitter_buffer_delay: time in the jitter buffer, in seconds, over all samples or frames.
        jitter_buffer_target_delay: what was aimed at, likewise.
        jitter_buffer_emitted_count: how many samples or frames have left it: divide by this.
        jitter_buffer_minimum_delay: what the network alone would have needed, likewise.
        total_samples_received: audio samples of one channel, concealed ones among them.
        concealed_samples: audio samples that were made up for missing ones.
        silent_concealed_samples: those of them that are silent.
        concealment_events: times that it had to be done.
        inserted_samples_for_deceleration: audio samples added to play more slowly.
        removed_samples_for_acceleration: audio samples removed to play faster.
        audio_level: of the last moment, 0 to 1.
        total_audio_energy: of all samples, for the mean level over an interval.
        total_samples_duration: of all samples, in seconds.
        frames_received: video frames that came complete.
        decoder_implementation: such as ``libvpx``.
        playout_id: its `MediaPlayoutStats`.
        power_efficient_decoder: whether the decoder is believed to spare the battery.
        frames_assembled_from_multiple_packets: video frames.
        total_assembly_time: of those, in seconds.
        retransmitted_packets_received: packets sent again.
        retransmitted_bytes_received: payload of those, in bytes.
        rtx_ssrc: of the stream that they come in; 0: none.
        fec_ssrc: of the stream that error correction comes in; 0: none.
    """

    track_identifier: str
    mid: str
    remote_id: str
    frames_decoded: int
    key_frames_decoded: int
    frames_rendered: int
    frames_dropped: int
    frame_width: int
    frame_height: int
    frames_per_second: float
    qp_sum: int
    total_decode_time: float
    total_inter_frame_delay: float
    total_squared_inter_frame_delay: float
    pause_count: int
    total_pause_duration: float
    freeze_count: int
    total_freeze_duration: float
    last_packet_received_timestamp: float
    header_bytes_received: int
    packets_discarded: int
    fec_bytes_received: int
    fec_packets_received: int
    fec_packets_discarded: int
    bytes_received: int
    nack_count: int
    fir_count: int
    pli_count: int
    total_processing_delay: float
    estimated_playout_timestamp: float
    jitter_buffer_delay: float
    jitter_buffer_target_delay: float
    jitter_buffer_emitted_count: int
    jitter_buffer_minimum_delay: float
    total_samples_received: int
    concealed_samples: int
    silent_concealed_samples: int
    concealment_events: int
    inserted_samples_for_deceleration: int
    removed_samples_for_acceleration: int
    audio_level: float
    total_audio_energy: float
    total_samples_duration: float
    frames_received: int
    decoder_implementation: str
    playout_id: str
    power_efficient_decoder: bool
    frames_assembled_from_multiple_packets: int
    total_assembly_time: float
    retransmitted_packets_received: int
    retransmitted_bytes_received: int
    rtx_ssrc: int
    fec_ssrc: int


@attrs.frozen(kw_only=True)
class OutboundRtpStats(SentRtpStats):
    """A stream that we send: one for each simulcast layer.

    Attributes:
        mid: of its section in the session description.
        media_source_id: its `MediaSourceStats`.
        remote_id: the receiver's view of it, a `RemoteInboundRtpStats`.
        rid: the simulcast layer.
        header_bytes_sent: bytes of RTP headers and padding.
        retransmitted_packets_sent: packets sent again.
        retransmitted_bytes_sent: payload of those, in bytes.
        rtx_ssrc: of the stream that they go in; 0: none.
        target_bitrate: what the encoder aims at, in bits per second.
        total_encoded_bytes_target: bytes that it aimed at for all frames.
        frame_width: of the last video frame, in pixels.
        frame_height: likewise.
        frames_per_second: video frames encoded in the last second.
        frames_sent: video frames.
        huge_frames_sent: those of more than 2.5 times the mean size.
        frames_encoded: video frames.
        key_frames_encoded: those among them that stand alone.
        qp_sum: of the quantisers of all encoded frames.
        total_encode_time: in seconds.
        total_packet_send_delay: from the encoder to the network, in seconds, over all packets.
        quality_limitation_reason: why the quality is not better now.
        quality_limitation_durations: seconds spent for each such reason.
        quality_limitation_resolution_changes: times that the picture's size was changed for it.
        nack_count: requests for lost packets that came.
        fir_count: requests for a whole picture that came.
        pli_count: reports of lost pictures that came.
        encoder_implementation: such as ``libvpx``.
        power_efficient_encoder: whether the encoder is believed to spare the battery.
        active: whether it is being sent.
        scalability_mode: such as ``L1T3``; empty: none.
    """

    mid: str
    media_source_id: str
    remote_id: str
    rid: str
    header_bytes_sent: int
    retransmitted_packets_sent: int
    retransmitted_bytes_sent: int
    rtx_ssrc: int
    target_bitrate: float
    total_encoded_bytes_target: int
    frame_width: int
    frame_height: int
    frames_per_second: float
    frames_sent: int
    huge_frames_sent: int
    frames_encoded: int
    key_frames_encoded: int
    qp_sum: int
    total_encode_time: float
    total_packet_send_delay: float
    quality_limitation_reason: QualityLimitationReason
    quality_limitation_durations: Mapping[str, float]
    quality_limitation_resolution_changes: int
    nack_count: int
    fir_count: int
    pli_count: int
    encoder_implementation: str
    power_efficient_encoder: bool
    active: bool
    scalability_mode: str


@attrs.frozen(kw_only=True)
class RemoteInboundRtpStats(ReceivedRtpStats):
    """What the receiver, here the server, reports of a stream that we send.

    Attributes:
        local_id: our `OutboundRtpStats`.
        round_trip_time: of the last report, in seconds.
        total_round_trip_time: of all reports, in seconds.
        fraction_lost: packets lost since the report before, 0 to 1.
        round_trip_time_measurements: how many there were.
    """

    local_id: str
    round_trip_time: float
    total_round_trip_time: float
    fraction_lost: float
    round_trip_time_measurements: int


@attrs.frozen(kw_only=True)
class RemoteOutboundRtpStats(SentRtpStats):
    """What the sender reports of a stream that we receive.

    Attributes:
        local_id: our `InboundRtpStats`.
        remote_timestamp: when it reported, by its clock, in seconds since 1970.
        reports_sent: how often it has.
        round_trip_time: of the last report, in seconds.
        total_round_trip_time: of all reports, in seconds.
        round_trip_time_measurements: how many there were.
    """

    local_id: str
    remote_timestamp: float
    reports_sent: int
    round_trip_time: float
    total_round_trip_time: float
    round_trip_time_measurements: int
