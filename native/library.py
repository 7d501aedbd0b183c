"""The pinned native library: find it in the official wheel, check it, put it where the package looks for it.

Used by the build (setup.py), by the generator and by the tests; needs nothing but the standard library.
`native/library.toml` holds the pins, `native/README.md` says how to renew them.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

PIN_FILE = Path(__file__).with_name("library.toml")

_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "aarch64"}


class LibraryError(Exception):
    """The pinned native library is not to be had; the text says what was tried."""


class Pin(NamedTuple):
    """The native library of one platform."""

    distribution: str
    version: str
    wheel: str
    library: str
    library_sha256: str

    @property
    def name(self) -> str:
        """The library's file name, the same in our own package."""
        return self.library.rpartition("/")[2]


def this_platform() -> str:
    """This interpreter's platform in the pin file's words, such as ``linux-x86_64``."""
    system = _SYSTEMS.get(sys.platform, sys.platform)
    if system == "linux" and platform.libc_ver()[0] != "glibc":
        system = "linux-without-glibc"
    return f"{system}-{_MACHINES.get(platform.machine().lower(), platform.machine().lower())}"


def read_pin(platform_name: str | None = None, pin_file: Path = PIN_FILE) -> Pin:
    """The pin of *platform_name*, by default of the platform that runs this."""
    pins = tomllib.loads(pin_file.read_text())
    wanted = platform_name or this_platform()
    entry = pins["platforms"].get(wanted)
    if entry is None:
        known = ", ".join(sorted(pins["platforms"]))
        raise LibraryError(f"there is no native LiveKit library for {wanted}; there is one for {known}")
    return Pin(pins["distribution"], pins["version"], entry["wheel"], entry["library"], entry["library_sha256"])


def official_wheel(pin: Pin) -> importlib.metadata.Distribution:
    """The installed official wheel, of exactly the pinned version."""
    try:
        distribution = importlib.metadata.distribution(pin.distribution)
    except importlib.metadata.PackageNotFoundError as error:
        raise LibraryError(
            f"the native library comes out of {pin.wheel}, but {pin.distribution} {pin.version} is not installed "
            f"in this build's environment ({sys.prefix}); searched: {os.pathsep.join(sys.path)}"
        ) from error
    if distribution.version != pin.version:
        raise LibraryError(
            f"the native library comes out of {pin.distribution} {pin.version}, "
            f"but this build's environment ({sys.prefix}) has {pin.distribution} {distribution.version}"
        )
    return distribution


def official_file(pin: Pin, path: str) -> Path:
    """The file *path* of the installed official wheel."""
    file = Path(str(official_wheel(pin).locate_file(path)))
    if not file.is_file():
        raise LibraryError(f"{pin.distribution} {pin.version} is installed, but lacks {file}; expected: {pin.wheel}")
    return file


def install(pin: Pin, directory: Path) -> list[Path]:
    """Put the checked library and its licences into *directory*; return their paths.

    A file that is already there and right stays as it is; any other is replaced as a whole, never written into, since
    a running process may have it mapped.
    """
    library = official_file(pin, pin.library)
    content = library.read_bytes()
    check(content, pin, library)
    licences = official_file(pin, str(Path(pin.library).with_name("LICENSE.md").as_posix()))
    directory.mkdir(parents=True, exist_ok=True)
    return [_put(directory / pin.name, content), _put(directory / "LICENSE.md", licences.read_bytes())]


def check(content: bytes, pin: Pin, where: Path) -> None:
    """Raise unless *content*, read from *where*, is the pinned library."""
    digest = hashlib.sha256(content).hexdigest()
    if digest != pin.library_sha256:
        raise LibraryError(
            f"{where} is not the pinned library of {pin.wheel}: its SHA-256 is {digest}, pinned is {pin.library_sha256}"
        )


def _put(file: Path, content: bytes) -> Path:
    if not file.is_file() or file.read_bytes() != content:
        temporary = file.with_name(f"{file.name}.{os.getpid()}.new")
        temporary.write_bytes(content)
        temporary.replace(file)
    return file
