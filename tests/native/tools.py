"""What of `native/` can be had on this machine."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Final

import livekit_trio._ffi

if TYPE_CHECKING:
    from types import ModuleType

ROOT: Final = Path(__file__).parents[2]


def builder() -> ModuleType:
    """`native/fake/build.py`, which is in no package."""
    spec = importlib.util.spec_from_file_location("build_fake", ROOT / "native" / "fake" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def has_compiler() -> bool:
    """Whether there is a C compiler; where there is none, there is no C fake and no bridge, and ctypes takes its place."""
    try:
        builder().compiler()
    except FileNotFoundError:
        return False
    return True


def bridge_file() -> Path:
    """Where the built bridge is, or would be."""
    suffix = next(suffix for suffix in importlib.machinery.EXTENSION_SUFFIXES if "abi3" in suffix)
    return Path(livekit_trio._ffi.__file__).with_name(f"_bridge{suffix}")
