"""The scan for secrets finds what is planted, wherever it is planted, and nothing where there is nothing."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from livekit_trio import api

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

pytest_plugins = ["pytester"]

PLANTS = """
import gc, logging, subprocess, sys, warnings

import pytest

from livekit_trio import api, rtc
from livekit_trio._ffi import _logs
from livekit_trio.testing import DevServer

TOKEN = api.AccessToken("key", "s" * 32).with_identity("a").to_jwt()
SECRET = "fdYwcVjQ3L8mG5nTKJpX"
KEY = b"correct horse battery"

@pytest.fixture(autouse=True)
def secrets():
    DevServer(1, "key", SECRET, None)
    rtc.KeyProviderOptions(shared_key=KEY)

def swallow(error, cause=None):
    try:
        raise error from cause
    except rtc.LiveKitError:
        pass

def test_red_stdout(): print("hello", TOKEN)
def test_red_stderr(): print(TOKEN, file=sys.stderr)
def test_red_log(): logging.getLogger("livekit_trio").warning("hello %s", TOKEN)
def test_red_native_stderr(): subprocess.run((sys.executable, "-c", f"print({TOKEN!r})"))
def test_red_subprocess(): subprocess.run((sys.executable, "-c", f"print({TOKEN!r})"), capture_output=True)
def test_red_read_by_the_test(capsys): print(TOKEN); capsys.readouterr()
def test_red_args(): swallow(rtc.NativeRefusalError("connect", f"token: {TOKEN}"))
def test_red_cause(): swallow(rtc.StreamBusyError(), ValueError(TOKEN))
def test_red_note():
    error = rtc.RoomClosedError(rtc.DisconnectReason.ROOM_DELETED)
    error.add_note(f"joined with {TOKEN}")
    swallow(error)
def test_red_context():
    try:
        {}[TOKEN]
    except KeyError:
        swallow(rtc.OperationError("no"))
def test_red_cycle():
    error = rtc.OperationError(TOKEN)
    error.itself = error
def test_green_after_the_death_of_others(): gc.collect()
def test_red_caught():
    with pytest.raises(ValueError): raise ValueError(TOKEN)
def test_red_caught_in_a_group():
    with pytest.RaisesGroup(ValueError): raise ExceptionGroup("g", [ValueError(TOKEN)])
def test_red_caught_warning():
    with pytest.warns(UserWarning): warnings.warn(TOKEN)
def test_red_api_secret(): print(f"secret={SECRET}")
def test_red_key(): print(rtc.KeyProviderOptions(shared_key=KEY).shared_key)
def test_red_key_as_rust_prints_it(): print(f"shared_key: {list(KEY)}")

@pytest.fixture
def late(): yield; print(TOKEN)
def test_red_teardown(late): pass

def test_green_redacted(): print(_logs.redact(f"token: {TOKEN!r}"))
def test_green_unsigned(): print(TOKEN.rpartition(".")[0])
def test_green_error(): swallow(rtc.NativeRefusalError("connect", "token: <redacted>"))
def test_green_half_made_error():
    with pytest.raises(TypeError): rtc.NativeRefusalError(1, 2, 3)
@pytest.mark.prints_secrets(reason="to show that it may")
def test_green_on_purpose(): print(TOKEN)
@pytest.mark.prints_secrets(reason="printing is one thing, an error another")
def test_red_error_of_one_that_may_print(): swallow(rtc.OperationError(TOKEN))
"""

REFUSAL = """
import os, anyio, pytest
from livekit_trio import rtc
from livekit_trio._ffi import _logs

async def join():
    async with rtc.open_room(os.environ["URL"], os.environ["TOKEN"]):
        pytest.fail("joined")

def test_green(caplog):
    caplog.set_level(0)
    with pytest.raises(rtc.ConnectError, match="expired"):
        anyio.run(join)

def test_red_without_redaction(caplog, monkeypatch):
    monkeypatch.setattr(_logs, "redact", str)
    test_green(caplog)
"""


@pytest.fixture
def scanned(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    return pytester


def run(pytester: pytest.Pytester, tests: str, *options: str) -> dict[str, str]:
    """The outcome of each test; an error at its end counts too."""
    pytester.makepyfile(tests)
    lines = pytester.runpytest_subprocess("-v", "-p", "tests.secret_scan", *options).outlines
    found = [
        re.search(r"(?:(PASSED|FAILED|ERROR) )?\w+\.py::(test_\w+)(?: (PASSED|FAILED|ERROR))?", line) for line in lines
    ]
    return {match[2]: match[1] or match[3] for match in found if match and (match[1] or match[3])}


@pytest.mark.prints_secrets(reason="what was planted shows in the inner run's report")
@pytest.mark.parametrize("processes", [0, 2])
def test_what_is_planted_is_found_and_nothing_else(scanned: pytest.Pytester, processes: int) -> None:
    outcomes = run(scanned, PLANTS, f"-n{processes}")
    assert outcomes.keys() == set(re.findall(r"def (test_\w+)", PLANTS))
    red = {name for name, outcome in outcomes.items() if outcome != "PASSED"}
    assert red == {name for name in outcomes if name.startswith("test_red")}


@pytest.mark.prints_secrets(reason="without redaction the inner run's report shows the token")
def test_the_servers_refusal_quotes_the_token_and_only_redaction_hides_it(
    server: DevServer, scanned: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    grants = api.VideoGrants(room_join=True, room="r")
    expired = server.access_token().with_identity("a").with_grants(grants).with_ttl(-dt.timedelta(hours=1))
    monkeypatch.setenv("URL", server.url)
    monkeypatch.setenv("TOKEN", expired.to_jwt())
    assert run(scanned, REFUSAL) == {"test_green": "PASSED", "test_red_without_redaction": "FAILED"}


def test_a_find_does_not_quote_what_it_found(scanned: pytest.Pytester) -> None:
    scanned.makepyfile("""
        import pytest
        from livekit_trio import api

        def test_red():
            with pytest.raises(ValueError):
                raise ValueError("token: " + api.AccessToken("key", "s" * 32).with_identity("a").to_jwt())
    """)
    result = scanned.runpytest_subprocess("-p", "tests.secret_scan")
    result.stdout.fnmatch_lines(["a JSON web token in the error ValueError, after 'token:'"])
    result.assert_outcomes(failed=1)


@pytest.mark.prints_secrets(reason="pytest shows the warning")
@pytest.mark.parametrize("processes", [0, 2])
def test_a_warning_fails_the_run(scanned: pytest.Pytester, processes: int) -> None:
    scanned.makepyfile("""
        import warnings
        from livekit_trio import api

        def test():
            warnings.warn("token: " + api.AccessToken("key", "s" * 32).with_identity("a").to_jwt())
    """)
    result = scanned.runpytest_subprocess("-p", "tests.secret_scan", f"-n{processes}")
    result.stdout.fnmatch_lines(["The secret scan found a JSON web token in a warning of *::test, after 'token:'"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_who_prints_on_purpose_says_why(scanned: pytest.Pytester) -> None:
    scanned.makepyfile("import pytest\n@pytest.mark.prints_secrets\ndef test(): pass")
    result = scanned.runpytest_subprocess("-p", "tests.secret_scan")
    assert result.ret != pytest.ExitCode.OK
    result.stderr.fnmatch_lines(["*prints_secrets needs a reason*"])
