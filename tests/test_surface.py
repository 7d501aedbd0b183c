"""The public surface: whatever users can see is typed, closed against misuse, and tells nothing secret."""

from __future__ import annotations

import inspect
import os
import pickle
import subprocess
import sys
import typing
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest
import typing_extensions

import livekit_trio
from livekit_trio import api, rtc, testing
from livekit_trio._guard import MadeByTheRoom
from livekit_trio.rtc._enums import OpenEnum
from livekit_trio.rtc._event import Event
from tests.rtc.native import Scene

if TYPE_CHECKING:
    from types import ModuleType

ROOT: Final = Path(livekit_trio.__file__).parents[1]
PACKAGES: Final = (rtc, api, testing)


def public(package: ModuleType, kind: type = object) -> dict[str, Any]:
    """What *package* shows, by name: all of it, or the classes below *kind*."""
    names = {name: getattr(package, name) for name in dir(package) if not name.startswith("_")}
    names = {name: value for name, value in names.items() if not inspect.ismodule(value) and name != "annotations"}
    if kind is object:
        return names
    return {name: value for name, value in names.items() if inspect.isclass(value) and issubclass(value, kind)}


LIVE: Final = {name: value for name, value in public(rtc).items() if isinstance(value, MadeByTheRoom)}
ENUMS: Final = public(rtc, OpenEnum)
ERRORS: Final = public(rtc, BaseException)
EVENTS: Final[tuple[Any, ...]] = typing.get_args(rtc.RoomEvent)
VALUES: Final = {name: value for name, value in public(rtc).items() if inspect.isclass(value) and attrs.has(value)}
OBJECTS: Final = {
    name: value
    for name, value in public(rtc).items()
    if getattr(value, "__final__", False) and name not in LIVE | VALUES | ERRORS
}
"""What programs make by themselves and keep no room for, such as frames."""
API_VALUES: Final = {name: value for name, value in public(api).items() if inspect.isclass(value) and attrs.has(value)}

SECRET: Final = "nobody-may-see-this"


# ---- types


def run_checker(*command: str) -> str:
    """Run a type checker on the package as installed for its users; its output. It must be content."""
    # The checkers of this very environment, which look for packages where its Python does.
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_types_of_all_public_names_are_known() -> None:
    assert "Type completeness score: 100%" in run_checker(
        "pyright", "--verifytypes", "livekit_trio", "--ignoreexternal"
    )


@pytest.mark.parametrize(
    "checker",
    [("pyright",), ("mypy", "--strict", f"--cache-dir={os.devnull}", f"--python-executable={sys.executable}")],
)
def test_checkers_know_the_exact_types_of_events(checker: tuple[str, ...]) -> None:
    run_checker(*checker, "tests/typing")


# ---- names


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_what_a_package_shows_lives_there(package: ModuleType) -> None:
    shown = {
        name: value for name, value in public(package).items() if inspect.isclass(value) or inspect.isfunction(value)
    }
    elsewhere = {name: value.__module__ for name, value in shown.items() if value.__module__ != package.__name__}
    assert elsewhere == ({"LiveKitError": "livekit_trio.rtc"} if package is api else {})


def test_where_something_lives_does_not_depend_on_the_order_of_imports() -> None:
    program = "from livekit_trio import api; print(api.LiveKitError.__module__, api.TokenError.__module__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["livekit_trio.rtc", "livekit_trio.api"]


def test_every_class_of_rtc_is_of_one_kind() -> None:
    """Each kind has its own tests below; the others are plain enums, since they are all ours, and what programs derive from."""
    enums = {"ConnectErrorKind", "DataTrackErrorKind", "DataTrackFrameEncoding", "DataTrackSchemaEncoding"}
    enums |= {"AudioPreset", "ScreenSharePreset", "VideoPreset"}
    others = {*enums, "FrameProcessor", "RpcInterceptor", "RpcSerializer"}
    kinds = (LIVE, ENUMS, ERRORS, VALUES, public(rtc, Event), OBJECTS)
    classes = {name for name, value in public(rtc).items() if inspect.isclass(value)}
    assert classes - {name for kind in kinds for name in kind} == others
    assert sum(map(len, kinds)) == len(classes - others)


# ---- live objects


@pytest.mark.parametrize("cls", LIVE.values(), ids=LIVE)
def test_live_classes_make_no_objects(cls: type) -> None:
    with pytest.raises(TypeError, match="no public constructor"):
        cls()
    with pytest.raises(TypeError, match="no public constructor"):
        cls(None)


def test_live_classes_without_subclasses_of_ours_are_final() -> None:
    bases = {base.__name__ for cls in LIVE.values() for base in cls.__mro__[1:]}
    leaves = {name: cls for name, cls in LIVE.items() if name not in bases}
    assert set(LIVE) - set(leaves) == {"Participant", "Track", "TrackPublication"}
    assert {name for name, cls in leaves.items() if not getattr(cls, "__final__", False)} == set()


def test_mappings_are_read_only_snapshots() -> None:
    scene = Scene()
    native = scene.native
    joined = native.event("participant_connected", info=native.participant("bob", attributes={"key": "value"}))
    scene.apply(joined, native.published("bob", "TR_1"), native.data_track_published("bob", "DT_1"))
    participants = scene.state.remote_participants
    bob = participants["bob"]
    mappings: list[Any] = [participants, bob.track_publications, bob.data_tracks, bob.attributes]
    assert all(isinstance(mapping, Mapping) and not isinstance(mapping, MutableMapping) for mapping in mappings)
    assert [len(mapping) for mapping in mappings] == [1, 1, 1, 1]
    for mapping in mappings:
        with pytest.raises(TypeError):
            mapping["other"] = None
    before = [dict(mapping) for mapping in mappings]
    scene.apply(native.unpublished("bob", "TR_1"), native.data_track_unpublished("DT_1"), native.disconnected("bob", 1))
    assert [dict(mapping) for mapping in mappings] == before
    assert dict(scene.state.remote_participants) == {}
    scene.close()


def test_what_an_attribute_event_carries_is_read_only() -> None:
    scene = Scene()
    entry = [{"key": "mood", "value": "good"}]
    changed = scene.native.event("participant_attributes_changed", participant_identity="me")
    changed.participant_attributes_changed.changed_attributes.add(**entry[0])
    changed.participant_attributes_changed.attributes.add(**entry[0])
    [event] = scene.apply(changed)
    with pytest.raises(TypeError):
        event.changed_attributes["mood"] = "bad"
    scene.close()


# ---- values


@pytest.mark.parametrize("cls", [*VALUES.values(), *API_VALUES.values()], ids=lambda cls: cls.__name__)
def test_values_are_slotted_and_frozen(cls: Any) -> None:
    assert "__slots__" in vars(cls)
    assert not hasattr(object.__new__(cls), "__dict__")
    if cls not in (api.AccessToken, api.Claims):  # builders
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            object.__new__(cls).other = None


def test_every_event_class_is_in_the_union_and_shown() -> None:
    modules = [vars(module) for name, module in sys.modules.items() if name.startswith("livekit_trio.rtc._events")]
    defined = {value for names in modules for value in names.values() if inspect.isclass(value)}
    assert set(EVENTS) == {value for value in defined if issubclass(value, Event)} - {Event}
    assert set(EVENTS) == set(public(rtc, Event).values())
    assert len(EVENTS) == 40


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_events_are_values_with_named_fields(event: Any) -> None:
    fields = {name: name for name in event._fields}
    one = event(**fields)
    assert one == event(**fields)
    assert len({one, event(**fields)}) == 1
    assert repr(one).startswith(f"{event.__name__}(")
    assert {name: getattr(one, name) for name in fields} == fields
    assert pickle.loads(pickle.dumps(one)) == one
    for name in fields:
        assert one != event(**fields | {name: "other"})
        with pytest.raises(TypeError, match=name):
            event(**{other: other for other in fields if other != name})
    for change in (lambda: setattr(one, "other", None), lambda: delattr(one, "other")):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            change()
    with pytest.raises(TypeError):
        event(*fields.values(), None)
    with pytest.raises(TypeError, match="other"):
        event(**fields, other=None)


def test_events_of_two_kinds_differ() -> None:
    assert rtc.Reconnecting() != rtc.Reconnected()
    assert rtc.Reconnecting() == rtc.Reconnecting()


@pytest.mark.parametrize("enumeration", ENUMS.values(), ids=ENUMS)
def test_enums_tolerate_numbers_of_the_future(enumeration: Any) -> None:
    unknown = enumeration(4711)
    assert (unknown.name, unknown.value, int(unknown), unknown.is_known) == ("UNKNOWN_4711", 4711, 4711, False)
    assert unknown == enumeration(4711) == 4711
    assert "UNKNOWN_4711" in repr(unknown)
    assert pickle.loads(pickle.dumps(unknown)) == unknown
    assert unknown not in list(enumeration)
    assert all(member.is_known for member in enumeration)
    with pytest.raises(ValueError, match="is not a valid"):
        enumeration("4711")


# ---- reprs


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_class_has_a_repr_of_its_own(package: ModuleType) -> None:
    classes = [value for value in public(package).values() if inspect.isclass(value)]
    concrete = [cls for cls in classes if not typing_extensions.is_protocol(cls)]
    assert [cls for cls in concrete if cls.__repr__ is object.__repr__] == []


def with_secrets() -> list[object]:
    keys = rtc.KeyProviderOptions(shared_key=SECRET.encode(), ratchet_salt=SECRET.encode())
    servers = (rtc.IceServer(("turn:host",), "user", SECRET),)
    options = rtc.RoomOptions(
        encryption=rtc.E2EEOptions(key_provider_options=keys), rtc_config=rtc.RtcConfiguration(ice_servers=servers)
    )
    return [
        keys,
        *servers,
        options,
        rtc.TokenRefreshed(token=SECRET),
        api.AccessToken("key", SECRET),
        api.TokenVerifier("key", SECRET),
        api.SyncLiveKitAPI("http://host", "key", SECRET),
        api.SyncLiveKitAPI("http://host", "key", SECRET).room,
        api.LiveKitAPI.with_token(SECRET, "http://host"),
        testing.DevServer(1, "key", SECRET, testing.ServerProcess((SECRET,), Path("log"))),
    ]


@pytest.mark.parametrize("value", with_secrets(), ids=lambda value: type(value).__name__)
def test_no_repr_has_a_secret(value: object) -> None:
    assert SECRET not in repr(value)
    assert SECRET not in str(value)
    assert SECRET not in f"{value} {[value]}"
