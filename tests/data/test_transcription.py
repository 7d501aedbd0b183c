"""TranscriptionFeed: versions that come as events, as streams, late, and without end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from livekit_trio import api, rtc
from tests.data.conftest import tell_of
from tests.rtc.native import Scene

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

anyio_test = pytest.mark.anyio


def received(*segments: tuple[str, str, bool], scene: Scene | None = None) -> rtc.TranscriptionReceived:
    pieces = tuple(rtc.TranscriptionSegment(id=name, text=text, final=final) for name, text, final in segments)
    participant = None if scene is None else scene.state.local_participant
    return rtc.TranscriptionReceived(segments=pieces, participant=participant, publication=None)


def texts(feed: rtc.TranscriptionFeed) -> list[tuple[str, bool]]:
    return [(segment.text, segment.final) for segment in feed.segments]


def test_a_later_version_replaces_the_one_before() -> None:
    changes: list[str] = []
    feed = rtc.TranscriptionFeed(on_change=lambda segment: changes.append(segment.text))
    feed.update(received(("1", "hel", False), ("2", "other", False)))
    feed.update(received(("1", "hello", False)))
    feed.update(received(("1", "hello", False)))
    feed.update(received(("1", "Hello.", True)))
    feed.update(received(("1", "late", False), ("1", "later", True)))
    assert texts(feed) == [("Hello.", True), ("other", False)]
    assert changes == ["hel", "other", "hello", "Hello."]


def test_segments_of_different_people_are_different() -> None:
    scene = Scene()
    feed = rtc.TranscriptionFeed()
    feed.update(received(("1", "nobody's", True)))
    feed.update(received(("1", "mine", True), scene=scene))
    assert [segment.participant_identity for segment in feed.segments] == ["", "me"]


def test_the_oldest_goes() -> None:
    feed = rtc.TranscriptionFeed(max_segments=2)
    feed.update(received(("1", "a", True), ("2", "b", True), ("3", "c", True)))
    assert texts(feed) == [("b", True), ("c", True)]
    assert "2 segments" in repr(feed)
    with pytest.raises(ValueError, match="max_segments"):
        rtc.TranscriptionFeed(max_segments=0)


def agent_token(server: DevServer, room: str) -> str:
    grants = api.VideoGrants(room_join=True, room=room)
    return server.access_token().with_identity("agent").with_kind("agent").with_grants(grants).to_jwt()


@anyio_test
@pytest.mark.usefixtures("nothing_left")
async def test_streams_of_an_agent(server: DevServer, room_name: str) -> None:
    def version(text: str, *, final: bool) -> Any:
        segment = rtc.TranscriptionSegment(id="SG_1", text=text, final=final)
        return agent.local_participant.send_transcription(segment, participant_identity="bob", track_sid="TR_1")

    async with (
        rtc.open_room(server.url, agent_token(server, room_name)) as agent,
        rtc.open_room(server.url, server.token("bob", room_name)) as bob,
    ):
        final = anyio.Event()
        seen: list[str] = []

        def show(segment: rtc.FeedSegment) -> None:
            seen.append(segment.text)
            if segment.final:
                final.set()

        feed = rtc.TranscriptionFeed(on_change=show)
        with anyio.fail_after(20), bob.accept_text_streams(rtc.TRANSCRIPTION_TOPIC) as incoming:
            await tell_of(server, room_name, "bob")
            await (await agent.wait_for_participant("bob")).wait_until_active()
            await version("hel", final=False)
            await version("hello", final=True)
            for _ in range(2):
                await feed.follow(await incoming.receive())
            await final.wait()
        [segment] = feed.segments
        assert segment == rtc.FeedSegment(
            id="SG_1", participant_identity="bob", track_sid="TR_1", text="hello", final=True
        )
        assert seen == ["hel", "hello", "hello"]
        with pytest.raises(rtc.PublishTranscriptionError, match="only an agent"):
            await bob.local_participant.send_transcription(
                rtc.TranscriptionSegment(id="1", text="x"), participant_identity="agent", track_sid=""
            )


@anyio_test
@pytest.mark.usefixtures("nothing_left")
async def test_an_agents_text_that_grows(server: DevServer, room_name: str) -> None:
    async with (
        rtc.open_room(server.url, agent_token(server, room_name)) as agent,
        rtc.open_room(server.url, server.token("bob", room_name)) as bob,
        anyio.create_task_group() as group,
    ):
        changed = anyio.Event()
        feed = rtc.TranscriptionFeed(on_change=lambda _: changed.set())
        with anyio.fail_after(20), bob.accept_text_streams(rtc.TRANSCRIPTION_TOPIC) as incoming:
            await tell_of(server, room_name, "bob")
            await (await agent.wait_for_participant("bob")).wait_until_active()
            async with agent.local_participant.stream_text(
                topic=rtc.TRANSCRIPTION_TOPIC, attributes={"lk.segment_id": "SG_2"}
            ) as writer:
                await writer.write("Once ")
                reader = await incoming.receive()
                group.start_soon(feed.follow, reader)
                await changed.wait()
                assert texts(feed) == [("Once ", False)]
                changed = anyio.Event()
                await writer.write("more")
                await changed.wait()
                assert texts(feed) == [("Once more", False)]


@anyio_test
@pytest.mark.usefixtures("nothing_left")
async def test_chat_of_current_applications(server: DevServer, room_name: str) -> None:
    async with (
        rtc.open_room(server.url, server.token("ann", room_name)) as ann,
        rtc.open_room(server.url, server.token("bob", room_name)) as bob,
    ):
        with anyio.fail_after(20), bob.accept_text_streams(rtc.CHAT_TOPIC) as incoming:
            await tell_of(server, room_name, "bob")
            await (await ann.wait_for_participant("bob")).wait_until_active()
            first = await ann.local_participant.send_chat("hello")
            await ann.local_participant.send_chat("again", reply_to_id=first.stream_id)
            readers = [await incoming.receive() for _ in range(2)]
            assert [await reader.read_all() for reader in readers] == ["hello", "again"]
            assert readers[1].info.reply_to_id == first.stream_id
