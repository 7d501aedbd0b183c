"""The demo on the terminal: a table that grows, and what is being done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ._report import Report


class Display:
    """What `rich.live.Live` shows."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._spinner = Spinner("dots", "")

    def say(self, doing: str) -> None:
        """Show what is being done now."""
        self._spinner.update(text=Text(doing, style="italic"))

    def __rich__(self) -> RenderableType:
        return Group(table(self._report), self._spinner)


def table(report: Report) -> Table:
    """All that was found out so far."""
    shown = Table(title="a call, through a real server", title_justify="left")
    for name in ("", "what", "sent", "received", "dropped", "seconds"):
        shown.add_column(name, justify="right" if name in ("dropped", "seconds") else "left")
    for row in report.rows:
        mark = Text("✗", style="bold red") if row.problem else Text("✓", style="green")
        what = Text(row.what)
        if row.problem:
            what.append(f"\n{row.problem}", style="red")
        seconds = "" if row.seconds is None else f"{row.seconds:.2f}"
        shown.add_row(mark, what, row.sent, row.received, row.dropped, seconds)
    return shown
