"""docs/full_program.md: the program as it stands there, on both event loops, each of its steps seen by a second participant."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from livekit_trio import rtc
from livekit_trio.testing import assert_idle

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer

PAGE: Final = (Path(__file__).parents[1] / "docs" / "full_program.md").read_text()
DOCUMENT: Final = b"%PDF-1.7\n" * 5_000


def read_program(backend: str) -> dict[str, Any]:
    """Its names; for asyncio, changed as the page says."""
    [program] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    if backend != "trio":
        _, replacements = PAGE.split("| on Trio | on asyncio |\n| --- | --- |\n")
        for trio, asyncio in re.findall(r"^\| `(.+)` \| `(.+)` \|$", replacements, re.MULTILINE):
            assert trio in program
            program = program.replace(trio, asyncio)
        assert "trio" not in program.replace("livekit_trio", "")
    names: dict[str, Any] = {"__name__": "program"}
    exec(program, names)
    return names


@pytest.mark.anyio
async def test_a_second_participant_sees_each_step(
    anyio_backend_name: str,
    server: DevServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    await anyio.Path("document.pdf").write_bytes(DOCUMENT)
    room_name = f"full-program-{anyio_backend_name}"
    monkeypatch.setenv("LIVEKIT_URL", server.url)
    monkeypatch.setenv("LIVEKIT_TOKEN", server.token("presenter", room_name, can_update_own_metadata=True))
    program = read_program(anyio_backend_name)
    minute, noticed = anyio.Event(), anyio.Event()
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line == "  New: new":
            noticed.set()

    def of_presenter(event: rtc.TrackUnpublished | rtc.ParticipantDisconnected) -> bool:
        return event.participant.identity == "presenter"

    program |= {"keep_running": minute.wait, "print": say}

    with anyio.fail_after(120):
        async with (
            anyio.create_task_group() as group,
            rtc.open_room(server.url, server.token("guest", room_name, can_update_own_metadata=True)) as guest,
        ):
            me = guest.local_participant

            me.register_rpc_method("echo", lambda call: call.payload.upper())
            with (
                guest.open_events(rtc.DataReceived) as packets,
                guest.open_events(rtc.TrackUnpublished, rtc.ParticipantDisconnected, where=of_presenter) as ends,
                guest.accept_text_streams("chat") as texts,
                guest.accept_byte_streams("file-sharing") as files,
            ):
                group.start_soon(program["main"])
                presenter = await guest.wait_for_participant("presenter")
                attributes = {"role": "presenter", "team": "blue"}
                await guest.wait_until(lambda: dict(presenter.attributes) == attributes)
                assert json.loads(presenter.metadata) == {"status": "active", "version": "1.0"}
                assert presenter.name == "My Display Name"

                track = (await guest.wait_for(rtc.TrackSubscribed, include_existing=True)).publication
                assert track.name == "microphone"

                announcement, private = await packets.receive(), await packets.receive()
                assert (announcement.topic, private.topic) == ("announcements", "private")
                assert json.loads(announcement.data) == {"type": "announcement", "text": "Hello everyone"}
                assert private.data == b"Private message"

                chat = await texts.receive()
                assert (await chat.read_all(), chat.sender_identity) == ("Hello from stream!", "presenter")
                file = await files.receive()
                assert (file.info.name, file.info.size) == ("document.pdf", len(DOCUMENT))
                assert await file.read_all() == DOCUMENT

                status = await me.perform_rpc(destination_identity="presenter", method="get_status")
                assert json.loads(status) == {"status": "healthy", "uptime": 3600}

                async with rtc.open_room(server.url, server.token("stranger", room_name)) as stranger:
                    await stranger.wait_for(rtc.TrackPublished, include_existing=True)
                    await me.set_metadata("new")
                    await noticed.wait()
                    [offered] = stranger.remote_participants["presenter"].track_publications.values()
                    assert not offered.subscribed

                minute.set()
                assert isinstance(await ends.receive(), rtc.TrackUnpublished)
                assert isinstance(await ends.receive(), rtc.ParticipantDisconnected)
        await assert_idle()

    printed = "\n".join(said)
    for lines in (
        "Local identity: presenter",
        "Participant joined: guest",
        "Published track: TR_",
        "RPC call from guest",
        "RPC response: TEST MESSAGE",
        "Sent file: document.pdf",
        "guest metadata changed:\n  Old: \n  New: new",
    ):
        assert lines in printed
