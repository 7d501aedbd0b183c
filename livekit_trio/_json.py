"""JSON that somebody else has written."""

from __future__ import annotations

import json
import re
from typing import Any, Final

MAX_DEPTH: Final = 200
"""Lists and objects in one another; the interpreter's own limit is some 1 000, less what stands on the stack already."""

_NESTING: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[][{}]', re.DOTALL)
"""A string that does not end is one to the end: else each of its quotes would be looked at as the begin of another."""


def parse_json(text: str | bytes) -> Any:
    """Return what *text* stands for.

    Nothing that is nested deeper than `MAX_DEPTH` is parsed. Where the parser runs into the interpreter's limit Python may just
    then collect garbage, whose finalizers fail for want of stack: what they were to release is lost.

    Raises:
        ValueError: it is no JSON, or nested too deep.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")  # as json.loads does
    if is_too_deep(text):
        raise ValueError("this JSON is nested too deep")
    return json.loads(text)


def is_too_deep(text: str) -> bool:
    """Whether lists and objects are nested deeper than `MAX_DEPTH`; of what is no JSON only that it can be parsed safely is said."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _NESTING.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif token[0] in "]}":
            depth -= 1
    return False
