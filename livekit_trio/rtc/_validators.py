"""Checks of option values, for attrs: a wrong type is a TypeError, a value out of range a ValueError."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    import attrs

    from ._enums import OpenEnum

    Validator: TypeAlias = Callable[[Any, attrs.Attribute[Any], Any], None]


def boolean(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{attribute.name} must be True or False, not {type(value).__name__}")


def integer(lowest: int, highest: int) -> Validator:
    def check(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        check_integer(attribute.name, value, lowest, highest)

    return check


def check_integer(name: str, value: object, lowest: int, highest: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if not lowest <= value <= highest:
        raise ValueError(f"{name} must be from {lowest} to {highest}, not {value}")


def member_of(kind: type[OpenEnum], *refused: OpenEnum) -> Validator:
    """Accept the known members only: the native library aborts on others."""

    def check(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, kind):
            raise TypeError(f"{attribute.name} must be a {kind.__name__}, not {type(value).__name__}")
        if not value.is_known or value in refused:
            raise ValueError(f"{attribute.name} cannot be {value.name}")

    return check


def instance_of(kind: type) -> Validator:
    def check(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, kind):
            raise TypeError(f"{attribute.name} must be {kind.__name__}, not {type(value).__name__}")

    return check
