"""JSON of others: what `json.loads` takes, unless it is nested too deep."""

from __future__ import annotations

import json
from typing import Any

import pytest

from livekit_trio._json import MAX_DEPTH, parse_json


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + "1" + closing * depth


@pytest.mark.parametrize(
    "text",
    [
        nested(MAX_DEPTH),
        nested(MAX_DEPTH, '{"a": ', "}"),
        json.dumps([[{"a": []}]] * 1000),
        json.dumps("[" * 1000),
        json.dumps(['"[' * 500, "\\" * 501, "{" * 500]),
    ],
)
def test_what_is_not_too_deep(text: str) -> None:
    expected: Any = json.loads(text)
    assert parse_json(text) == expected
    for encoding in ("utf-8", "utf-16", "utf-32"):
        assert parse_json(text.encode(encoding)) == expected


@pytest.mark.parametrize(
    "text",
    [
        nested(MAX_DEPTH + 1),
        nested(MAX_DEPTH + 1, '{"a": ', "}"),
        "[" * 100_000,
        '["]]]]", ' * (MAX_DEPTH + 1),
        r'["\"]", ' * (MAX_DEPTH + 1),
    ],
)
def test_what_is_too_deep(text: str) -> None:
    for given in (text, text.encode()):
        with pytest.raises(ValueError, match="nested too deep"):
            parse_json(given)


@pytest.mark.parametrize(
    "text", ["", "[", '"' * 1001 + "[" * 201 + "]" * 201, b"\xff\xfe\xfd", "\N{SNOWMAN}", "[]" * 201 + '\\"' * 200_000]
)
def test_what_is_no_json(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever json.loads says
        parse_json(text)
