"""Statistics: all 16 kinds, with every field, and what a real call measures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest

from livekit_trio import rtc
from livekit_trio._ffi import _proto as native
from livekit_trio.rtc import stats
from livekit_trio.rtc._enums import OpenEnum
from livekit_trio.rtc._stats import KINDS, report
from tests.media.rooms import joined, playing, remote_audio, remote_video, showing

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

SECONDS = {
    "timestamp": 1e6,
    "last_packet_received_timestamp": 1e3,
    "last_packet_sent_timestamp": 1e3,
    "estimated_playout_timestamp": 1e3,
    "remote_timestamp": 1e3,
}
"""How many of the native unit make a second."""


def fill(message: Any, count: int) -> int:
    """Set each field to a value of its own; returns the next number."""
    for field in message.DESCRIPTOR.fields:
        count += 1
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(message, field.name)["cpu"] = count
        elif field.message_type is not None:
            count = fill(getattr(message, field.name), count)
        elif field.enum_type is not None:
            setattr(message, field.name, field.enum_type.values[-1].number)
        elif field.cpp_type == field.CPPTYPE_STRING:
            setattr(message, field.name, str(count))
        else:
            setattr(message, field.name, field.cpp_type == field.CPPTYPE_BOOL or count)
    message.SetInParent()
    return count


def made_up(kind: str) -> Any:
    message: Any = native.RtcStats()
    fill(getattr(message, kind), 0)
    return message


@pytest.mark.parametrize("kind", [field.name for field in native.RtcStats.DESCRIPTOR.fields])
def test_every_field_of_every_kind_arrives(kind: str) -> None:
    message = made_up(kind)
    [entry] = report([message])
    assert type(entry) is KINDS[kind]
    inner = getattr(message, kind)
    parts = [getattr(inner, field.name) for field in inner.DESCRIPTOR.fields]
    names = {field.name for part in parts for field in part.DESCRIPTOR.fields}
    assert {field.name for field in attrs.fields(type(entry))} == names | {"id", "timestamp"}
    for part in reversed(parts):
        for field in part.DESCRIPTOR.fields:
            if field.name == "id" and part is not parts[0]:
                continue
            theirs, ours = getattr(part, field.name), getattr(entry, field.name)
            if field.message_type is not None:
                assert dict(ours) == dict(theirs) == {"cpu": list(theirs.values())[0]}  # noqa: RUF015 - a map
            elif field.name in SECONDS:
                assert ours == pytest.approx(theirs / SECONDS[field.name])
            else:
                assert ours == theirs
                assert isinstance(ours, OpenEnum) == (field.enum_type is not None)


def test_kinds_of_the_future_and_values_that_are_not_said() -> None:
    assert len(report([native.RtcStats()])) == 0
    message = made_up("data_channel")
    message.data_channel.dc.ClearField("state")
    assert report([message]).of(stats.DataChannelStats)[0].state is None


def test_rates_are_differences_over_time() -> None:
    first, second = made_up("inbound_rtp"), made_up("inbound_rtp")
    first.inbound_rtp.rtc.timestamp, second.inbound_rtp.rtc.timestamp = 1_000_000, 3_000_000
    second.inbound_rtp.inbound.bytes_received += 1000
    second.inbound_rtp.received.packets_received += 90
    second.inbound_rtp.received.packets_lost += 10
    second.inbound_rtp.inbound.frames_decoded += 60
    [rates] = report([second]).rates_since(report([first]))
    assert (rates.interval, rates.bits_per_second, rates.packets_per_second) == (2.0, 4000.0, 45.0)
    assert (rates.frames_per_second, rates.loss) == (30.0, 0.1)
    assert report([first]).rates_since(report([first])) == ()
    assert report([first]).rates_since(report([made_up("codec")])) == ()


@pytest.mark.anyio
@pytest.mark.usefixtures("nothing_left")
async def test_a_call_is_measured_at_both_ends(server: DevServer, room_name: str) -> None:
    options = rtc.TrackPublishOptions(video_codec=rtc.VideoCodec.VP8, simulcast=False)
    async with joined(server, room_name, "alice", "bob") as [alice, bob]:
        async with playing(alice) as tone, showing(alice, options=options) as bars:
            sound, picture = await remote_audio(bob), await remote_video(bob)
            with picture.open_stream() as frames, sound.open_stream() as sounds:
                await frames.receive()
                await sounds.receive()
                before = [await track.get_stats() for track in (tone, bars, sound, picture)]
                after = before
                while not all(new.rates_since(old) for new, old in zip(after, before, strict=True)):
                    with anyio.move_on_after(1.5):
                        while True:
                            await frames.receive()
                    after = [await track.get_stats() for track in (tone, bars, sound, picture)]
            tone_rates, bars_rates, sound_rates, picture_rates = (
                new.rates_since(old)[0] for new, old in zip(after, before, strict=True)
            )
            assert sound_rates.packets_per_second == pytest.approx(50, rel=0.3)
            assert tone_rates.packets_per_second == pytest.approx(50, rel=0.3)
            assert picture_rates.frames_per_second > 10
            assert bars_rates.bits_per_second > 10_000
            assert picture_rates.bits_per_second > 10_000
            assert picture_rates.loss == 0

            [inbound] = after[3].of(stats.InboundRtpStats)
            codec = after[3].codec_of(inbound)
            assert codec is not None
            assert (codec.mime_type, codec.clock_rate) == ("video/VP8", 90_000)
            assert (inbound.frame_width, inbound.frame_height) == (640, 360)
            assert inbound.timestamp == pytest.approx(time.time(), abs=60)
            assert inbound.last_packet_received_timestamp == pytest.approx(time.time(), abs=60)
            [outbound] = after[1].of(stats.OutboundRtpStats)
            assert outbound.quality_limitation_reason == stats.QualityLimitationReason.LIMITATION_NONE
            [source] = after[1].of(stats.MediaSourceStats)
            assert (source.kind, source.width) == ("video", 640)

            whole = (await bob.get_stats()).publisher
            assert {entry.kind for entry in whole.of(stats.InboundRtpStats)} == {"audio", "video"}
            [pair] = [pair for pair in whole.of(stats.CandidatePairStats) if pair.nominated]
            assert isinstance(whole.get(pair.local_candidate_id), stats.LocalCandidateStats)
            channels = (await alice.get_stats()).publisher.of(stats.DataChannelStats)
            assert {"_reliable", "_lossy"} <= {channel.label for channel in channels}


@pytest.mark.anyio
@pytest.mark.usefixtures("nothing_left")
async def test_what_is_not_in_a_room_is_not_measured(server: DevServer, room_name: str) -> None:
    unpublished = rtc.LocalAudioTrack.create_audio_track("x", rtc.AudioSource(48_000, 1))
    with pytest.raises(rtc.OperationError, match="no transceiver"):
        await unpublished.get_stats()
    unpublished.close()
    with pytest.raises(rtc.OperationError, match="has ended"):
        await unpublished.get_stats()
    async with joined(server, room_name, "alice", "bob") as [alice, bob]:
        async with playing(alice):
            sound = await remote_audio(bob)
        await bob.wait_until(lambda: sound.ended)
        with pytest.raises(rtc.OperationError, match="has ended"):
            await sound.get_stats()
    for ask in (bob.get_stats, sound.get_stats):
        with pytest.raises(rtc.RoomClosedError):
            await ask()
