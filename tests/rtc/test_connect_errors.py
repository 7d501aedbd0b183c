"""Why a room could not be joined: the native library's words, and the real thing."""

from __future__ import annotations

import datetime as dt
import socket
import traceback
from typing import Any, get_args

import anyio
import pytest

from livekit_trio import api, rtc
from livekit_trio.rtc._connect_errors import classify, is_final
from livekit_trio.testing import DevServer, assert_idle
from tests.peers.alarm import alarm
from tests.peers.mock_server import LeaveAction, MockServer, SignalMode

Kind = rtc.ConnectErrorKind

# What livekit-ffi 0.13.2 really said.
SAMPLES = [
    ("engine: signal failure: client error: 401 Unauthorized - invalid authorization token", Kind.UNAUTHORIZED, 401),
    ("engine: signal failure: client error: 401 Unauthorized - permissions denied", Kind.UNAUTHORIZED, 401),
    ("engine: signal failure: client error: 404 Not Found - 404 page not found\n", Kind.NOT_FOUND, 404),
    ("engine: signal failure: handshake error: 500 Internal Server Error", Kind.SERVER, 500),
    ("engine: signal failure: server error: 500 Internal Server Error - internal server error", Kind.SERVER, 500),
    (
        "engine: signal failure: transport connection error: IO error: Connection refused (os error 111)",
        Kind.REFUSED,
        None,
    ),
    (
        (
            "engine: signal failure: transport connection error: IO error: failed to lookup address information: "
            "Name or service not known"
        ),
        Kind.NAME,
        None,
    ),
    (
        "engine: signal failure: transport connection error: IO error: received corrupt message of type InvalidContentType",
        Kind.TLS,
        None,
    ),
    ("engine: signal failure: transport timed out", Kind.TIMEOUT, None),
    ("engine: signal failure: failed to receive livekit_protocol::JoinResponse", Kind.TIMEOUT, None),
    ("engine: signal failure: transport closed", Kind.OTHER, None),
    (
        "engine: signal failure: transport connection error: IO error: Too many open files (os error 24)",
        Kind.DESCRIPTORS,
        None,
    ),
    ("engine: connection error: wait_pc_connection timed out", Kind.MEDIA, None),
    ("something that nobody has heard before", Kind.OTHER, None),
]


@pytest.mark.parametrize(("text", "kind", "status"), SAMPLES)
def test_words_are_understood(text: str, kind: rtc.ConnectErrorKind, status: int | None) -> None:
    error = classify(text, "ws://host")
    assert (error.kind, error.status, error.url, error.text) == (kind, status, "ws://host", text)


def test_only_what_can_pass_is_tried_again() -> None:
    tried_again = {kind for text, kind, _ in SAMPLES if not is_final(classify(text, ""))}
    assert tried_again == {Kind.SERVER, Kind.REFUSED, Kind.TIMEOUT, Kind.MEDIA, Kind.OTHER}


def everything_said(error: BaseException | None) -> str:
    """All text of an error: itself, what caused it, its notes."""
    if error is None:
        return ""
    own = [str(error), repr(error), repr(error.args), *getattr(error, "__notes__", ())]
    return "\n".join([*own, *traceback.format_exception(error), everything_said(error.__cause__)])


async def fail_to_join(url: str, token: str, **options: Any) -> rtc.ConnectError:
    with pytest.raises(rtc.ConnectError) as caught:
        async with rtc.open_room(url, token, **options):
            pytest.fail("joined")
    assert token not in everything_said(caught.value)
    await assert_idle()
    return caught.value


@pytest.mark.anyio
class TestForReal:
    async def test_bad_token(self, server: DevServer) -> None:
        error = await fail_to_join(server.url, "no-token-at-all")
        assert (error.kind, error.status) == (Kind.UNAUTHORIZED, 401)

    async def test_wrong_key(self, server: DevServer) -> None:
        token = server.access_token()
        token = type(token)("other", "x" * 40).with_identity("a").to_jwt()
        assert (await fail_to_join(server.url, token)).kind == Kind.UNAUTHORIZED

    async def test_expired_token_whose_refusal_quotes_it(
        self, server: DevServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(0)
        grants = api.VideoGrants(room_join=True, room="r")
        token = server.access_token().with_identity("a").with_grants(grants).with_ttl(-dt.timedelta(hours=1)).to_jwt()
        error = await fail_to_join(server.url, token)
        assert error.kind == Kind.UNAUTHORIZED
        assert "expired" in error.text
        assert token.rpartition(".")[2] not in caplog.text

    async def test_no_grant(self, server: DevServer) -> None:
        assert (await fail_to_join(server.url, server.token("a", "r", room_join=False))).kind == Kind.UNAUTHORIZED

    async def test_refused_port(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            error = await fail_to_join(f"ws://127.0.0.1:{listener.getsockname()[1]}", "t" * 20)
        assert error.kind == Kind.REFUSED

    async def test_unknown_host(self) -> None:
        assert (await fail_to_join("ws://no-such-host.invalid", "t" * 20)).kind == Kind.NAME

    async def test_bad_tls(self, server: DevServer) -> None:
        error = await fail_to_join(server.url.replace("ws:", "wss:"), server.token("a", "r"))
        assert error.kind == Kind.TLS

    async def test_wrong_path(self, server: DevServer) -> None:
        error = await fail_to_join(server.url + "/nowhere", server.token("a", "r"))
        assert (error.kind, error.status) == (Kind.NOT_FOUND, 404)

    async def test_full_room_is_a_server_error(self, server: DevServer) -> None:
        await server.call_room_service("CreateRoom", {"name": "full", "max_participants": 1})
        async with rtc.open_room(server.url, server.token("a", "full")):
            with pytest.raises(rtc.ConnectError) as caught:
                async with rtc.open_room(server.url, server.token("b", "full")):
                    pytest.fail("joined")
        assert (caught.value.kind, caught.value.status) == (Kind.SERVER, 500)

    async def test_silent_server(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
            begin = anyio.current_time()
            async with alarm(3):
                error = await fail_to_join(url, "t" * 20, connect_timeout=3)
            assert error.kind == Kind.TIMEOUT
            assert anyio.current_time() - begin > 2.9

    async def test_relay_only_without_a_relay(self, server: DevServer) -> None:
        configuration = rtc.RtcConfiguration(ice_transport_type=rtc.IceTransportType.TRANSPORT_RELAY)
        options = rtc.RoomOptions(rtc_config=configuration)
        async with alarm(3):
            error = await fail_to_join(server.url, server.token("a", "relay"), options=options, connect_timeout=3)
        assert error.kind in (Kind.TIMEOUT, Kind.MEDIA)


# What LiveKit's mock does with a signal connection, and what that is called. It has no media: who is let in waits for that in vain.
SIGNAL_MODES: dict[SignalMode, tuple[rtc.ConnectErrorKind, int | None]] = {
    "validate_500": (Kind.SERVER, 500),
    "validate_service_not_found": (Kind.NOT_FOUND, 404),
    "room_not_found": (Kind.NOT_FOUND, 404),
    "close_before_join": (Kind.OTHER, None),
    "no_first_message": (Kind.TIMEOUT, None),
    "leave_first_message": (Kind.TIMEOUT, None),
    "happy": (Kind.TIMEOUT, None),
    "no_pong": (Kind.TIMEOUT, None),
    "close_when_connected": (Kind.TIMEOUT, None),
    "drop_when_connected": (Kind.TIMEOUT, None),
    "leave_when_connected": (Kind.TIMEOUT, None),
    "leave_during_reconnect": (Kind.TIMEOUT, None),
    "drop_on_close": (Kind.TIMEOUT, None),
}


@pytest.mark.anyio
async def test_every_signal_mode_of_the_mock_is_an_error_in_time(mock: MockServer) -> None:
    """All at once, since most of them do nothing but keep the client waiting."""
    assert set(SIGNAL_MODES) == set(get_args(SignalMode))

    async def join(mode: SignalMode, action: LeaveAction) -> None:
        begin = anyio.current_time()
        token = mock.token(f"{mode} {action}", signal=mode, leave_action=action)
        async with alarm(4.5):  # 3.02 by itself; fifteen joins at once have one loop and two cores
            with pytest.raises(rtc.ConnectError) as caught:
                async with rtc.open_room(mock.url, token, connect_timeout=3):
                    pytest.fail("joined")
        print(f"{mode} {action}: {caught.value} after {anyio.current_time() - begin:.2f} s")  # noqa: T201
        assert (caught.value.kind, caught.value.status) == SIGNAL_MODES[mode], mode

    async with anyio.create_task_group() as tasks:
        for mode in SIGNAL_MODES:
            for action in get_args(LeaveAction) if mode.startswith("leave") else ("DISCONNECT",):
                tasks.start_soon(join, mode, action)
    await assert_idle()


@pytest.mark.anyio
@pytest.mark.parametrize("url", ["", "127.0.0.1:7880", "ftp://host", "ws://", "ws:///path"])
async def test_urls_are_checked_first(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        async with rtc.open_room(url, "t"):
            pytest.fail("joined")


@pytest.mark.anyio
@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
async def test_timeouts_are_checked_first(timeout: float) -> None:
    with pytest.raises(ValueError, match="connect_timeout"):
        async with rtc.open_room("ws://host", "t", connect_timeout=timeout):
            pytest.fail("joined")
