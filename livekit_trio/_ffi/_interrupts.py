"""What Ctrl-C must not come into the midst of."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


def uninterrupted(function: Callable[P, T]) -> Callable[P, T]:
    """Have Ctrl-C come before or after *function* on Trio, which raises it in the midst of what its main task does.

    asyncio cancels the main task instead. To be called once a Trio program has imported Trio, so not at our own import.
    """
    trio = sys.modules.get("trio")
    return function if trio is None else trio.lowlevel.enable_ki_protection(function)
