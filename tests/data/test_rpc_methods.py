"""Calls with values instead of text."""

from __future__ import annotations

import enum
from typing import Any, Literal, assert_type

import anyio
import attrs
import pytest

from livekit_trio import rtc
from livekit_trio.rtc._rpc_method import JSON
from tests.data.test_rpc_serving import joined

pytestmark = pytest.mark.anyio

Code = rtc.RpcError.ErrorCode


class Colour(enum.Enum):
    RED = "red"


@attrs.frozen
class Point:
    x: int
    y: int = 0


@attrs.frozen
class Shape:
    points: tuple[Point, ...]
    colour: Colour | None = None
    facts: dict[str, float] = attrs.field(factory=dict[str, float])
    kind: Literal["open", "closed"] = "open"


@pytest.mark.parametrize(
    ("value", "into", "text"),
    [
        (5, int, "5"),
        ("ä", str, '"ä"'),
        (None, type(None), "null"),
        (True, bool, "true"),
        (1.0, float, "1.0"),
        ([1, 2], list[int], "[1,2]"),
        ({"a": [1]}, dict[str, list[int]], '{"a":[1]}'),
        ({"a": [1, "b", None]}, object, '{"a":[1,"b",null]}'),
        (Point(1), Point, '{"x":1,"y":0}'),
        (
            Shape((Point(1, 2),), Colour.RED, {"f": 2.0}, "closed"),
            Shape,
            '{"points":[{"x":1,"y":2}],"colour":"red","facts":{"f":2.0},"kind":"closed"}',
        ),
    ],
)
def test_json_there_and_back(value: Any, into: Any, text: str) -> None:
    assert JSON.dumps(value) == text
    assert JSON.loads(text, into) == value
    assert type(JSON.loads(text, into)) is type(value)


@pytest.mark.parametrize(
    ("text", "into"),
    [
        ("", int),
        ("5", str),
        ("true", int),
        ("1.5", int),
        ("{}", Point),
        ('{"x":1,"z":1}', Point),
        ('{"x":"1"}', Point),
        ("[1]", Point),
        ('{"points":[],"colour":"blue"}', Shape),
        ('{"points":[],"kind":"ajar"}', Shape),
        ('["a"]', list[int]),
        ('{"a":"b"}', dict[str, int]),
        ("[1,2]", tuple[int, int]),
        pytest.param("[" * 100_000, list[Any], id="deep"),
        pytest.param("9" * 400, float, id="large"),
    ],
)
def test_what_does_not_fit(text: str, into: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        JSON.loads(text, into)


@pytest.mark.parametrize("value", [{1, 2}, b"x", Point])
def test_what_json_has_not(value: Any) -> None:
    with pytest.raises(TypeError):
        JSON.dumps(value)
    with pytest.raises(ValueError, match=r"[Oo]ut of range"):
        JSON.dumps(float("nan"))


MOVE = rtc.RpcMethod("move", request=Point, response=Shape)


async def test_a_handler_of_values() -> None:
    async with joined() as (native, me):

        async def move(call: rtc.RpcInvocationData[Point]) -> Shape:
            if call.payload.x < 0:
                raise rtc.RpcError(7, "outside")
            return Shape((call.payload, Point(9)))

        with me.rpc_method(MOVE, move):
            fine, outside, wrong = (native.invoke("move", text) for text in ('{"x":1}', '{"x":-1}', '{"x":"1"}'))
            await anyio.wait_all_tasks_blocked()
        assert JSON.loads(str(native.answer_to(fine)), Shape) == Shape((Point(1), Point(9)))
        assert native.answer_to(outside) == 7
        assert native.answer_to(wrong) == Code.APPLICATION_ERROR
        assert me.rpc_statistics().failed == 0
        me.register_rpc_method(rtc.RpcMethod("sync", request=int, response=int), lambda call: call.payload + 1)
        number = native.invoke("sync", "1")
        await anyio.wait_all_tasks_blocked()
        assert native.answer_to(number) == "2"


async def test_a_call_with_values() -> None:
    async with joined() as (native, me):
        fake = native._fake
        fake.on("perform_rpc", lambda request: request.reply(payload='{"points":[' + request.message.payload + "]}"))
        shape = await me.perform_rpc(destination_identity="bob", method=MOVE, payload=Point(1))
        assert_type(shape, Shape)
        assert shape == Shape((Point(1),))
        fake.on("perform_rpc", lambda request: request.reply(payload='{"points":5}'))
        with pytest.raises(rtc.RpcError, match="the answer of 'move'"):
            await me.perform_rpc(destination_identity="bob", method=MOVE, payload=Point(1))
        with pytest.raises(TypeError, match="payload must be text"):
            await me.perform_rpc(destination_identity="bob", method="move", payload=5)  # pyright: ignore[reportCallIssue, reportArgumentType]
