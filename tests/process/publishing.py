"""Publishing a track by raw requests, for as long as there is no public way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livekit_trio import rtc


async def publish_track(room: rtc.Room) -> None:
    """Publish a silent microphone; it stays until the room is left."""
    session = room._session
    runtime = session.runtime
    source = runtime.request(
        "new_audio_source", type="AUDIO_SOURCE_NATIVE", sample_rate=48_000, num_channels=1, queue_size_ms=200
    ).source.handle.id
    track = runtime.request("create_audio_track", name="microphone", source_handle=source).track.handle.id
    try:
        reply = await session.call(
            "publish_track",
            local_participant_handle=room.local_participant._local.handle,
            track_handle=track,
            options={},
        )
        assert reply.WhichOneof("message") == "publication", reply.error
    finally:
        runtime.library.drop(track)
        runtime.library.drop(source)
