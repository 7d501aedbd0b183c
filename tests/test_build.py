"""The build: the pinned library, the bridge, the wheel; and what is said when one of them is not to be had."""

from __future__ import annotations

import fnmatch
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import library
import pytest

from livekit_trio._ffi import _load

ROOT = Path(__file__).parent.parent
PINS: dict[str, Any] = tomllib.loads(library.PIN_FILE.read_text())
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


# The pins.


def test_one_version_is_pinned_everywhere() -> None:
    requirement = f"{PINS['distribution']}=={PINS['version']}"
    assert requirement in PROJECT["build-system"]["requires"]
    assert requirement in PROJECT["dependency-groups"]["dev"]
    assert PINS["ffi_version"] == _load.FFI_VERSION


def test_there_is_a_library_for_each_of_the_five_platforms() -> None:
    platforms = {"linux-x86_64", "linux-aarch64", "macos-x86_64", "macos-arm64", "windows-x86_64"}
    assert set(PINS["platforms"]) == platforms
    assert len({library.read_pin(name).library_sha256 for name in platforms}) == len(platforms)


def test_library_in_use_is_the_pinned_one() -> None:
    pin = library.read_pin()
    file = ROOT / "livekit_trio" / "_ffi" / "_native" / pin.name
    assert hashlib.sha256(file.read_bytes()).hexdigest() == pin.library_sha256


def test_whole_environment_is_pinned() -> None:
    """There is no lock file: the constraints alone say what a machine gets next year."""
    installed = {f"{one.name}=={one.version}".lower().replace("_", "-") for one in importlib.metadata.distributions()}
    pinned = {pin.lower() for pin in PROJECT["tool"]["uv"]["constraint-dependencies"]}
    assert {one for one in installed if not one.startswith("livekit-trio==")} <= pinned


def test_an_edit_of_whatever_the_build_reads_rebuilds() -> None:
    keys = [key["file"] for key in PROJECT["tool"]["uv"]["cache-keys"] if "file" in key]
    read = ["pyproject.toml", "setup.py", "native/library.py", "native/library.toml"]
    read += [path.relative_to(ROOT).as_posix() for path in (ROOT / "native" / "bridge").iterdir()]
    assert [path for path in read if not any(fnmatch.fnmatchcase(path, key) for key in keys)] == []


# Getting the library.


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An official wheel, as if installed, with eight bytes for a library. Its directory."""
    directory = tmp_path / "site"
    (directory / "livekit-1.2.0.dist-info").mkdir(parents=True)
    (directory / "livekit-1.2.0.dist-info" / "METADATA").write_text("Name: livekit\nVersion: 1.2.0\n")
    resources = directory / "livekit" / "rtc" / "resources"
    resources.mkdir(parents=True)
    (resources / "liblivekit_ffi.so").write_bytes(b"\x7fELF1234")
    (resources / "LICENSE.md").write_text("its licences")
    monkeypatch.setattr(sys, "path", [str(directory)])
    return directory


@pytest.fixture
def pin() -> library.Pin:
    """The pin of that library."""
    digest = hashlib.sha256(b"\x7fELF1234").hexdigest()
    return library.Pin("livekit", "1.2.0", "livekit-1.2.0.whl", "livekit/rtc/resources/liblivekit_ffi.so", digest)


@pytest.mark.usefixtures("official")
def test_library_and_licences_are_installed(pin: library.Pin, tmp_path: Path) -> None:
    installed = library.install(pin, tmp_path / "_native")
    assert [(file.name, file.read_bytes()) for file in installed] == [
        ("liblivekit_ffi.so", b"\x7fELF1234"),
        ("LICENSE.md", b"its licences"),
    ]
    assert sorted((tmp_path / "_native").iterdir()) == sorted(installed)


@pytest.mark.usefixtures("official")
def test_library_that_is_there_is_left_alone_and_a_damaged_one_replaced_whole(pin: library.Pin, tmp_path: Path) -> None:
    file, _ = library.install(pin, tmp_path / "_native")
    first = file.stat().st_ino
    library.install(pin, tmp_path / "_native")
    assert file.stat().st_ino == first
    with file.open("r+b", buffering=0) as damaged:
        damaged.write(b"damaged!")
        library.install(pin, tmp_path / "_native")
        damaged.seek(0)
        assert damaged.read() == b"damaged!", "the file that somebody has mapped was written into"
    assert file.read_bytes() == b"\x7fELF1234"


def test_wrong_hash_names_file_wheel_and_both_hashes(official: Path, pin: library.Pin, tmp_path: Path) -> None:
    file = official / pin.library
    file.write_bytes(b"another!")
    with pytest.raises(library.LibraryError) as caught:
        library.install(pin, tmp_path / "_native")
    digest = hashlib.sha256(b"another!").hexdigest()
    for fact in (str(file), "livekit-1.2.0.whl", digest, pin.library_sha256):
        assert fact in str(caught.value)
    assert not (tmp_path / "_native").exists()


def test_wheel_without_its_library_is_named(official: Path, pin: library.Pin, tmp_path: Path) -> None:
    (official / pin.library).unlink()
    with pytest.raises(library.LibraryError, match=f"lacks {official / pin.library}"):
        library.install(pin, tmp_path / "_native")


@pytest.mark.usefixtures("official")
def test_other_version_is_refused(pin: library.Pin, tmp_path: Path) -> None:
    with pytest.raises(library.LibraryError, match=r"livekit 1\.3\.0, but .* has livekit 1\.2\.0"):
        library.install(pin._replace(version="1.3.0"), tmp_path / "_native")


def test_missing_wheel_names_what_was_searched(
    pin: library.Pin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", ["/nowhere"])
    with pytest.raises(library.LibraryError, match=r"livekit 1\.2\.0 is not installed .*searched: /nowhere"):
        library.install(pin, tmp_path / "_native")


@pytest.mark.parametrize(
    ("system", "libc", "machine", "name"),
    [
        ("linux", "glibc", "x86_64", "linux-x86_64"),
        ("linux", "glibc", "aarch64", "linux-aarch64"),
        ("darwin", "", "x86_64", "macos-x86_64"),
        ("darwin", "", "arm64", "macos-arm64"),
        ("win32", "", "AMD64", "windows-x86_64"),
    ],
)
def test_platform_has_a_library(
    system: str, libc: str, machine: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, system, libc, machine)
    assert library.this_platform() == name
    assert library.read_pin().wheel == PINS["platforms"][name]["wheel"]


@pytest.mark.parametrize(
    ("system", "libc", "machine", "name"),
    [
        ("linux", "", "x86_64", "linux-without-glibc-x86_64"),
        ("linux", "glibc", "armv7l", "linux-armv7l"),
        ("win32", "", "ARM64", "windows-arm64"),
        ("freebsd14", "", "amd64", "freebsd14-x86_64"),
    ],
)
def test_platform_without_a_library_is_told_which_there_are(
    system: str, libc: str, machine: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, system, libc, machine)
    with pytest.raises(library.LibraryError, match=f"no native LiveKit library for {name}; .*linux-aarch64.*windows"):
        library.read_pin()


def pretend(monkeypatch: pytest.MonkeyPatch, system: str, libc: str, machine: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("platform.libc_ver", lambda: (libc, "2.36"))
    monkeypatch.setattr("platform.machine", lambda: machine)


# The wheel. Built in a copy of the tree, by the backend itself, in this environment, which has what the build requires.


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    copy = tmp_path / "tree"
    ignore = shutil.ignore_patterns("__pycache__", "_native", "*.so", "build")
    for name in ("livekit_trio", "native"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, copy)
    return copy


def build(what: str, tree: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build a "wheel" or an "sdist" into the directory above *tree*."""
    program = f"from setuptools import build_meta; build_meta.build_{what}({str(tree.parent)!r})"
    inherited = {name: value for name, value in os.environ.items() if name not in {"CC", "LIVEKIT_TRIO_RELEASE"}}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=tree, env=inherited | environment, capture_output=True, text=True
    )


def names_in(wheels: Path) -> list[str]:
    (wheel,) = wheels.glob("*.whl")
    assert re.fullmatch(r"livekit_trio-[\d.]+-cp311-abi3-\w+\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def has_compiler() -> bool:
    compiler = sysconfig.get_config_var("CC") or "cc"
    return any(shutil.which(name) for name in (compiler.split()[0], "cc", "gcc", "clang"))


def test_wheel_from_an_sdist_has_library_licences_and_what_this_machine_can_compile(tree: Path) -> None:
    packed = build("sdist", tree)
    assert packed.returncode == 0, packed.stderr
    (sdist,) = tree.parent.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 has it
        archive.extractall(tree.parent)
    built = build("wheel", tree.parent / sdist.name.removesuffix(".tar.gz"))
    assert built.returncode == 0, built.stderr
    names = names_in(tree.parent)
    library_name = library.read_pin().name
    for needed in (f"_ffi/_native/{library_name}", "_ffi/_native/LICENSE.md", "licenses/LICENSE", "licenses/NOTICE"):
        assert any(name.endswith(needed) for name in names), needed
    assert "livekit_trio/py.typed" in names
    assert not any(name.startswith(("tests/", "native/", "livekit/")) for name in names)
    assert ("livekit_trio/_ffi/_bridge.abi3.so" in names) == has_compiler()


def test_without_a_compiler_the_fallback_is_announced(tree: Path) -> None:
    built = build("wheel", tree, PATH=str(tree))
    assert built.returncode == 0, built.stderr
    assert "there is no C compiler: neither" in built.stdout + built.stderr
    assert "the ctypes fallback, which is slower, takes its place" in built.stdout + built.stderr
    assert not any("_bridge." in name for name in names_in(tree.parent) if not name.endswith(".pyi"))


def test_release_without_a_compiler_fails(tree: Path) -> None:
    built = build("wheel", tree, PATH=str(tree), LIVEKIT_TRIO_RELEASE="1")
    assert built.returncode != 0
    assert "there is no C compiler: neither" in built.stderr
    assert not list(tree.parent.glob("*.whl"))


def test_build_with_a_library_of_another_hash_fails(tree: Path) -> None:
    pins = tree / "native" / "library.toml"
    text = pins.read_text()
    wrong = text.replace(library.read_pin().library_sha256, "0" * 64)
    assert wrong != text
    pins.write_text(wrong)
    built = build("wheel", tree)
    assert built.returncode != 0
    assert "is not the pinned library of" in built.stderr
    assert "0" * 64 in built.stderr
