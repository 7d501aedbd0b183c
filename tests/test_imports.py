"""Importing the package costs and starts nothing: what is heavy is imported at its first use."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("ctypes", "google.protobuf", "httpx", "livekit", "numpy")
"""ctypes only where trio and anyio have not imported it already."""


def loaded_by(module: str) -> tuple[set[str], str]:
    """The modules that *module* brings with it beyond trio's and anyio's, and the process's mapped files."""
    program = (
        "import sys, trio, anyio.abc, anyio.lowlevel\n"
        "before = set(sys.modules)\n"
        f"import {module}\n"
        "print(*set(sys.modules) - before)\n"
        "print(open('/proc/self/maps').read() if sys.platform == 'linux' else '')\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, capture_output=True, text=True)
    modules, _, maps = done.stdout.partition("\n")
    return set(modules.split()), maps


@pytest.mark.parametrize("module", ["livekit_trio", "livekit_trio.rtc"])
def test_nothing_heavy_is_imported(module: str) -> None:
    modules, maps = loaded_by(module)
    assert module in modules
    assert modules.isdisjoint({*HEAVY, "jwt", "livekit_trio.api", "livekit_trio.testing", "livekit_trio._ffi._proto"})
    assert "livekit_ffi" not in maps


def test_server_api_needs_nothing_native() -> None:
    modules, maps = loaded_by("livekit_trio.api")
    assert not [name for name in modules if name.startswith(("livekit_trio._ffi", "livekit_trio.rtc"))]
    assert "livekit_ffi" not in maps
