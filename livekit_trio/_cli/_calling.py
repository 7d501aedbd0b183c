"""Commands that call a server: the options that say which one, and the client."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import trio
import typer

from .. import api

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

P = ParamSpec("P")

SERVER = "Server"

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _connection(
    url: Annotated[str, typer.Option(rich_help_panel=SERVER, help="Its address; default LIVEKIT_URL.")] = "",
    api_key: Annotated[str, typer.Option(rich_help_panel=SERVER, help="The API key; default LIVEKIT_API_KEY.")] = "",
    api_secret: Annotated[
        str, typer.Option(rich_help_panel=SERVER, help="Its secret; default LIVEKIT_API_SECRET.")
    ] = "",
) -> api.LiveKitAPI:
    """A client of the server that the options, else the environment, name."""
    try:
        return api.LiveKitAPI(url or None, api_key or None, api_secret or None)
    except ValueError as error:
        typer.echo(f"livekit-trio: {error}", err=True)
        raise typer.Exit(2) from None


CONNECTION = inspect.signature(_connection, eval_str=True).parameters


def calling(function: Callable[Concatenate[api.LiveKitAPI, P], Awaitable[None]]) -> Callable[..., None]:
    """Make a command of a function that uses a client: with its options but the first, and those of `_connection`."""
    own = inspect.signature(function, eval_str=True)
    _, *options = own.parameters.values()

    async def run(which: dict[str, Any], arguments: dict[str, Any]) -> None:
        async with _connection(**which) as lkapi:
            await function(lkapi, **arguments)  # pyright: ignore[reportCallIssue]

    @functools.wraps(function)
    def command(**arguments: Any) -> None:
        trio.run(run, {name: arguments.pop(name) for name in CONNECTION}, arguments)

    vars(command)["__signature__"] = own.replace(parameters=[*options, *CONNECTION.values()])
    return command
