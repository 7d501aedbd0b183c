"""The event loop under us: its identity, a way to call it soon, and a pump on a descriptor.

The only module that knows Trio from asyncio. Everything here is called on the loop's own thread.
"""

from __future__ import annotations

import select
import socket
import threading
import weakref
from typing import TYPE_CHECKING, Protocol, final

import anyio.lowlevel
import sniffio
import trio

from .._errors import WrongLoopError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable


class Signal(Protocol):
    """An event of the loop's own."""

    def set(self) -> None: ...

    def wait(self) -> Awaitable[object]:
        """Return once it is set; without giving way if it is so already, on asyncio."""
        ...


class Loop(Protocol):
    """One event loop."""

    make_signal: Callable[[], Signal]
    """Makes what AnyIO's event is too, without its wrapper: a tenth of the Python that a received frame takes."""

    @property
    def token(self) -> object:
        """What identifies it: never its thread, since Trio's guest mode puts two loops in one."""
        ...

    def is_current(self) -> bool:
        """Whether the caller runs on this loop. Asked for each frame, so it must be cheap."""
        ...

    def time(self) -> float:
        """The loop's clock, in seconds; unlike `anyio.current_time` also where no task runs, as in the pump on asyncio."""
        ...

    def call_soon(self, function: Callable[[], None], /) -> None:
        """Run *function* in a later pass of the loop: after the running task has given way, whatever its task factory."""
        ...

    def start_pump(self, fd: int, drain: Callable[[], None], stopped: Callable[[], None], /) -> Callable[[], None]:
        """Call *drain* whenever *fd* is readable; *stopped* if the loop ends it on its own account.

        Returns what ends the pump; call it before *fd* is closed.
        """
        ...

    def on_death(self, function: Callable[[], None], /) -> None:
        """Call *function*, from whatever thread, if the loop is closed or collected without having said goodbye.

        It may also be called after the pump was stopped. It must not refer to the loop, and comes after `start_pump`.
        """
        ...


@final
class TrioLoop:
    """Trio: a system task waits for the descriptor. It is cancelled when the run ends."""

    def __init__(self) -> None:
        self.make_signal: Callable[[], Signal] = trio.Event
        self._token = trio.lowlevel.current_trio_token()

    @property
    def token(self) -> trio.lowlevel.TrioToken:
        return self._token

    def is_current(self) -> bool:
        try:
            return trio.lowlevel.current_trio_token() is self._token
        except RuntimeError:
            return False

    def time(self) -> float:
        return trio.current_time()

    def call_soon(self, function: Callable[[], None], /) -> None:
        self._token.run_sync_soon(function)

    def start_pump(self, fd: int, drain: Callable[[], None], stopped: Callable[[], None], /) -> Callable[[], None]:
        running = True

        async def pump() -> None:  # noqa: ASYNC910 - it waits before anything else: `running` is true at first
            try:
                while running:
                    await trio.lowlevel.wait_readable(fd)
                    drain()
            except trio.ClosedResourceError:
                return  # noqa: ASYNC910 - by stop(), while it waited
            finally:
                if running:
                    stopped()

        def stop() -> None:
            nonlocal running
            if running:
                running = False
                trio.lowlevel.notify_closing(fd)

        trio.lowlevel.spawn_system_task(pump, name="livekit_trio pump")
        return stop

    def on_death(self, function: Callable[[], None], /) -> None:
        """Nothing to do: the end of a run cancels the pump."""


@final
class AsyncioLoop:
    """asyncio and uvloop: a reader on the descriptor, or a thread where the loop cannot have one (Windows' Proactor)."""

    def __init__(self) -> None:
        import asyncio  # not where only Trio runs

        self.make_signal: Callable[[], Signal] = asyncio.Event
        self._running = asyncio.get_running_loop
        # Weak: the loop holds its reader, which holds the runtime, which would hold the loop.
        self._loop = weakref.ref(asyncio.get_running_loop())
        self._reader: weakref.ref[_Reader] | None = None

    @property
    def token(self) -> asyncio.AbstractEventLoop:
        loop = self._loop()
        if loop is None:
            raise WrongLoopError("a runtime whose event loop is gone")
        return loop

    def is_current(self) -> bool:
        if sniffio.thread_local.name == "trio":
            return False  # in guest mode a Trio task runs inside a callback of this very loop
        try:
            return self._running() is self._loop()
        except RuntimeError:
            return False

    def time(self) -> float:
        return self.token.time()

    def call_soon(self, function: Callable[[], None], /) -> None:
        self.token.call_soon_threadsafe(function)

    def start_pump(self, fd: int, drain: Callable[[], None], stopped: Callable[[], None], /) -> Callable[[], None]:
        loop = self.token
        reader = _Reader(drain)
        try:
            loop.add_reader(fd, reader)
        except NotImplementedError:
            return _start_pump_thread(loop, fd, drain)
        self._reader = weakref.ref(reader)
        reference = self._loop

        def stop() -> None:
            loop = reference()
            if loop is not None and not loop.is_closed():
                loop.remove_reader(fd)

        return stop

    def on_death(self, function: Callable[[], None], /) -> None:
        weakref.finalize(self.token, function).atexit = False
        reader = self._reader and self._reader()
        if reader is not None:
            weakref.finalize(reader, function).atexit = False


class _Reader:
    """What the loop calls; nobody else holds it, so that it dies when the loop is closed.

    The loop itself may live on: AnyIO's table of tasks keeps a task, and with it its loop, that ended within a cancel scope.
    """

    def __init__(self, drain: Callable[[], None]) -> None:
        self._drain = drain

    def __call__(self) -> None:
        self._drain()


def _start_pump_thread(loop: asyncio.AbstractEventLoop, fd: int, drain: Callable[[], None]) -> Callable[[], None]:
    stop_here, stop_there = socket.socketpair()
    drained = threading.Event()

    def drain_once() -> None:
        drain()
        drained.set()

    def watch() -> None:
        with stop_there:
            while True:
                drained.clear()  # first, so that it does not undo what stop() sets
                if stop_there in select.select([fd, stop_there], [], [])[0]:
                    return
                try:
                    loop.call_soon_threadsafe(drain_once)
                except RuntimeError:
                    return  # the loop was closed
                drained.wait()

    thread = threading.Thread(target=watch, name="livekit_trio pump", daemon=True)

    def stop() -> None:
        stop_here.close()
        drained.set()
        thread.join()  # it is on its way out; afterwards nobody selects on fd

    thread.start()
    return stop


def current_loop() -> Loop:
    """The running loop.

    Raises:
        RuntimeError: none is running.
    """
    library = sniffio.current_async_library()
    if library == "trio":
        return TrioLoop()
    if library == "asyncio":
        return AsyncioLoop()
    raise RuntimeError(f"livekit_trio runs on Trio and asyncio, not on {library}")


def current_token() -> object:
    """What identifies the running loop, equal to its `Loop.token`."""
    return anyio.lowlevel.current_token().native_token
