"""What is measured: programs that do the same on different SDKs, and `../floor.c` without any.

JOINING is a file: the server's URL, and a token in each line; for the floor see there. *Answering* programs print ``ready``, and for each
line that comes in what they have counted so far and the CPU seconds of the process; they end with their input. Times are milliseconds.

| program | | |
| --- | --- | --- |
| rooms | ``connect JOINING TIMES`` | joins and leaves so often, and prints the time of each join |
| | ``receive JOINING`` | joins with each token; counts data packets, answering |
| media | ``listen JOINING`` | joins, reads every frame of every track; counts frames, answering |
| | ``capture SOURCES`` | captures 10 ms of silence after the other into so many audio sources; counts them, answering |
| | ``publish JOINING TIMES`` | publishes an audio track and unpublishes it, so often, and prints the time that each took to publish |
| streams | ``sink JOINING SIZE`` | accepts byte streams of the topic ``bench``, reads them; counts bytes, answering, and says so by itself once SIZE have come |
| | ``source JOINING SIZE`` | answering, but before a line's second answer it sends SIZE bytes as one byte stream |
| | ``keep JOINING FOLDER`` | likewise, and writes them to a file in FOLDER; counts bytes, answering |
| | ``send JOINING FILE`` | answers the first line, and then sends the file |
| calls | ``calls JOINING`` | joins with both tokens, those of ann and bob, and prints names and numbers: how many packets of 200 bytes ann sends a second, ``serial``, each after the other, and 1 000 ``at_once``; the time of an ``rpc``, the median of 200; and how many ``rpcs`` a second 200 at once are |
| latency | ``packet JOINING TIMES`` | ann sends 100 packets a second; prints how long each took to bob |
| | ``sound JOINING TIMES`` | ann plays a short tone three times a second; prints how long each took to bob, from the capture of its first 10 ms to the reception of the frame that it is in |
| api | ``requests SERVER TIMES`` | prints names and numbers; SERVER is a file of URL, key and secret |
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import NoReturn

PERIOD = 33
"""Frames of 10 ms from one tone to the next, of which …"""
BURST = 2
"""… so many sound, …"""
VOLUME = 10_000
"""… with samples of this height. What is above a third of it is heard."""
EARLY = 5
"""So many tones come first that do not count."""


def say(*words: object) -> None:
    print(*words, flush=True)


def joining(file: str) -> tuple[str, list[str]]:
    """The server's URL and the tokens."""
    url, *tokens = Path(file).read_text().split()
    return url, tokens


def snapshot(messages: int) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    say(messages, usage.ru_utime + usage.ru_stime)


def read_line() -> str:
    return sys.stdin.readline()


def end() -> NoReturn:
    """End the process, but not the interpreter: under the callbacks of the official SDK that aborts now and then."""
    sys.stdout.flush()
    os._exit(0)
