"""RpcMethod: a method's name with the types of what it takes and returns, for calls with values instead of text."""

from __future__ import annotations

import enum
import functools
import inspect
import json
import types
import typing
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, Protocol, TypeVar, cast, final

import attrs

from .._json import parse_json
from ._rpc_types import RpcErrorCode, built_in_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._rpc_types import RpcHandler, RpcInvocationData

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
T = TypeVar("T")


class RpcSerializer(Protocol):
    """Turns values into the text that is sent, and back."""

    def dumps(self, value: Any, /) -> str:
        """Return the text for *value*. Raises TypeError or ValueError for a value that has none."""
        ...

    def loads(self, text: str, into: type[T], /) -> T:
        """Return the value of type *into* that *text* stands for. Raises ValueError if it stands for none."""
        ...


@final
@attrs.frozen
class JsonSerializer:
    """JSON, for attrs classes, enums, lists, tuples, dicts by string, unions of these, and what JSON itself has."""

    def dumps(self, value: Any, /) -> str:
        """Return *value* as JSON.

        Raises:
            TypeError: there is something in it that JSON has not.
            ValueError: a number in it is infinite or none.
        """
        return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    def loads(self, text: str, into: type[T], /) -> T:
        """Return the *into* that *text* stands for.

        Raises:
            ValueError: it is no JSON, is nested deeper than 200 levels, or stands for something else.
        """
        try:
            return _structure(parse_json(text), into)
        except (RecursionError, OverflowError) as error:  # by whoever sent it
            raise ValueError(str(error)) from None


JSON: Final = JsonSerializer()


@final
@attrs.frozen
class RpcMethod(Generic[RequestT, ResponseT]):
    """A method with its types; to be given to `perform_rpc` and `register_rpc_method` in place of its name.

    ::

        ADD = rtc.RpcMethod("add", request=list[int], response=int)
        …
        me.register_rpc_method(ADD, lambda call: sum(call.payload))
        total = await me.perform_rpc(destination_identity="bob", method=ADD, payload=[1, 2])

    Attributes:
        name: what it is called by.
        request: the type of what it takes.
        response: the type of what it returns.
        serializer: between these and text; JSON by default.
    """

    name: str
    request: type[RequestT] = attrs.field(kw_only=True)
    response: type[ResponseT] = attrs.field(kw_only=True)
    serializer: RpcSerializer = attrs.field(default=JSON, kw_only=True)

    def parse_answer(self, text: str) -> ResponseT:
        """Return what *text* stands for.

        Raises:
            RpcError: it is not what the method is to return.
        """
        try:
            return self.serializer.loads(text, self.response)
        except ValueError as error:
            raise built_in_error(RpcErrorCode.APPLICATION_ERROR, f"the answer of {self.name!r}: {error}") from error

    def wrap(self, handler: Callable[[RpcInvocationData[RequestT]], Awaitable[ResponseT] | ResponseT]) -> RpcHandler:
        """Make a handler of texts of one of values; a request that is not what it takes is refused by an `RpcError`."""

        @functools.wraps(handler)
        async def handle(call: RpcInvocationData) -> str:
            try:
                request = self.serializer.loads(call.payload, self.request)
            except ValueError as error:
                raise built_in_error(RpcErrorCode.APPLICATION_ERROR, f"not a request: {error}") from error
            answer = handler(cast("RpcInvocationData[RequestT]", attrs.evolve(cast("Any", call), payload=request)))
            if inspect.isawaitable(answer):
                answer = await answer
            return self.serializer.dumps(answer)  # noqa: ASYNC910 - a handler need not wait

        return handle


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if attrs.has(cast("type[Any]", type(value))):
        return attrs.asdict(value, recurse=False)
    raise TypeError(f"JSON has no {type(value).__name__}")


def _structure(value: Any, into: Any) -> Any:
    """Make an *into* of what JSON has read."""
    origin, arguments = typing.get_origin(into), typing.get_args(into)
    if into in (Any, object):
        return value
    if origin in (typing.Union, types.UnionType):
        return _first_that_fits(value, arguments)
    if origin is Literal:
        if value in arguments:
            return value
    elif (origin or into) in (list, tuple) and isinstance(value, list):
        return (origin or into)(_structure(item, _item_type(arguments)) for item in cast("list[Any]", value))
    elif (origin or into) is dict and isinstance(value, dict):
        of_values = arguments[1] if arguments else Any
        return {key: _structure(item, of_values) for key, item in cast("dict[str, Any]", value).items()}
    elif into is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    elif into in (str, int, float, bool, None, type(None)):
        if type(value) is (type(None) if into is None else into):
            return value
    elif isinstance(into, type) and issubclass(into, enum.Enum):
        return into(value)
    elif isinstance(into, type) and attrs.has(into) and isinstance(value, dict):
        return _structure_attrs(cast("dict[str, Any]", value), into)
    raise ValueError(f"{value!r} is not of the type {into}")


def _structure_attrs(value: dict[str, Any], into: Any) -> Any:
    hints = typing.get_type_hints(into)
    known = {field.name: field.alias for field in attrs.fields(into) if field.init}
    if not value.keys() <= known.keys():
        raise ValueError(f"{into.__name__} has no {', '.join(sorted(value.keys() - known.keys()))}")
    try:
        return into(**{known[name]: _structure(item, hints.get(name, Any)) for name, item in value.items()})
    except TypeError as error:  # something is missing
        raise ValueError(str(error)) from None


def _first_that_fits(value: Any, types_: tuple[Any, ...]) -> Any:
    for into in types_:
        try:
            return _structure(value, into)
        except ValueError:
            continue
    raise ValueError(f"{value!r} is none of {', '.join(map(str, types_))}")


def _item_type(arguments: tuple[Any, ...]) -> Any:
    if len(arguments) == 2 and arguments[1] is not Ellipsis:
        raise ValueError("tuples must be of one type, as in tuple[int, ...]")
    return arguments[0] if arguments else Any
