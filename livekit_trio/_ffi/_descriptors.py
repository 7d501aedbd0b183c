"""Whether the process has file descriptors left for a room."""

from __future__ import annotations

import errno
import os
from typing import Final

NEEDED: Final = 32
"""The library takes 9 when it is loaded, and aborts the process if it does not get them; with our own and those of the first
room it comes to 18, and a later room takes 6 (measured on loopback; each further network interface has its own sockets).
"""


def descriptors_are_left() -> bool:
    """Try whether as many as a room may need can be had; some 20 us."""
    taken: list[int] = []
    try:
        taken.append(os.open(os.devnull, os.O_RDONLY))
        while len(taken) < NEEDED:
            taken.append(os.dup(taken[0]))
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        return False
    else:
        return True
    finally:
        for descriptor in taken:
            os.close(descriptor)
