"""Files that are sent and received: read and written in worker threads, and never outside the directory they are meant for.

A plain asyncio `Task.cancel()` leaves a worker thread running, whatever shields it. So whoever closes a file that a thread
still uses leaves the cleaning up to that thread.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import threading
import unicodedata
from typing import TYPE_CHECKING, Final, Self, TypeVar, TypeVarTuple, Unpack, final

import anyio.to_thread
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

T = TypeVar("T")
ArgsT = TypeVarTuple("ArgsT")

MAX_NAME: Final = 200
"""Bytes of a file's name; most file systems take 255."""

_BINARY: Final[int] = getattr(os, "O_BINARY", 0)
_NONBLOCK: Final[int] = getattr(os, "O_NONBLOCK", 0)

_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
"""Names that mean devices on Windows, in every directory."""


def safe_name(name: str) -> str:
    """A name for a file inside a directory, as like *name* as may be. *name* is somebody else's: any text whatever.

    It is one component, not hidden, without control or formatting characters, and means no device.
    """
    base = re.split(r"[/\\]", name)[-1]
    base = "".join(character for character in base if unicodedata.category(character)[0] != "C")
    base = re.sub(r'[<>:"|?*]', "_", re.sub(r"\s+", " ", base)).strip(" .")
    if _RESERVED.match(base):
        base = f"_{base}"
    stem, suffix = os.path.splitext(base)
    suffix = suffix.encode()[: MAX_NAME // 2].decode(errors="ignore")
    stem = stem.encode()[: MAX_NAME - len(suffix.encode())].decode(errors="ignore")
    return f"{stem}{suffix}".rstrip(" .") or "unnamed"


class WorkerFile:
    """A file that worker threads use, one call at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy = False
        self._closed = False
        self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._closed = True
            if self._busy:
                return  # the thread does it
        self._clean_up()

    async def _run(self, function: Callable[[Unpack[ArgsT]], T], *args: *ArgsT) -> T:
        def work() -> T:
            with self._lock:
                if self._closed:
                    raise ValueError("the file was closed before the thread began")  # nobody waits for it any more
                self._busy = True
            try:
                return function(*args)
            finally:
                with self._lock:
                    self._busy = False
                    left_alone = self._closed
                if left_alone:
                    self._clean_up()

        return await anyio.to_thread.run_sync(work)

    def _clean_up(self) -> None:
        """Close the file and remove what must not stay. It is called when no thread uses it any more."""
        self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd != -1:
            os.close(fd)


@final
class OutgoingFile(WorkerFile):
    """A file that is read from its beginning."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    async def open(self) -> int:
        """Open it and return its size in bytes."""
        return await self._run(self._open)

    async def read(self, count: int) -> bytes:
        """The next bytes, at most *count* of them; none at its end."""
        return await self._run(lambda: os.read(self._fd, count))

    def _open(self) -> int:
        # Without waiting, as a pipe would let us do until somebody opens its other end.
        self._fd = os.open(self._path, os.O_RDONLY | _BINARY | _NONBLOCK)
        facts = os.fstat(self._fd)
        if not stat.S_ISREG(facts.st_mode):
            number = errno.EISDIR if stat.S_ISDIR(facts.st_mode) else errno.EINVAL
            raise OSError(number, "not a regular file", str(self._path))
        return facts.st_size


@final
class IncomingFile(WorkerFile):
    """A file that comes into being in *directory*; it stays only if it is kept.

    An existing file is not touched, or replaced only by the whole new one. A symbolic link in its place is not followed.
    """

    def __init__(self, directory: Path, name: str, *, overwrite: bool) -> None:
        super().__init__()
        self._target = directory / name
        self._path = directory / f".{secrets.token_hex(8)}.part" if overwrite else self._target
        self._made = False

    async def open(self) -> None:
        """Make it."""
        await self._run(self._open)

    async def write(self, chunks: Sequence[bytes]) -> None:
        """Append *chunks*."""
        await self._run(self._write, b"".join(chunks))

    async def keep(self) -> Path:
        """It is complete; returns where it is."""
        return await self._run(self._keep)

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
        self._made = True

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def _keep(self) -> Path:
        self._close()  # which may say that the disk is full
        if self._path != self._target:
            self._path.replace(self._target)
        self._made = False
        return self._target

    @override
    def _clean_up(self) -> None:
        super()._clean_up()
        if self._made:
            self._path.unlink(missing_ok=True)
