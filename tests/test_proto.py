"""The generated messages, stubs and handle paths: that they are the wheel's, and that they can be used."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import descriptors
import generate
import library
import pytest
from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, strategies as st

from livekit_trio._ffi import _proto as proto, _wire
from livekit_trio._ffi._handle_paths import EVENT_HANDLE_PATHS, RESPONSE_HANDLE_PATHS
from livekit_trio._ffi._proto._descriptors import FILES
from livekit_trio.rtc import _convert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

ROOT = Path(__file__).parent.parent


def descriptor(message: type[Message]) -> Descriptor:
    """The message's descriptor, under the one of its two type names that the other stubs use."""
    return cast("Descriptor", message.DESCRIPTOR)


def fields_of(message: type[Message]) -> dict[str, FieldDescriptor]:
    return dict(descriptor(message).fields_by_name)


OWNED = descriptor(proto.FfiOwnedHandle)
REQUESTS = fields_of(proto.FfiRequest)
EVENTS = fields_of(proto.FfiEvent)
RESPONSES = fields_of(proto.FfiResponse)


# The generated files.


def test_generated_files_are_what_the_generator_gives() -> None:
    for path, text in generate.generate().items():
        assert path.read_text() == text, f"{path} is stale; run: uv run python native/generate.py"


def test_generator_says_so_when_a_file_is_stale(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = {ROOT / "native" / "bridge" / "handle_paths.h": "something else"}
    monkeypatch.setattr(generate, "generate", lambda: stale)
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    assert generate.main() == 1
    assert "native/bridge/handle_paths.h differs" in capsys.readouterr().out


def test_descriptors_equal_those_of_the_pinned_wheel() -> None:
    directory = library.official_file(library.read_pin(), "livekit/rtc/_proto/ffi_pb2.py").parent
    official = [FileDescriptorProto.FromString(data) for data in generate.serialised_files(directory)]
    assert len(official) == len(list(directory.glob("*_pb2.py"))) == len(FILES)
    for file in official:
        file.ClearField("options")
        ours = FILES[f"livekit_trio/ffi/{file.name}"]
        assert FileDescriptorProto.FromString(_officially_named(ours)) == file


def _officially_named(data: bytes) -> bytes:
    """Our names replaced in the text, by another way than the generator's."""
    text = str(FileDescriptorProto.FromString(data)).replace("livekit_trio/ffi/", "")
    text = text.replace("livekit_trio.ffi", descriptors.OFFICIAL_PACKAGE)
    return text_format.Parse(text, FileDescriptorProto()).SerializeToString()


def test_every_message_and_enum_is_there_by_name() -> None:
    for name in FILES:
        file = proto.POOL.FindFileByName(name)
        for message in file.message_types_by_name.values():
            assert message == getattr(proto, message.name).DESCRIPTOR
            for nested in message.nested_types:
                assert nested == getattr(getattr(proto, message.name), nested.name).DESCRIPTOR
        for enum in file.enum_types_by_name.values():
            for value in enum.values:
                assert getattr(proto, enum.name).Value(value.name) == getattr(proto, value.name) == value.number


@pytest.mark.parametrize("order", ["official, ours", "ours, official"])
def test_official_messages_and_ours_share_a_process(order: str) -> None:
    imports = {"official": "from livekit.rtc._proto import ffi_pb2", "ours": "from livekit_trio._ffi import _proto"}
    program = "\n".join(imports[name] for name in order.split(", ")) + "\n" + _ROUND_TRIP
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


_ROUND_TRIP = """
ours = _proto.FfiRequest(ready_for_room_event=_proto.ReadyForRoomEventRequest(room_handle=7))
theirs = ffi_pb2.FfiRequest.FromString(ours.SerializeToString())
assert theirs.ready_for_room_event.room_handle == 7, theirs
assert type(ours).DESCRIPTOR.file.pool is not type(theirs).DESCRIPTOR.file.pool
"""


def test_messages_work_with_protobufs_implementation_in_python() -> None:
    program = """
from google.protobuf.internal import api_implementation
from livekit_trio._ffi import _proto
assert api_implementation.Type() == "python"
info = _proto.ParticipantInfo(sid="PA", attributes={"a": "b"})
assert _proto.ParticipantInfo.FromString(info.SerializePartialToString()) == info
assert _proto.ConnectCallback.Result().participants.add().publications.add().handle.id == 0
"""
    environment = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


# Every request can be built.


def minimal(message: Descriptor, one_of: FieldDescriptor | None = None) -> Message:
    """An instance with what must be set, and *one_of*, if given, of its oneof."""
    return _fill(message, lambda field: field.is_required or field == one_of, minimal)


def maximal(message: Descriptor, one_of: FieldDescriptor | None = None) -> Message:
    """An instance with everything set; of each oneof its last member, or *one_of*."""

    def wanted(field: FieldDescriptor) -> bool:
        oneof = field.containing_oneof
        if oneof is None:
            return True
        return field == (one_of if one_of is not None and one_of.containing_oneof == oneof else oneof.fields[-1])

    return _fill(message, wanted, maximal)


def _fill(of: Descriptor, wanted: Callable[[FieldDescriptor], bool], build: Callable[[Descriptor], Message]) -> Message:
    message = GetMessageClass(of)()
    for field in of.fields:
        if not wanted(field):
            continue
        value = _value(field, build)
        if descriptors.is_map(field):
            getattr(message, field.name)["key"] = "value"
        elif field.is_repeated:
            getattr(message, field.name).extend([value, value])
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, value)
    return message


def _value(field: FieldDescriptor, build: Callable[[Descriptor], Message]) -> Any:
    if field.message_type is not None:
        return build(field.message_type)
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b"\0\xff"
    extremes: dict[int, Any] = {
        FieldDescriptor.CPPTYPE_BOOL: True,
        FieldDescriptor.CPPTYPE_DOUBLE: 0.5,
        FieldDescriptor.CPPTYPE_FLOAT: 0.5,
        FieldDescriptor.CPPTYPE_INT32: -(1 << 31),
        FieldDescriptor.CPPTYPE_INT64: -(1 << 63),
        FieldDescriptor.CPPTYPE_STRING: "täxt",
        FieldDescriptor.CPPTYPE_UINT32: (1 << 32) - 1,
        FieldDescriptor.CPPTYPE_UINT64: (1 << 64) - 1,
    }
    return extremes[field.cpp_type]


def test_there_are_ninety_requests() -> None:
    assert len(REQUESTS) == 90


@pytest.mark.parametrize("build", [minimal, maximal])
@pytest.mark.parametrize("name", REQUESTS)
def test_request_can_be_built_and_read(name: str, build: Callable[[Descriptor, Any], Message]) -> None:
    request = build(descriptor(proto.FfiRequest), REQUESTS[name])
    assert request.WhichOneof("message") == name
    assert request.IsInitialized()
    assert proto.FfiRequest.FromString(request.SerializeToString()) == request


@pytest.mark.parametrize("name", REQUESTS)
def test_request_without_one_of_its_required_fields_is_noticed(name: str) -> None:
    inner = REQUESTS[name].message_type
    assert inner is not None
    for field in inner.fields:
        if field.is_required:
            request = minimal(descriptor(proto.FfiRequest), REQUESTS[name])
            getattr(request, name).ClearField(field.name)
            assert not request.IsInitialized()


# Where handles are.


def paths_up_from_handles(top: Descriptor) -> set[tuple[int, ...]]:
    """The paths to every owned handle below *top*, found from the bottom: from FfiOwnedHandle up to whatever holds it."""
    holders: dict[Descriptor, list[FieldDescriptor]] = {}
    for name in FILES:
        messages = list(proto.POOL.FindFileByName(name).message_types_by_name.values())
        for message in messages:
            messages.extend(message.nested_types)
            for field in message.fields:
                if field.message_type is not None:
                    holders.setdefault(field.message_type, []).append(field)

    def above(message: Descriptor) -> Iterator[tuple[int, ...]]:
        if message == top:
            yield ()
        for field in holders.get(message, []):
            for path in above(cast("Descriptor", field.containing_type)):
                yield (*path, field.number)

    return {(*path, OWNED.fields_by_name["id"].number) for path in above(OWNED)}


@pytest.mark.parametrize(
    ("top", "table"), [(proto.FfiEvent, EVENT_HANDLE_PATHS), (proto.FfiResponse, RESPONSE_HANDLE_PATHS)]
)
def test_handle_paths_are_complete(top: type[Message], table: dict[int, tuple[tuple[int, ...], ...]]) -> None:
    flat = [(kind, *path) for kind, paths in table.items() for path in paths]
    assert len(flat) == len(set(flat))
    assert set(flat) == paths_up_from_handles(descriptor(top))


def test_handle_paths_in_c_equal_those_in_python() -> None:
    text = (ROOT / "native" / "bridge" / "handle_paths.h").read_text()
    for name, table in (("EVENT", EVENT_HANDLE_PATHS), ("RESPONSE", RESPONSE_HANDLE_PATHS)):
        _, _, rows = text.partition(f"{name}_HANDLE_PATHS[][HANDLE_PATH_MAX] = {{")
        rows = rows.partition("};")[0]
        in_c = [tuple(map(int, row.split(", "))) for row in re.findall(r"{(.*)}", rows)]
        assert in_c == [(kind, *path) for kind, paths in table.items() for path in paths]


EVENT_PATHS = [(kind, path) for kind, paths in EVENT_HANDLE_PATHS.items() for path in paths]


@pytest.mark.parametrize(("kind", "path"), EVENT_PATHS)
def test_handle_is_found_at_each_path(kind: int, path: tuple[int, ...]) -> None:
    event = proto.FfiEvent()
    message: Any = event
    for number in (kind, *path[:-1]):
        field = message.DESCRIPTOR.fields_by_number[number]
        value = getattr(message, field.name)
        message = value.add() if field.is_repeated else value
    message.id = (1 << 64) - 1
    assert _wire.owned_handles(*_wire.split(event.SerializePartialToString())) == [message.id]


@pytest.mark.parametrize("path", EVENT_HANDLE_PATHS[1])
def test_the_handle_of_a_room_event_is_found(path: tuple[int, ...]) -> None:
    event = proto.RoomEvent()
    message: Any = event
    for number in path[:-1]:
        message = getattr(message, message.DESCRIPTOR.fields_by_number[number].name)
    message.id = 5
    assert _convert.brought_handle(event, event.WhichOneof("message")) == 5
    assert [*_convert.owned_handles(event)] == [5]


@pytest.mark.parametrize("name", EVENTS)
def test_handles_of_a_full_event_are_found(name: str) -> None:
    event: Any = maximal(descriptor(proto.FfiEvent), EVENTS[name])
    count = number_handles(event)
    kind, payload = _wire.split(event.SerializeToString())
    assert kind == EVENTS[name].number
    assert payload == getattr(event, name).SerializeToString()
    assert sorted(_wire.owned_handles(kind, payload)) == list(range(1, count + 1))


@pytest.mark.parametrize("name", RESPONSES)
def test_handles_of_a_full_response_are_found(name: str) -> None:
    response: Any = maximal(descriptor(proto.FfiResponse), RESPONSES[name])
    count = number_handles(response)
    assert sorted(_wire.owned_response_handles(response.SerializeToString())) == list(range(1, count + 1))


def number_handles(message: Message, last: int = 0) -> int:
    """Give every handle in *message* a number of its own, after *last*; return the last one given."""
    for field, value in message.ListFields():
        if field.message_type is None or descriptors.is_map(field):
            continue
        for one in value if field.is_repeated else [value]:
            if field.message_type == OWNED:
                last += 1
                one.id = last
            else:
                last = number_handles(one, last)
    return last


def test_a_joined_room_owns_the_handles_of_everybody_in_it() -> None:
    def owned(number: int) -> proto.FfiOwnedHandle:
        return proto.FfiOwnedHandle(id=number)

    others = [
        proto.ConnectCallback.ParticipantWithTracks(
            participant=proto.OwnedParticipant(handle=owned(first)),
            publications=[proto.OwnedTrackPublication(handle=owned(first + n)) for n in (1, 2)],
        )
        for first in (10, 20)
    ]
    result = proto.ConnectCallback.Result(
        room=proto.OwnedRoom(handle=owned(1)),
        local_participant=proto.OwnedParticipant(handle=owned(2)),
        participants=others,
    )
    event = proto.FfiEvent(connect=proto.ConnectCallback(async_id=5 << 48 | 3, result=result))
    kind, payload = _wire.split(event.SerializePartialToString())
    assert _wire.key(payload) == 5 << 48 | 3
    assert _wire.owned_handles(kind, payload) == [1, 2, 10, 11, 12, 20, 21, 22]


# The reader of the wire format.


@given(st.binary(max_size=200), st.sampled_from(sorted(EVENT_HANDLE_PATHS)))
def test_anything_parses_or_raises_value_error(message: bytes, kind: int) -> None:
    readers: list[Callable[[bytes], object]] = [_wire.split, _wire.key, _wire.owned_response_handles]
    for read in (*readers, functools.partial(_wire.owned_handles, kind)):
        with contextlib.suppress(ValueError):
            read(message)


@pytest.mark.parametrize("name", EVENTS)
def test_cut_event_raises_or_gives_fewer_handles(name: str) -> None:
    event = maximal(descriptor(proto.FfiEvent), EVENTS[name])
    number_handles(event)
    kind, payload = _wire.split(event.SerializeToString())
    every = _wire.owned_handles(kind, payload)
    for length in range(len(payload)):
        try:
            found = _wire.owned_handles(kind, payload[:length])
        except ValueError:
            continue
        assert found == every[: len(found)]


def test_key_is_zero_where_there_is_none() -> None:
    logs = proto.FfiEvent(logs=proto.LogBatch(records=[proto.LogRecord(message="text")]))
    assert _wire.key(_wire.split(logs.SerializePartialToString())[1]) == 0
    assert _wire.key(b"") == 0


def test_fixed_width_numbers_are_passed_over() -> None:
    stamped = b"\x09" + bytes(8) + b"\x15" + bytes(4) + b"\x18\x07"
    assert list(_wire.fields(stamped)) == [(3, 7)]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (b"\x08", "ends within a number"),
        (b"\x08" + b"\xff" * 11, "longer than ten bytes"),
        (b"\x0a\x05abc", "field 1 ends after the message"),
        (b"\x0b", "wire type 3"),
    ],
)
def test_broken_message_says_what_is_wrong(message: bytes, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        list(_wire.fields(message))
