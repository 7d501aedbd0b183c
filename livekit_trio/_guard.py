"""Classes whose objects only the room makes."""

from __future__ import annotations

from abc import ABCMeta
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


class MadeByTheRoom(ABCMeta):
    """The metaclass of live objects: calling the class raises, `make` makes one.

    An ABCMeta, since streams derive from abstract classes.
    """

    if not TYPE_CHECKING:  # a checker then takes `make`'s arguments from the class's own __init__

        def __call__(cls, *args: object, **kwargs: object) -> NoReturn:
            raise TypeError(f"{cls.__name__} has no public constructor: only the room makes it")


def make(cls: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Make an object of a class of this kind."""
    return type.__call__(cast("Any", cls), *args, **kwargs)
