"""Build the wheel that is published, for this platform: with the bridge, tagged for every glibc it runs on, and checked.

    uv run python native/release.py [DIRECTORY]         default: dist

Without a C compiler it fails. Linux only: auditwheel reads the symbols that the two libraries need and refuses the tag if one is newer.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import library

ROOT = Path(__file__).resolve().parent.parent
PLATFORM = f"manylinux_2_28_{platform.machine()}"  # what the native library itself needs


def build(directory: Path) -> Path:
    """The tagged and checked wheel, in *directory*."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, "LIVEKIT_TRIO_RELEASE": "1"}
        uv = os.environ.get("UV", "uv")  # set for what `uv run` starts
        subprocess.run(
            [uv, "build", "--wheel", "--quiet", "--out-dir", scratch, str(ROOT)], check=True, env=environment
        )
        untagged = next(Path(scratch).glob("*.whl"))
        command = [sys.executable, "-m", "auditwheel", "repair", "--only-plat", "--plat", PLATFORM]
        subprocess.run([*command, "--wheel-dir", str(directory), str(untagged)], check=True)
    wheel = max(directory.glob(f"*{PLATFORM}.whl"), key=lambda path: path.stat().st_mtime)
    check(wheel)
    return wheel


def check(wheel: Path) -> None:
    """Raise unless *wheel* holds the bridge, the pinned library, unchanged, and all licences."""
    pin = library.read_pin()
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        for needed in ("_ffi/_bridge.abi3.so", "_native/LICENSE.md", "licenses/LICENSE", "licenses/NOTICE"):
            if not any(name.endswith(needed) for name in names):
                raise library.LibraryError(f"{wheel.name} lacks {needed}")
        where = f"livekit_trio/_ffi/_native/{pin.name}"
        content = archive.read(where)
    library.check(content, pin, wheel / where)
    print(f"{wheel}: {pin.name} {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    build(Path(sys.argv[1] if len(sys.argv) > 1 else "dist"))
