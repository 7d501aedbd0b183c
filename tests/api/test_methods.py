"""The methods against what they are made after: livekit-api, the descriptors of livekit-protocol, and the table."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
import typing
import uuid
from pathlib import Path
from typing import Any, Final

import httpx
import livekit.api
import livekit.protocol
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from livekit.protocol.connector_whatsapp import AcceptWhatsAppCallRequest, ConnectWhatsAppCallRequest
from livekit.protocol.models import ListUpdate
from livekit.protocol.room import CreateRoomRequest, ListRoomsRequest, SendDataRequest
from livekit.protocol.sip import (
    CreateSIPParticipantRequest,
    SIPOutboundConfig,
    TransferSIPParticipantRequest,
    UpdateSIPInboundTrunkRequest,
)

from livekit_trio import api
from livekit_trio.api import _fields
from livekit_trio.api._rpc import Rings
from tests.api.calls import CALLS, ONLY_OURS, ROWS, methods_of

ROOT: Final = Path(__file__).parents[2]
CLOUD_ONLY: Final = {"CloudAgent", "AgentSimulation"}
"""They manage hosted agents; not carried."""

OURS: Final = methods_of(api.LiveKitAPI)
THREADS: Final = methods_of(api.SyncLiveKitAPI)
OFFICIAL: Final = methods_of(livekit.api.LiveKitAPI)

ROW_OF_METHOD: Final[dict[str, str]] = {}
"""The path of the row that a method uses, as seen by `send`."""


class Recorder:
    """A client whose requests go nowhere: they are kept, and answered with an empty message."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.client = api.SyncLiveKitAPI(
            "http://host", "key", "secret" * 6, client=httpx.Client(transport=httpx.MockTransport(self.answer))
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200)

    @property
    def row(self) -> Any:
        return ROWS[self.requests[-1].url.path]

    @property
    def message(self) -> Any:
        """What was sent last."""
        return self.row.request_type().FromString(self.requests[-1].read())

    @property
    def timeout(self) -> float:
        """How long the last request may take."""
        return self.requests[-1].extensions["timeout"]["read"]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


# ---- which there are


def test_every_method_of_the_official_package_is_here() -> None:
    assert set(OFFICIAL) == set(OURS) - ONLY_OURS
    assert len(OFFICIAL) == 52


def test_there_is_a_call_of_each() -> None:
    assert set(CALLS) == set(OURS)


def test_every_rpc_of_the_protocol_has_a_row() -> None:
    described: set[str] = set()
    for module in pkgutil.iter_modules(livekit.protocol.__path__):
        descriptor = getattr(importlib.import_module(f"livekit.protocol.{module.name}"), "DESCRIPTOR", None)
        for service in descriptor.services_by_name.values() if descriptor is not None else ():
            if service.name not in CLOUD_ONLY:
                described |= {f"/twirp/{service.full_name}/{method.name}" for method in service.methods}
    assert set(ROWS) == described


def test_every_row_is_used_by_a_method(recorder: Recorder) -> None:
    for method, call in CALLS.items():
        call.make(recorder.client, method)
    assert {request.url.path for request in recorder.requests} == set(ROWS)


@pytest.mark.parametrize("method", OFFICIAL)
def test_it_can_be_called_as_the_official_one(method: str) -> None:
    """With the same number of arguments by position, and the same by keyword; but for the name of the request."""
    ours = list(inspect.signature(OURS[method]).parameters.values())[1:]
    takes_anything = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in ours)
    names = {each.name for each in ours if each.kind is not inspect.Parameter.POSITIONAL_ONLY}
    theirs = list(inspect.signature(OFFICIAL[method]).parameters.values())[1:]
    positional = [each for each in theirs if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    keywords = [each for each in theirs if each.kind is inspect.Parameter.KEYWORD_ONLY]
    assert len([each for each in ours if each.kind <= inspect.Parameter.POSITIONAL_OR_KEYWORD]) == len(positional)
    assert takes_anything or {each.name for each in keywords} <= names
    if len(positional) > 1:
        assert [each.name for each in positional] == [each.name for each in ours][: len(positional)]


@pytest.mark.parametrize("method", OURS)
def test_the_one_for_threads_is_the_same(method: str) -> None:
    ours, threads = inspect.signature(OURS[method]), inspect.signature(THREADS[method])
    assert ours == threads
    assert inspect.iscoroutinefunction(OURS[method])
    assert not inspect.iscoroutinefunction(THREADS[method])
    assert "Cancellation" not in (inspect.getdoc(THREADS[method]) or "")


def test_the_messages_are_here_too() -> None:
    program = "from livekit_trio import api; import sys; print('google.protobuf' in sys.modules); api.CreateRoomRequest"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    names = {name for name, value in vars(livekit.api).items() if getattr(value, "DESCRIPTOR", None) is not None}
    assert len(names) > 200
    assert {name for name in names if getattr(api, name) is not getattr(livekit.api, name)} == set()
    assert not hasattr(api, "Nonsense")


def test_what_they_have_named_otherwise() -> None:
    shown = {name for name in livekit.api.__all__ if not name.endswith("_service")}
    deprecated = {"TwirpError", "TwirpErrorCode"}
    assert {name for name in shown if not hasattr(api, name)} == deprecated


def test_both_clients_are_made_alike() -> None:
    def parameters(cls: type) -> list[tuple[str, object]]:
        found = inspect.signature(cls).parameters.values()
        return [(each.name, each.default) for each in found]

    assert parameters(api.LiveKitAPI) == parameters(api.SyncLiveKitAPI)
    theirs = [name for name, _ in parameters(livekit.api.LiveKitAPI)]
    assert set(theirs) - {name for name, _ in parameters(api.LiveKitAPI)} == {"session"}  # it is `client`


def test_what_is_generated_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, ".ci/generate_api.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# ---- their types


def hints(function: Any) -> dict[str, Any]:
    """The types in a signature; what modules import for type checkers alone is looked for where it comes from."""
    names: dict[str, Any] = {}
    for module in pkgutil.iter_modules(livekit.protocol.__path__):
        names |= vars(importlib.import_module(f"livekit.protocol.{module.name}"))
    return typing.get_type_hints(function, localns=names | vars(typing) | vars(_fields))


@pytest.mark.parametrize(
    "method", [method for method in OURS if "request" in inspect.signature(OURS[method]).parameters]
)
def test_the_types_are_those_of_the_protocol(method: str, recorder: Recorder) -> None:
    CALLS[method].make(recorder.client, method)
    row = recorder.row
    types = hints(OURS[method])
    assert types["request"] == row.request_type() | None
    assert types["return"] is row.response_type()
    [fields] = typing.get_args(types["fields"])
    assert list(fields.__annotations__) == [field.name for field in row.request_type().DESCRIPTOR.fields]


# ---- what is sent


@pytest.mark.parametrize("method", OURS)
def test_the_request_of_the_caller_is_never_changed(method: str, recorder: Recorder) -> None:
    before = [each.SerializeToString() for each in CALLS[method].arguments if isinstance(each, Message)]
    CALLS[method].make(recorder.client, method)
    assert [each.SerializeToString() for each in CALLS[method].arguments if isinstance(each, Message)] == before


def test_keywords_are_the_fields_of_the_request(recorder: Recorder) -> None:
    recorder.client.room.create_room(name="n", empty_timeout=5, agents=[{"agent_name": "a"}])
    assert recorder.message == CreateRoomRequest(name="n", empty_timeout=5, agents=[{"agent_name": "a"}])


def test_headers(recorder: Recorder) -> None:
    recorder.client.room.list_rooms()
    recorder.client.room.list_rooms()
    first, second = (request.headers for request in recorder.requests)
    assert first["content-type"] == "application/protobuf"
    assert first["user-agent"].startswith("livekit-trio/")
    assert uuid.UUID(first["x-livekit-request-id"]) != uuid.UUID(second["x-livekit-request-id"])


@pytest.mark.parametrize(
    ("arguments", "fields", "error"),
    [
        ((SendDataRequest(),), {}, TypeError),
        ((ListRoomsRequest(),), {"names": ["n"]}, TypeError),
        ((), {"names": 7}, TypeError),
        ((), {"nonsense": 7}, ValueError),
    ],
)
def test_a_wrong_request_is_refused_here(
    arguments: tuple[Any, ...], fields: dict[str, Any], error: type[Exception], recorder: Recorder
) -> None:
    with pytest.raises(error):
        recorder.client.room.list_rooms(*arguments, **fields)
    assert recorder.requests == []


def test_data_get_a_nonce_each(recorder: Recorder) -> None:
    nonces: set[bytes] = set()
    for _ in range(2):
        recorder.client.room.send_data(room="room", data=b"x")
        nonces.add(recorder.message.nonce)
    assert sorted(map(len, nonces)) == [16, 16]
    recorder.client.room.send_data(SendDataRequest(room="room", nonce=b"my own"))
    assert recorder.message.nonce == b"my own"


# ---- phones


@pytest.mark.parametrize(
    ("method", "request_", "timeout", "expected"),
    [
        ("create_sip_participant", CreateSIPParticipantRequest(), None, 10),
        ("create_sip_participant", CreateSIPParticipantRequest(), 3, 3),
        ("create_sip_participant", CreateSIPParticipantRequest(wait_until_answered=True), None, 32),
        ("create_sip_participant", CreateSIPParticipantRequest(wait_until_answered=True), 3, 32),
        ("create_sip_participant", CreateSIPParticipantRequest(wait_until_answered=True), 60, 60),
        (
            "create_sip_participant",
            CreateSIPParticipantRequest(wait_until_answered=True, ringing_timeout=Duration(seconds=45)),
            None,
            47,
        ),
        ("transfer_sip_participant", TransferSIPParticipantRequest(), None, 32),
        (
            "transfer_sip_participant",
            TransferSIPParticipantRequest(ringing_timeout=Duration(seconds=12, nanos=500_000_000)),
            1,
            14.5,
        ),
    ],
)
def test_a_call_has_as_long_as_the_phone_rings(
    method: str, request_: Any, timeout: float | None, expected: float, recorder: Recorder
) -> None:
    getattr(recorder.client.sip, method)(request_, timeout=timeout)
    assert recorder.timeout == pytest.approx(expected, abs=0.5)
    waits = expected not in {3, 10}
    assert recorder.message.HasField("ringing_timeout") == waits  # the server's default does not count


def test_a_whatsapp_call_has_as_long_too(recorder: Recorder) -> None:
    connector = recorder.client.connector
    connector.accept_whatsapp_call(AcceptWhatsAppCallRequest(wait_until_answered=True))
    assert recorder.timeout == pytest.approx(32, abs=0.5)
    connector.accept_whatsapp_call(AcceptWhatsAppCallRequest(), timeout=5)
    assert recorder.timeout == pytest.approx(5, abs=0.5)
    connector.connect_whatsapp_call(ConnectWhatsAppCallRequest(wait_until_answered=True))  # which cannot say how long
    assert recorder.timeout == pytest.approx(32, abs=0.5)


def test_what_waits_for_a_phone() -> None:
    waiting = {row.name for row in ROWS.values() if row.rings is not Rings.NEVER}
    assert waiting == {"CreateSIPParticipant", "TransferSIPParticipant", "AcceptWhatsAppCall", "ConnectWhatsAppCall"}


def test_the_trunk_beside_the_request(recorder: Recorder) -> None:
    request = CreateSIPParticipantRequest(sip_call_to="+1")
    trunk = SIPOutboundConfig(hostname="host")
    recorder.client.sip.create_sip_participant(request, trunk_id="ST_1", outbound_trunk_config=trunk)
    assert recorder.message == CreateSIPParticipantRequest(sip_call_to="+1", sip_trunk_id="ST_1", trunk=trunk)
    recorder.client.sip.create_sip_participant(sip_call_to="+1", trunk_id="ST_1")
    assert recorder.message == CreateSIPParticipantRequest(sip_call_to="+1", sip_trunk_id="ST_1")
    assert request == CreateSIPParticipantRequest(sip_call_to="+1")


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (["+1"], ListUpdate(set=["+1"])),
        ([], ListUpdate(clear=True)),
        (ListUpdate(add=["+1"], remove=["+2"]), ListUpdate(add=["+1"], remove=["+2"])),
    ],
)
def test_lists_in_updates(numbers: Any, expected: ListUpdate, recorder: Recorder) -> None:
    recorder.client.sip.update_inbound_trunk_fields("ST_1", numbers=numbers, name="n")
    assert recorder.message == UpdateSIPInboundTrunkRequest(
        sip_trunk_id="ST_1", update={"numbers": expected, "name": "n"}
    )
