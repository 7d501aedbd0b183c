"""``livekit-trio server``: a local server for people."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Annotated

import trio
import typer
from rich.console import Console
from rich.text import Text

from ..testing import DevServer, open_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def server(
    port: Annotated[int | None, typer.Option(help="The HTTP port; default a free one.")] = None,
    identity: Annotated[str, typer.Option(help="Whom the printed token is for.")] = "user",
    room: Annotated[str, typer.Option(help="Which room the printed token is for.")] = "demo",
    webhook: Annotated[list[str] | None, typer.Option(help="Where to send webhooks; may be repeated.")] = None,
    redis: Annotated[str | None, typer.Option(help="The address of a Redis, HOST:PORT.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Run a local LiveKit server until Ctrl-C; print its URL, key, secret and a token.

    The server program is the one named by LIVEKIT_SERVER, else livekit-server on PATH, else the one in the user's cache, into
    which it is built the first time, which takes some minutes.
    """

    async def main() -> None:
        async with open_server(port=port, webhook_urls=webhook or (), redis=redis) as running:
            # First: once people have read the introduction they may press Ctrl-C.
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                _introduce(running, identity, room, as_json=as_json)
                await _serve(running, signals)

    trio.run(main)


def _introduce(running: DevServer, identity: str, room: str, *, as_json: bool) -> None:
    facts = {
        "url": running.url,
        "api_key": running.api_key,
        "api_secret": running.api_secret,
        "token": running.token(identity, room),
    }
    if as_json:
        print(json.dumps(facts), flush=True)
        return
    console = Console()
    for name, value in facts.items():
        # soft_wrap: what is to be copied stays on one line.
        console.print(Text.assemble((f"{name:<12}", "bold cyan"), value), soft_wrap=True)
    console.print(f"The token lets {identity!r} join the room {room!r}. Ctrl-C ends the server.")


async def _serve(running: DevServer, signals: AsyncIterator[int]) -> None:
    """Wait for a signal, or for the server's own end, which is an error."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_on_signal, signals, nursery.cancel_scope)
        await running.process.wait()
        nursery.cancel_scope.cancel()
    if running.process.returncode is not None:
        typer.echo(f"the server has ended with status {running.process.returncode}", err=True)
        raise typer.Exit(1)


async def _cancel_on_signal(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    async for _ in signals:
        scope.cancel()
