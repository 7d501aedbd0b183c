"""docs/webhooks.md: its programs, as they stand there, get webhooks; what it says of the server's repetitions holds."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
import pytest
from typing_extensions import override

from tests.api.test_webhook import BODY, KEY, SECRET, sign
from tests.peers.web_servers import open_web_server

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
MOUNTED, ANYWHERE = PROGRAMS  # a further program needs a test here


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
async def test_the_web_application(tmp_path: Path) -> None:
    (tmp_path / "hooks.py").write_text(MOUNTED)
    environment = {"LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET, "PYTHONPATH": str(tmp_path)}
    printed = tmp_path / "printed"
    with printed.open("wb") as stdout:
        async with open_web_server("hypercorn-trio", "hooks:app", environment, stdout=stdout) as client:
            answer = await client.post("/webhooks/", content=BODY, headers={"authorization": sign(BODY)})
            assert answer.status_code == 200
    assert printed.read_text() == "participant_joined demo änn\n"


def test_the_function_for_threads(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Quiet(WSGIRequestHandler):
        @override
        def log_message(self, format: str, *args: Any) -> None:
            pass

    monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    names: dict[str, WSGIApplication] = {}
    exec(ANYWHERE, names)
    with make_server("127.0.0.1", 0, names["application"], handler_class=Quiet) as web_server:
        thread = threading.Thread(target=lambda: [web_server.handle_request() for _ in range(2)])
        thread.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{web_server.server_port}", trust_env=False) as client:
            right = client.post("/", content=BODY, headers={"authorization": sign(BODY)})
            wrong = client.post("/", content=BODY + b" ", headers={"authorization": sign(BODY)})
        thread.join()
    assert (right.status_code, right.text) == (200, "")
    assert (wrong.status_code, wrong.text) == (401, "the token signs another body")
    assert capsys.readouterr().out == "participant_joined demo\n"
