"""What is measured: programs that do the same on different SDKs, and `../floor.c` without any.

``connect URL TOKENS COUNT`` joins and leaves with each token COUNT times, and prints the seconds of each join.

``receive URL TOKENS`` joins with each token, counts the data packets that come, and prints ``ready``; for each line that comes in
it prints how many came so far and the CPU seconds of the process. It ends with its input.

``listen URL TOKENS`` joins, reads every frame of every track, and answers likewise, with the frames that came so far.

``capture SOURCES`` captures 10 ms of silence after the other into so many audio sources, and answers likewise.

TOKENS is a file with a token in each line.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def say(*words: object) -> None:
    print(*words, flush=True)


def tokens(file: str) -> list[str]:
    return Path(file).read_text().split()


def snapshot(messages: int) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    say(messages, usage.ru_utime + usage.ru_stime)


def read_line() -> str:
    return sys.stdin.readline()
