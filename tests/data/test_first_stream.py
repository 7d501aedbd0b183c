"""What the body accepts before its first checkpoint gets the streams that a peer sends the moment it sees us join."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
import pytest

from livekit_trio import rtc
from tests.data.conftest import few_or_many
from tests.rtc.test_first_checkpoint import BLOCKED, Usher, open_usher

if TYPE_CHECKING:
    from livekit_trio.testing import DevServer
    from tests.peers.driver import OfficialPeer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

AT_ONCE: Final = 5


@few_or_many
async def test_a_first_stream_is_never_missed(
    server: DevServer, room_name: str, peer: OfficialPeer, *, many: bool
) -> None:
    await peer.ask("join", url=server.url, token=server.token("bob", room_name), stream="greeting", tell=False)
    waves = 20 if many else 2
    came = ahead = 0

    async def join(usher: Usher, identity: str, *, blocked: bool) -> None:
        nonlocal came, ahead
        async with rtc.open_room(server.url, server.token(identity, room_name)) as room:
            if blocked:
                time.sleep(BLOCKED)  # noqa: ASYNC251 - it comes meanwhile, and nobody is there to take it
            begin = time.monotonic()
            with room.accept_text_streams("greeting") as texts, room.accept_byte_streams("greeting") as files:
                with anyio.fail_after(20):
                    text = await (await texts.receive()).read_all()
                    data = await (await files.receive()).read_all()
            usher.joining -= {identity}
            came += text == data.decode()
            ahead += float(text) < begin

    async with open_usher(server, room_name) as usher:
        for wave in range(waves):
            usher.joining = frozenset(f"ann-{wave}-{number}" for number in range(AT_ONCE))
            async with anyio.create_task_group() as group:
                for identity in usher.joining:
                    group.start_soon(partial(join, usher, identity, blocked=wave % 2 == 1))
    assert came == waves * AT_ONCE
    if many:
        assert ahead > waves * AT_ONCE // 4, "too few came before anybody could take them"
