"""What the demo has found out: a row for each thing that it tried."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Row:
    """One thing that was tried.

    Attributes:
        what: the thing.
        sent: how much of it.
        received: how much of that arrived.
        dropped: how much is known to be lost.
        seconds: how long it took; None where that says nothing.
        problem: why it is not as it should be; empty if it is.
    """

    what: str
    sent: str = ""
    received: str = ""
    dropped: str = ""
    seconds: float | None = None
    problem: str = ""


@attrs.define
class Report:
    """All rows, in their order."""

    rows: list[Row] = attrs.field(factory=list[Row])

    def add(
        self,
        what: str,
        *,
        sent: object = "",
        received: object = "",
        dropped: object = "",
        seconds: float | None = None,
        problem: str = "",
    ) -> None:
        """Add a row; numbers are written as they are."""
        texts = {"sent": str(sent), "received": str(received), "dropped": str(dropped)}
        self.rows.append(Row(what=what, seconds=seconds, problem=problem, **texts))

    @property
    def problems(self) -> list[str]:
        """What is not as it should be, a line each."""
        return [f"{row.what}: {row.problem}" for row in self.rows if row.problem]
