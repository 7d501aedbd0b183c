"""Build the fake native library: ``python native/fake/build.py`` prints where it is.

It is built once for each state of its sources, under `native/build/`.
"""

from __future__ import annotations

import hashlib
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


def compiler() -> str | None:
    """The C compiler, or None where there is none."""
    return os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


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
    cc = compiler()
    if cc is None:
        raise FileNotFoundError("no C compiler was found: set CC, or install gcc or clang")
    out_dir.mkdir(parents=True, exist_ok=True)
    # Aside, and then moved: another process may be building the same.
    with tempfile.TemporaryDirectory(dir=out_dir) as aside:
        fresh = Path(aside) / library.name
        subprocess.run([*cc.split(), *FLAGS, *map(str, SOURCES), "-o", str(fresh)], check=True)
        fresh.replace(library)
    return library


if __name__ == "__main__":
    sys.stdout.write(f"{build_fake()}\n")
