"""What all tests share: both event loops, the tiers, the server."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import platform
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio.testing
from anyio._backends._asyncio import AsyncIOBackend
from anyio.from_thread import start_blocking_portal

from livekit_trio._errors import NativeLoadError
from livekit_trio._ffi._load import FFI_VERSION, load_library
from livekit_trio.testing import DevServer, open_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xdist.workermanage import WorkerController

    from tests.peers.mock_server import MockServer

# The helpers' asserts too must hold under `python -O`.
pytest.register_assert_rewrite(*(f"tests.{path.stem}" for path in Path(__file__).parent.iterdir()))

pytest_plugins = ["tests.secret_scan"]

TIERS = ("long", "browser", "redis", "netns", "devices")
"""A test with two of these markers is of the first one's tier, and needs what the other's needs."""
MOST_PROCESSES = 4
"""More would have their servers and clocks in each other's way."""
BACKENDS = ("trio", "asyncio", "uvloop")

_left_out = pytest.StashKey[Counter[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", choices=BACKENDS, help="run on this event loop only; default: on trio and on asyncio")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_left_out] = Counter()
    if importlib.util.find_spec("livekit_trio._ffi._bridge") is None:
        # There was no compiler. Asked for what there is, the processes that tests start need not warn of it.
        os.environ.setdefault("LIVEKIT_TRIO_NATIVE", "ctypes")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Spread the default tier over the processors. A part of it runs in this very process, where one can look into it."""
    if hasattr(config, "workerinput"):
        return  # it is one of those processes
    option = config.option
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not (option.keyword or option.markexpr)
    if whole and option.numprocesses is None and not (option.collectonly or option.usepdb or option.capture == "no"):
        option.numprocesses, option.maxprocesses, option.dist = "auto", MOST_PROCESSES, "worksteal"


def pytest_report_header() -> str:
    try:
        library = load_library()
    except NativeLoadError as error:
        return f"native library: {error}"
    return f"native library: livekit-ffi {FFI_VERSION} through {library.name}, {library.path} ({platform.platform()})"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that ask for a backend on both event loops; those in virtual time on Trio, which alone has it."""
    chosen_by_test = any("anyio_backend" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if "anyio_backend" not in metafunc.fixturenames or chosen_by_test:
        return
    chosen = metafunc.config.getoption("--backend")
    backends = [chosen] if chosen else ["trio", "asyncio"]
    if metafunc.definition.get_closest_marker("virtual_time"):
        backends = [backend for backend in backends if backend == "trio"]
    metafunc.parametrize("anyio_backend", backends, indirect=True)


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The event loop and its options, in the words of AnyIO's plugin."""
    if request.param == "trio":
        if request.node.get_closest_marker("virtual_time"):
            return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
        return "trio", {}
    return "asyncio", {"debug": True, "use_uvloop": request.param == "uvloop"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tiers that nobody asked for."""
    if config.option.markexpr:
        return
    left_out = [item for item in items if tier(item) != "default"]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if tier(item) == "default"]


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    for item in items:
        item.config.stash[_left_out][tier(item)] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    to_controller: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if to_controller is not None:
        to_controller["left out"] = dict(session.config.stash[_left_out])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """Each process has left out the same tests; one that has died says nothing."""
    output: dict[str, Any] = getattr(node, "workeroutput", {})
    node.config.stash[_left_out] |= Counter(output.get("left out", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash[_left_out]
    counts = ", ".join(f"{name} {left_out[name]}" for name in ("default", *TIERS) if left_out[name])
    if counts:
        terminalreporter.write_line(f"left out, by tier: {counts} (a tier runs with `-m TIER`)")


def pytest_collection_finish() -> None:
    """Let no garbage collection look at all that pytest and the tests have made so far, which stays."""
    gc.collect()
    gc.freeze()


def tier(item: pytest.Item) -> str:
    """The tier that *item* belongs to; ``default`` needs nothing but Python and the network's package registries."""
    return next((name for name in TIERS if item.get_closest_marker(name)), "default")


async def wait_all_tasks_blocked(cls: type[AsyncIOBackend]) -> None:
    """AnyIO's own, which looks every 0.1 s: much too seldom for tests that ask a thousand times."""
    await cls.checkpoint()
    this_task = asyncio.current_task()
    while any(_is_ready(task) for task in asyncio.all_tasks() if task is not this_task):
        await asyncio.sleep(0.001)  # blocked itself, to others that look


def _is_ready(task: Any) -> bool:
    return task._fut_waiter is None or task._fut_waiter.done()


@pytest.fixture(scope="session", autouse=True)
def quick_wait_all_tasks_blocked() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AsyncIOBackend, "wait_all_tasks_blocked", classmethod(wait_all_tasks_blocked))
        yield


@pytest.fixture(scope="session")
def server() -> Iterator[DevServer]:
    """A real livekit-server for the whole run. Tests use rooms of their own in it, and leave it as it is."""
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(open_server()) as running:
        yield running


@pytest.fixture(scope="session")
def mock() -> Iterator[MockServer]:
    """LiveKit's own mock of its server, for the whole run: canned answers, regions that fail, signal modes."""
    from tests.peers.mock_server import open_mock_server  # not above: its asserts would not be rewritten

    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(open_mock_server()) as running:
        yield running
