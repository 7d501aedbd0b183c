"""Forked children, forkserver and spawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .programs.forks import WELL
from .running import run_program

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer


def test_children(server: DevServer, anyio_backend_name: str) -> None:
    room = f"forks {anyio_backend_name}"
    ours = server.token("ours", room, can_update_own_metadata=True)
    first = server.token("first", f"{room}, before")
    others = [server.token(identity, room) for identity in ("spawned", "served")]
    report = run_program("forks", anyio_backend_name, server.url, ours, first, *others).report()
    children = ["before any room", "a call", "fork", "spawn", "forkserver"]
    if anyio_backend_name == "trio":
        children.append("leaving")
    assert report == {
        **dict.fromkeys(children, WELL),
        "name": "still here",
        "packets": ["from a child", "from a child"],
        "connected": True,
    }
