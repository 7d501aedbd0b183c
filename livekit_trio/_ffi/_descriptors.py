"""Whether the process has file descriptors left for a room."""

from __future__ import annotations

import errno
import os
from typing import Final

NEEDED: Final = 64
"""What a room takes within some seconds: 38 to 55, by the network interfaces (measured with livekit-ffi 0.13.2).

With less it would join, or say nothing until the timeout, and leave none for the program; and where the library does not get
the nine that it wants when it is loaded, it aborts the process.
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
