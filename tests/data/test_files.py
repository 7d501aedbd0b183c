"""Files from strangers: nothing outside the directory, nothing that exists, no halves, whatever they are called."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest
from hypothesis import given, strategies
from typing_extensions import override

from livekit_trio import rtc
from livekit_trio.rtc._files import MAX_NAME, IncomingFile, WorkerFile, safe_name

if TYPE_CHECKING:
    from pathlib import Path

    from tests.data.conftest import Pair

NAMES: Final = {
    "photo.jpg": "photo.jpg",
    "": "unnamed",
    ".": "unnamed",
    "..": "unnamed",
    "../../evil": "evil",
    "..\\..\\evil": "evil",
    "/etc/passwd": "passwd",
    "C:\\Windows\\system.ini": "system.ini",
    "a/b/": "unnamed",
    "nul\x00byte.txt": "nulbyte.txt",
    "two\nlines": "twolines",
    "\u202egpj.exe": "gpj.exe",
    ".bashrc": "bashrc",
    "CON": "_CON",
    "lpt1.txt": "_lpt1.txt",
    "a:b|c?.txt": "a_b_c_.txt",
    "x" * 4096: "x" * MAX_NAME,
    "€" * 4096 + ".txt": "€" * 65 + ".txt",
    "日本語 😀.txt": "日本語 😀.txt",
}


@pytest.mark.parametrize(("given_name", "name"), NAMES.items(), ids=[repr(name[:20]) for name in NAMES])
def test_a_safe_name_is_as_like_as_may_be(given_name: str, name: str) -> None:
    assert safe_name(given_name) == name


@given(strategies.text(alphabet=strategies.characters(codec="utf-8")))
def test_a_safe_name_is_one_in_its_directory(name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe.encode()) <= MAX_NAME
    assert not safe.startswith(".")
    assert os.path.basename(safe) == safe
    assert safe.isprintable()
    assert safe_name(safe) == safe


def tree(directory: Path) -> dict[str, Any]:
    """Everything below it: what links lead to, what files have in them."""
    found: dict[str, Any] = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        found[name] = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
    return found


@pytest.mark.anyio
@pytest.mark.usefixtures("nothing_left")
async def test_nothing_is_touched_but_the_new_file(pair: Pair, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    (tmp_path / "deep" / "evil").write_text("mine")
    (target / "exists").write_text("mine")
    (target / "link").symlink_to(tmp_path / "deep" / "evil")
    (target / "dangling").symlink_to(tmp_path / "made")
    (target / "folder").mkdir()
    before = tree(tmp_path)
    expected = dict(before)
    async with pair() as (ann, bob):
        me = ann.local_participant
        with anyio.fail_after(60), bob.accept_byte_streams("f") as incoming:
            for number, (given_name, name) in enumerate(NAMES.items()):
                await me.send_bytes(b"%d" % number, name=given_name, topic="f")
                reader = await incoming.receive()
                assert reader.info.name == given_name
                if f"deep/target/{name}" in expected:
                    with pytest.raises(FileExistsError):
                        await reader.save_to(target)
                    reader.close()
                else:
                    assert await reader.save_to(target) == target / name
                    expected[f"deep/target/{name}"] = b"%d" % number
            for name in ("exists", "link", "dangling", "folder"):
                await me.send_bytes(b"new", name=name, topic="f")
                reader = await incoming.receive()
                with pytest.raises(FileExistsError):
                    await reader.save_to(target)
                assert await reader.read_all() == b"new", "it can still be read"
            assert tree(tmp_path) == expected

            for name in ("exists", "link", "dangling"):
                await me.send_bytes(b"new", name=name, topic="f")
                await (await incoming.receive()).save_to(target, overwrite=True)
                expected[f"deep/target/{name}"] = b"new"
            await me.send_bytes(b"new", name="folder", topic="f")
            with pytest.raises(OSError, match="folder"):
                await (await incoming.receive()).save_to(target, overwrite=True)
            assert tree(tmp_path) == expected

            await me.send_bytes(b"new", name="its own", topic="f")
            reader = await incoming.receive()
            for name in ("../x", "/x", ".", "", ".hidden"):
                with pytest.raises(ValueError, match="not the name of a file"):
                    await reader.save_to(target, name=name)
            assert await reader.save_to(target, name="ours") == target / "ours"
            expected["deep/target/ours"] = b"new"
            assert tree(tmp_path) == expected


@pytest.mark.anyio
@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("overwrite", [False, True])
async def test_what_fails_leaves_no_file(pair: Pair, tmp_path: Path, overwrite: bool) -> None:
    if overwrite:
        (tmp_path / "f").write_text("old")
    before = tree(tmp_path)
    async with pair() as (ann, bob):
        with anyio.fail_after(30), bob.accept_byte_streams("f") as incoming:
            async with ann.local_participant.stream_bytes("f", topic="f") as writer:
                await writer.write(b"half")
                await writer.aclose(reason="tired")
            with pytest.raises(rtc.StreamAbortedError):
                await (await incoming.receive()).save_to(tmp_path, overwrite=overwrite)
            assert tree(tmp_path) == before

            async with ann.local_participant.stream_bytes("f", topic="f") as writer:
                await writer.write(b"more than ten")
                with pytest.raises(rtc.StreamTooLargeError):
                    await (await incoming.receive()).save_to(tmp_path, overwrite=overwrite, limit=10)
            assert tree(tmp_path) == before

            async with ann.local_participant.stream_bytes("f", topic="f") as writer:
                reader = await incoming.receive()
                await writer.write(b"half")
                with anyio.CancelScope() as scope:
                    await reader.save_to(
                        tmp_path, overwrite=overwrite, progress=lambda done, _: done and scope.cancel()
                    )
            assert scope.cancelled_caught
            assert tree(tmp_path) == before
            with pytest.raises(rtc.StreamClosedError):
                await reader.receive()


@pytest.mark.anyio
@pytest.mark.usefixtures("nothing_left")
async def test_only_regular_files_are_sent(pair: Pair, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    async with pair() as (ann, _):
        me = ann.local_participant
        for path, error_type in (
            (tmp_path, IsADirectoryError),
            (tmp_path / "pipe", OSError),
            (tmp_path / "missing", FileNotFoundError),
        ):
            with anyio.fail_after(10), pytest.raises(error_type):
                await me.send_file(path)


class SlowFile(WorkerFile):
    """Stands for one on a disk that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.began = threading.Event()
        self.go_on = threading.Event()
        self.cleaned_by: list[int] = []

    async def use(self) -> None:
        await self._run(self._wait)

    def _wait(self) -> None:
        self.began.set()
        self.go_on.wait()

    @override
    def _clean_up(self) -> None:
        super()._clean_up()
        self.cleaned_by.append(threading.get_ident())


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_thread_that_was_left_behind_cleans_up() -> None:
    """A plain `Task.cancel()` does not wait for the thread, whatever shields it."""
    file = SlowFile()

    async def use() -> None:
        with file:
            await file.use()

    task = asyncio.create_task(use())
    while not file.began.is_set():
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert file.cleaned_by == []
    file.go_on.set()
    with anyio.fail_after(20):
        while not file.cleaned_by:
            await asyncio.sleep(0.001)
    assert file.cleaned_by != [threading.get_ident()]


@pytest.mark.anyio
async def test_a_thread_that_comes_too_late_touches_nothing(tmp_path: Path) -> None:
    file = IncomingFile(tmp_path, "f", overwrite=False)
    with file:
        pass
    with pytest.raises(ValueError, match="closed before"):
        await file.open()
    assert tree(tmp_path) == {}
