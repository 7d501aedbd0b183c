"""The commands, put together."""

from __future__ import annotations

import typer

from ._demo import demo
from ._participants import participants
from ._publish import publish
from ._record import record
from ._rooms import rooms
from ._server import server
from ._token import token
from ._watch import watch

app = typer.Typer(
    help="LiveKit on Trio and asyncio.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, some of which are secrets
)
for command in (demo, server, token, publish, record, watch):
    app.command()(command)
app.add_typer(rooms, name="rooms")
app.add_typer(participants, name="participants")
