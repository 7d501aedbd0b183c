"""Every test here runs on each implementation of the native contract, on a fresh one."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import livekit_trio._ffi
from livekit_trio._ffi._ctypes_library import CtypesLibrary

from ..native.fake_control import FakeControl
from .subjects import FakeSubject, NativeSubject, Reader, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def fake_ffi() -> Path:
    """The C fake of the native library."""
    spec = importlib.util.spec_from_file_location("build_fake", ROOT / "native" / "fake" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build_fake()


@pytest.fixture(params=["fake", "ctypes", "bridge"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """A library that was just initialised. Every handle has been dropped at most once when the test ends."""
    if request.param == "fake":
        subject = FakeSubject()
    else:
        control = FakeControl(request.getfixturevalue("fake_ffi"), tmp_path / "libfake_ffi.so")
        subject = NativeSubject(control, CtypesLibrary if request.param == "ctypes" else fresh_bridge(tmp_path).load)
    assert subject.library.name == request.param
    yield subject
    assert subject.false_drops() == subject.allowed_false_drops


def fresh_bridge(directory: Path) -> Any:
    """A bridge with a state of its own: it keeps one library in a process, so this is another file."""
    suffix = next(suffix for suffix in importlib.machinery.EXTENSION_SUFFIXES if "abi3" in suffix)
    built = Path(livekit_trio._ffi.__file__).with_name(f"_bridge{suffix}")
    copy = shutil.copy(built, directory)
    name = "livekit_trio._ffi._bridge"
    loader = importlib.machinery.ExtensionFileLoader(name, str(copy))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    known = sys.modules.get(name)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    assert sys.modules.get(name) is known
    return module


@pytest.fixture
def open_reader(subject: Subject) -> Iterator[Callable[[], Reader]]:
    """Opens inboxes, which are closed at the end of the test."""
    readers: list[Reader] = []

    def open_one() -> Reader:
        readers.append(Reader(subject))
        return readers[-1]

    yield open_one
    for reader in readers:
        reader.inbox.close()


@pytest.fixture
def reader(open_reader: Callable[[], Reader]) -> Reader:
    """One inbox."""
    return open_reader()
