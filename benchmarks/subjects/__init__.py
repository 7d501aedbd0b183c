"""What is measured: programs that do the same on different SDKs, and `../floor.c` without any.

``connect URL TOKENS COUNT`` joins and leaves with each token COUNT times, and prints the seconds of each join.

``receive URL TOKENS`` joins with each token, counts the data packets that come, and prints ``ready``; for each line that comes in
it prints how many came so far and the CPU seconds of the process. It ends with its input.

``listen URL TOKENS`` joins, reads every frame of every track, and answers likewise, with the frames that came so far.

``capture SOURCES`` captures 10 ms of silence after the other into so many audio sources, and answers likewise.

``sink URL TOKENS SIZE`` joins, accepts byte streams of the topic ``bench``, reads them, and prints ``ready``; a line in is answered
likewise, with the bytes that came so far, and once SIZE have come it says so by itself.

``source URL TOKENS SIZE`` joins and prints ``ready``; for each line that comes in it prints such numbers, sends SIZE bytes as one
byte stream, and prints them again.

``calls URL TOKENS`` joins with both tokens, those of ann and bob, and prints names and numbers: how many packets of 200 bytes ann
sends a second, ``serial``, each after the other, and 1 000 ``at_once``; the milliseconds of an ``rpc``, the median of 200; and how
many ``rpcs`` a second 200 at once are.

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
