"""What the native library logs, and that no secret passes."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from livekit_trio._ffi import _logs, _proto
from livekit_trio._ffi._load import load_library
from livekit_trio._ffi._messages import encode_request
from livekit_trio.testing._fake_library import FakeLibrary

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ2aWRlbyI6e30sImV4cCI6MX0.hIdaE4-z_0uNIMxQ"

# As livekit-ffi 0.13.2 writes them.
SAMPLES = [
    f"server returned 401: invalid token: {JWT}, error: expired",
    f"connecting to ws://127.0.0.1:7880/rtc?access_token={JWT}&auto_subscribe=1",
    "GET /rtc?access_token=opaque-secret&sdk=rust",
    f'header "authorization": "Bearer {JWT}"',
    f'ConnectRequest {{ url: "ws://user:secret@host:1/rtc", token: "{JWT}", options: RoomOptions {{ }} }}',
    'token: "not a jwt but secret \\" still secret", options',
    f'TokenRefreshed {{ token: "{JWT}" }}',
    "SetSharedKey(SetSharedKeyRequest { shared_key: [115, 101, 99, 114, 101, 116], key_index: 0 })",
    "KeyProviderOptions { shared_key: Some([115, 101, 99, 114, 101, 116]), ratchet_salt: [115, 101, 99, 114, 101, 116] }",
    'SetKeyRequest { participant_identity: "bob", key: [115, 101, 99, 114, 101, 116], key_index: 0 }',
    "RatchetKeyResponse { new_key: Some([115, 101, 99, 114, 101, 116]) }",
    'IceServer { urls: ["turn:turn.example"], username: Some("u"), password: Some("secret") }',
    'IceServer { urls: ["turn:x"], username: "u", credential: "secret" }',
    f"cut off: {JWT[:40]}",
]


@pytest.mark.parametrize("text", SAMPLES)
def test_secrets_are_taken_out(text: str) -> None:
    redacted = _logs.redact(text)
    assert "secret" not in redacted
    assert "115" not in redacted
    assert "eyJ" not in redacted
    assert "hIdaE4" not in redacted


@pytest.mark.parametrize(
    "text",
    [
        'UnpublishTrackRequest { local_participant_handle: 77, track_sid: "TR_x", request_async_id: None }',
        "engine: signal failure: transport connection error: IO error: Connection refused (os error 111)",
        'SetLocalAttributes { attributes: [AttributesEntry { key: "colour", value: "blue" }] }',
        "connecting to ws://127.0.0.1:7880/rtc/v1",
        "key_index: 0, monkey: 3",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert _logs.redact(text) == text


def test_what_surrounds_a_secret_stays() -> None:
    text = 'SetKeyRequest { participant_identity: "bob", key: [1, 2], key_index: 0 }'
    assert _logs.redact(text) == 'SetKeyRequest { participant_identity: "bob", key: <redacted>, key_index: 0 }'
    assert _logs.redact(f"a {JWT} b") == "a <token> b"
    assert _logs.redact("wss://key:pass@host/path") == "wss://host/path"


def record(level: int, message: str, target: str = "livekit") -> bytes:
    return _proto.LogRecord(level=level, target=target, message=message).SerializeToString()


def test_records_go_to_logging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1, "livekit_trio.native")
    _logs.forward([record(level, f"at {level}") for level in range(5)])
    levels = [logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG, _logs.TRACE]
    assert caplog.record_tuples == [
        ("livekit_trio.native", level, f"livekit: at {number}") for number, level in enumerate(levels)
    ]


def test_what_is_no_fault_alarms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "livekit_trio.native")
    texts = (
        "Attempted to drop unknown FFI handle: 63177",
        "failed to send dc_event buffer_amount_change: SendError { .. }",
    )
    _logs.forward([record(level, text) for level, text in enumerate(texts)])
    assert {level for _, level, _ in caplog.record_tuples} == {logging.DEBUG}


def test_forwarded_records_are_redacted_and_shortened(caplog: pytest.LogCaptureFixture) -> None:
    _logs.forward([record(0, f"{'x' * 600_000} {JWT}"), record(0, f"token {JWT} %s %d")])
    [long, short] = caplog.messages
    assert len(long) < 2_100
    assert long.endswith("characters)")
    assert short == "livekit: token <token> %s %d"


@pytest.mark.parametrize(
    ("level", "native"),
    [(logging.CRITICAL, 0), (logging.ERROR, 0), (logging.WARNING, 1), (logging.INFO, 2), (logging.DEBUG, 3), (5, 4)],
)
def test_the_loggers_level_in_native_words(level: int, native: int) -> None:
    before = _logs.LOGGER.level
    _logs.LOGGER.setLevel(level)
    try:
        assert _logs.native_level() == native
    finally:
        _logs.LOGGER.setLevel(before)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"unpublish_track": {"local_participant_handle": 77, "track_sid": "TR_x", "stop_on_unpublish": True}}, ""),
    ({"new_audio_stream": {"track_handle": 99, "type": 0}}, ""),
    ({"set_local_metadata": {"local_participant_handle": 99, "metadata": 'm) }: "' * 1000}}, ""),
    ({"e2ee": {"room_handle": 5, "set_shared_key": {"shared_key": b"secret", "key_index": 0}}}, "115"),
]


@pytest.mark.parametrize(("request_fields", "secret"), REFUSED, ids=lambda value: next(iter(value), ""))
def test_why_the_real_library_refused(
    request_fields: dict[str, Any], secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    library = load_library()
    library.take_logs()
    messages: Any = _proto
    with pytest.raises(Exception, match="refused"):
        library.request(messages.FfiRequest(**request_fields).SerializeToString())
    assert _logs.failure_text(library, 5.0) == 'InvalidRequest("handle not found")'
    [text] = caplog.messages
    assert text.startswith("livekit_ffi::room_apis::cabi: failed to handle request")
    assert not secret or secret not in text


def test_a_refusal_without_a_reason() -> None:
    fake = FakeLibrary()
    fake.log(0, "libwebrtc", "something else")
    fake.log(1, "livekit_ffi", "a warning")
    begun = time.monotonic()
    assert _logs.failure_text(fake, 0.01) == ""
    assert 0.01 <= time.monotonic() - begun < 1


def test_the_reason_is_not_what_was_complained_of_before() -> None:
    fake = FakeLibrary()
    fake.refuse("e2ee", "the reason")
    fake.log(0, "livekit_ffi::server", "something else")
    with pytest.raises(Exception, match="refused"):
        fake.request(encode_request("e2ee", {"room_handle": fake.new_handle()}))
    assert _logs.failure_text(fake) == "the reason"


def test_the_reason_may_come_after_something_else() -> None:
    fake = FakeLibrary()
    fake.refuse("e2ee", "the reason")
    fake.log(0, "livekit_ffi::server", "something else")
    refused = encode_request("e2ee", {"room_handle": fake.new_handle()})
    taken: list[list[bytes]] = []

    def take_logs() -> list[bytes]:
        taken.append(library_logs())
        if len(taken) == 1:
            with pytest.raises(Exception, match="refused"):
                fake.request(refused)
        return taken[-1]

    library_logs, fake.take_logs = fake.take_logs, take_logs
    assert _logs.failure_text(fake, 5.0) == "the reason"


def test_a_failure_that_is_no_refusal() -> None:
    fake = FakeLibrary()
    fake.log(0, "livekit_ffi::server", f"error while connecting: {JWT}")
    assert _logs.failure_text(fake) == "error while connecting: <token>"
