"""What all measurements share: the subjects, their processes, and what is read off them."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Final

import attrs

from livekit_trio._ffi._messages import encode_request
from livekit_trio.rtc._convert import room_options
from livekit_trio.rtc._options import RoomOptions

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from livekit_trio.testing import DevServer

    from .report import Figure

ROOT: Final = Path(__file__).resolve().parents[1]
LIBRARY: Final = ROOT / "livekit_trio" / "_ffi" / "_native" / "liblivekit_ffi.so"
OFFICIAL: Final = ("livekit==1.2.0", "livekit-api==1.2.2")
LIMIT: Final = 240.0
"""Seconds after which a process is killed."""


@attrs.frozen
class Subject:
    """What is measured."""

    name: str
    executable: str
    backend: str = ""
    """The event loop, of ours."""

    def command(self, program: str, *arguments: str) -> list[str]:
        if self.name == "floor":
            return [self.executable, str(LIBRARY), *arguments]
        module = f"benchmarks.subjects.{'ours' if self.backend else 'official'}_{program}"
        return [self.executable, "-m", module, *([self.backend] if self.backend else []), *arguments]


def subjects(folder: Path, official_python: str = sys.executable) -> list[Subject]:
    """All of them; the floor, which comes first, only where there is a C compiler."""
    found = [
        Subject("official", official_python),
        Subject("ours, Trio", sys.executable, "trio"),
        Subject("ours, asyncio", sys.executable, "asyncio"),
    ]
    compiler = os.environ.get("CC", "cc").split()
    if shutil.which(compiler[0]) is not None:
        floor = str(folder / "floor")
        source, headers = ROOT / "benchmarks" / "floor.c", ROOT / "native" / "bridge"
        flags = ("-O2", "-std=c11", f"-I{headers}")
        subprocess.run([*compiler, *flags, str(source), "-o", floor, "-ldl", "-pthread"], check=True)
        found.insert(0, Subject("floor", floor))
    return found


def install_official(folder: Path) -> str:
    """Put the official SDK into an environment of its own, and return its Python. Its native library must be ours."""
    uv = os.environ.get("UV", "uv")
    environment = folder / "official"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", environment, *OFFICIAL]
    subprocess.run(install, cwd=ROOT, check=True)  # there the project's pins hold
    [library] = environment.rglob("liblivekit_ffi.so")
    if library.read_bytes() != LIBRARY.read_bytes():
        raise RuntimeError("the official SDK comes with another native library")
    return str(environment / "bin" / "python")


@attrs.frozen
class Bench:
    """A server, the subjects, a folder for what their processes read, and how much is asked of them."""

    server: DevServer
    folder: Path
    subjects: list[Subject]
    seconds: float = 3.0
    """How long is counted at a time."""
    settling: float = 2.0
    """How long something runs before it is counted."""
    times: int = 20
    """How often what takes milliseconds is done."""
    at_most: int = 200
    """Rooms or streams in a process."""

    def run(self, subject: Subject, program: str, *arguments: str) -> list[str]:
        """What the program prints."""
        command = subject.command(program, *arguments)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT)
        if done.returncode:
            raise RuntimeError(f"{subject.name}, {arguments[0]}: {done.stderr.strip().splitlines()[-1:]}")
        return done.stdout.splitlines()

    def joining(self, subject: Subject, rooms: Sequence[str], *identities: str) -> str:
        """A file with which *subject* joins each of the *rooms* under each of the *identities*."""
        tokens = [self.server.token(identity, room) for identity in identities for room in rooms]
        file = self.folder / f"{' '.join(identities)} in {rooms[0]} by {subject.name}"
        if subject.name != "floor":
            file.write_text("\n".join([self.server.url, *tokens]))
            return str(file)
        options = room_options(RoomOptions(), connect_timeout_ms=15_000, join_retries=0)
        file.write_text(
            "".join(
                encode_request("connect", {"url": self.server.url, "token": token, "options": options}).hex() + "\n"
                for token in tokens
            )
        )
        return str(file)

    def other_end(self, module: str, rooms: Sequence[str], identity: str, *arguments: str) -> list[str]:
        """A program that is the same for all subjects."""
        us = Subject("ours, Trio", sys.executable, "trio")
        return [us.executable, "-m", f"benchmarks.subjects.{module}", self.joining(us, rooms, identity), *arguments]

    def counts(self, *numbers: int) -> Iterator[int]:
        return (number for number in numbers if number <= self.at_most)

    def count(self, process: subprocess.Popen[str]) -> tuple[float, float]:
        """How many a second *process* counts, and the CPU microseconds of each."""
        time.sleep(self.settling)
        before, start = snapshot(process), time.monotonic()
        time.sleep(self.seconds)
        after, end = snapshot(process), time.monotonic()
        counted = after[0] - before[0]
        return counted / (end - start), (after[1] - before[1]) / max(1, counted) * 1e6


@attrs.frozen
class Held:
    """What a process holds."""

    descriptors: int
    threads: int
    megabytes: float

    @classmethod
    def by(cls, process: subprocess.Popen[str]) -> Held:
        proc = Path("/proc", str(process.pid))
        return cls(len(list((proc / "fd").iterdir())), len(list((proc / "task").iterdir())), resident(process))


def resident(process: subprocess.Popen[str]) -> float:
    """The megabytes of memory it has."""
    pages = Path("/proc", str(process.pid), "statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def running(command: Sequence[str]) -> Generator[subprocess.Popen[str]]:
    """A process that has said that it is ready; it ends with its input."""
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        limit = Timer(LIMIT, process.kill)
        limit.start()
        try:
            if _readline(process) != "ready":
                raise RuntimeError(f"{' '.join(command[:5])} has ended")
            yield process
            process.stdin.close()  # type: ignore[union-attr]
            # The official SDK does not always end; its figures are good all the same.
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
        finally:
            limit.cancel()
            process.kill()


def snapshot(process: subprocess.Popen[str]) -> tuple[int, float]:
    """What it has counted so far, and its CPU seconds."""
    process.stdin.write("\n")  # type: ignore[union-attr]
    process.stdin.flush()  # type: ignore[union-attr]
    return read_snapshot(process)


def read_snapshot(process: subprocess.Popen[str]) -> tuple[int, float]:
    counted, cpu = _readline(process).split()
    return int(counted), float(cpu)


def _readline(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline().rstrip()  # type: ignore[union-attr]


def percentiles(name: str, subject: Subject, values: Sequence[float], *percents: int) -> Iterator[Figure]:
    """Figures named *name* p50 and so on."""
    quantiles = statistics.quantiles(values, n=100, method="inclusive")
    return ((f"{name} p{percent}", subject.name, quantiles[percent - 1]) for percent in percents)
