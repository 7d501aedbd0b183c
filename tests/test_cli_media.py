"""``livekit-trio publish``, ``record`` and ``watch`` in a room with the official SDK."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import av
import pytest
import trio

from livekit_trio._cli._demo import CALL
from livekit_trio._cli._record import _Recording
from livekit_trio.testing import assert_idle
from tests.media.fakes import AUDIO, VIDEO, staged
from tests.media.rooms import playing, showing
from tests.peers.commands import WITHIN, running
from tests.peers.driver import open_official_peer

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

ROOT: Final = Path(__file__).parents[1]

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


async def test_what_cannot_be_played_is_said(server: DevServer) -> None:
    for name in ("README.md", "pyproject.toml"):
        async with running(server, "publish", str(ROOT / name), "not published") as command:
            await command.wait_for(f"livekit-trio: cannot play .*{name}: ")
            with anyio.fail_after(WITHIN):
                assert await command.process.wait() == 1


@pytest.mark.parametrize("option", ["--loop", "--wait"])
async def test_publish_ends_with_its_room(server: DevServer, option: str) -> None:
    room = f"published{option}"
    async with running(server, "publish", str(CALL), room, option) as command:
        await command.wait_for("playing audio and video")
        await server.delete_room(room)
        await command.wait_for("The room has ended: ROOM_DELETED")
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


async def test_sound_and_pictures_that_come_one_after_the_other_are_in_one_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = _Recording(tmp_path)
    async with staged() as stage:
        async with trio.open_nursery() as nursery:
            for kind in (AUDIO, VIDEO):
                await stage.subscribe(kind)
                nursery.start_soon(recording.follow, stage.room, stage.bob)
            await anyio.wait_all_tasks_blocked()
            await stage.room.disconnect()
    assert [file.name for file in tmp_path.iterdir()] == ["bob.mkv"]  # noqa: ASYNC240 - a directory of ours
    assert capsys.readouterr().out.count("recording 2 tracks") == 1


async def test_nothing_is_recorded_of_a_room_that_ends_as_somebody_comes(tmp_path: Path) -> None:
    async with staged() as stage:
        await stage.subscribe(AUDIO)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_Recording(tmp_path).follow, stage.room, stage.bob)
            await anyio.wait_all_tasks_blocked()
            await stage.room.disconnect()
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240 - a directory of ours


async def test_watch_tells_who_comes(server: DevServer) -> None:
    from livekit_trio import rtc

    async with running(server, "watch", "watched", "--identity", "watcher") as command:
        await command.wait_for("watched, connected|watcher")
        async with rtc.open_room(server.url, server.token("ann", "watched")) as room, playing(room):
            await command.wait_for("TrackSubscribed track='tone'")
        await command.wait_for("ParticipantDisconnected participant='ann'")
        await command.interrupt()
    assert "Traceback" not in command.said
