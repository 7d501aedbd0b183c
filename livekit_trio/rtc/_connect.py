"""open_room: joining, the room's scope, and leaving.

Three promises are kept here. A join that nobody waits for any more is undone, by the pump or the bridge. Leaving is sent
before anything is awaited, so that cutting the wait short does no harm. And the body's exception is carried around the
room's nursery, not through it: it leaves as the same object, bare, and a room never makes an exception group.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel

from .._errors import ConnectError, ConnectErrorKind, InternalError, NativeRefusalError
from .._ffi import _logs
from .._ffi._descriptors import descriptors_are_left
from .._ffi._runtime import hold_runtime
from .._guard import make
from ._connect_errors import classify, is_final
from ._convert import room_options
from ._options import RoomOptions
from ._room import Room
from ._session import RoomSession

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .._ffi._calls import Call
    from .._ffi._runtime import Runtime

CANCEL_GRACE: Final = 1.0
"""How long a cancelled join waits for the native answer, so that the identity is free when the caller goes on: seconds."""

SIGNAL_TIMEOUT: Final = 5.0
"""The native library's own bound for one attempt to reach the server (its default), in seconds."""

RETRY_DELAYS: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Pauses between attempts, in seconds; the last one repeats."""


@asynccontextmanager
async def open_room(
    url: str,
    token: str,
    *,
    options: RoomOptions | None = None,
    connect_timeout: float = 15.0,
    leave_timeout: float = 5.0,
) -> AsyncGenerator[Room, None]:
    """Join a room for the length of an ``async with`` block, and leave it without a trace.

    The native side keeps all room events back until the body has been entered and gives way for the first time: what the
    body sets up before that (`Room.open_events`, handlers) misses nothing.

    Args:
        url: the server, ``ws://``, ``wss://``, ``http://`` or ``https://``.
        token: an access token with the grant to join, see `livekit_trio.api.AccessToken`. It is never logged.
        options: how to join; the default subscribes to everything.
        connect_timeout: seconds for the whole join with all its attempts.
        leave_timeout: seconds that leaving may take at most, such as while the network is down.

    Yields:
        The joined room, with its name, SID, participants and publications known.

    Raises:
        ConnectError: the room could not be joined; `ConnectError.kind` says why.
        ValueError, TypeError: an argument is not what it should be.
        NativeLoadError: the native library could not be loaded.
        NativePanicError: it has failed in this process before.
        UsedAfterForkError: this is a forked child of a process that used it.
        Exception: whatever the body raises, the same object.

    Cancellation:
        While joining: waits up to one second for the native side's answer and undoes the join, now or when it comes; nothing
        stays on the server. In the body: the room is left as usual, within *leave_timeout*.

    Source:
        ConnectRequest, ReadyForRoomEventRequest, DisconnectRequest (livekit-ffi room.proto).
    """
    _check_arguments(url, token, connect_timeout, leave_timeout)
    options = options or RoomOptions()
    if not descriptors_are_left():
        raise ConnectError(
            ConnectErrorKind.DESCRIPTORS, _public_url(url), "the process has hardly any file descriptors left"
        )
    with hold_runtime() as runtime:
        session = await _join(runtime, url, token, options, connect_timeout)
        body_error: BaseException | None = None
        try:
            async with anyio.create_task_group() as services:

                async def run_services() -> None:  # noqa: ASYNC910 - it waits unless the room has ended
                    services.start_soon(session.run_hold_back_timer)
                    await session.state.rpc.run_handlers()

                # One task, since each delays the body, and until that has registered a method its calls are refused natively.
                services.start_soon(run_services)
                # In a later pass of the loop, so after the body's first checkpoint; a task could be run too early.
                runtime.call_soon(session.send_ready)
                try:
                    yield make(Room, session, options.encryption)
                except BaseException as error:  # noqa: ASYNC103, BLE001 - raised below
                    # Not through the nursery, which would wrap it in a group, or rebuild a group that it already is.
                    body_error = error
                # The scope too: a timer's cancellation that an outer one shines through would come out of the nursery.
                services.cancel_scope.shield = True
                session.start_leaving()
                if runtime.pumping:
                    # Shielded from the nursery too: AnyIO cancels it when a service that an outer scope has cancelled ends.
                    with anyio.move_on_after(leave_timeout, shield=True):
                        await session.closed.wait()
                services.cancel_scope.cancel()
        except anyio.get_cancelled_exc_class() as cancelled:
            # Only Task.cancel() gets here, through the shield. It must not be swallowed, whatever the body said.
            cancelled.__context__ = body_error
            raise
        except BaseExceptionGroup as group:
            # SystemExit or Ctrl-C in an RPC handler, which the body was cancelled for: as if the body had raised it.
            raise _innermost(group) from None
        finally:
            session.start_leaving()
            session.release()
        try:
            if body_error is not None:
                raise body_error
            if isinstance(session.failure, InternalError):
                raise session.failure
        finally:
            del body_error  # it refers to this frame


def _innermost(error: BaseException) -> BaseException:
    within: tuple[BaseException, ...] | None = getattr(error, "exceptions", None)
    return error if within is None else _innermost(within[0])


async def _join(runtime: Runtime, url: str, token: str, options: RoomOptions, within: float) -> RoomSession:
    last_error = ConnectError(ConnectErrorKind.TIMEOUT, _public_url(url), f"no answer within {within:g} s")
    deadline = anyio.current_time() + within
    with anyio.move_on_at(deadline):  # noqa: ASYNC912 - each attempt waits
        for attempt in range(options.join_retries + 1):
            if attempt:
                await anyio.sleep(RETRY_DELAYS[min(attempt, len(RETRY_DELAYS)) - 1])
            try:
                return await _attempt(runtime, url, token, options, deadline)
            except ConnectError as error:
                last_error = error
                if is_final(error):
                    break
    raise last_error


async def _attempt(runtime: Runtime, url: str, token: str, options: RoomOptions, deadline: float) -> RoomSession:
    await anyio.lowlevel.checkpoint_if_cancelled()
    signal_timeout = max(0.1, min(SIGNAL_TIMEOUT, deadline - anyio.current_time()))
    native_options = room_options(options, connect_timeout_ms=round(signal_timeout * 1000), join_retries=0)
    fields = {"url": url, "token": token, "options": native_options}
    try:
        call = runtime.send("connect", fields)
    except NativeRefusalError as error:
        raise ConnectError(ConnectErrorKind.OTHER, _public_url(url), error.text) from None
    try:
        reply = await call.wait()
    except BaseException:
        call.forsake()
        # Cancelled by the caller: let the identity be free when it goes on. By our own clock: the error comes at once.
        grace = CANCEL_GRACE if anyio.current_time() < deadline else 0
        await _wait_for_undo(call, grace)  # noqa: ASYNC102 - shielded and bounded there
        raise
    if reply.WhichOneof("message") == "error":
        text = _logs.redact(reply.error)
        raise classify(text, _public_url(url))
    try:
        return RoomSession(runtime, reply, call.payload, auto_subscribe=options.auto_subscribe)
    except BaseException:
        call.forsake()
        raise


async def _wait_for_undo(call: Call, grace: float) -> None:
    try:
        with anyio.move_on_after(grace, shield=True):
            await call.wait_answered()
    finally:
        call.abandon()


def _public_url(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _check_arguments(url: str, token: str, connect_timeout: float, leave_timeout: float) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss", "http", "https") or not parts.hostname:
        raise ValueError("url must be ws://, wss://, http:// or https:// and name a host")
    if not token:
        raise ValueError("token must not be empty")
    for name, value in (
        ("connect_timeout", connect_timeout),
        ("leave_timeout", leave_timeout),
    ):
        if not 0 < value < 1e6:
            raise ValueError(f"{name} must be a number of seconds above 0, not {value!r}")
