"""The errors: one root, texts that say what happened, facts that survive pickling."""

from __future__ import annotations

import builtins
import copy
import inspect
import pickle
from typing import TYPE_CHECKING

import anyio
import pytest
import trio

from livekit_trio import _errors, _mailbox, api, rtc, testing
from livekit_trio._errors import (
    AudioFilterError,
    ConnectError,
    ConnectErrorKind,
    EndOfStream,
    InternalError,
    LiveKitError,
    NativeError,
    NativeLoadError,
    NativePanicError,
    NativeRefusalError,
    OperationError,
    PlatformAudioError,
    PublishDataError,
    PublishTrackError,
    RoomClosedError,
    StreamBusyError,
    StreamClosedError,
    StreamError,
    StreamLaggedError,
    SubscribeError,
    TokenError,
    UnpublishTrackError,
    UpdateError,
    UsedAfterForkError,
    WrongLoopError,
    internal_error,
)

if TYPE_CHECKING:
    from types import ModuleType

# One of each class that can be raised, with all its facts and a piece of its text.
SAMPLES = [
    (NativeLoadError((("bridge", "no such file"), ("ctypes", "forbidden"))), "bridge: no such file"),
    (NativeRefusalError("publish_track", "no such track"), "refused publish_track: no such track"),
    (NativeRefusalError(), "it gave no reason"),
    (NativePanicError("index out of bounds"), "index out of bounds"),
    (UsedAfterForkError(), "fork()"),
    (ConnectError(ConnectErrorKind.SERVER, "ws://host", "Internal Server Error", 500), "ws://host (server 500)"),
    (ConnectError(ConnectErrorKind.REFUSED, "ws://host", "refused"), "ws://host (refused): refused"),
    (RoomClosedError(rtc.DisconnectReason.ROOM_DELETED), "ROOM_DELETED"),
    (RoomClosedError(rtc.DisconnectReason(4711)), "UNKNOWN_4711"),
    (OperationError("no"), "no"),
    (UpdateError("set_name", "no permission"), "set_name: no permission"),
    (SubscribeError("TR_1", "unpublished"), "TR_1: unpublished"),
    (PublishTrackError("no permission"), "no permission"),
    (UnpublishTrackError("not published"), "not published"),
    (PublishDataError("too large"), "too large"),
    (rtc.PublishDTMFError("no permission"), "no permission"),
    (rtc.PublishTranscriptionError("agents only"), "agents only"),
    (rtc.SendChatMessageError("no permission"), "no permission"),
    (rtc.DataTrackError(rtc.DataTrackErrorKind.OTHER, "why"), "why (other)"),
    (rtc.PublishDataTrackError(rtc.DataTrackErrorKind.DUPLICATE_NAME, "taken"), "taken (duplicate_name)"),
    (rtc.PushFrameError(rtc.DataTrackErrorKind.QUEUE_FULL, "full"), "full (queue_full)"),
    (rtc.SubscribeDataTrackError(rtc.DataTrackErrorKind.TIMEOUT, "no answer"), "no answer (timeout)"),
    (rtc.RpcError(1500, "Application error", "facts"), "Application error (1500)"),
    (rtc.RpcError(42, "mine"), "mine (42)"),
    (AudioFilterError("no such file"), "no such file"),
    (PlatformAudioError("no devices"), "no devices"),
    (StreamClosedError("this event stream was closed"), "closed"),
    (StreamLaggedError(7), "7 items were lost"),
    (StreamBusyError(), "another task"),
    (rtc.CaptureError("the queue is full"), "the queue is full"),
    (rtc.SourceClosedError(), "source or track was closed"),
    (rtc.SourceBusyError(), "another task"),
    (rtc.StreamSendError("no permission to publish data"), "no permission"),
    (rtc.StreamAbortedError("tired"), "its sender closed the stream: tired"),
    (rtc.SenderLeftError("bob"), "bob left in the middle of a stream"),
    (rtc.StreamIncompleteError("a chunk is missing"), "a chunk is missing"),
    (rtc.StreamTooLargeError("more than 10 bytes"), "more than 10 bytes"),
    (rtc.StreamCorruptError("no UTF-8"), "no UTF-8"),
    (WrongLoopError("a room"), "a room belongs to the event loop that opened it"),
    (TokenError("the token has expired"), "expired"),
    (api.WebhookError(api.WebhookErrorKind.TOO_OLD, "it is old"), "it is old"),
    (internal_error(KeyError("x")), "a bug in livekit_trio: KeyError"),
    (api.ServerError("not_found", "no such room", 404), "not_found (404): no such room"),
    (api.ServerError("unknown", "", 500, {"why": "that"}), "{'why': 'that'}"),
    (api.NotSupportedError("internal", "not implemented", 500), "not implemented"),
    (api.RemoteUnmuteDisabledError("failed_precondition", "remote unmute not enabled", 400), "remote unmute"),
    (api.SipCallError("unavailable", "busy", 503, {"sip_status_code": "486"}), "486"),
    (
        api.TransportError(api.TransportErrorKind.TIMEOUT, "http://host/path", "10 s"),
        "http://host/path (timeout): 10 s",
    ),
    (testing.ServerNotFoundError((("PATH", "not there"),)), "PATH: not there"),
    (testing.ServerStartError(1, "address already in use"), "ended with status 1:\naddress already in use"),
    (testing.ServerStartError(None, ""), "did not answer in time"),
    (testing.AdminCallError("DeleteRoom", 404, "not_found", "no room"), "DeleteRoom: 404 not_found: no room"),
]

ROOTS = (LiveKitError, NativeError, StreamError, rtc.StreamReceiveError)
"""They are caught and never raised."""

OUTSIDE = {EndOfStream: "the end of a stream", _mailbox.WouldBlock: "nothing now"}
"""Control flow, as StopAsyncIteration is; not below LiveKitError."""


def exceptions_of(module: ModuleType) -> set[type[BaseException]]:
    return {value for value in vars(module).values() if inspect.isclass(value) and issubclass(value, BaseException)}


def facts(error: BaseException) -> dict[str, object]:
    return {name: value for name, value in vars(error).items() if not name.startswith("__")}


@pytest.mark.parametrize(("error", "text"), SAMPLES, ids=lambda value: type(value).__name__)
def test_the_text_says_it(error: Exception, text: str) -> None:
    assert text in str(error)


@pytest.mark.parametrize("error", [error for error, _ in SAMPLES], ids=lambda error: type(error).__name__)
def test_facts_survive_pickling_and_copying(error: Exception) -> None:
    error.add_note("seen on a Tuesday")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is type(error)
        assert (str(twin), repr(twin), twin.args, facts(twin)) == (str(error), repr(error), error.args, facts(error))
        assert twin.__notes__ == ["seen on a Tuesday"]


def test_there_is_a_sample_of_each() -> None:
    ours = {
        error
        for module in (_errors, api, rtc, testing)
        for error in exceptions_of(module)
        if error.__module__.startswith("livekit_trio")
    }
    assert ours - {type(error) for error, _ in SAMPLES} - set(ROOTS) == set(OUTSIDE)


def test_one_root_but_for_control_flow() -> None:
    for error, _ in SAMPLES:
        assert isinstance(error, LiveKitError)
        assert type(error).__name__.endswith("Error")
    for kind in OUTSIDE:
        assert not issubclass(kind, LiveKitError)


@pytest.mark.parametrize(
    ("error", "families"),
    [
        (RoomClosedError, (trio.BrokenResourceError, anyio.BrokenResourceError)),
        (StreamLaggedError, (trio.BrokenResourceError, anyio.BrokenResourceError)),
        (StreamClosedError, (trio.ClosedResourceError, anyio.ClosedResourceError)),
        (StreamBusyError, (trio.BusyResourceError, anyio.BusyResourceError)),
        (rtc.SourceClosedError, (trio.ClosedResourceError, anyio.ClosedResourceError)),
        (rtc.SourceBusyError, (trio.BusyResourceError, anyio.BusyResourceError)),
        (EndOfStream, (trio.EndOfChannel, anyio.EndOfStream)),
        (rtc.WouldBlock, (trio.WouldBlock, anyio.WouldBlock)),
        (NativeLoadError, (ImportError,)),
        (WrongLoopError, (RuntimeError,)),
        (TokenError, (ValueError,)),
        (api.WebhookError, (ValueError,)),
    ],
)
def test_those_who_know_the_family_catch_them(error: type[Exception], families: tuple[type[Exception], ...]) -> None:
    assert all(issubclass(error, family) for family in families)


def test_a_bug_keeps_its_cause() -> None:
    cause = KeyError("x")
    assert internal_error(cause).__cause__ is cause
    assert isinstance(internal_error(cause), InternalError)


def test_no_name_hides_a_builtin() -> None:
    assert not {error.__name__ for error in exceptions_of(_errors)} & set(vars(builtins))
