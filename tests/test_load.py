"""Loading the native library: once in a process, hence each of these in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import livekit_trio._ffi
from livekit_trio._ffi._load import loaded_library, use_library
from livekit_trio.testing._fake_library import FakeLibrary

from .native.tools import bridge_file, has_compiler

LIBRARY = Path(livekit_trio._ffi.__file__).parent / "_native" / "liblivekit_ffi.so"
KINDS = [*(["bridge"] if has_compiler() else []), "ctypes"]
"""Without a C compiler there is no bridge."""

PRELUDE = """
import logging, os, select, sys, threading
from pathlib import Path
from livekit_trio._errors import NativeLoadError, UsedAfterForkError
from livekit_trio._ffi import _load
from livekit_trio._ffi._proto import FfiRequest
from livekit_trio._ffi._load import load_library

def open_inbox(library):
    fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    return library.open_inbox(fd, fd)

def start_joining(library, inbox):
    connect = {"url": "ws://127.0.0.1:1", "token": "t", "options": {}, "request_async_id": inbox.owner << 48 | 1}
    library.request(FfiRequest(connect=connect).SerializeToString())

def reply(inbox):
    while True:
        assert select.select([inbox.fileno()], [], [], 20)[0]
        events = inbox.take(100)
        if events:
            return events
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run *code* in a fresh interpreter, which knows of this one's settings only which library there is."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("LIVEKIT_TRIO_")}
    if not bridge_file().is_file():
        environment = {"LIVEKIT_TRIO_NATIVE": "ctypes"} | environment
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
        env={**known, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def output(code: str, **environment: str) -> str:
    """What *code* prints; it has to succeed, and to write nothing else."""
    done = run(code, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def load_error(**environment: str) -> str:
    """The text of the NativeLoadError that loading ends with."""
    return output(
        """
        try:
            load_library()
        except NativeLoadError as error:
            assert isinstance(error, ImportError)
            assert _load.loaded_library() is None
            print(error)
        """,
        **environment,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_either_kind_can_be_forced(kind: str) -> None:
    code = """
    library = load_library()
    inbox = open_inbox(library)
    start_joining(library, inbox)
    [(kind, key, _, payload)] = reply(inbox)
    print(library.name, library.path, kind, key == inbox.owner << 48 | 1, b"refused" in payload)
    """
    assert output(code, LIVEKIT_TRIO_NATIVE=kind) == f"{kind} {LIBRARY} 5 True True"


def test_the_library_is_loaded_once() -> None:
    code = """
    found = []
    threads = [threading.Thread(target=lambda: found.append(load_library())) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(len(found), len(set(map(id, found))), _load.loaded_library() is found[0])
    """
    assert output(code) == "8 1 True"


def test_a_system_that_cannot_fork() -> None:
    program = run("""
        del os.register_at_fork  # as on Windows
        load_library()
    """)
    assert program.returncode == 0, program.stderr


def test_there_is_a_bridge_where_there_is_a_compiler() -> None:
    assert bridge_file().is_file() or not has_compiler()


def test_nothing_is_loaded_at_import() -> None:
    code = """
    import livekit_trio.rtc
    print(_load.loaded_library(), "liblivekit_ffi" in Path("/proc/self/maps").read_text())
    """
    assert output(code) == "None False"


def test_without_a_bridge_it_says_so_once() -> None:
    code = """
    sys.modules["livekit_trio._ffi._bridge"] = None
    print(load_library().name, load_library().name)
    """
    done = run(code, LIVEKIT_TRIO_NATIVE="")
    assert done.stdout == "ctypes ctypes\n"
    assert done.stderr.count("the native bridge could not be loaded") == 1
    assert len(done.stderr.splitlines()) == 1


def test_ctypes_asked_for_needs_no_excuse() -> None:
    code = """
    sys.modules["livekit_trio._ffi._bridge"] = None
    print(load_library().name)
    """
    assert output(code, LIVEKIT_TRIO_NATIVE="ctypes") == "ctypes"


def test_a_bridge_asked_for_and_missing_is_an_error() -> None:
    code = """
    sys.modules["livekit_trio._ffi._bridge"] = None
    try:
        load_library()
    except NativeLoadError as error:
        print([what for what, reason in error.attempts])
    """
    assert output(code, LIVEKIT_TRIO_NATIVE="bridge") == "['bridge']"


def test_an_unknown_kind() -> None:
    assert "must be one of bridge, ctypes, not 'rust'" in load_error(LIVEKIT_TRIO_NATIVE="rust")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.so"
    text = load_error(LIVEKIT_TRIO_LIB_PATH=str(path))
    assert f"{path}: there is no such file; LIVEKIT_TRIO_LIB_PATH names it" in text


def test_a_deleted_library_names_the_command_that_brings_it_back() -> None:
    code = """
    _load._FILE_NAMES = {sys.platform: "deleted.so"}
    try:
        load_library()
    except NativeLoadError as error:
        print(error)
    """
    text = output(code)
    assert str(LIBRARY.with_name("deleted.so")) in text
    assert "`uv sync --reinstall-package livekit-trio` brings it back" in text


def test_a_file_that_is_no_library(tmp_path: Path) -> None:
    path = tmp_path / "text.so"
    path.write_text("not a library")
    assert str(path) in load_error(LIVEKIT_TRIO_LIB_PATH=str(path))


def test_another_library(tmp_path: Path) -> None:
    path = shutil.copy(sys.modules["_ctypes"].__file__ or "", tmp_path / "other.so")
    assert "livekit_ffi_initialize" in load_error(LIVEKIT_TRIO_LIB_PATH=str(path))


def test_another_version() -> None:
    code = """
    _load.FFI_VERSION = "9.9.9"
    try:
        load_library()
    except NativeLoadError as error:
        print(error)
    """
    assert "it is livekit-ffi 0.13.2, not 9.9.9" in output(code)


def test_a_file_that_somebody_else_has_loaded() -> None:
    code = """
    import ctypes
    theirs = ctypes.CDLL(str(_load._library_path()))
    try:
        load_library()
    except NativeLoadError as error:
        print(error)
    """
    assert "something else in this process has loaded it" in output(code)


def test_a_copy_elsewhere(tmp_path: Path) -> None:
    path = shutil.copy(LIBRARY, tmp_path / "liblivekit_ffi.so")
    assert output("print(load_library().path)", LIVEKIT_TRIO_LIB_PATH=str(path)) == str(path)


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("kind", KINDS)
def test_beside_the_official_sdk(kind: str, order: str) -> None:
    """Both get their own replies, whoever was first."""
    code = f"""
    import asyncio
    from livekit import rtc
    from livekit.rtc._ffi_client import FfiClient

    if {order!r} == "before":
        FfiClient.instance
    library = load_library()
    inbox = open_inbox(library)

    async def main():
        for _ in range(2):
            start_joining(library, inbox)
            try:
                await rtc.Room().connect("ws://127.0.0.1:1", "t")
            except rtc.ConnectError:
                print("theirs")
            print(*["ours" for kind, *_ in reply(inbox) if kind == 5], flush=True)

    asyncio.run(main())
    os._exit(0)  # an interpreter that ends under the official SDK's callbacks is aborted now and then
    """
    done = run(code, LIVEKIT_TRIO_NATIVE=kind)
    assert (done.returncode, done.stdout.split()) == (0, ["theirs", "ours"] * 2), done.stderr


# ---- fork and exit


@pytest.mark.parametrize("kind", KINDS)
def test_a_forked_child_is_inert(kind: str) -> None:
    code = f"""
    import time
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: fork with threads, which is what this is about
    library = load_library()
    inbox = open_inbox(library)
    start_joining(library, inbox)
    if {kind!r} == "ctypes":  # no thread may be entering Python at a fork
        reply(inbox)
        time.sleep(0.1)
    child = os.fork()
    if not child:
        problems = 0
        for use in (lambda: open_inbox(load_library()), lambda: start_joining(library, inbox)):
            try:
                use()
                problems += 1
            except UsedAfterForkError:
                pass
        problems += bool(inbox.take(10)) + library.drop(1) + bool(library.take_logs())
        inbox.close()
        os._exit(problems)
    if {kind!r} == "ctypes":
        start_joining(library, inbox)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), [kind for kind, *_ in reply(inbox)])
    """
    assert output(code, LIVEKIT_TRIO_NATIVE=kind) == "0 [5]"


@pytest.mark.parametrize("kind", KINDS)
def test_a_child_of_a_parent_without_a_library_loads_its_own(kind: str) -> None:
    code = """
    child = os.fork()
    if not child:
        library = load_library()
        inbox = open_inbox(library)
        start_joining(library, inbox)
        os._exit(reply(inbox)[0][0])
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert output(code, LIVEKIT_TRIO_NATIVE=kind) == "5"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ["pass", "sys.exit(0)", "inbox.close()"])
def test_exit_in_the_middle_of_a_join(kind: str, ending: str) -> None:
    """The library's threads are busy and log at every level while the interpreter ends."""
    code = f"""
    library = load_library()
    library.set_log_level(4)
    inbox = open_inbox(library)
    for _ in range(4):
        start_joining(library, inbox)
    {ending}
    """
    for _ in range(3):
        assert output(code, LIVEKIT_TRIO_NATIVE=kind) == ""


def test_a_forked_child_that_ends_does_not_call_the_library() -> None:
    code = """
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: fork with threads
    library = load_library()
    library._call_back = lambda callback: print("silenced")
    child = os.fork()
    if not child:
        sys.exit()
    os.waitpid(child, 0)
    """
    assert output(code, LIVEKIT_TRIO_NATIVE="ctypes") == "silenced"  # by the parent


STAND_IN = """
class StandIn:
    def set_log_level(self, level): pass
    def disown(self): pass
    def silence(self): print("silenced")
"""
"""A library that says what is done to it as the process ends."""


def test_the_end_waits_for_a_thread_that_is_loading() -> None:
    code = """
    import time
    loading = threading.Event()

    def load(path, kind):
        loading.set()
        threading.main_thread().join()
        time.sleep(0.1)
        return StandIn()

    _load._load = load
    threading.Thread(target=load_library, daemon=True).start()
    loading.wait()
    """
    assert output(STAND_IN + textwrap.dedent(code)) == "silenced"


def test_the_end_does_not_wait_for_ever() -> None:
    code = """
    loading = threading.Event()

    def load(path, kind):
        loading.set()
        threading.Event().wait()

    _load._load = load
    threading.Thread(target=load_library, daemon=True).start()
    loading.wait()
    """
    assert output(code) == ""


def test_a_library_whose_loading_failed_is_tried_again_and_silenced_once() -> None:
    code = """
    attempts = [NativeLoadError(()), StandIn()]

    def load(path, kind):
        attempt = attempts.pop(0)
        if isinstance(attempt, Exception): raise attempt
        return attempt

    _load._load = load
    try:
        load_library()
    except NativeLoadError:
        load_library()
    """
    assert output(STAND_IN + textwrap.dedent(code)) == "silenced"


def test_ctrl_c_while_trio_is_loading_comes_afterwards() -> None:
    code = """
    import signal, trio

    def load(path, kind):
        signal.raise_signal(signal.SIGINT)
        return StandIn()

    _load._load = load

    async def main():
        load_library()
        print("loaded")
        await trio.sleep_forever()

    try:
        trio.run(main)
    except KeyboardInterrupt:
        print("interrupted")
    """
    assert output(STAND_IN + textwrap.dedent(code)).split() == ["loaded", "interrupted", "silenced"]


# ---- use_library


def test_another_library_for_a_block() -> None:
    before = loaded_library()
    outer, inner = FakeLibrary(), FakeLibrary()
    with outer.installed():
        with use_library(inner):
            assert loaded_library() is inner
        assert loaded_library() is outer
    assert loaded_library() is before
