"""Publish a silent track of our own, by the native requests: the room's own part in it is what these tests are about."""

from __future__ import annotations

from livekit_trio import rtc
from livekit_trio._guard import make
from livekit_trio.rtc._track import TrackFacts

NATIVE_SOURCE = 0


async def publish_silence(room: rtc.Room, name: str = "silence") -> rtc.LocalTrackPublication:
    """Publish an audio track that plays nothing, which is enough for others to subscribe to it."""
    session = room._session
    local = room.local_participant._local
    source = session.request(
        "new_audio_source", type=NATIVE_SOURCE, sample_rate=48_000, num_channels=1, queue_size_ms=100
    )
    session._handles.adopt([source.source.handle.id])
    native = session.request("create_audio_track", name=name, source_handle=source.source.handle.id).track
    session._handles.adopt([native.handle.id])
    reply = await session.call(
        "publish_track",
        local_participant_handle=local.handle,
        track_handle=native.handle.id,
        options={"source": int(rtc.TrackSource.SOURCE_MICROPHONE)},
    )
    assert not reply.error, reply.error
    facts = TrackFacts(handle=native.handle.id, sid=native.info.sid, name=name, kind=rtc.TrackKind.KIND_AUDIO)
    publication, early = session.state.add_local_publication(reply.publication, make(rtc.LocalAudioTrack, facts))
    session._publish(early)
    return publication


async def unpublish(room: rtc.Room, publication: rtc.LocalTrackPublication) -> None:
    handle = room.local_participant._local.handle
    reply = await room._session.call(
        "unpublish_track", local_participant_handle=handle, track_sid=publication.sid, stop_on_unpublish=False
    )
    assert not reply.error, reply.error


async def publish_data_track(room: rtc.Room, name: str) -> None:
    """Publish a data track, until the room ends."""
    handle = room.local_participant._local.handle
    reply = await room._session.call("publish_data_track", local_participant_handle=handle, options={"name": name})
    assert reply.WhichOneof("result") == "track", reply
