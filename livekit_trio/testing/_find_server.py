"""Where the livekit-server program comes from."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ._install_server import VERSION, install_server
from ._server_errors import ServerNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

SERIES: Final = ".".join(VERSION.split(".")[:2])
"""What a server on PATH must be: minor releases of the server change what clients see."""


def find_server(*, checkpoint: Callable[[], None] = lambda: None) -> Path:
    """Find a livekit-server; if there is none, build one into the user's cache, once, which takes minutes.

    It is the file named by LIVEKIT_SERVER, whatever its version; else ``livekit-server`` on PATH if it is of the right
    series; else the one in the cache. The progress of a build is on stderr.

    Args:
        checkpoint: called every now and then during a build; what it raises ends the build.

    Raises:
        ServerNotFoundError: there is none and none can be built; it says what to install.
    """
    named = os.environ.get("LIVEKIT_SERVER")
    if named:
        program = shutil.which(named)
        if program is None:
            raise ServerNotFoundError((("LIVEKIT_SERVER", f"{named} is not an executable file"),))
        return Path(program)
    on_path = shutil.which("livekit-server")
    refused = "not there" if on_path is None else _refuse(on_path)
    if on_path is not None and refused is None:
        return Path(on_path)
    cached = cached_server()
    if not cached.exists():
        try:
            install_server(cached, checkpoint)
        except ServerNotFoundError as error:
            attempts = (("livekit-server on PATH", str(refused)), (str(cached), "not there"), *error.attempts)
            raise ServerNotFoundError(attempts) from error
    return cached


def find_mock(*, checkpoint: Callable[[], None] = lambda: None) -> Path:
    """Find LiveKit's own mock of the server, in the user's cache; if it is not there, build it like the server.

    Args:
        checkpoint: as for `find_server`.

    Raises:
        ServerNotFoundError: it cannot be built.
    """
    cached = _cached("livekit-test-server")
    if not cached.exists():
        install_server(cached, checkpoint)
    return cached


def cached_server() -> Path:
    """The file in the user's cache, which need not exist."""
    return _cached("livekit-server")


def _cached(program: str) -> Path:
    name = f"{program}.exe" if os.name == "nt" else program
    return _cache_directory() / "livekit-trio" / f"livekit-server-{VERSION}" / name


def _cache_directory() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _refuse(program: str) -> str | None:
    """Why *program* will not do, or None."""
    try:
        result = subprocess.run(  # noqa: S603 - the user's own PATH
            (program, "--version"), capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{program} does not run: {error}"
    version = re.search(r"\d+\.\d+\.\d+", result.stdout)
    if version is None:
        return f"{program} does not say its version"
    if version[0].startswith(f"{SERIES}."):
        return None
    return f"{program} is version {version[0]}, needed is {SERIES}"
