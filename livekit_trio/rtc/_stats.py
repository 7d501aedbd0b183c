"""Reports of statistics: asked of the native side, made into values, compared with one another."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio.lowlevel
import attrs

from .._errors import OperationError
from .._ffi._runtime import hold_runtime
from . import _stats_enums as enums
from ._stats_connection import (
    CandidatePairStats,
    CertificateStats,
    DataChannelStats,
    LocalCandidateStats,
    MediaPlayoutStats,
    MediaSourceStats,
    MediaStreamStats,
    PeerConnectionStats,
    RemoteCandidateStats,
    TrackStats,
    TransportStats,
)
from ._stats_rtp import (
    CodecStats,
    InboundRtpStats,
    OutboundRtpStats,
    RemoteInboundRtpStats,
    RemoteOutboundRtpStats,
    RtpStats,
    Stats,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ._link import RoomLink
    from ._track import TrackFacts

S = TypeVar("S", bound=Stats)

KINDS: Final[dict[str, type[Stats]]] = {
    "codec": CodecStats,
    "inbound_rtp": InboundRtpStats,
    "outbound_rtp": OutboundRtpStats,
    "remote_inbound_rtp": RemoteInboundRtpStats,
    "remote_outbound_rtp": RemoteOutboundRtpStats,
    "media_source": MediaSourceStats,
    "media_playout": MediaPlayoutStats,
    "peer_connection": PeerConnectionStats,
    "data_channel": DataChannelStats,
    "transport": TransportStats,
    "candidate_pair": CandidatePairStats,
    "local_candidate": LocalCandidateStats,
    "remote_candidate": RemoteCandidateStats,
    "certificate": CertificateStats,
    "stream": MediaStreamStats,
    "track": TrackStats,
}
"""By the field's name in the native message."""

_SCALES: Final = {
    "timestamp": 1e-6,
    "last_packet_received_timestamp": 1e-3,
    "last_packet_sent_timestamp": 1e-3,
    "estimated_playout_timestamp": 1e-3,
    "remote_timestamp": 1e-3,
}
"""What makes seconds of the native microseconds and milliseconds."""


@attrs.frozen(kw_only=True)
class Rates:
    """How an RTP stream did between two reports.

    Attributes:
        id: of the stream.
        kind: ``audio`` or ``video``.
        interval: between the two, in seconds.
        bits_per_second: of payload, sent or received.
        packets_per_second: likewise.
        frames_per_second: video frames, sent or decoded; 0 for audio.
        loss: which part of the packets was lost on the way, 0 to 1; of a stream that we send 0: see the
            `RemoteInboundRtpStats` of it.
    """

    id: str
    kind: str
    interval: float
    bits_per_second: float
    packets_per_second: float
    frames_per_second: float
    loss: float


@attrs.frozen
class StatsReport:
    """What the native library has measured of a track, or of one half of a room.

    Attributes:
        entries: of all kinds, in no particular order.
    """

    entries: tuple[Stats, ...]

    def __iter__(self) -> Iterator[Stats]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def of(self, kind: type[S]) -> tuple[S, ...]:
        """Return the entries of a class, or of those derived from it."""
        return tuple(entry for entry in self.entries if isinstance(entry, kind))

    def get(self, entry_id: str) -> Stats | None:
        """Return the entry of that id, or None."""
        return next((entry for entry in self.entries if entry.id == entry_id), None)

    def codec_of(self, stream: RtpStats) -> CodecStats | None:
        """Return the codec that a stream uses, or None before it is known."""
        codec = self.get(stream.codec_id)
        return codec if isinstance(codec, CodecStats) else None

    def rates_since(self, earlier: StatsReport) -> tuple[Rates, ...]:
        """Return how the streams of both reports that we send or receive did between the two.

        Streams that are in one report only, or were measured at the same moment, are left out.
        """
        found: list[Rates] = []
        for stream in self.entries:
            before = earlier.get(stream.id)
            if before is not None and stream.timestamp > before.timestamp:
                if isinstance(stream, InboundRtpStats) and isinstance(before, InboundRtpStats):
                    found.append(_inbound_rates(before, stream))
                elif isinstance(stream, OutboundRtpStats) and isinstance(before, OutboundRtpStats):
                    found.append(_outbound_rates(before, stream))
        return tuple(found)


@attrs.frozen(kw_only=True)
class RoomStats:
    """What the native library has measured of a room.

    Attributes:
        publisher: of the peer connection that we send through; by default there is but one, and everything is here.
        subscriber: of the one that we receive through, if there are two.
    """

    publisher: StatsReport
    subscriber: StatsReport


def _inbound_rates(before: InboundRtpStats, after: InboundRtpStats) -> Rates:
    seconds = after.timestamp - before.timestamp
    received = after.packets_received - before.packets_received
    lost = max(0, after.packets_lost - before.packets_lost)
    return Rates(
        id=after.id,
        kind=after.kind,
        interval=seconds,
        bits_per_second=8 * (after.bytes_received - before.bytes_received) / seconds,
        packets_per_second=received / seconds,
        frames_per_second=(after.frames_decoded - before.frames_decoded) / seconds,
        loss=lost / (received + lost) if lost else 0.0,
    )


def _outbound_rates(before: OutboundRtpStats, after: OutboundRtpStats) -> Rates:
    seconds = after.timestamp - before.timestamp
    return Rates(
        id=after.id,
        kind=after.kind,
        interval=seconds,
        bits_per_second=8 * (after.bytes_sent - before.bytes_sent) / seconds,
        packets_per_second=(after.packets_sent - before.packets_sent) / seconds,
        frames_per_second=(after.frames_sent - before.frames_sent) / seconds,
        loss=0.0,
    )


# ---- from native messages


def report(messages: Iterable[Any]) -> StatsReport:
    """Make a report of native RtcStats messages; kinds of the future are left out."""
    found = ((message.WhichOneof("stats"), message) for message in messages)
    return StatsReport(tuple(_entry(kind, getattr(message, kind)) for kind, message in found if kind in KINDS))


def _entry(kind: str, message: Any) -> Stats:
    # The native message has one part for each of the W3C's dictionaries; their names do not clash, but for an id.
    values: dict[str, Any] = {"id": "", "timestamp": 0}
    parts = [getattr(message, field.name) for field in message.DESCRIPTOR.fields]
    for part in reversed(parts):  # that with the real id, `rtc`, is the first
        values.update({field.name: _value(part, field.name) for field in part.DESCRIPTOR.fields})
    cls = KINDS[kind]
    for name in _SCALES.keys() & values.keys():
        values[name] *= _SCALES[name]
    return cls(**{field.name: values[field.name] for field in attrs.fields(cls)})


def _value(part: Any, name: str) -> Any:
    field = part.DESCRIPTOR.fields_by_name[name]
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return MappingProxyType(dict(getattr(part, name)))
    if field.enum_type is not None:
        return getattr(enums, field.enum_type.name)(getattr(part, name)) if part.HasField(name) else None
    return getattr(part, name)


# ---- asking


async def ask_track(track: TrackFacts, link: RoomLink | None) -> StatsReport:
    """See `Track.get_stats`. A track of ours belongs to no room: its reply goes to the loop that asks."""
    if link is not None:
        link.check_open()
    await anyio.lowlevel.checkpoint()
    if track.ended:
        raise OperationError(f"track {track.sid} has ended")
    if link is not None:
        reply = await link.call("get_stats", track_handle=track.handle)
    else:
        with hold_runtime() as runtime:
            reply = await runtime.call("get_stats", {"track_handle": track.handle})
    if reply.error:
        raise OperationError(reply.error)
    return report(reply.stats)


async def ask_room(link: RoomLink, room_handle: int) -> RoomStats:
    """See `Room.get_stats`."""
    reply = await link.call("get_session_stats", room_handle=room_handle)
    if reply.error:
        raise OperationError(reply.error)
    return RoomStats(publisher=report(reply.result.publisher_stats), subscriber=report(reply.result.subscriber_stats))
