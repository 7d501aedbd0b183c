"""``livekit-trio demo``: a whole call through a real server, and whether everything in it arrived."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import anyio
import typer

from .._errors import LiveKitError
from ._leaves import leaves

CALL: Final = Path(__file__).with_name("media") / "call.mp4"


class Backend(StrEnum):
    """The event loop."""

    TRIO = "trio"
    ASYNCIO = "asyncio"


def demo(
    backend: Annotated[Backend, typer.Option(help="The event loop to run on.")] = Backend.TRIO,
    file: Annotated[Path, typer.Option(help="The recording to publish, with sound and pictures.", exists=True)] = CALL,
    out: Annotated[Path, typer.Option(help="The directory for what comes of it.")] = Path("out"),
    url: Annotated[str, typer.Option(help="A server that runs already; needs a key and its secret.")] = "",
    api_key: Annotated[str, typer.Option(envvar="LIVEKIT_API_KEY", help="Its API key.")] = "",
    api_secret: Annotated[str, typer.Option(envvar="LIVEKIT_API_SECRET", help="The key's secret.")] = "",
) -> None:
    """Hold a call: publish a recording, receive and record it, talk, send a file, lose the network, and compare."""
    # Not above: the other commands need neither PyAV nor Pillow.
    from rich.console import Console
    from rich.live import Live
    from rich.markup import escape

    from ._call._display import Display, table
    from ._call._place import Elsewhere
    from ._call._report import Report
    from ._call._scenario import Plan, hold_call

    console = Console()
    if url and not (api_key and api_secret):
        raise typer.BadParameter("a server of your own needs --api-key and --api-secret")
    elsewhere = Elsewhere(url, api_key, api_secret) if url else None
    out.mkdir(parents=True, exist_ok=True)
    report = Report()
    display = Display(report)
    try:
        with Live(display, console=console, transient=True):
            anyio.run(hold_call, Plan(file, out, elsewhere), report, display.say, backend=backend.value)
    except* (LiveKitError, OSError, TimeoutError, anyio.EndOfStream) as group:
        for error in leaves(group):
            report.add("the call", problem=f"{type(error).__name__}: {str(error) or 'a scene took too long'}")
    console.print(table(report))
    if report.problems:
        for problem in report.problems:
            console.print(f"[red]failed:[/red] {escape(problem)}", soft_wrap=True)
        raise typer.Exit(1)
    console.print(f"Everything arrived. See {out / 'call.mp4'} and {out / 'call.png'}.", soft_wrap=True)
