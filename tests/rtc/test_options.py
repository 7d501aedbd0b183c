"""Options: what they refuse, what they hide, and what the native library gets of them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from livekit_trio import __version__, rtc
from livekit_trio._ffi import _proto as native
from livekit_trio.rtc._convert import room_options, track_permission

REFUSED: list[tuple[type, dict[str, Any], type[Exception]]] = [
    (rtc.RoomOptions, {"auto_subscribe": 1}, TypeError),
    (rtc.RoomOptions, {"dynacast": None}, TypeError),
    (rtc.RoomOptions, {"adaptive_stream": "yes"}, TypeError),
    (rtc.RoomOptions, {"join_retries": -1}, ValueError),
    (rtc.RoomOptions, {"join_retries": 1.5}, TypeError),
    (rtc.RoomOptions, {"join_retries": True}, TypeError),
    (rtc.RoomOptions, {"single_peer_connection": 1}, TypeError),
    (rtc.RoomOptions, {"encryption": {}}, TypeError),
    (rtc.RoomOptions, {"rtc_config": {}}, TypeError),
    (rtc.RoomOptions, {"data_stream": 5}, TypeError),
    # the native library aborts on numbers that it does not know
    (rtc.RtcConfiguration, {"ice_transport_type": rtc.IceTransportType(9)}, ValueError),
    (rtc.RtcConfiguration, {"ice_transport_type": 2}, TypeError),
    (rtc.RtcConfiguration, {"continual_gathering_policy": rtc.ContinualGatheringPolicy(-1)}, ValueError),
    (rtc.RtcConfiguration, {"ice_servers": ["stun:host"]}, TypeError),
    (rtc.IceServer, {"urls": "stun:host"}, TypeError),
    (rtc.IceServer, {"urls": []}, ValueError),
    (rtc.IceServer, {"urls": [b"stun:host"]}, TypeError),
    (rtc.IceServer, {"urls": ["https://host"]}, ValueError),
    (rtc.IceServer, {"urls": ["turn:host"], "username": "u"}, ValueError),
    (rtc.IceServer, {"urls": ["stun:host"], "password": None}, TypeError),
    (rtc.E2EEOptions, {"encryption_type": rtc.EncryptionType.NONE}, ValueError),
    (rtc.E2EEOptions, {"encryption_type": rtc.EncryptionType(5)}, ValueError),
    (rtc.E2EEOptions, {"key_provider_options": b"key"}, TypeError),
    (rtc.KeyProviderOptions, {"shared_key": "text"}, TypeError),
    (rtc.KeyProviderOptions, {"shared_key": b""}, ValueError),
    (rtc.KeyProviderOptions, {"ratchet_salt": b""}, ValueError),
    (rtc.KeyProviderOptions, {"ratchet_window_size": -1}, ValueError),
    (rtc.KeyProviderOptions, {"ratchet_window_size": 256}, ValueError),
    (rtc.KeyProviderOptions, {"failure_tolerance": -2}, ValueError),
    (rtc.KeyProviderOptions, {"failure_tolerance": 2**31}, ValueError),
    (rtc.KeyProviderOptions, {"key_ring_size": 0}, ValueError),
    (rtc.KeyProviderOptions, {"key_ring_size": 256}, ValueError),
    (rtc.KeyProviderOptions, {"key_derivation_function": rtc.KeyDerivationFunction(3)}, ValueError),
    (rtc.DataStreamOptions, {"max_payload_byte_length": 0}, ValueError),
    (rtc.DataStreamOptions, {"max_payload_byte_length": 2**63}, ValueError),
    (rtc.ParticipantTrackPermission, {"participant_identity": 5}, TypeError),
    (rtc.ParticipantTrackPermission, {"participant_identity": "a", "allow_all": 1}, TypeError),
    # the native library aborts on them
    (rtc.ParticipantTrackPermission, {"participant_identity": "a", "allowed_track_sids": ["PA_1"]}, ValueError),
    (rtc.ParticipantTrackPermission, {"participant_identity": "a", "allowed_track_sids": "TR_1"}, TypeError),
]


@pytest.mark.parametrize(("cls", "values", "error"), REFUSED)
def test_what_would_go_wrong_natively_is_refused_at_once(
    cls: type, values: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        cls(**values)


def test_they_are_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        rtc.RoomOptions().dynacast = True  # pyright: ignore[reportAttributeAccessIssue]


def test_secrets_are_in_no_text() -> None:
    keys = rtc.KeyProviderOptions(shared_key=b"my-key", ratchet_salt=b"my-salt")
    server = rtc.IceServer(["turn:host"], "user", "my-password")
    options = rtc.RoomOptions(
        encryption=rtc.E2EEOptions(key_provider_options=keys), rtc_config=rtc.RtcConfiguration(ice_servers=[server])
    )
    assert "user" in repr(options)
    assert not any(secret in repr(options) for secret in ("my-key", "my-salt", "my-password"))
    with pytest.raises(TypeError) as refused:
        rtc.KeyProviderOptions(shared_key="my-key")  # pyright: ignore[reportArgumentType]
    assert "my-key" not in str(refused.value)


def to_message(options: rtc.RoomOptions) -> native.RoomOptions:
    fields: Any = room_options(options, connect_timeout_ms=5000, join_retries=0)
    message = native.RoomOptions(**fields)
    assert message.IsInitialized()
    return message


def test_the_defaults_leave_much_to_the_native_library() -> None:
    message = to_message(rtc.RoomOptions())
    assert {field.name: value for field, value in message.ListFields()} == {
        "auto_subscribe": True,
        "adaptive_stream": False,
        "dynacast": False,
        "join_retries": 0,
        "connect_timeout_ms": 5000,
        "other_sdks": f"livekit_trio:{__version__}",
    }


def test_everything_reaches_the_native_library() -> None:
    keys = rtc.KeyProviderOptions(
        shared_key=b"key",
        ratchet_salt=b"salt",
        ratchet_window_size=3,
        failure_tolerance=7,
        key_ring_size=20,
        key_derivation_function=rtc.KeyDerivationFunction.HKDF,
    )
    message = to_message(
        rtc.RoomOptions(
            auto_subscribe=False,
            dynacast=True,
            adaptive_stream=True,
            encryption=rtc.E2EEOptions(key_provider_options=keys),
            rtc_config=rtc.RtcConfiguration(
                ice_transport_type=rtc.IceTransportType.TRANSPORT_RELAY,
                continual_gathering_policy=rtc.ContinualGatheringPolicy.GATHER_ONCE,
                ice_servers=[rtc.IceServer(["stun:a"]), rtc.IceServer(["turn:b", "turns:c"], "u", "p")],
            ),
            single_peer_connection=False,
            data_stream=rtc.DataStreamOptions(max_payload_byte_length=1000),
        )
    )
    assert (message.auto_subscribe, message.dynacast, message.adaptive_stream) == (False, True, True)
    assert message.single_peer_connection is False
    assert message.data_stream.max_payload_byte_length == 1000
    provider = message.encryption.key_provider_options
    assert message.encryption.encryption_type == rtc.EncryptionType.GCM
    assert (provider.shared_key, provider.ratchet_salt) == (b"key", b"salt")
    assert (provider.ratchet_window_size, provider.failure_tolerance, provider.key_ring_size) == (3, 7, 20)
    assert provider.key_derivation_function == rtc.KeyDerivationFunction.HKDF
    config = message.rtc_config
    assert (config.ice_transport_type, config.continual_gathering_policy) == (0, 0)
    first, second = config.ice_servers
    assert (list(first.urls), first.HasField("username"), first.HasField("password")) == (["stun:a"], False, False)
    assert (list(second.urls), second.username, second.password) == (["turn:b", "turns:c"], "u", "p")


def test_no_shared_key_is_none_and_not_an_empty_one() -> None:
    message = to_message(rtc.RoomOptions(encryption=rtc.E2EEOptions(), data_stream=rtc.DataStreamOptions()))
    assert not message.encryption.key_provider_options.HasField("shared_key")
    assert not message.HasField("data_stream")


def test_track_permissions_reach_the_native_library() -> None:
    permission = rtc.ParticipantTrackPermission(participant_identity="a", allowed_track_sids=["TR_1"])
    fields: Any = track_permission(permission)
    message = native.ParticipantTrackPermission(**fields)
    assert (message.participant_identity, message.allow_all) == ("a", False)
    assert list(message.allowed_track_sids) == ["TR_1"]
