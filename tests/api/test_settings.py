"""Where a client finds the server and its credentials, and what it refuses."""

from __future__ import annotations

from typing import Any, Final

import httpx
import livekit.api
import pytest

from livekit_trio.api import LiveKitAPI, SyncLiveKitAPI
from livekit_trio.api._settings import complete_settings, to_http

VARIABLES: Final = ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_TOKEN")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def complete(
    url: str | None = None, key: str | None = None, secret: str | None = None, token: str | None = None
) -> Any:
    return complete_settings(url, key, secret, token, 10.0, failover=True)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://host", "https://host"),
        ("https://host/", "https://host"),
        ("http://host:1234", "http://host:1234"),
        ("ws://host:1234/path//", "http://host:1234/path"),
        ("wss://host/?query=1#fragment", "https://host"),
        ("WSS://Host", "https://Host"),
        ("http://[::1]:80/", "http://[::1]:80"),
    ],
)
def test_urls(url: str, expected: str) -> None:
    assert to_http(url) == expected


@pytest.mark.parametrize(
    "url", ["host", "host:1234", "ftp://host", "https://", "https:///path", "wss+unix://x", "https://me:hidden@host"]
)
def test_urls_of_no_server(url: str) -> None:
    with pytest.raises(ValueError, match="url must") as refused:
        complete(url, "key", "secret")
    assert "hidden" not in str(refused.value)


ENVIRONMENTS: Final[list[dict[str, str]]] = [
    {},
    {"LIVEKIT_API_KEY": "ek", "LIVEKIT_API_SECRET": "es"},
    {"LIVEKIT_TOKEN": "et"},
    {"LIVEKIT_API_KEY": "ek", "LIVEKIT_API_SECRET": "es", "LIVEKIT_TOKEN": "et"},
    {"LIVEKIT_API_KEY": "ek"},
]
GIVEN: Final[list[dict[str, Any]]] = [
    {},
    {"api_key": "k", "api_secret": "s"},
    {"token": "t"},
    {"api_key": "k"},
    {"api_secret": "s"},
    {"api_key": "k", "api_secret": "s", "token": "t"},
    {"api_key": "k", "token": "t"},
]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
@pytest.mark.parametrize("given", GIVEN, ids=str)
async def test_credentials_as_in_the_official_package(
    environment: dict[str, str], given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"LIVEKIT_URL": "ws://host", **environment}.items():
        monkeypatch.setenv(name, value)
    try:
        async with livekit.api.LiveKitAPI(**given) as theirs:
            service: Any = theirs.room
            expected = (service._token or None, service.api_key, service.api_secret)
    except ValueError:
        with pytest.raises(ValueError, match="must be given"):
            LiveKitAPI(**given)
    else:
        ours = LiveKitAPI(**given)._caller.settings
        assert (ours.token, ours.api_key, ours.api_secret) == expected
        assert ours.url == "http://host"


def test_no_url() -> None:
    with pytest.raises(ValueError, match="LIVEKIT_URL"):
        complete(None, "key", "secret")


def test_no_time() -> None:
    with pytest.raises(ValueError, match="positive"):
        SyncLiveKitAPI("http://host", "key", "secret", timeout=0)


def test_a_client_beside_its_settings() -> None:
    with pytest.raises(ValueError, match="settings of the client"), httpx.Client() as client:
        SyncLiveKitAPI("http://host", "key", "secret", client=client, http2=True)


def test_with_token() -> None:
    settings = SyncLiveKitAPI.with_token("t", "http://host", timeout=3, failover=False)._caller.settings
    assert (settings.token, settings.timeout, settings.failover) == ("t", 3, False)
    settings = LiveKitAPI.with_token("t", "http://host", timeout=3, failover=False)._caller.settings
    assert (settings.token, settings.timeout, settings.failover) == ("t", 3, False)
