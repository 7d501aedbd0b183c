"""Join a room with an installed wheel, where there is no compiler, no official SDK and no source tree."""

import hashlib
import importlib.metadata
import shutil
import sys
from pathlib import Path

import trio

import livekit_trio
from livekit_trio import rtc
from livekit_trio._ffi._load import load_library
from livekit_trio.testing import open_server


async def main() -> None:
    async with open_server() as server, rtc.open_room(server.url, server.token("wheel", "wheel")) as room:
        assert room.connected
        listed = [participant["identity"] for participant in await server.list_participants("wheel")]
        assert listed == ["wheel"], listed


assert "site-packages" in livekit_trio.__file__, livekit_trio.__file__
assert "livekit" not in {one.name for one in importlib.metadata.distributions()}, "the official SDK is installed"
assert not any(map(shutil.which, ("cc", "gcc", "clang"))), "there is a C compiler"
trio.run(main)
library = load_library()
assert library.name == "bridge", library.name
digest = hashlib.sha256(Path(library.path).read_bytes()).hexdigest()
print(f"Python {sys.version.split()[0]} joined a room through the {library.name}; {library.path}: SHA-256 {digest}")
