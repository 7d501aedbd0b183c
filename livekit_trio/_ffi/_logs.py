"""The native library's log: redacted, handed to `logging`, and asked why a request was refused.

The library prints whole requests when it refuses them, with the tokens and encryption keys in them, and the server quotes a
token that it does not like. So no native text leaves this package but through `redact`.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ._abc import NativeLibrary

LOGGER: Final = logging.getLogger("livekit_trio.native")

TRACE: Final = 5
"""The `logging` level of native TRACE records, below DEBUG."""

_LEVELS: Final = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG, TRACE)
"""By native LogLevel."""

MAX_TEXT: Final = 2000
"""Longer native texts are cut: a refused metadata update would print its 600 kB."""

_STRING = r'"(?:[^"\\]|\\.)*"'
_VALUE = rf"(?:{_STRING}|\[[0-9, ]*\])"
_SECRETS: Final = (
    # A JSON web token: base64 of `{"`…, also one that was cut off.
    (re.compile(r"\beyJ[\w-]{2,}(?:\.[\w-]*){0,2}"), "<token>"),
    (re.compile(r"\b(access_token|token|password|secret)=[^&\s\"']+"), r"\1=<redacted>"),
    (re.compile(r"(?<=://)[^/\s@\"]+@"), ""),
    # Rust's {:?} of our requests and of the server's answers: strings, byte vectors, and Option of either.
    (
        re.compile(
            r"\b(\w*token|password|credential|secret|shared_key|new_key|ratchet_salt)"
            rf"(: )(?:Some\({_VALUE}\)|{_VALUE})"
        ),
        r"\1\2<redacted>",
    ),
    # `key` alone is an encryption key where it is bytes; where it is text it is the name of an attribute.
    (re.compile(r"\bkey: (?:Some\(\[[0-9, ]*\]\)|\[[0-9, ]*\])"), "key: <redacted>"),
)

_NOISE: Final = (
    # Closing a room drops every track's handle once more, those that we dropped when the track went included.
    "Attempted to drop unknown FFI handle",
    # What the data channels still tell of while a session ends, which nobody listens to any more.
    "failed to send dc_event",
)
"""How texts begin that the library has as warnings and errors although nothing is wrong (livekit-ffi 0.13.2): DEBUG."""

_REFUSAL: Final = re.compile(r"^failed to handle request .*\) }: (.+)$", re.DOTALL)
"""What livekit-ffi 0.13.2 logs for handle 0: the printed request, then the reason."""


def redact(text: str) -> str:
    """Take tokens, keys, passwords and the credentials of URLs out of *text*."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def forward(records: list[bytes]) -> None:
    """Hand serialised LogRecords to the logger ``livekit_trio.native``, redacted and shortened."""
    from ._proto import LogRecord

    for data in records:
        record = LogRecord.FromString(data)
        level = logging.DEBUG if record.message.startswith(_NOISE) else _LEVELS[min(record.level, len(_LEVELS) - 1)]
        if LOGGER.isEnabledFor(level):
            LOGGER.log(level, "%s: %s", record.target, _shorten(redact(record.message)))


def native_level() -> int:
    """The native LogLevel that keeps what our logger would pass on, as it is set now."""
    enabled = [level for level, ours in enumerate(_LEVELS) if LOGGER.isEnabledFor(ours)]
    return max(enabled, default=0)


def failure_text(library: NativeLibrary, deadline: float = 0.005) -> str:
    """Say why *library* has just refused a request; empty if it did not say so in time.

    Blocks: the record comes from another thread, within a millisecond as measured.

    Args:
        library: where the request was refused.
        deadline: how long to wait for the record, in seconds.
    """
    from ._proto import LogRecord

    give_up = time.monotonic() + deadline
    errors: list[str] = []  # what the library complained of before may be among them, and come first
    while True:
        records = library.take_logs()
        forward(records)
        parsed = map(LogRecord.FromString, records)
        errors += [each.message for each in parsed if each.level == 0 and each.target.startswith("livekit_ffi")]
        refusal = next(filter(_REFUSAL.match, errors), "")
        if refusal or time.monotonic() >= give_up:
            return _reason(refusal or next(iter(errors), ""))
        time.sleep(0.0002)


def _reason(message: str) -> str:
    refusal = _REFUSAL.match(message)
    return _shorten(redact(refusal[1] if refusal else message))


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"
