"""``livekit-trio publish``, ``record`` and ``watch`` in a room with the official SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import av
import pytest

from livekit_trio._cli._demo import CALL
from livekit_trio.testing import assert_idle
from tests.media.rooms import playing, showing
from tests.peers.commands import WITHIN, running
from tests.peers.driver import open_official_peer

if TYPE_CHECKING:
    from pathlib import Path

    from livekit_trio.testing import DevServer

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)]
"""The commands run on Trio, whatever their tests run on."""


async def test_publish_is_heard_and_ends_with_the_file(server: DevServer, tmp_path: Path) -> None:
    async with open_official_peer() as peer, running(server, "publish", str(CALL), "published", "--wait") as command:
        await command.wait_for("playing audio and video into published")
        await peer.ask("join", url=server.url, token=server.token("peer", "published"))
        kinds = {(await peer.wait_for("track_subscribed", identity="livekit-trio"))["sid"][:5] for _ in range(2)}
        assert len(kinds) == 2
        with anyio.fail_after(WITHIN):
            assert await command.process.wait() == 0


async def test_record_until_interrupted(server: DevServer, tmp_path: Path) -> None:
    from livekit_trio import rtc

    async with rtc.open_room(server.url, server.token("ann/../x", "recorded")) as room:
        async with (
            playing(room),
            showing(room, fps=15),
            running(server, "record", "recorded", "--out", str(tmp_path)) as command,
        ):
            await command.wait_for("recording 2 tracks")
            await anyio.sleep(2)
            await command.interrupt()
    await assert_idle()
    (file,) = tmp_path.iterdir()  # noqa: ASYNC240 - a directory of ours
    seconds = float((await command.wait_for(r"([\d.]+) s\n"))[1])
    with av.open(str(file)) as container:
        assert {stream.type for stream in container.streams} == {"audio", "video"}
        assert sum(1 for _ in container.decode(video=0)) > 10
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(seconds, abs=0.3)


async def test_watch_tells_who_comes(server: DevServer) -> None:
    from livekit_trio import rtc

    async with running(server, "watch", "watched", "--identity", "watcher") as command:
        await command.wait_for("watched, connected|watcher")
        async with rtc.open_room(server.url, server.token("ann", "watched")) as room, playing(room):
            await command.wait_for("TrackSubscribed track='tone'")
        await command.wait_for("ParticipantDisconnected participant='ann'")
        await command.interrupt()
    assert "Traceback" not in command.said
