"""Build the fake native library: ``python native/fake/build.py`` prints where it is.

It is built once for each state of its sources, under `native/build/`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NATIVE = Path(__file__).resolve().parent.parent
SOURCES = (NATIVE / "fake" / "fake_ffi.c", NATIVE / "bridge" / "map.c")
HEADERS = (NATIVE / "fake" / "fake_ffi.h", *(NATIVE / "bridge" / name for name in ("map.h", "platform.h", "wire.h")))
FLAGS = ("-std=c11", "-O2", "-g", "-fPIC", "-shared", "-pthread", "-Wall", "-Wextra")


def compiler() -> list[str]:
    """The command of a C compiler: CC, what is on PATH, or the zig of the package ziglang.

    Raises:
        FileNotFoundError: there is none.
    """
    if os.environ.get("CC"):
        return os.environ["CC"].split()
    for name in ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return [found]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    raise FileNotFoundError("there is no C compiler: neither $CC nor cc, gcc, clang or the package ziglang")


def build_fake(out_dir: Path = NATIVE / "build") -> Path:
    """Build the fake library unless it is there already, and return its path.

    Raises:
        FileNotFoundError: there is no C compiler.
        subprocess.CalledProcessError: it does not compile.
    """
    digest = hashlib.sha256(repr(FLAGS).encode())
    for file in (*SOURCES, *HEADERS):
        digest.update(file.read_bytes())
    library = out_dir / f"libfake_ffi-{digest.hexdigest()[:12]}.so"
    if library.exists():
        return library
    out_dir.mkdir(parents=True, exist_ok=True)
    # Aside, and then moved: another process may be building the same.
    with tempfile.TemporaryDirectory(dir=out_dir) as aside:
        fresh = Path(aside) / library.name
        subprocess.run([*compiler(), *FLAGS, *map(str, SOURCES), "-o", str(fresh)], check=True)
        fresh.replace(library)
    return library


if __name__ == "__main__":
    sys.stdout.write(f"{build_fake()}\n")
