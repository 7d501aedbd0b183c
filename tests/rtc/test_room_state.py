"""The reducer, one kind of native event at a time, in order and in every disorder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from livekit_trio import rtc
from livekit_trio._errors import NativeRefusalError
from livekit_trio._ffi import _proto as native
from livekit_trio._guard import make
from livekit_trio.rtc._hold_back import HOLD_BACK
from livekit_trio.rtc._model import MAX_EARLY, MAX_FORMER
from livekit_trio.rtc._room_state import HANDLERS
from livekit_trio.rtc._track import LocalAudioTrack, TrackFacts, facts_of

from .link import Link
from .native import JOINED, VIDEO, Native, Scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit_trio.rtc._publication import RemotePublicationFacts

CONNECTED, RECONNECTING = rtc.ConnectionState.CONN_CONNECTED, rtc.ConnectionState.CONN_RECONNECTING
LEFT = rtc.DisconnectReason.CLIENT_INITIATED
UNKNOWN = rtc.DisconnectReason.UNKNOWN_REASON


def names(said: list[Any]) -> list[str]:
    return [type(event).__name__ for event in said]


@pytest.fixture
def scene() -> Scene:
    """Just me."""
    return Scene()


@pytest.fixture
def bobs(scene: Scene) -> Scene:
    """Me, and bob with a subscribed microphone."""
    make_bob(scene)
    return scene


def make_bob(scene: Scene) -> None:
    new = scene.native
    bob = (new.connected("bob"), new.active("bob"), new.published("bob", "TR_1"), new.subscribed("bob", "TR_1"))
    assert names(scene.apply(*bob)) == [
        "ParticipantConnected",
        "ParticipantActive",
        "TrackPublished",
        "TrackSubscribed",
    ]
    assert scene.counted() == {}


def bob_of(scene: Scene) -> rtc.RemoteParticipant:
    return scene.state.remote_participants["bob"]


def publication_of(scene: Scene) -> rtc.RemoteTrackPublication:
    return bob_of(scene).track_publications["TR_1"]


def track_of(scene: Scene) -> rtc.RemoteTrack:
    track = publication_of(scene).track
    assert track is not None
    return track


def publish(scene: Scene, sid: str = "TR_mine") -> tuple[rtc.LocalTrackPublication, list[Any]]:
    facts = TrackFacts(handle=0, sid="TR_unknown", name="mic", kind=rtc.TrackKind.KIND_AUDIO)
    track = make(LocalAudioTrack, facts)
    return scene.state.add_local_publication(scene.native.publication(sid), track)


# ---- joining


def test_what_is_there_at_the_join_is_known_and_says_nothing() -> None:
    link = Link()
    new = Native(link)
    tracks = [new.publication("TR_1"), new.publication("TR_2", kind=VIDEO, muted=True)]
    result = new.result((new.participant("bob", name="Bob"), tracks), metadata="m", num_participants=2, sid="RM_7")
    state = Scene(link, result).state
    bob = state.remote_participants["bob"]
    assert (bob.name, bob.is_active, bob.is_local) == ("Bob", True, False)
    assert {sid: publication.muted for sid, publication in bob.track_publications.items()} == {
        "TR_1": False,
        "TR_2": True,
    }
    assert not bob.track_publications["TR_1"].subscribed
    assert (state.name, state.sid, state.metadata, state.num_participants) == ("room", "RM_7", "m", 2)
    assert (state.num_publishers, state.max_participants, state.is_recording) == (0, 0, False)
    assert (state.empty_timeout, state.departure_timeout, state.creation_time) == (300, 20, 1_700_000_000_000)
    assert state.connection_state == CONNECTED
    assert state.disconnect_reason is None
    assert state.get_participant("me") is state.local_participant
    assert state.get_participant("bob") is bob
    assert state.get_participant("nobody") is None


@pytest.mark.parametrize(("types", "encrypted"), [((), False), ((1,), True), ((1, 0), False), ((1, 2), True)])
def test_who_was_there_before_us_is_encrypted_if_all_its_tracks_are(types: tuple[int, ...], encrypted: bool) -> None:
    link = Link()
    new = Native(link)
    tracks = [new.publication(f"TR_{n}", encryption_type=kind) for n, kind in enumerate(types)]
    assert bob_of(Scene(link, new.result((new.participant("bob"), tracks)))).is_encrypted == encrypted


def test_right_after_joining_the_native_side_says_what_we_know(scene: Scene) -> None:
    new = scene.native
    assert scene.apply(new.event("room_sid_changed", sid="RM_1"), new.state(CONNECTED)) == []
    assert scene.counted() == {"room_sid_changed: unchanged": 1, "connection_state_changed: unchanged": 1}


# ---- what changes something, with what it says; each once more says nothing and is counted


def info(**changes: Any) -> Callable[[Native], native.RoomEvent]:
    return lambda new: new.updated(new.participant_info("bob", **changes))


def entries(**attributes: str) -> list[native.AttributesEntry]:
    return [native.AttributesEntry(key=key, value=value) for key, value in attributes.items()]


ONCE: list[tuple[str, Callable[[Native], native.RoomEvent], Callable[[Scene], object], object, list[str]]] = [
    (
        "metadata",
        lambda new: new.event("participant_metadata_changed", participant_identity="bob", metadata="x"),
        lambda scene: bob_of(scene).metadata,
        "x",
        ["ParticipantMetadataChanged"],
    ),
    (
        "name",
        lambda new: new.event("participant_name_changed", participant_identity="bob", name="x"),
        lambda scene: bob_of(scene).name,
        "x",
        ["ParticipantNameChanged"],
    ),
    (
        "attributes",
        lambda new: new.event("participant_attributes_changed", participant_identity="bob", attributes=entries(a="1")),
        lambda scene: dict(bob_of(scene).attributes),
        {"a": "1"},
        ["ParticipantAttributesChanged"],
    ),
    (
        "permissions",
        lambda new: new.event(
            "participant_permission_changed",
            participant_identity="bob",
            permission=new.permissions(can_publish=False, can_publish_sources=[2]),
        ),
        lambda scene: getattr(bob_of(scene).permissions, "can_publish_sources", None),
        (rtc.TrackSource.SOURCE_MICROPHONE,),
        ["ParticipantPermissionsChanged"],
    ),
    (
        "quality",
        lambda new: new.event("connection_quality_changed", participant_identity="bob", quality=native.QUALITY_LOST),
        lambda scene: bob_of(scene).connection_quality,
        rtc.ConnectionQuality.QUALITY_LOST,
        ["ConnectionQualityChanged"],
    ),
    (
        "encryption",
        lambda new: new.event("participant_encryption_status_changed", participant_identity="bob", is_encrypted=True),
        lambda scene: bob_of(scene).is_encrypted,
        True,
        ["ParticipantEncryptionStatusChanged"],
    ),
    (
        "all at once",
        info(name="n", metadata="m", attributes={"k": "v"}, sid="PA_2"),
        lambda scene: (bob_of(scene).name, bob_of(scene).metadata, dict(bob_of(scene).attributes), bob_of(scene).sid),
        ("n", "m", {"k": "v"}, "PA_2"),
        ["ParticipantNameChanged", "ParticipantMetadataChanged", "ParticipantAttributesChanged"],
    ),
    (
        "permissions by update",
        lambda new: new.updated(new.participant_info("bob", permission=new.permissions(can_publish=False))),
        lambda scene: getattr(bob_of(scene).permissions, "can_publish", None),
        False,
        ["ParticipantPermissionsChanged"],
    ),
    (
        "mute",
        lambda new: new.muted("bob", "TR_1"),
        lambda scene: (publication_of(scene).muted, track_of(scene).muted, bob_of(scene).is_microphone_enabled),
        (True, True, False),
        ["TrackMuted"],
    ),
    (
        "unsubscribe",
        lambda new: new.unsubscribed("bob", "TR_1"),
        lambda scene: (publication_of(scene).subscribed, publication_of(scene).track),
        (False, None),
        ["TrackUnsubscribed"],
    ),
    (
        "unpublish",
        lambda new: new.unpublished("bob", "TR_1"),
        lambda scene: dict(bob_of(scene).track_publications),
        {},
        ["TrackUnsubscribed", "TrackUnpublished"],
    ),
    (
        "leave",
        lambda new: new.disconnected("bob", LEFT),
        lambda scene: dict(scene.state.remote_participants),
        {},
        ["TrackUnsubscribed", "TrackUnpublished", "ParticipantDisconnected"],
    ),
    (
        "data track",
        lambda new: new.data_track_published("bob", "DTR_1"),
        lambda scene: [track.name for track in bob_of(scene).data_tracks.values()],
        ["data"],
        ["DataTrackPublished"],
    ),
    (
        "room metadata",
        lambda new: new.event("room_metadata_changed", metadata="x"),
        lambda scene: scene.state.metadata,
        "x",
        ["RoomMetadataChanged"],
    ),
    (
        "room sid",
        lambda new: new.event("room_sid_changed", sid="RM_2"),
        lambda scene: scene.state.sid,
        "RM_2",
        [],
    ),
    (
        "reconnecting",
        lambda new: new.event("reconnecting"),
        lambda scene: scene.state.connection_state,
        RECONNECTING,
        ["ConnectionStateChanged", "Reconnecting"],
    ),
    (
        "connection state",
        lambda new: new.state(RECONNECTING),
        lambda scene: scene.state.connection_state,
        RECONNECTING,
        ["ConnectionStateChanged"],
    ),
    (
        "disconnected",
        lambda new: new.event("disconnected", reason=native.ROOM_DELETED),
        lambda scene: (scene.state.connection_state, scene.state.disconnect_reason),
        (rtc.ConnectionState.CONN_DISCONNECTED, rtc.DisconnectReason.ROOM_DELETED),
        ["ConnectionStateChanged", "Disconnected"],
    ),
]


@pytest.mark.parametrize(("event", "read", "value", "said"), [row[1:] for row in ONCE], ids=[row[0] for row in ONCE])
def test_a_change_is_said_once(
    bobs: Scene,
    event: Callable[[Native], native.RoomEvent],
    read: Callable[[Scene], object],
    value: object,
    said: list[str],
) -> None:
    assert read(bobs) != value
    assert names(bobs.apply(event(bobs.native))) == said
    assert read(bobs) == value
    assert bobs.counted() == {}
    assert bobs.apply(event(bobs.native)) == []
    assert read(bobs) == value
    assert sum(bobs.counted().values()) == 1
    bobs.close()


STRANGERS: list[tuple[Callable[[Native], native.RoomEvent], str]] = [
    (lambda new: new.disconnected("bert", LEFT), "unknown participant"),
    (lambda new: new.active("bert"), "unknown participant"),
    (lambda new: new.updated(new.participant_info("bert")), "unknown participant"),
    (
        lambda new: new.event("participant_metadata_changed", participant_identity="bert", metadata="x"),
        "unknown participant",
    ),
    (lambda new: new.event("participant_name_changed", participant_identity="bert", name="x"), "unknown participant"),
    (lambda new: new.event("participant_attributes_changed", participant_identity="bert"), "unknown participant"),
    (lambda new: new.event("participant_permission_changed", participant_identity="bert"), "unknown participant"),
    (
        lambda new: new.event("participant_encryption_status_changed", participant_identity="bert", is_encrypted=True),
        "unknown participant",
    ),
    (
        lambda new: new.event("connection_quality_changed", participant_identity="bert", quality=0),
        "unknown participant",
    ),
    (lambda new: new.published("bert", "TR_2"), "unknown participant"),
    (lambda new: new.unpublished("bert", "TR_1"), "unknown participant"),
    (lambda new: new.subscribed("bert", "TR_1"), "unknown participant"),
    (lambda new: new.unsubscribed("bert", "TR_1"), "unknown participant"),
    (lambda new: new.muted("bert", "TR_1"), "unknown participant"),
    (
        lambda new: new.event("track_subscription_failed", participant_identity="bert", track_sid="TR_1", error="e"),
        "unknown participant",
    ),
    (lambda new: new.unpublished("bob", "TR_2"), "unknown publication"),
    (lambda new: new.subscribed("bob", "TR_2"), "unknown publication"),
    (lambda new: new.unsubscribed("bob", "TR_2"), "unknown publication"),
    (lambda new: new.muted("bob", "TR_2"), "unknown publication"),
    (lambda new: new.muted("bob", "TR_2", muted=False), "unknown publication"),
    (lambda new: new.muted("me", "TR_2"), "unknown publication"),
    (lambda new: new.data_track_unpublished("DTR_2"), "unknown data track"),
    (lambda new: new.event("local_track_published", track_sid="TR_2"), "deferred"),
    (lambda new: new.event("local_track_subscribed", track_sid="TR_2"), "deferred"),
    (lambda new: new.event("local_track_unpublished", publication_sid="TR_2"), "deferred"),
    (
        lambda new: new.event(
            "local_track_republished",
            publication_handle=new.link.mint(),
            previous_sid="TR_2",
            info=new.publication_info("TR_3"),
        ),
        "unknown publication",
    ),
]


@pytest.mark.parametrize(("event", "why"), STRANGERS)
def test_what_is_about_nobody_known_is_counted(
    bobs: Scene, event: Callable[[Native], native.RoomEvent], why: str
) -> None:
    message = event(bobs.native)
    before = snapshot(bobs)
    assert bobs.apply(message) == []
    kind = message.WhichOneof("message")
    assert bobs.counted()[f"{kind}: {why}"] == 1
    assert snapshot(bobs) == before
    bobs.close()


def snapshot(scene: Scene) -> object:
    bob = bob_of(scene)
    return (
        dict(bob.track_publications),
        publication_of(scene).track,
        bob.name,
        bob.metadata,
        bob.permissions,
        bob.state,
    )


# ---- participants


def test_a_participant_who_comes_active_is_active_once() -> None:
    scene = Scene()
    new = scene.native
    assert names(scene.apply(new.connected("bob"))) == ["ParticipantConnected"]
    assert bob_of(scene).is_active  # the native side reads its state when it sends the event
    assert names(scene.apply(new.active("bob"))) == ["ParticipantActive"]
    assert scene.apply(new.active("bob")) == []
    assert scene.counted() == {"participant_active: duplicate": 1}


def test_a_participant_becomes_active_by_event_or_by_update(scene: Scene) -> None:
    new = scene.native
    scene.apply(new.connected("bob", state=JOINED), new.connected("eve", state=JOINED))
    assert not bob_of(scene).is_active
    assert names(scene.apply(new.active("bob"))) == ["ParticipantActive"]
    assert bob_of(scene).is_active
    assert names(scene.apply(new.updated(new.participant_info("eve")))) == ["ParticipantActive"]
    assert scene.apply(new.active("eve")) == []
    assert names(scene.apply(new.updated(new.participant_info("eve", state=JOINED)), new.active("eve"))) == [
        "ParticipantActive"
    ]


def test_an_update_of_ourselves(scene: Scene) -> None:
    new = scene.native
    said = scene.apply(new.updated(new.participant_info("me", name="I", sid="PA_9"), new.participant_info("bert")))
    assert said == [rtc.ParticipantNameChanged(participant=scene.state.local_participant, old_name="", new_name="I")]
    assert scene.state.local_participant.sid == "PA_9"
    assert scene.counted() == {"participants_updated: unknown participant": 1}


def test_one_stranger_in_an_update_costs_nobody_else(bobs: Scene) -> None:
    new = bobs.native
    said = bobs.apply(new.updated(new.participant_info("bert"), new.participant_info("bob", name="B")))
    assert names(said) == ["ParticipantNameChanged"]


def test_changed_attributes_are_the_difference_to_what_we_know(bobs: Scene) -> None:
    new = bobs.native
    changed = {"participant_identity": "bob"}
    bobs.apply(new.event("participant_attributes_changed", **changed, attributes=entries(a="1", b="2")))
    old = bob_of(bobs).attributes
    (said,) = bobs.apply(new.event("participant_attributes_changed", **changed, attributes=entries(b="3", c="4")))
    assert said.changed_attributes == {"a": "", "b": "3", "c": "4"}
    assert said.participant is bob_of(bobs)
    assert old == {"a": "1", "b": "2"}
    assert bob_of(bobs).attributes == {"b": "3", "c": "4"}


def test_what_was_and_what_is(bobs: Scene) -> None:
    new = bobs.native
    said = bobs.apply(new.updated(new.participant_info("bob", name="n", metadata="m")))
    bob = bob_of(bobs)
    assert said == [
        rtc.ParticipantNameChanged(participant=bob, old_name="", new_name="n"),
        rtc.ParticipantMetadataChanged(participant=bob, old_metadata="", new_metadata="m"),
    ]
    (said,) = bobs.apply(new.event("room_metadata_changed", metadata="r"))
    assert said == rtc.RoomMetadataChanged(old_metadata="", new_metadata="r")


def test_permissions_that_are_left_out_stay(bobs: Scene) -> None:
    new = bobs.native
    known = bob_of(bobs).permissions
    assert bobs.apply(new.updated(new.participant_info("bob", permission=None, joined_at=5))) == []
    assert bobs.apply(new.event("participant_permission_changed", participant_identity="bob")) == []
    assert bob_of(bobs).permissions == known
    assert known is not None
    assert bobs.counted() == {"participant_permission_changed: unchanged": 1}
    assert bobs.apply(new.updated(new.participant_info("bob", permission=None, joined_at=5))) == []
    assert bobs.counted() == {"participants_updated: unchanged": 1}


def test_permissions_may_be_unknown(scene: Scene) -> None:
    new = scene.native
    scene.apply(new.connected("bob", permission=None))
    assert bob_of(scene).permissions is None
    (said,) = scene.apply(
        new.event("participant_permission_changed", participant_identity="bob", permission=new.permissions())
    )
    assert said.permissions == bob_of(scene).permissions


def test_leaving_ends_everything_and_stays_readable(bobs: Scene) -> None:
    new = bobs.native
    bobs.apply(
        new.data_track_published("bob", "DTR_1"), new.event("active_speakers_changed", participant_identities=["bob"])
    )
    bob, publication, track = bob_of(bobs), publication_of(bobs), track_of(bobs)
    (data_track,) = bob.data_tracks.values()
    ended: list[str] = []
    facts_of(track).call_at_end(lambda: ended.append("media"))
    said = bobs.apply(new.disconnected("bob", native.PARTICIPANT_REMOVED))
    assert said == [
        rtc.TrackUnsubscribed(track=track, publication=publication, participant=bob),
        rtc.TrackUnpublished(publication=publication, participant=bob),
        rtc.DataTrackUnpublished(sid="DTR_1", track=data_track),
        rtc.ParticipantDisconnected(participant=bob, reason=rtc.DisconnectReason.PARTICIPANT_REMOVED),
    ]
    assert ended == ["media"]
    assert track.ended
    assert not data_track.is_published
    assert bob.disconnect_reason == rtc.DisconnectReason.PARTICIPANT_REMOVED
    assert bob.state == rtc.ParticipantState.PARTICIPANT_STATE_DISCONNECTED
    assert (bob.identity, bob.is_speaking, dict(bob.data_tracks)) == ("bob", False, {})
    assert bobs.state.active_speakers == ()
    bobs.close()


def test_mappings_are_replaced_and_never_changed(bobs: Scene) -> None:
    new = bobs.native
    participants, publications = bobs.state.remote_participants, bob_of(bobs).track_publications
    bobs.apply(new.disconnected("bob", LEFT))
    assert list(participants) == ["bob"]
    assert list(publications) == ["TR_1"]
    with pytest.raises(TypeError):
        participants["eve"] = participants["bob"]  # pyright: ignore[reportIndexIssue]


def test_nobody_else_joins_as_ourselves(scene: Scene) -> None:
    assert scene.apply(scene.native.connected("me")) == []
    assert scene.counted() == {"participant_connected: our own identity": 1}
    scene.close()


def test_a_second_joining_without_leaving(bobs: Scene) -> None:
    new = bobs.native
    bob = bob_of(bobs)
    assert bobs.apply(new.connected("bob")) == []
    assert bobs.counted() == {"participant_connected: duplicate": 1}
    assert bob.is_microphone_enabled
    said = bobs.apply(
        new.connected("bob", sid="PA_2", name="B")
    )  # another session: what the first one published is over
    assert names(said) == ["TrackUnsubscribed", "TrackUnpublished", "ParticipantNameChanged"]
    assert names(bobs.apply(new.active("bob"))) == ["ParticipantActive"]
    assert bob_of(bobs) is bob
    bobs.close()


def test_the_loudest_speaker_comes_first(bobs: Scene) -> None:
    new = bobs.native
    me, bob = bobs.state.local_participant, bob_of(bobs)
    speaking = ["me", "bert", "bob", "me"]
    (said,) = bobs.apply(new.event("active_speakers_changed", participant_identities=speaking))
    assert said == rtc.ActiveSpeakersChanged(speakers=(me, bob))
    assert bobs.state.active_speakers == (me, bob)
    assert (me.is_speaking, bob.is_speaking) == (True, True)
    assert bobs.counted() == {"active_speakers_changed: unknown participant": 1}
    (said,) = bobs.apply(new.event("active_speakers_changed", participant_identities=["bob"]))
    assert said.speakers == (bob,)
    assert (me.is_speaking, bob.is_speaking) == (False, True)
    (said,) = bobs.apply(new.event("active_speakers_changed"))
    assert (said.speakers, bob.is_speaking) == ((), False)


def test_an_encryption_state_is_said_of_anybody(bobs: Scene) -> None:
    new = bobs.native
    (known,) = bobs.apply(new.event("e2ee_state_changed", participant_identity="bob", state=native.MISSING_KEY))
    assert known == rtc.E2eeStateChanged(participant=bob_of(bobs), state=rtc.EncryptionState.MISSING_KEY)
    (unknown,) = bobs.apply(new.event("e2ee_state_changed", participant_identity="bert", state=native.OK))
    assert unknown.participant is None


# ---- leavings that are held back


def test_a_leaving_without_reason_is_believed_after_a_moment(bobs: Scene) -> None:
    bob = bob_of(bobs)
    bobs.now = 10.0
    assert names(bobs.apply(bobs.native.disconnected("bob"))) == ["TrackUnsubscribed", "TrackUnpublished"]
    assert bobs.state.remote_participants == {"bob": bob}
    assert bobs.state.deadline == 10.0 + HOLD_BACK
    assert bobs.state.tick(10.0 + HOLD_BACK - 0.01) == []
    assert bobs.state.tick(10.0 + HOLD_BACK) == [rtc.ParticipantDisconnected(participant=bob, reason=UNKNOWN)]
    assert bobs.state.deadline is None
    assert bobs.state.tick(99.0) == []
    assert (bob.disconnect_reason, dict(bobs.state.remote_participants)) == (None, {})
    bobs.close()


def test_a_leaving_twice_is_held_back_once(bobs: Scene) -> None:
    bobs.apply(bobs.native.disconnected("bob"))
    bobs.now = 0.2
    assert bobs.apply(bobs.native.disconnected("bob")) == []
    assert bobs.counted() == {"participant_disconnected: duplicate": 1}
    assert bobs.state.deadline == HOLD_BACK


def test_a_reason_ends_the_holding_back(bobs: Scene) -> None:
    bobs.apply(bobs.native.disconnected("bob"))
    said = bobs.apply(bobs.native.disconnected("bob", LEFT))
    assert said == [rtc.ParticipantDisconnected(participant=said[0].participant, reason=LEFT)]
    assert bobs.state.deadline is None
    bobs.close()


def test_the_same_identity_takes_the_leaving_back(bobs: Scene) -> None:
    new = bobs.native
    bob = bob_of(bobs)
    bobs.apply(new.disconnected("bob"))
    assert names(bobs.apply(new.connected("bob", sid="PA_2", metadata="m"))) == ["ParticipantMetadataChanged"]
    assert bobs.state.deadline is None
    assert (bob_of(bobs), bob.sid) == (bob, "PA_2")
    assert names(bobs.apply(new.active("bob"))) == ["ParticipantActive"]
    assert bobs.state.tick(99.0) == []
    bobs.close()


def test_everybody_is_held_back_for_the_length_of_a_reconnect(bobs: Scene) -> None:
    new = bobs.native
    bobs.apply(new.connected("eve"), new.connected("dan"))
    bob, eve = bob_of(bobs), bobs.state.remote_participants["eve"]
    bobs.apply(new.disconnected("bob"), new.disconnected("eve"))
    said = bobs.apply(new.state(RECONNECTING), new.event("reconnecting"), new.disconnected("dan"))
    assert names(said) == ["ConnectionStateChanged", "Reconnecting"]
    assert bobs.state.deadline is None
    assert bobs.state.tick(1000.0) == []
    assert len(bobs.state.remote_participants) == 3
    bobs.apply(new.connected("bob"), new.active("bob"), new.published("bob", "TR_1"))
    bobs.now = 1001.0
    said = bobs.apply(new.state(CONNECTED), new.event("reconnected"))
    assert said == [
        rtc.ConnectionStateChanged(connection_state=CONNECTED),
        rtc.ParticipantDisconnected(participant=eve, reason=UNKNOWN),
        rtc.ParticipantDisconnected(participant=said[2].participant, reason=UNKNOWN),
        rtc.Reconnected(),
    ]
    assert bobs.state.remote_participants == {"bob": bob}
    bobs.close()


def test_a_lost_reconnected_keeps_nobody_for_ever(bobs: Scene) -> None:
    new = bobs.native
    bobs.apply(new.state(RECONNECTING), new.disconnected("bob"))
    assert bobs.state.deadline is None
    bobs.now = 50.0
    bobs.apply(new.state(CONNECTED))
    assert bobs.state.deadline == 50.0 + HOLD_BACK
    assert names(bobs.state.tick(51.0)) == ["ParticipantDisconnected"]


def test_a_reconnect_that_fails_leaves_everybody_as_they_were(bobs: Scene) -> None:
    new = bobs.native
    bobs.apply(new.disconnected("bob"), new.event("reconnecting"))
    assert names(bobs.apply(new.state(rtc.ConnectionState.CONN_DISCONNECTED))) == ["ConnectionStateChanged"]
    assert bobs.state.deadline is None
    assert names(bobs.apply(new.event("disconnected", reason=native.SIGNAL_CLOSE))) == ["Disconnected"]
    assert list(bobs.state.remote_participants) == ["bob"]
    assert bobs.counted() == {"disconnected: held back at the end": 1}
    assert bobs.state.deadline is None
    bobs.close()


def test_reconnected_without_reconnecting(scene: Scene) -> None:
    assert scene.apply(scene.native.event("reconnected")) == []
    assert scene.counted() == {"reconnected: duplicate": 1}
    assert names(scene.apply(scene.native.state(RECONNECTING), scene.native.event("reconnected"))) == [
        "ConnectionStateChanged",
        "ConnectionStateChanged",
        "Reconnected",
    ]


def test_connected_again_before_reconnected(scene: Scene) -> None:
    new = scene.native
    scene.apply(new.event("reconnecting"), new.state(CONNECTED))
    assert names(scene.apply(new.event("reconnected"))) == ["Reconnected"]
    assert names(scene.apply(new.event("reconnecting"))) == ["ConnectionStateChanged", "Reconnecting"]


def test_moving_to_another_room(bobs: Scene) -> None:
    new = bobs.native
    bobs.apply(new.disconnected("bob"), new.connected("eve"))
    said = bobs.apply(new.event("moved", new.room_info(name="other", sid="RM_2", metadata="m")))
    assert names(said) == ["ParticipantDisconnected", "RoomMetadataChanged", "Moved"]
    assert (bobs.state.name, bobs.state.sid, bobs.state.deadline) == ("other", "RM_2", None)
    assert list(bobs.state.remote_participants) == ["eve"]
    bobs.close()


# ---- publications and tracks


def test_a_publication_that_is_announced_twice_keeps_its_object(bobs: Scene) -> None:
    new = bobs.native
    publication, track = publication_of(bobs), track_of(bobs)
    assert names(bobs.apply(new.published("bob", "TR_1", name="other", muted=True))) == ["TrackMuted"]
    assert bobs.counted() == {"track_published: duplicate": 1}
    assert publication_of(bobs) is publication
    assert (publication.name, publication.track, track.muted) == ("other", track, True)
    bobs.close()


def test_a_subscription_without_an_end_of_the_former_one(bobs: Scene) -> None:
    first = track_of(bobs)
    said = bobs.apply(bobs.native.subscribed("bob", "TR_1"))
    assert names(said) == ["TrackUnsubscribed", "TrackSubscribed"]
    assert (said[0].track, said[1].track) == (first, track_of(bobs))
    assert first.ended
    assert not track_of(bobs).ended
    bobs.close()


@pytest.mark.parametrize(("kind", "cls"), [(1, rtc.RemoteAudioTrack), (2, rtc.RemoteVideoTrack)])
def test_a_track_is_of_its_kind(scene: Scene, kind: int, cls: type) -> None:
    new = scene.native
    scene.apply(new.connected("bob"), new.published("bob", "TR_1", kind=kind, muted=True))
    (said,) = scene.apply(new.subscribed("bob", "TR_1", kind))
    assert type(said.track) is cls
    assert (said.track.sid, said.track.kind, said.track.muted, said.track.stream_state) == ("TR_1", kind, True, 1)
    scene.close()


def test_a_track_of_no_kind_is_dropped(scene: Scene) -> None:
    new = scene.native
    scene.apply(new.connected("bob"), new.published("bob", "TR_1"))
    assert scene.apply(new.subscribed("bob", "TR_1", native.KIND_UNKNOWN)) == []
    assert scene.counted() == {"track_subscribed: dropped": 1}
    scene.close()


def test_unmuting(bobs: Scene) -> None:
    new = bobs.native
    assert names(bobs.apply(new.muted("bob", "TR_1"), new.muted("bob", "TR_1", muted=False))) == [
        "TrackMuted",
        "TrackUnmuted",
    ]
    assert (publication_of(bobs).muted, track_of(bobs).muted) == (False, False)
    bobs.apply(new.unsubscribed("bob", "TR_1"))
    assert names(bobs.apply(new.muted("bob", "TR_1"))) == ["TrackMuted"]


def test_a_failed_subscription(bobs: Scene) -> None:
    new = bobs.native
    for sid in ("TR_1", "TR_2"):  # its publication is not known, usually: that is why it failed
        (said,) = bobs.apply(
            new.event("track_subscription_failed", participant_identity="bob", track_sid=sid, error="late")
        )
        assert said == rtc.TrackSubscriptionFailed(participant=bob_of(bobs), track_sid=sid, error="late")


def test_a_publication_that_comes_back_is_the_same_object(bobs: Scene) -> None:
    new = bobs.native
    publication, track = publication_of(bobs), track_of(bobs)
    bobs.apply(new.unpublished("bob", "TR_1"))
    (said,) = bobs.apply(new.published("bob", "TR_1", name="again"))
    assert said.publication is publication
    assert (publication.name, publication.track, publication.is_enabled) == ("again", None, True)
    publication.set_subscribed(True)  # with the handle of now
    assert bobs.link.requests[-1][1]["publication_handle"] in bobs.link.live
    assert bobs.apply(new.subscribed("bob", "TR_1"))[0].track is not track
    bobs.close()


@pytest.mark.parametrize("auto_subscribe", [False, True])
def test_what_was_wanted_is_wanted_again_when_it_comes_back(auto_subscribe: bool) -> None:
    scene = Scene(auto_subscribe=auto_subscribe)
    new = scene.native
    scene.apply(new.connected("bob"), new.published("bob", "TR_1"), new.published("bob", "TR_2"))
    assert scene.link.requests == []
    assert publication_of(scene).is_desired == auto_subscribe
    publication_of(scene).set_subscribed(not auto_subscribe)
    scene.apply(new.unpublished("bob", "TR_1"), new.unpublished("bob", "TR_2"))
    del scene.link.requests[:]
    scene.apply(new.published("bob", "TR_1"), new.published("bob", "TR_2"))
    assert [(name, fields["subscribe"]) for name, fields in scene.link.requests] == [
        ("set_subscribed", not auto_subscribe)
    ]
    scene.link.refuse["set_subscribed"] = NativeRefusalError()
    assert names(scene.apply(new.unpublished("bob", "TR_1"), new.published("bob", "TR_1")))[-1] == "TrackPublished"
    assert scene.counted() == {"track_published: wish not told": 1}
    scene.close()


def test_former_publications_are_bounded(scene: Scene) -> None:
    new = scene.native
    scene.apply(new.connected("bob"))
    for n in range(MAX_FORMER + 1):
        scene.apply(new.published("bob", f"TR_{n}"), new.unpublished("bob", f"TR_{n}"))
    first, last = scene.apply(new.published("bob", "TR_0"), new.published("bob", f"TR_{MAX_FORMER}"))
    assert facts(first.publication).unpublished == 0  # forgotten
    assert facts(last.publication).unpublished == 1


def facts(publication: rtc.RemoteTrackPublication) -> RemotePublicationFacts:
    return publication._remote


def test_a_data_track_may_be_announced_before_its_publisher(scene: Scene) -> None:
    new = scene.native
    (said,) = scene.apply(new.data_track_published("bob", "DTR_1"))
    assert (said.track.publisher_identity, said.track.is_published) == ("bob", True)
    scene.apply(new.connected("bob"))
    assert dict(bob_of(scene).data_tracks) == {"DTR_1": said.track}
    assert scene.apply(new.data_track_published("bob", "DTR_1")) == []
    assert scene.counted() == {"data_track_published: duplicate": 1}
    (gone,) = scene.apply(new.data_track_unpublished("DTR_1"))
    assert gone == rtc.DataTrackUnpublished(sid="DTR_1", track=said.track)
    assert (dict(bob_of(scene).data_tracks), said.track.is_published) == ({}, False)
    scene.close()


# ---- our own tracks


def test_publishing_and_unpublishing(scene: Scene) -> None:
    new = scene.native
    publication, said = publish(scene)
    assert said == []
    assert scene.state.local_participant.track_publications == {"TR_mine": publication}
    assert (publication.sid, publication.track.sid) == ("TR_mine", "TR_mine")
    assert scene.apply(new.event("local_track_published", track_sid="TR_mine")) == [
        rtc.LocalTrackPublished(publication=publication, track=publication.track)
    ]
    assert scene.apply(new.event("local_track_published", track_sid="TR_mine")) == []
    assert scene.apply(new.event("local_track_subscribed", track_sid="TR_mine")) == [
        rtc.LocalTrackSubscribed(track=publication.track, publication=publication)
    ]
    assert names(scene.apply(new.muted("me", "TR_mine"))) == ["TrackMuted"]
    assert (publication.muted, publication.track.muted) == (True, True)
    assert scene.apply(new.event("local_track_unpublished", publication_sid="TR_mine")) == [
        rtc.LocalTrackUnpublished(publication=publication)
    ]
    assert dict(scene.state.local_participant.track_publications) == {}
    assert publication.track.name == "mic"
    scene.close()


def test_events_may_come_before_the_publishing_task_runs(scene: Scene) -> None:
    new = scene.native
    early = ("local_track_published", "local_track_subscribed")
    assert scene.apply(*(new.event(kind, track_sid="TR_mine") for kind in early)) == []
    assert publish(scene, "TR_other")[1] == []
    publication, said = publish(scene)
    assert names(said) == ["LocalTrackPublished", "LocalTrackSubscribed"]
    assert said[0].publication is publication
    assert scene.apply(new.event("local_track_unpublished", publication_sid="TR_mine"))
    assert publish(scene)[1] == []  # they are not said again
    scene.close()


def test_events_that_wait_for_nobody_are_bounded(scene: Scene) -> None:
    for n in range(MAX_EARLY + 1):
        scene.apply(scene.native.event("local_track_published", track_sid=f"TR_{n}"))
    assert publish(scene, "TR_0")[1] == []
    assert names(publish(scene, f"TR_{MAX_EARLY}")[1]) == ["LocalTrackPublished"]


@pytest.mark.parametrize("keeps_handle", [True, False])
def test_republishing_keeps_the_objects(scene: Scene, keeps_handle: bool) -> None:
    new = scene.native
    publication, _ = publish(scene)
    handle = max(scene.link.live) if keeps_handle else scene.link.mint()
    again = {"publication_handle": handle, "previous_sid": "TR_mine", "info": new.publication_info("TR_new", name="n")}
    assert scene.apply(new.event("local_track_republished", **again)) == [
        rtc.LocalTrackRepublished(publication=publication, previous_sid="TR_mine")
    ]
    assert scene.state.local_participant.track_publications == {"TR_new": publication}
    assert (publication.sid, publication.track.sid, publication.name) == ("TR_new", "TR_new", "n")
    assert scene.apply(new.event("local_track_republished", **again)) == []
    assert scene.counted() == {"local_track_republished: unknown publication": 1}
    scene.close()


# ---- the room


def test_a_room_update(scene: Scene) -> None:
    new = scene.native
    said = scene.apply(
        new.event("room_updated", new.room_info(metadata="m", active_recording=True, num_participants=9))
    )
    assert names(said) == ["RoomMetadataChanged", "RecordingStatusChanged", "RoomUpdated"]
    assert (scene.state.is_recording, scene.state.num_participants) == (True, 9)
    assert said[1] == rtc.RecordingStatusChanged(is_recording=True)
    without_sid = new.room_info(metadata="m", active_recording=True)
    without_sid.ClearField("sid")
    assert names(scene.apply(new.event("room_updated", without_sid))) == ["RoomUpdated"]
    assert scene.state.sid == "RM_1"


def test_what_is_only_said(scene: Scene) -> None:
    new = scene.native
    (token,) = scene.apply(new.event("token_refreshed", token="secret"))
    assert token.token == "secret"
    assert "secret" not in repr(token)
    (low,) = scene.apply(new.event("data_channel_low_threshold_changed", kind=native.KIND_LOSSY, threshold=7))
    assert low == rtc.DataChannelLowThresholdChanged(kind=rtc.DataPacketKind.KIND_LOSSY, threshold=7)


# ---- data


def test_a_packet_from_a_participant_the_server_and_somebody(bobs: Scene) -> None:
    new = bobs.native
    bobs.link.buffers[4096] = b"hey"
    said = bobs.apply(new.packet("bob", topic="t"), new.packet(""), new.packet("bert"))
    assert [event.sender for event in said] == [bob_of(bobs), rtc.ServerSender(), rtc.UnknownSender("bert")]
    assert [event.topic for event in said] == ["t", "", ""]
    assert said[0].data == b"hey"
    assert said[0].kind == rtc.DataPacketKind.KIND_RELIABLE
    bobs.close()


def test_a_packet_of_no_known_content(scene: Scene) -> None:
    assert scene.apply(scene.native.event("data_packet_received", kind=1, participant_identity="")) == []
    assert scene.counted() == {"data_packet_received: unknown content": 1}


def test_keys_chat_and_transcriptions(bobs: Scene) -> None:
    new = bobs.native
    bob = bob_of(bobs)
    key = native.SipDTMF(code=5, digit="5")
    (said,) = bobs.apply(new.event("data_packet_received", kind=1, participant_identity="bob", sip_dtmf=key))
    assert said == rtc.SipDtmfReceived(code=5, digit="5", sender=bob)
    chat = native.ChatMessage(id="c", timestamp=1, message="hello", generated=True)
    (said,) = bobs.apply(new.event("chat_message", message=chat, participant_identity="bob"))
    assert said.message == rtc.ChatMessage(id="c", timestamp=1, message="hello", generated=True)
    chat.edit_timestamp = 0
    (said,) = bobs.apply(new.event("chat_message", message=chat, participant_identity="bert"))
    assert (said.message.edit_timestamp, said.sender) == (0, rtc.UnknownSender("bert"))
    segment = native.TranscriptionSegment(id="s", text="w", start_time=1, end_time=2, final=True, language="en")
    heard = {"segments": [segment], "participant_identity": "bob", "track_sid": "TR_1"}
    (said,) = bobs.apply(new.event("transcription_received", **heard))
    assert (said.participant, said.publication) == (bob, publication_of(bobs))
    assert said.segments == (
        rtc.TranscriptionSegment(id="s", text="w", start_time=1, end_time=2, final=True, language="en"),
    )
    (said,) = bobs.apply(new.event("transcription_received", segments=[segment]))
    assert (said.participant, said.publication) == (None, None)


@pytest.mark.parametrize("kind", ["text_stream_opened", "byte_stream_opened"])
def test_streams_go_to_who_takes_them(kind: str) -> None:
    taken: list[int] = []

    def on_stream(kind_: str, message: Any) -> bool:
        assert kind_ == kind
        if message.participant_identity == "bob":
            taken.append(message.reader.handle.id)
        return message.participant_identity == "bob"

    scene = Scene(on_stream=on_stream)
    new = scene.native
    assert scene.apply(new.stream_opened(kind, "bob"), new.stream_opened(kind, "eve")) == []
    assert scene.counted() == {f"{kind}: accepted": 1, f"{kind}: unclaimed": 1}
    assert len(taken) == 1
    scene.link.drop(taken[0])
    scene.close()


@pytest.mark.parametrize("kind", ["text_stream_opened", "byte_stream_opened"])
def test_streams_that_nobody_takes_are_dropped(scene: Scene, kind: str) -> None:
    assert scene.apply(scene.native.stream_opened(kind, "bob")) == []
    assert scene.counted() == {f"{kind}: unclaimed": 1}
    scene.close()


def test_raw_stream_packets_are_ignored(scene: Scene) -> None:
    chunk = native.DataStream.Chunk(stream_id="s", chunk_index=0, content=b"x")
    event = scene.native.event("stream_chunk_received", participant_identity="bob", chunk=chunk)
    assert scene.apply(event) == []
    assert scene.counted() == {"stream_chunk_received: ignored": 1}


# ---- the unknown, and the end


def test_an_event_of_a_newer_library(scene: Scene) -> None:
    event = native.RoomEvent.FromString(native.RoomEvent(room_handle=1).SerializeToString() + b"\xfa\x3f\x02\x08\x01")
    assert scene.apply(event) == []
    assert scene.counted() == {"unknown: unknown kind": 1}


def test_a_number_of_a_newer_library(bobs: Scene) -> None:
    event = bobs.native.disconnected("bob", LEFT).SerializeToString()
    assert event.endswith(b"\x10\x01")
    newer = native.RoomEvent.FromString(event[:-1] + b"\x7f")
    assert names(bobs.apply(newer)) == ["TrackUnsubscribed", "TrackUnpublished"]  # a reason that says nothing
    assert names(bobs.state.tick(1.0)) == ["ParticipantDisconnected"]


def test_every_kind_of_event_has_a_handler() -> None:
    kinds = {field.name for field in native.RoomEvent.DESCRIPTOR.oneofs_by_name["message"].fields}
    assert set(HANDLERS) == kinds


def test_a_kind_without_a_handler_is_dropped_with_its_handles() -> None:
    scene = Scene(handlers={})
    assert scene.apply(scene.native.connected("bob")) == []
    assert scene.counted() == {"participant_connected: unhandled": 1}
    scene.close()


def test_after_the_end_nothing_is_said_and_everything_is_dropped(bobs: Scene) -> None:
    new = bobs.native
    bobs.apply(new.event("disconnected", reason=native.SERVER_SHUTDOWN))
    assert bobs.apply(new.connected("eve"), new.packet("bob")) == []
    assert bobs.counted() == {"participant_connected: after the end": 1, "data_packet_received: after the end": 1}
    assert not bobs.state.eos
    assert bobs.apply(new.event("eos")) == []
    assert bobs.state.eos
    assert bobs.counted() == {}
    assert bobs.apply(new.event("eos")) == []
    assert bobs.counted() == {"eos: duplicate": 1}
    bobs.close()


def test_closing_says_what_was_not_said_and_keeps_what_is_known(bobs: Scene) -> None:
    new = bobs.native
    publish(bobs)
    bobs.apply(new.data_track_published("bob", "DTR_1"), new.published("bob", "TR_2"))
    bob, track = bob_of(bobs), track_of(bobs)
    (data_track,) = bob.data_tracks.values()
    assert bobs.state.close(LEFT) == [
        rtc.ConnectionStateChanged(connection_state=rtc.ConnectionState.CONN_DISCONNECTED),
        rtc.Disconnected(reason=LEFT),
    ]
    assert bobs.link.live == set()
    assert bobs.state.close(rtc.DisconnectReason.ROOM_DELETED) == []
    assert bobs.state.disconnect_reason == bobs.state.local_participant.disconnect_reason == LEFT
    assert bobs.state.remote_participants == {"bob": bob}
    assert list(bob.track_publications) == ["TR_1", "TR_2"]
    assert track.ended
    assert not data_track.is_published
    assert publication_of(bobs).track is track
    assert bobs.apply(new.connected("eve"), new.event("eos")) == []
    assert bobs.counted() == {"participant_connected: after the end": 1, "eos: after the end": 1}
    assert bobs.link.live == set()


# ---- later comers


def test_a_later_comer_hears_what_still_holds(bobs: Scene) -> None:
    new = bobs.native
    mine, _ = publish(bobs)
    publish(bobs, "TR_not_announced")
    bobs.apply(
        new.event("local_track_published", track_sid="TR_mine"),
        new.event("local_track_subscribed", track_sid="TR_mine"),
        new.published("bob", "TR_2"),
        new.data_track_published("bob", "DTR_1"),
        new.connected("eve", state=JOINED),
        new.connected("dan"),
        new.disconnected("dan", LEFT),
    )
    bob, eve = bob_of(bobs), bobs.state.remote_participants["eve"]
    one, two = bob.track_publications.values()
    track, (data_track,) = track_of(bobs), bob.data_tracks.values()
    events = bobs.state.snapshot_events()
    bobs.apply(new.disconnected("bob", LEFT))  # what was taken does not change any more
    assert list(events) == [
        rtc.LocalTrackPublished(publication=mine, track=mine.track),
        rtc.LocalTrackSubscribed(track=mine.track, publication=mine),
        rtc.ParticipantConnected(participant=bob),
        rtc.ParticipantActive(participant=bob),
        rtc.TrackPublished(publication=one, participant=bob),
        rtc.TrackSubscribed(track=track, publication=one, participant=bob),
        rtc.TrackPublished(publication=two, participant=bob),
        rtc.ParticipantConnected(participant=eve),
        rtc.DataTrackPublished(track=data_track),
    ]


def test_a_closed_room_has_nothing_for_later_comers(bobs: Scene) -> None:
    bobs.close()
    assert list(bobs.state.snapshot_events()) == []


def test_whoever_comes_active_is_not_announced_twice() -> None:
    """The state is ahead of the event: a later comer who listens in between hears it once, live."""
    scene = Scene()
    scene.apply(scene.native.connected("bob"))
    assert names(list(scene.state.snapshot_events())) == ["ParticipantConnected"]
    assert names(scene.apply(scene.native.active("bob"))) == ["ParticipantActive"]
    assert names(list(scene.state.snapshot_events())) == ["ParticipantConnected", "ParticipantActive"]
