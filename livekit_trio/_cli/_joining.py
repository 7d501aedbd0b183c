"""Commands that join a room: the options that say which one and as whom."""

from __future__ import annotations

import functools
import inspect
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import attrs
import trio
import typer

from .. import api, rtc

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

P = ParamSpec("P")

SERVER = "Server"
INTERRUPTED = 130


@attrs.frozen
class Joining:
    """Where a command goes."""

    url: str
    token: str = attrs.field(repr=False)

    def open_room(self, options: rtc.RoomOptions | None = None) -> AbstractAsyncContextManager[rtc.Room]:
        return rtc.open_room(self.url, self.token, options=options)


def _joining(
    room: Annotated[str, typer.Argument(help="The room's name; with --token what the token says.")] = "",
    url: Annotated[str, typer.Option(envvar="LIVEKIT_URL", rich_help_panel=SERVER, help="Its address.")] = "",
    token: Annotated[
        str, typer.Option(envvar="LIVEKIT_TOKEN", rich_help_panel=SERVER, help="An access token; else key and secret.")
    ] = "",
    api_key: Annotated[str, typer.Option(envvar="LIVEKIT_API_KEY", rich_help_panel=SERVER, help="The API key.")] = "",
    api_secret: Annotated[
        str, typer.Option(envvar="LIVEKIT_API_SECRET", rich_help_panel=SERVER, help="Its secret.")
    ] = "",
    identity: Annotated[str, typer.Option(rich_help_panel=SERVER, help="As whom; with key and secret.")] = "",
) -> Joining:
    if not url:
        raise typer.BadParameter("give --url, or set LIVEKIT_URL")
    if token:
        return Joining(url, token)
    if not (room and api_key and api_secret):
        raise typer.BadParameter("give a room with --api-key and --api-secret, or --token")
    grants = api.VideoGrants(room_join=True, room=room)
    made = api.AccessToken(api_key, api_secret).with_identity(identity or "livekit-trio").with_grants(grants)
    return Joining(url, made.to_jwt())


OPTIONS = inspect.signature(_joining, eval_str=True).parameters


def joining(function: Callable[Concatenate[Joining, P], Awaitable[None]]) -> Callable[..., None]:
    """Make a command of a function that joins a room: with its own options but the first, and those of `_joining`.

    Ctrl-C, and SIGTERM too, cancel the function: it leaves its room and closes its files, and the command ends with 130.
    """
    own = inspect.signature(function, eval_str=True)
    _, *options = own.parameters.values()

    async def run(where: Joining, arguments: dict[str, Any]) -> bool:
        scope = trio.CancelScope()

        async def watch_signals() -> None:
            async for _ in signals:
                scope.cancel()

        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as watching:
                watching.start_soon(watch_signals)
                with scope:
                    await function(where, **arguments)  # pyright: ignore[reportCallIssue]
                watching.cancel_scope.cancel()
        return scope.cancel_called

    @functools.wraps(function)
    def command(**arguments: Any) -> None:
        where = _joining(**{name: arguments.pop(name) for name in OPTIONS})
        if trio.run(run, where, arguments):
            sys.exit(INTERRUPTED)

    positional = [parameter for name, parameter in OPTIONS.items() if name == "room"]
    others = [parameter for name, parameter in OPTIONS.items() if name != "room"]
    first = [parameter for parameter in options if _is_argument(parameter)]
    rest = [parameter for parameter in options if parameter not in first]
    keyword = inspect.Parameter.KEYWORD_ONLY
    ordered = [parameter.replace(kind=keyword) for parameter in (*first, *positional, *rest, *others)]
    vars(command)["__signature__"] = own.replace(parameters=ordered)
    return command


def _is_argument(parameter: inspect.Parameter) -> bool:
    return any(type(note).__name__ == "ArgumentInfo" for note in getattr(parameter.annotation, "__metadata__", ()))
