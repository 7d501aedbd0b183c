"""Child processes that do not outlive us."""

from __future__ import annotations

import sys
from typing import Final

_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
_PROGRAM: Final = f"""
import ctypes, os, sys
ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, {_SIGKILL})
os.execvp(sys.argv[1], sys.argv[1:])
"""


def die_with_parent() -> tuple[str, ...]:
    """A prefix for a command with which the kernel kills the child when the thread that starts it is no more.

    That covers a parent that was itself killed, on Linux; elsewhere there is no such thing.
    """
    return (sys.executable, "-I", "-S", "-c", _PROGRAM) if sys.platform == "linux" else ()
