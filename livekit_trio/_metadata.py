"""Public paths: what a package shows says that it lives there, and not in the private module that defines it.

Tracebacks, pickles and documentation then hold paths that stay when files are split. (So does trio.)
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARED: Final = {"LiveKitError": "livekit_trio.rtc"}
"""What several packages show has one path, whichever of them is imported first."""


def fix_public_paths(package: str, names: Mapping[str, object]) -> None:
    """Let each class and function among *names* that comes from a private module of ours name *package* as its module."""
    for name, value in names.items():
        if isinstance(value, (type, FunctionType)) and value.__module__.startswith("livekit_trio."):
            value.__module__ = SHARED.get(name, package)
