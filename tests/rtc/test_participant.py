"""Participants: what can be read of them, and what ours can do."""

from __future__ import annotations

import datetime as dt
import inspect
import weakref
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trio.testing

from livekit_trio import rtc
from livekit_trio._errors import OperationError, RoomClosedError, UpdateError
from livekit_trio.rtc import _local_participant
from livekit_trio.rtc._local_participant import UPDATE_TIMEOUT

from .native import JOINED, VIDEO, Scene

if TYPE_CHECKING:
    from livekit_trio._ffi import _proto as native

LEFT = rtc.DisconnectReason.CLIENT_INITIATED


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.apply(scene.native.connected("bob", name="Bob", state=JOINED, attributes={"k": "v"}))
    return scene


def bob_of(scene: Scene) -> rtc.RemoteParticipant:
    return scene.state.remote_participants["bob"]


# ---- reading


def test_only_a_room_makes_participants() -> None:
    for cls in (rtc.Participant, rtc.RemoteParticipant, rtc.LocalParticipant, rtc.RemoteTrackPublication, rtc.Track):
        with pytest.raises(TypeError, match="no public constructor"):
            cls()  # pyright: ignore[reportCallIssue]


def test_what_can_be_read(scene: Scene) -> None:
    bob = bob_of(scene)
    assert repr(bob) == "rtc.RemoteParticipant(sid=PA_bob, identity=bob, name=Bob)"
    assert repr(scene.state.local_participant) == "rtc.LocalParticipant(sid=PA_me, identity=me, name=)"
    assert (bob.is_local, scene.state.local_participant.is_local) == (False, True)
    assert bob.joined_at == dt.datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=dt.UTC)
    assert (bob.kind, bob.kind_details, bob.is_agent) == (rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD, (), False)
    assert (bob.state, bob.is_active) == (rtc.ParticipantState.PARTICIPANT_STATE_JOINED, False)
    assert bob.connection_quality == rtc.ConnectionQuality.QUALITY_UNKNOWN
    assert (bob.client_protocol, bob.disconnect_reason, bob.is_encrypted) == (2, None, False)
    assert bob.permissions is not None
    assert bob.permissions.can_publish
    assert weakref.ref(bob)() is bob


def test_an_agent_and_somebody_who_joined_nobody_knows_when(scene: Scene) -> None:
    kind = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
    scene.apply(scene.native.connected("ai", kind=kind, kind_details=[0], joined_at=0))
    agent = scene.state.remote_participants["ai"]
    assert agent.is_agent
    assert agent.kind_details == (rtc.ParticipantKindDetail.PARTICIPANT_KIND_DETAIL_CLOUD_AGENT,)
    assert agent.joined_at is None


def test_attributes_cannot_be_changed_by_the_reader(scene: Scene) -> None:
    with pytest.raises(TypeError):
        bob_of(scene).attributes["k"] = "w"  # pyright: ignore[reportIndexIssue]


def test_lookups_and_what_is_enabled(scene: Scene) -> None:
    new, bob = scene.native, bob_of(scene)
    sources = rtc.TrackSource
    scene.apply(
        new.published("bob", "TR_m", name="mic"),
        new.published("bob", "TR_c", kind=VIDEO, source=sources.SOURCE_CAMERA, muted=True),
        new.published("bob", "TR_s", kind=VIDEO, source=sources.SOURCE_SCREENSHARE),
    )
    found = bob.get_track_publication(sources.SOURCE_MICROPHONE)
    assert found is bob.get_track_publication_by_name("mic") is bob.get_track_publication_by_sid("TR_m")
    assert found is not None
    assert bob.get_track_publication(sources.SOURCE_SCREENSHARE_AUDIO) is None
    assert bob.get_track_publication_by_name("other") is None
    assert bob.get_track_publication_by_sid("TR_x") is None
    assert (bob.is_microphone_enabled, bob.is_camera_enabled, bob.is_screen_share_enabled) == (True, False, True)
    scene.apply(new.muted("bob", "TR_c", muted=False), new.unpublished("bob", "TR_s"))
    assert (bob.is_camera_enabled, bob.is_screen_share_enabled) == (True, False)


@pytest.mark.anyio
async def test_waiting_until_somebody_is_active(scene: Scene) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(bob_of(scene).wait_until_active)
        await anyio.wait_all_tasks_blocked()
        scene.apply(scene.native.active("bob"))
    await bob_of(scene).wait_until_active()


@pytest.mark.anyio
async def test_waiting_for_somebody_who_leaves(scene: Scene) -> None:
    bob = bob_of(scene)
    scene.apply(scene.native.disconnected("bob", LEFT))
    with pytest.raises(OperationError, match="'bob' has left"):
        await bob.wait_until_active()


# ---- updating ourselves

UPDATES: list[tuple[str, Any, str, Any, dict[str, Any]]] = [
    ("set_metadata", "x", "set_local_metadata", {"metadata": "x"}, {"metadata": "x"}),
    ("set_name", "x", "set_local_name", {"name": "x"}, {"name": "x"}),
    (
        "set_attributes",
        {"a": "1", "b": ""},
        "set_local_attributes",
        {"attributes": [{"key": "a", "value": "1"}, {"key": "b", "value": ""}]},
        {"attributes": {"a": "1", "c": "3"}},
    ),
]


def me_with(attributes: dict[str, str] | None = None, **permissions: Any) -> Scene:
    scene = Scene()
    new = scene.native
    known: Any = {"permission": new.permissions(**permissions), "attributes": attributes or {}}
    scene.apply(new.updated(new.participant_info("me", **known)))
    return scene


@pytest.mark.anyio
@pytest.mark.parametrize(("operation", "value", "request_name", "fields", "echo"), UPDATES)
async def test_an_update_returns_when_it_is_in_effect(
    operation: str, value: Any, request_name: str, fields: dict[str, Any], echo: dict[str, Any]
) -> None:
    scene = me_with({"b": "2", "c": "3"})
    me = scene.state.local_participant
    done = anyio.Event()

    async def update() -> None:
        await getattr(me, operation)(value)
        done.set()

    async with anyio.create_task_group() as group:
        group.start_soon(update)
        await anyio.wait_all_tasks_blocked()
        assert not done.is_set()
        assert scene.link.requests == [(request_name, {"local_participant_handle": 1001, **fields})]
        scene.apply(scene.native.updated(scene.native.participant_info("me", **{"attributes": {"c": "3"}} | echo)))
    assert done.is_set()
    await getattr(me, operation)(value)  # nothing to do
    assert len(scene.link.requests) == 1


@pytest.mark.anyio
@pytest.mark.parametrize(("operation", "value"), [row[:2] for row in UPDATES])
async def test_an_update_without_permission_is_refused_at_once(operation: str, value: Any) -> None:
    scene = me_with(can_update_metadata=False)
    with pytest.raises(UpdateError, match=f"{operation}: no permission") as refused:
        await getattr(scene.state.local_participant, operation)(value)
    assert refused.value.operation == operation
    assert scene.link.requests == []


@pytest.mark.anyio
@pytest.mark.parametrize(("operation", "value", "request_name"), [row[:3] for row in UPDATES])
async def test_what_the_native_side_says_is_raised(operation: str, value: Any, request_name: str) -> None:
    scene = me_with()
    scene.link.replies[request_name] = lambda _fields: SimpleNamespace(error="limit exceeded")
    with pytest.raises(UpdateError, match="limit exceeded"):
        await getattr(scene.state.local_participant, operation)(value)


@pytest.mark.anyio
@pytest.mark.parametrize("operation", ["set_metadata", "set_name"])
async def test_what_the_server_ignores_is_refused_at_once(operation: str) -> None:
    scene = me_with()
    with pytest.raises(UpdateError, match="cannot be cleared"):
        await getattr(scene.state.local_participant, operation)("")
    assert scene.link.requests == []


@pytest.mark.parametrize("answers", [True, False])
def test_a_server_that_says_nothing_is_given_up(answers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = me_with()
    if not answers:
        scene.link.replies["set_local_name"] = lambda _fields: None

    async def main() -> float:
        start = trio.current_time()
        with pytest.raises(UpdateError, match="did not take it over"):
            await scene.state.local_participant.set_name("n" * 257)
        return trio.current_time() - start

    assert UPDATE_TIMEOUT < 6
    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == pytest.approx(UPDATE_TIMEOUT)


@pytest.mark.anyio
async def test_one_update_at_a_time() -> None:
    """Natively each update sends metadata and name as they are then, and would take another one back."""
    scene = me_with()
    me = scene.state.local_participant
    async with anyio.create_task_group() as group:
        group.start_soon(me.set_name, "n")
        await anyio.wait_all_tasks_blocked()
        group.start_soon(me.set_metadata, "m")
        await anyio.wait_all_tasks_blocked()
        assert [name for name, _ in scene.link.requests] == ["set_local_name"]
        scene.apply(scene.native.updated(scene.native.participant_info("me", name="n")))
        await anyio.wait_all_tasks_blocked()
        assert [name for name, _ in scene.link.requests] == ["set_local_name", "set_local_metadata"]
        scene.apply(scene.native.updated(scene.native.participant_info("me", name="n", metadata="m")))


@pytest.mark.anyio
async def test_an_update_that_is_cancelled_lets_the_next_one_in() -> None:
    scene = me_with()
    me = scene.state.local_participant
    with anyio.move_on_after(0.01) as scope:
        await me.set_name("n")
    assert scope.cancelled_caught
    scene.link.replies["set_local_metadata"] = lambda _fields: SimpleNamespace(error="no")
    with pytest.raises(UpdateError):
        await me.set_metadata("m")


@pytest.mark.anyio
async def test_the_end_of_the_room_ends_an_update() -> None:
    scene = me_with()

    def end(_fields: dict[str, Any]) -> Any:
        scene.link.close(LEFT)
        return SimpleNamespace(error="")

    scene.link.replies["set_local_name"] = end
    with pytest.raises(RoomClosedError):
        await scene.state.local_participant.set_name("n")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("operation", "value"),
    [("set_metadata", b"x"), ("set_name", None), ("set_attributes", {"a": 1}), ("set_attributes", {1: "a"})],
)
async def test_updates_are_text(operation: str, value: Any) -> None:
    with pytest.raises(TypeError, match="must be strings"):
        await getattr(me_with().state.local_participant, operation)(value)


@pytest.mark.anyio
async def test_clearing_attributes() -> None:
    scene = me_with({"a": "1", "b": "2"})
    async with anyio.create_task_group() as group:
        group.start_soon(scene.state.local_participant.clear_attributes)
        await anyio.wait_all_tasks_blocked()
        scene.apply(scene.native.updated(scene.native.participant_info("me")))
    ((_, fields),) = scene.link.requests
    entries = [(entry["key"], entry["value"]) for entry in fields["attributes"]]
    assert sorted(entries) == [("a", ""), ("b", "")]


def test_track_subscription_permissions(scene: Scene) -> None:
    permission = rtc.ParticipantTrackPermission(participant_identity="bob", allowed_track_sids=["TR_1"])
    scene.state.local_participant.set_track_subscription_permissions(
        allow_all_participants=False, participant_permissions=[permission]
    )
    ((name, fields),) = scene.link.requests
    assert name == "set_track_subscription_permissions"
    assert fields == {
        "local_participant_handle": 1001,
        "all_participants_allowed": False,
        "permissions": [{"participant_identity": "bob", "allow_all": False, "allowed_track_sids": ["TR_1"]}],
    }
    scene.link.close(LEFT)
    with pytest.raises(RoomClosedError):
        scene.state.local_participant.set_track_subscription_permissions(allow_all_participants=True)


@pytest.mark.anyio
async def test_unknown_permissions_leave_it_to_the_server() -> None:
    scene = Scene()
    result: native.ConnectCallback.Result = scene.native.result(local=scene.native.participant("me", permission=None))
    scene = Scene(scene.link, result)
    await scene.state.local_participant.publish_data(b"x")
    assert len(scene.link.requests) == 1


def test_every_coroutine_says_what_cancelling_means() -> None:
    for name, function in inspect.getmembers(_local_participant.LocalParticipant, inspect.iscoroutinefunction):
        if not name.startswith("_") and name not in ("clear_attributes", "wait_until_active"):
            assert "Cancellation:" in (function.__doc__ or ""), name
