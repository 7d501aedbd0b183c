"""Child processes that do not outlive us."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys


@functools.cache
def die_with_parent() -> tuple[str, ...]:
    """A prefix for a command with which the kernel kills the child when the thread that starts it is no more.

    That covers a parent that was itself killed, on Linux with util-linux' setpriv; elsewhere there is no such thing.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None:
        return ()
    prefix = (setpriv, "--pdeathsig", "SIGKILL")
    probe = subprocess.run((*prefix, "true"), capture_output=True, check=False)  # noqa: S603 - a fixed command
    return prefix if probe.returncode == 0 else ()
