"""A network of one's own to do bad things to: a namespace, in which loopback is cut, delayed and lossy. Needs unshare, ip, iptables, and root.

``python -m benchmarks.soak.network COMMAND…`` runs a command where each packet takes 50 ± 10 ms and one of twenty is lost.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator

INSIDE: Final = "LIVEKIT_TRIO_OWN_NETWORK"
DELAY_MS, JITTER_MS, LOSS = 50, 10, 0.05


def move_into_own(*command: str) -> None:
    """Run *command* instead of this process, in a network namespace with nothing but loopback, if it is not in one already."""
    if INSIDE not in os.environ:
        os.environ[INSIDE] = str(os.getpid())
        os.execvp("unshare", ("unshare", "--net", *command))
    if not run("ip", "-o", "address", "show", "to", "10.231.0.1"):
        run("ip", "link", "set", "lo", "up")
        # libwebrtc does nothing on loopback alone; what it has to say to the server goes over loopback all the same.
        run("ip", "link", "add", "end", "type", "veth", "peer", "name", "other")
        run("ip", "address", "add", "10.231.0.1/24", "dev", "end")
        for name in ("end", "other"):
            run("ip", "link", "set", name, "up")


def run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def rule(*words: str) -> Generator[None]:
    """A rule about what comes in over loopback."""
    run("iptables", "--wait", "-A", "INPUT", "-i", "lo", *words)
    try:
        yield
    finally:
        run("iptables", "--wait", "-D", "INPUT", "-i", "lo", *words)


@contextmanager
def lossy(seed: int = 1) -> Generator[None]:
    """Delay each packet on loopback, and lose some."""
    program = (sys.executable, str(Path(__file__).with_name("nfqueue.py")))
    numbers = map(str, (1, DELAY_MS, JITTER_MS, LOSS, seed))
    with subprocess.Popen((*program, *numbers), stdout=subprocess.PIPE, text=True) as holding:
        assert holding.stdout is not None
        try:
            assert holding.stdout.readline() == "ready\n"
            with rule("-j", "NFQUEUE", "--queue-num", "1", "--queue-bypass"):
                yield
        finally:
            holding.terminate()
            print(holding.stdout.read(), end="", file=sys.stderr)


if __name__ == "__main__":
    move_into_own(sys.executable, "-m", "benchmarks.soak.network", *sys.argv[1:])
    with lossy():
        sys.exit(subprocess.run(sys.argv[1:], check=False).returncode)
