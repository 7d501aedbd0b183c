"""What importing costs. The time of it is a benchmark (`benchmarks/`), not a test."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from livekit_trio import rtc

HEAVY = ("asyncio", "google.protobuf", "httpx", "jwt", "livekit", "numpy")
"""Nobody waits for these who does not use them."""

PROGRAM = """
import json, os, sys, threading
import trio, anyio
before = set(sys.modules)
__import__(sys.argv[1])
json.dump({
    "modules": sorted(set(sys.modules) - before),
    "native": [line.split()[-1] for line in open("/proc/self/maps") if "livekit_ffi" in line or "_bridge" in line],
    "threads": len(os.listdir("/proc/self/task")),
}, sys.stdout)
"""


def imported(module: str) -> Any:
    """What importing *module* does to a fresh process that has Trio and AnyIO already."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, module], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


def inside(modules: list[str], packages: tuple[str, ...]) -> list[str]:
    return [module for module in modules if any(module == each or module.startswith(f"{each}.") for each in packages)]


def test_rtc_loads_nothing_heavy_and_nothing_native() -> None:
    report = imported("livekit_trio.rtc")
    assert "livekit_trio.rtc._room" in report["modules"]
    assert inside(report["modules"], HEAVY) == []
    assert inside(report["modules"], ("livekit_trio.api", "livekit_trio.testing", "livekit_trio._ffi._proto")) == []
    assert report["native"] == []
    assert report["threads"] == 1


def test_what_rtc_loads_with_its_first_use_is_what_checkers_see() -> None:
    tree = ast.parse(Path(rtc.__file__).read_text())
    [typed] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        node.module: tuple(sorted(each.name for each in node.names))
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
    }
    assert {module: tuple(sorted(names)) for module, names in vars(rtc)["_LATER"].items()} == seen
    loaded = imported("livekit_trio.rtc")["modules"]
    assert inside(loaded, tuple(f"livekit_trio.rtc.{module}" for module in seen)) == []
    assert {name for names in seen.values() for name in names} <= set(dir(rtc))
    assert rtc.AudioMixer is rtc.AudioMixer
    assert rtc.AudioMixer.__module__ == "livekit_trio.rtc"
    everything: dict[str, object] = {}
    exec("from livekit_trio.rtc import *", everything)
    assert {"Room", *(name for names in seen.values() for name in names)} <= everything.keys()
    assert "TYPE_CHECKING" not in everything
    with pytest.raises(AttributeError, match=r"module 'livekit_trio.rtc' has no attribute 'nothing'"):
        _ = getattr(rtc, "nothing")  # noqa: B009 - checkers know that it is not there


def test_api_loads_nothing_native() -> None:
    report = imported("livekit_trio.api")
    assert inside(report["modules"], ("livekit_trio.rtc", "livekit_trio._ffi", "numpy")) == []
    assert report["native"] == []


@pytest.mark.parametrize("module", ["livekit_trio", "livekit_trio._errors"])
def test_the_bottom_loads_nothing(module: str) -> None:
    assert (
        inside(imported(module)["modules"], (*HEAVY, "livekit_trio.rtc", "livekit_trio.api", "livekit_trio._ffi")) == []
    )
