# pyright: basic
"""A participant on livekit-client in a headless Chromium, as a program: JSON lines in, JSON lines out, as `official.py`.

Arguments: the folder of the npm package's ``dist``. A line in calls a function of `peer` in `web/peer.js`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from playwright.async_api import async_playwright
from typing_extensions import override

WEB = Path(__file__).with_name("web")
FLAGS = [
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
]


def say(line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Pages(SimpleHTTPRequestHandler):
    """The page, and the library that it loads."""

    def __init__(self, dist: str, *args: object) -> None:
        self.dist = Path(dist)
        super().__init__(*args, directory=str(WEB))  # type: ignore[arg-type]

    @override
    def translate_path(self, path: str) -> str:
        head, _, name = path.rpartition("/")
        return str(self.dist / name) if head == "/livekit-client" else super().translate_path(path)

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


async def main(dist: str) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages, dist)) as pages:
        Thread(target=pages.serve_forever, daemon=True).start()
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            page = await browser.new_page()
            page.on("pageerror", lambda error: say({"event": "page_error", "text": str(error)}))
            await page.expose_function("say", say)
            await page.goto(f"http://127.0.0.1:{pages.server_port}/index.html")
            await obey(page)
            await browser.close()
        pages.shutdown()


async def obey(page) -> None:
    """Do what comes in, one after the other, until there is no more."""
    lines = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        command = json.loads(line)
        name = command.pop("do")
        try:
            if name == "screenshot":
                result = await page.screenshot(path=command["path"]) and None
            else:
                result = await page.evaluate("([name, arguments]) => peer[name](arguments)", [name, command])
            say({"result": result})
        except Exception as error:  # noqa: BLE001 - the other end raises it
            say({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
