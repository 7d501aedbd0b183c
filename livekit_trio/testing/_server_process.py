"""The server as a child process.

It is a plain `subprocess.Popen`: on asyncio a `Task.cancel()` pierces every shield, so killing and reaping must be possible
without awaiting anything. Its output goes to a file, so that nobody has to read a pipe.
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING, Final, final

import anyio
import anyio.lowlevel
from typing_extensions import override

from ._children import die_with_parent

if TYPE_CHECKING:
    from pathlib import Path

POLL_INTERVAL: Final = 0.01
STOP_TIMEOUT: Final = 2.0
"""It ends within 20 ms of its second SIGTERM (measured); what hangs is killed."""


@final
class ServerProcess:
    """A livekit-server child: the handle for doing bad things to it. POSIX signals; Windows can only `kill`.

    Attributes:
        log_path: the file that has everything the server printed, over all its restarts.
    """

    def __init__(self, command: tuple[str, ...], log_path: Path) -> None:
        self._command = command
        self.log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None

    @override
    def __repr__(self) -> str:
        state = "not started" if self._process is None else f"pid {self._process.pid}, returncode {self.returncode}"
        return f"<ServerProcess {state}>"

    @property
    def pid(self) -> int:
        """The process id of its present life."""
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs, then its exit status, or the negative number of the signal that killed it."""
        return self._child.poll()

    def start(self) -> None:
        """Start it; of an earlier life nothing may be left (see `stop`)."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed command
                (*die_with_parent(), *self._command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own: Ctrl-C at the terminal is for us, who end the server in our own order.
                process_group=0 if os.name == "posix" else None,
            )

    def kill(self) -> None:
        """End it at once (SIGKILL): it says goodbye to nobody."""
        self._child.kill()

    def terminate(self) -> None:
        """Ask it to end (SIGTERM). It waits until every participant has left; asked twice it ends at once."""
        self._child.terminate()

    def suspend(self) -> None:
        """Stop it in its tracks (SIGSTOP): connections stay open and nothing is answered until `resume`."""
        self._child.send_signal(signal.SIGSTOP)
        # Its threads stop one after the other, and may answer meanwhile; nothing is reaped here.
        if self.returncode is None and hasattr(os, "waitid"):  # not on macOS before Python 3.13
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let it go on after `suspend` (SIGCONT)."""
        self._child.send_signal(signal.SIGCONT)

    async def wait(self) -> int:
        """Wait until it has ended, by whoever's hand, and return its `returncode`.

        Cancellation:
            It goes on.
        """
        await anyio.lowlevel.checkpoint()
        while (returncode := self.returncode) is None:  # noqa: ASYNC110 - no event tells, on every system
            await anyio.sleep(POLL_INTERVAL)
        return returncode

    async def stop(self) -> None:
        """End it and wait until it is gone. Idempotent.

        Cancellation:
            It is killed, and gone all the same.
        """
        child = self._child
        try:
            if os.name == "posix":
                child.send_signal(signal.SIGCONT)
            with anyio.move_on_after(STOP_TIMEOUT, shield=True):
                await anyio.lowlevel.checkpoint()
                while child.poll() is None:
                    child.terminate()  # the first only drains; two that are pending at once count as one
                    await anyio.sleep(POLL_INTERVAL)
        finally:
            child.kill()
            child.wait()  # blocks for the moment that the kernel needs

    @property
    def _child(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the server has not been started")
        return self._process
