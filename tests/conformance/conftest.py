"""Every test here runs on each implementation of the native contract, on a fresh one."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

from livekit_trio._ffi._ctypes_library import CtypesLibrary

from ..native.fake_control import FakeControl
from ..native.tools import bridge_file, builder, has_compiler
from .subjects import FakeSubject, NativeSubject, Reader, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KINDS = ["fake", *(["ctypes", "bridge"] if has_compiler() else [])]
"""Without a C compiler there is neither the C fake nor the bridge."""


@pytest.fixture(scope="session")
def fake_ffi() -> Path:
    """The C fake of the native library."""
    return builder().build_fake()


@pytest.fixture(params=KINDS)
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
    copy = shutil.copy(bridge_file(), directory)
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
