"""``livekit-trio publish``, ``record`` and ``watch`` in a room with livekit-client and the official SDK."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import anyio
import av
import pytest
from PIL import Image

from livekit_trio import rtc
from livekit_trio._cli._demo import CALL
from livekit_trio.testing import read_counter
from tests.peers.commands import running
from tests.peers.driver import open_official_peer

if TYPE_CHECKING:
    from pathlib import Path

    from livekit_trio.testing import DevServer
    from tests.peers.commands import Command
    from tests.peers.driver import Peer

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.parametrize(
        "anyio_backend", ["trio"], indirect=True
    ),  # on which the commands run, whatever their tests run on
]

SIZE = (640, 360)


async def test_publish_record_and_watch(server: DevServer, room_name: str, browser: Peer, tmp_path: Path) -> None:
    async with (
        open_official_peer() as official,
        running(server, "watch", room_name, "--identity", "watcher") as watching,
    ):
        await browser.ask("join", url=server.url, token=server.token("browser", room_name))
        await official.ask("join", url=server.url, token=server.token("official", room_name))
        async with running(server, "publish", str(CALL), room_name, "--identity", "player", "--loop") as publishing:
            for peer in (browser, official):
                sids = {(await peer.wait_for("track_subscribed", identity="player"))["sid"] for _ in range(2)}
                assert len(sids) == 2
            await browser.ask("show", identity="player")
            await browser.ask("screenshot", path=str(tmp_path / "browser.png"))
            await publishing.interrupt()
        with Image.open(tmp_path / "browser.png") as page:
            shown = rtc.VideoFrame.from_image(page.convert("RGBA").crop((0, 0, *SIZE)))
        assert read_counter(shown) is not None

        await browser.ask("publish_audio")
        await browser.ask("publish_video", fps=15)
        out = ("--out", str(tmp_path), "--only", "browser")
        async with running(server, "record", room_name, "--identity", "recorder", *out) as recording:
            await recording.wait_for("recording 2 tracks")
            await anyio.sleep(3)
            await recording.interrupt()
        await watching.interrupt()
    for identity in ("browser", "official", "player"):
        assert f"participant='{identity}'" in watching.said
    numbers = _numbers(tmp_path / "browser.mkv")
    assert len(set(numbers)) > 20
    assert numbers == sorted(numbers)


def _numbers(file: Path) -> list[int]:
    """Those in the pictures of a recording that can be read."""
    with av.open(str(file)) as container:
        counters = (read_counter(rtc.VideoFrame.from_av(picture)) for picture in container.decode(video=0))
        return [counter for counter in counters if counter is not None]


@pytest.mark.long
@pytest.mark.parametrize("moment", range(10))
async def test_record_is_interrupted_at_any_moment(
    server: DevServer, room_name: str, browser: Peer, tmp_path: Path, moment: int
) -> None:
    call = random.Random(moment).uniform(0, 6)
    await browser.ask("join", url=server.url, token=server.token("browser", room_name))
    await browser.ask("publish_audio")
    await browser.ask("publish_video", fps=15)
    async with running(server, "record", room_name, "--out", str(tmp_path)) as recording:
        begin = await _wait_recording(recording)
        await anyio.sleep(call)
        lasted = time.monotonic() - begin
        assert await recording.interrupt() < 3
    with av.open(str(tmp_path / "browser.mkv")) as container:
        assert {stream.type for stream in container.streams} == {"audio", "video"}
        assert container.duration is not None
        length = container.duration / av.time_base
    print(f"interrupted after {lasted:.2f} s: {length:.2f} s recorded")  # noqa: T201
    assert length == pytest.approx(lasted, abs=0.5)


async def _wait_recording(recording: Command) -> float:
    await recording.wait_for("recording 2 tracks")
    return time.monotonic()
