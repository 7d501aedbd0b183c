"""Data tracks over a real server: between two of ours, and with the official SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.rtc._data_tracks import MAX_FRAME_SIZE
from tests.data.conftest import later_on_asyncio, tell_of

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from tests.data.conftest import Pair
    from tests.peers.driver import OfficialPeer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

Kind = rtc.DataTrackErrorKind


async def first_track(room: rtc.Room) -> rtc.RemoteDataTrack:
    return (await room.wait_for(rtc.DataTrackPublished, include_existing=True)).track


async def push_until_received(
    track: rtc.LocalDataTrack, frames: rtc.DataTrackStream, frame: rtc.DataTrackFrame
) -> rtc.DataTrackFrame:
    """Again and again, since nobody says when the subscription is there, and what is lost is lost."""

    async def push() -> None:
        while True:
            await track.push(frame)
            await anyio.sleep(0.02 + len(frame.payload) / 1e6)

    received: rtc.DataTrackFrame | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(push)
        while received is None or received.user_timestamp != frame.user_timestamp:
            received = await frames.receive()  # perhaps one that was pushed for an earlier subscription
        group.cancel_scope.cancel()
    assert received is not None
    return received


async def test_frames_of_every_size(pair: Pair) -> None:
    async with pair() as (ann, bob):
        with anyio.fail_after(60):
            track = await ann.local_participant.publish_data_track("position")
            remote = await first_track(bob)
            assert (remote.name, remote.sid, remote.publisher_identity) == ("position", track.sid, "ann")
            for size in (1, 15_900, 16_100, 100_000):
                async with remote.subscribe() as frames:
                    frame = rtc.DataTrackFrame(bytes(index % 251 for index in range(size)), size)
                    assert await push_until_received(track, frames, frame) == frame
            for size in (0, MAX_FRAME_SIZE + 1):
                with pytest.raises(rtc.PushFrameError) as caught:
                    track.try_push(bytes(size))
                assert caught.value.kind is Kind.FRAME_SIZE


@pytest.mark.long  # for a machine that has time
async def test_paced_frames_all_arrive(pair: Pair) -> None:
    count = 300
    async with pair() as (ann, bob), ann.local_participant.published_data_track("position") as track:
        with anyio.fail_after(30):
            async with (await first_track(bob)).subscribe(capacity=count) as frames:
                await push_until_received(track, frames, rtc.DataTrackFrame(b"begin", 0))
                for number in range(1, count + 1):
                    await track.push(rtc.DataTrackFrame(b"x", number))
                    await anyio.sleep(0.002)
                seen: list[int | None] = []
                with anyio.move_on_after(1):
                    async for frame in frames:
                        seen.append(frame.user_timestamp)
                        if frame.user_timestamp == count:
                            break
                numbers = [number for number in seen if number]
                assert numbers == sorted(numbers)
                assert len(numbers) >= count // 2  # all of them on a machine that does nothing else
                assert frames.statistics().dropped == 0


async def test_too_many_at_once_are_refused_and_counted(pair: Pair) -> None:
    async with pair() as (ann, _):
        track = await ann.local_participant.publish_data_track("burst")
        refused = 0
        for _ in range(1000):
            try:
                track.try_push(b"x" * 1000)
            except rtc.PushFrameError as error:
                refused += error.kind is Kind.QUEUE_FULL
        statistics = track.statistics()
        assert (statistics.pushed, statistics.refused) == (1000 - refused, refused)
        assert refused > 0


async def test_a_slow_reader_gets_the_newest_and_is_told_of_the_rest(pair: Pair) -> None:
    async with pair() as (ann, bob), ann.local_participant.published_data_track("position") as track:
        with anyio.fail_after(30):
            async with (await first_track(bob)).subscribe(capacity=4) as frames:
                await push_until_received(track, frames, rtc.DataTrackFrame(b"begin", 0))
                last = 0
                while frames.statistics().dropped < 50:
                    last += 1
                    await track.push(rtc.DataTrackFrame(b"x", last))
                assert frames.statistics().buffered == 4
                kept = [frame.user_timestamp or 0 for frame in [await frames.receive() for _ in range(4)]]
                assert kept == sorted(kept)
                assert 0 < kept[0] < kept[-1] <= last


async def test_it_ends_when_it_is_unpublished(pair: Pair) -> None:
    async with pair() as (ann, bob):
        with anyio.fail_after(30), ann.open_events(rtc.LocalDataTrackPublished, rtc.LocalDataTrackUnpublished) as own:
            track = await ann.local_participant.publish_data_track("position")
            assert ann.local_participant.data_tracks == {track.sid: track}
            assert await own.receive() == rtc.LocalDataTrackPublished(track=track)
            remote = await first_track(bob)
            assert bob.remote_participants["ann"].data_tracks == {remote.sid: remote}
            async with remote.subscribe() as frames:
                with bob.open_events(rtc.DataTrackUnpublished) as events:
                    await track.unpublish()
                    await track.unpublish()
                    assert (await events.receive()).track is remote
                assert [frame async for frame in frames] == []
            assert await own.receive() == rtc.LocalDataTrackUnpublished(track=track)
            assert not track.is_published
            assert not remote.is_published
            assert ann.local_participant.data_tracks == {}
            with pytest.raises(rtc.PushFrameError, match="not published"):
                track.try_push(b"x")
            async with remote.subscribe() as nothing:
                assert [frame async for frame in nothing] == []


async def test_it_ends_with_the_room(pair: Pair) -> None:
    async with pair() as (ann, bob):
        track = await ann.local_participant.publish_data_track("position")
        remote = await first_track(bob)
        async with remote.subscribe() as frames:
            await bob.disconnect()
            assert [frame async for frame in frames] == []
        await ann.disconnect()
        assert not track.is_published
        with pytest.raises(rtc.RoomClosedError):
            track.try_push(b"x")
        with pytest.raises(rtc.RoomClosedError):
            await track.unpublish()


@pytest.mark.parametrize(("name", "kind"), [("taken", Kind.DUPLICATE_NAME), ("", Kind.INVALID_NAME)])
async def test_names(server: DevServer, room_name: str, name: str, kind: rtc.DataTrackErrorKind) -> None:
    async with rtc.open_room(server.url, server.token("ann", room_name)) as ann:
        await ann.local_participant.publish_data_track("taken")
        with pytest.raises(rtc.PublishDataTrackError) as caught:
            await ann.local_participant.publish_data_track(name)
        assert caught.value.kind is kind


async def test_without_permission(server: DevServer, room_name: str) -> None:
    async with rtc.open_room(server.url, server.token("ann", room_name, can_publish_data=False)) as ann:
        with pytest.raises(rtc.PublishDataTrackError) as caught:
            await ann.local_participant.publish_data_track("position")
        assert caught.value.kind is Kind.NOT_ALLOWED


async def test_schemas(pair: Pair) -> None:
    schema = rtc.DataTrackSchema("point", rtc.DataTrackSchemaEncoding.JSON_SCHEMA)
    async with pair() as (ann, bob):
        with anyio.fail_after(30):
            await ann.local_participant.define_schema(schema, '{"type": "object"}')
            await ann.local_participant.publish_data_track(
                "position", schema=schema, frame_encoding=rtc.DataTrackFrameEncoding.JSON
            )
            remote = await first_track(bob)
            assert (remote.schema, remote.frame_encoding) == (schema, rtc.DataTrackFrameEncoding.JSON)
            assert await bob.local_participant.get_schema(schema, "ann") == '{"type": "object"}'
            other = rtc.DataTrackSchema("other", "of our own")
            with pytest.raises(rtc.OperationError):
                await bob.local_participant.get_schema(other, "ann")


@later_on_asyncio
async def test_with_the_official_sdk_both_ways(server: DevServer, room_name: str, peer: OfficialPeer) -> None:
    await peer.ask("join", url=server.url, token=server.token("bob", room_name))
    async with rtc.open_room(server.url, server.token("ann", room_name)) as ann:
        with anyio.fail_after(60):
            track = await ann.local_participant.publish_data_track("ours")
            await tell_of(server, room_name, "ann")
            await peer.ask("watch_data_track", name="ours")
            for size in (1, 15_900, 100_000):
                async with anyio.create_task_group() as group:

                    async def push(frame: rtc.DataTrackFrame) -> None:
                        while True:
                            await track.push(frame)
                            await anyio.sleep(0.1)

                    group.start_soon(push, rtc.DataTrackFrame(b"y" * size, size))
                    await peer.wait_for("frame", name="ours", size=size, timestamp=size)
                    group.cancel_scope.cancel()
            sid = await peer.ask("publish_data_track", name="theirs")
            remote = await first_track(ann)
            async with remote.subscribe() as frames:
                for size in (1, 15_900, 100_000):
                    received = None
                    while received is None or received.user_timestamp != size:
                        await peer.ask("push_data_track", sid=sid, data="z" * size, timestamp=size)
                        with anyio.move_on_after(0.2):
                            received = await frames.receive()
                    assert received.payload == b"z" * size
            await track.unpublish()
            await peer.wait_for("frames_ended", name="ours")
