"""What the native library's words about a failed join mean.

It gives only text (livekit-ffi 0.13.2; the samples of `tests/rtc/test_connect_errors.py` are what it really said). A text that
no row knows is `OTHER`: never guessed.
"""

from __future__ import annotations

import re
from typing import Final

from .._errors import ConnectError, ConnectErrorKind

_STATUS: Final = re.compile(r"\berror: ([1-5]\d\d)\b")

_KINDS: Final = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (ConnectErrorKind.DESCRIPTORS, r"too many open files|\(os error 24\)"),
        (ConnectErrorKind.NAME, r"failed to lookup address"),
        (
            ConnectErrorKind.TLS,
            r"certificate|corrupt message of type|\btls\b|handshakefailure|protocolversion",
        ),
        (ConnectErrorKind.REFUSED, r"connection refused"),
        (
            ConnectErrorKind.MEDIA,
            r"wait_pc_connection|peer ?connection|\bice\b|\bdtls\b",
        ),
        # It says the last when its time for an attempt is over, and never about a connection that was closed.
        (ConnectErrorKind.TIMEOUT, r"timed out|timeout|failed to receive \S*JoinResponse"),
    )
)

_FINAL: Final = frozenset(
    {
        ConnectErrorKind.UNAUTHORIZED,
        ConnectErrorKind.NOT_FOUND,
        ConnectErrorKind.TLS,
        ConnectErrorKind.NAME,
        ConnectErrorKind.DESCRIPTORS,
    }
)


def classify(text: str, url: str) -> ConnectError:
    """Make an error of the native text, from which secrets have been removed already."""
    found = _STATUS.search(text)
    if found is not None:
        status = int(found[1])
        return ConnectError(_kind_of_status(status), url, text, status)
    for kind, pattern in _KINDS:
        if pattern.search(text):
            return ConnectError(kind, url, text)
    return ConnectError(ConnectErrorKind.OTHER, url, text)


def is_final(error: ConnectError) -> bool:
    """Whether another attempt would fare no better."""
    return error.kind in _FINAL


def _kind_of_status(status: int) -> ConnectErrorKind:
    if status in (401, 403):
        return ConnectErrorKind.UNAUTHORIZED
    if status == 404:
        return ConnectErrorKind.NOT_FOUND
    return ConnectErrorKind.SERVER
