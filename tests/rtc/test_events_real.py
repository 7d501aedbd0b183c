"""Every class of event, from the real server; docs/events.md says which scene brings it, and which only the fake can send."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_args

import attrs
import pytest

from livekit_trio import api, rtc
from livekit_trio.testing._fake_library import FakeLibrary
from livekit_trio.testing._fake_room import FakeParticipant
from tests.peers.listener import Listener, listen
from tests.peers.tracks import publish_silence, unpublish

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from tests.peers.driver import OfficialPeer

pytestmark = pytest.mark.anyio

leaves_nothing = pytest.mark.usefixtures("nothing_left")

TABLE: Final = Path(__file__).parents[2] / "docs" / "events.md"
ROW: Final = re.compile(r"^\| `(?P<event>\w+)` \| (?P<scene>[\w ]+) \| .+ \|$", re.MULTILINE)


def table() -> dict[str, str]:
    """For each event, the scene that brings it, by the documentation."""
    return {row["event"]: row["scene"] for row in ROW.finditer(TABLE.read_text())}


@attrs.frozen
class Stage:
    """ann is we, bob is the peer."""

    server: DevServer
    name: str
    room: rtc.Room
    heard: Listener
    bob: OfficialPeer

    async def bring_bob(self, **facts: Any) -> None:
        grants = api.VideoGrants(room_join=True, room=self.name, can_update_own_metadata=True)
        # The server delivers transcriptions of agents only.
        token = self.server.access_token().with_identity("bob").with_kind("agent").with_grants(grants)
        await self.bob.ask("join", url=self.server.url, token=token.to_jwt(), **facts)


async def media(stage: Stage) -> None:
    await stage.bring_bob()
    hear = stage.heard.hear
    sid = await stage.bob.ask("publish_audio")
    assert (await hear(rtc.TrackPublished)).publication.sid == sid
    subscribed = await hear(rtc.TrackSubscribed)
    assert isinstance(subscribed.track, rtc.RemoteAudioTrack)
    bob = subscribed.participant
    assert stage.room.remote_participants == {"bob": bob}
    speaking = await hear(rtc.ActiveSpeakersChanged)
    assert speaking.speakers == stage.room.active_speakers == (bob,)
    assert bob.is_speaking
    quality = await hear(rtc.ConnectionQualityChanged, lambda event: event.participant is bob)
    assert quality.quality == bob.connection_quality == rtc.ConnectionQuality.QUALITY_EXCELLENT
    await stage.bob.ask("mute", sid=sid)
    muted = await hear(rtc.TrackMuted)
    assert (muted.participant, muted.publication) == (bob, subscribed.publication)
    assert muted.publication.muted
    assert subscribed.track.muted
    assert not bob.is_microphone_enabled
    await stage.bob.ask("unmute", sid=sid)
    assert not (await hear(rtc.TrackUnmuted)).publication.muted
    assert bob.is_microphone_enabled
    await stage.bob.ask("unpublish", sid=sid)
    assert (await hear(rtc.TrackUnsubscribed)).track is subscribed.track
    assert (await hear(rtc.TrackUnpublished)).publication is subscribed.publication
    assert subscribed.track.ended
    assert dict(bob.track_publications) == {}


async def people(stage: Stage) -> None:
    await stage.bring_bob()
    # Whose coming and going the server tells at once; of others it tells every 3 s.
    await stage.bob.ask("publish_audio", loud=False)
    hear = stage.heard.hear
    bob = (await hear(rtc.ParticipantConnected)).participant
    assert (bob.identity, bob.kind) == ("bob", rtc.ParticipantKind.PARTICIPANT_KIND_AGENT)
    assert bob.is_agent
    assert (await hear(rtc.ParticipantActive)).participant is bob
    assert bob.is_active
    await stage.bob.ask("set_name", name="Bob")
    renamed = await hear(rtc.ParticipantNameChanged)
    assert (renamed.participant, renamed.old_name, renamed.new_name) == (bob, "", "Bob")
    await stage.bob.ask("set_metadata", metadata="m")
    changed = await hear(rtc.ParticipantMetadataChanged)
    assert (changed.participant, changed.old_metadata, changed.new_metadata) == (bob, "", "m")
    await stage.bob.ask("set_attributes", attributes={"a": "1", "b": "2"})
    attributes = await hear(rtc.ParticipantAttributesChanged)
    assert attributes.changed_attributes == {"a": "1", "b": "2"}
    await stage.bob.ask("set_attributes", attributes={"a": "", "b": "3"})
    attributes = await hear(rtc.ParticipantAttributesChanged)
    assert attributes.changed_attributes == {"a": "", "b": "3"}
    assert bob.attributes == {"b": "3"}
    permission = {"can_subscribe": True, "can_publish": False, "can_publish_data": True}
    await stage.server.update_participant(stage.name, "ann", permission=permission)
    permissions = await hear(rtc.ParticipantPermissionsChanged)
    assert permissions.participant is stage.room.local_participant
    assert not permissions.permissions.can_publish
    assert stage.room.local_participant.permissions == permissions.permissions
    await stage.bob.ask("leave")
    left = await hear(rtc.ParticipantDisconnected)
    assert (left.participant, left.reason) == (bob, rtc.DisconnectReason.CLIENT_INITIATED)
    assert dict(stage.room.remote_participants) == {}


async def room(stage: Stage) -> None:
    hear = stage.heard.hear
    token = (await hear(rtc.TokenRefreshed)).token
    assert token.count(".") == 2
    assert token not in repr(stage.heard.heard)
    await stage.server.call_room_service("UpdateRoomMetadata", {"room": stage.name, "metadata": "of the room"})
    changed = await hear(rtc.RoomMetadataChanged)
    assert (changed.old_metadata, changed.new_metadata) == ("", "of the room")
    await hear(rtc.RoomUpdated)
    assert stage.room.metadata == "of the room"
    async with rtc.open_room(stage.server.url, stage.server.token("egress", stage.name, recorder=True, hidden=True)):
        assert (await hear(rtc.RecordingStatusChanged)).is_recording
        assert stage.room.is_recording
    assert not (await hear(rtc.RecordingStatusChanged)).is_recording
    assert "egress" not in stage.room.remote_participants


async def connection(stage: Stage) -> None:
    hear = stage.heard.hear
    await stage.bring_bob()
    publication = await publish_silence(stage.room)
    published = await hear(rtc.LocalTrackPublished)
    assert (published.publication, published.track) == (publication, publication.track)
    assert stage.room.local_participant.track_publications == {publication.sid: publication}
    assert (await hear(rtc.LocalTrackSubscribed)).track is publication.track
    first_sid = publication.sid
    await stage.room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_FULL_RECONNECT)
    state = await hear(rtc.ConnectionStateChanged)
    assert state.connection_state == rtc.ConnectionState.CONN_RECONNECTING
    await hear(rtc.Reconnecting)
    again = await hear(rtc.LocalTrackRepublished)
    assert (again.publication, again.previous_sid) == (publication, first_sid)
    assert stage.room.local_participant.track_publications == {publication.sid: publication}
    state = await hear(rtc.ConnectionStateChanged)
    assert state.connection_state == rtc.ConnectionState.CONN_CONNECTED
    await hear(rtc.Reconnected)
    await unpublish(stage.room, publication)
    assert (await hear(rtc.LocalTrackUnpublished)).publication is publication
    await stage.room.disconnect()
    assert (await hear(rtc.Disconnected)).reason == rtc.DisconnectReason.CLIENT_INITIATED


async def data(stage: Stage) -> None:
    hear = stage.heard.hear
    await stage.bring_bob()
    sid = await stage.bob.ask("publish_audio", loud=False)
    bob = (await hear(rtc.TrackPublished)).participant
    await stage.bob.ask("send_data", data="x", topic="t")
    packet = await hear(rtc.DataReceived)
    assert (packet.data, packet.topic, packet.sender) == (b"x", "t", bob)
    assert packet.kind == rtc.DataPacketKind.KIND_RELIABLE
    await stage.bob.ask("send_dtmf", code=10, digit="*")
    key = await hear(rtc.SipDtmfReceived)
    assert (key.code, key.digit, key.sender) == (10, "*", bob)
    await stage.bob.ask("send_chat", text="hello")
    chat = await hear(rtc.ChatMessageReceived)
    assert (chat.message.message, chat.sender) == ("hello", bob)
    await stage.bob.ask("send_transcription", identity="bob", track_sid=sid, text="words")
    words = await hear(rtc.TranscriptionReceived)
    assert [segment.text for segment in words.segments] == ["words"]
    assert (words.participant, words.publication) == (bob, bob.track_publications[sid])
    sid = await stage.bob.ask("publish_data_track", name="numbers")
    published = await hear(rtc.DataTrackPublished)
    assert (published.track.sid, published.track.name, published.track.publisher_identity) == (sid, "numbers", "bob")
    assert bob.data_tracks == {sid: published.track}
    await stage.bob.ask("unpublish_data_track", sid=sid)
    assert (await hear(rtc.DataTrackUnpublished)).track is published.track
    assert not published.track.is_published
    ours = await stage.room.local_participant.publish_data_track("ours")
    assert (await hear(rtc.LocalDataTrackPublished)).track is ours
    await ours.unpublish()
    assert (await hear(rtc.LocalDataTrackUnpublished)).track is ours
    stage.room.local_participant.set_data_channel_low_threshold(rtc.DataPacketKind.KIND_RELIABLE, 1000)
    threshold = await hear(rtc.DataChannelLowThresholdChanged)
    assert (threshold.kind, threshold.threshold) == (rtc.DataPacketKind.KIND_RELIABLE, 1000)


async def encryption(stage: Stage) -> None:
    await stage.bring_bob(key=KEY)
    await stage.bob.ask("publish_audio")
    status = await stage.heard.hear(rtc.ParticipantEncryptionStatusChanged)
    assert status.is_encrypted
    assert status.participant.is_encrypted
    state = await stage.heard.hear(rtc.E2eeStateChanged)
    assert (state.participant, state.state) == (status.participant, rtc.EncryptionState.OK)


Scene: TypeAlias = Callable[[Stage], Awaitable[None]]
SCENES: Final[dict[str, Scene]] = {play.__name__: play for play in (media, people, room, connection, data, encryption)}
KEY: Final = "correct horse battery staple"
ENCRYPTED: Final = rtc.RoomOptions(
    encryption=rtc.E2EEOptions(key_provider_options=rtc.KeyProviderOptions(shared_key=KEY.encode()))
)


@leaves_nothing
@pytest.mark.parametrize("scene", SCENES)
async def test_the_real_server_sends_it(server: DevServer, room_name: str, peer: OfficialPeer, scene: str) -> None:
    promised = {event for event, brought_by in table().items() if brought_by == scene}
    options = ENCRYPTED if scene == "encryption" else None
    token = server.token("ann", room_name, can_update_own_metadata=True)
    async with rtc.open_room(server.url, token, options=options) as joined:
        with listen(joined) as heard:
            await SCENES[scene](Stage(server, room_name, joined, heard, peer))
            await joined.disconnect()
            await heard.hear_all()
    assert promised
    assert promised <= {event.__name__ for event in heard.classes()}


@leaves_nothing
async def test_only_the_fake_sends_the_others() -> None:
    fake = FakeLibrary()
    native = fake.room(participants=[FakeParticipant("bob")])
    with fake.installed():
        async with rtc.open_room("ws://fake", "token") as joined:
            with listen(joined) as heard:
                native.emit(moved={"name": "elsewhere", "sid": "RM_2"})
                await heard.hear(rtc.Moved)
                assert (joined.name, joined.sid) == ("elsewhere", "RM_2")
                failure = {"participant_identity": "bob", "track_sid": "TR_1", "error": "no publication"}
                native.emit(track_subscription_failed=failure)
                failed = await heard.hear(rtc.TrackSubscriptionFailed)
                assert (failed.participant.identity, failed.track_sid, failed.error) == tuple(failure.values())
    fake.check()
    assert {event for event, brought_by in table().items() if brought_by == "the fake"} == {
        "Moved",
        "TrackSubscriptionFailed",
    }


def test_the_table_is_whole() -> None:
    assert set(table()) == {event.__name__ for event in get_args(rtc.RoomEvent)}
    assert set(table().values()) == {*SCENES, "the fake"}
