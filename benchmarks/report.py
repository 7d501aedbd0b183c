"""What was measured, beside what is to be reached: as a table, a picture and JSON."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SUBJECTS: Final = ("floor", "official", "ours, Trio", "ours, asyncio")
Figure = tuple[str, str, float]
"""The names of a row and of a subject, and what was measured."""
Values = dict[str, list[float]]
"""What was measured of each subject, round by round."""
Figures = Callable[[str, str], float]
"""The median of a row and a subject; `KeyError` if there is none."""


@attrs.frozen
class Note:
    """Why a row has no figures, or fewer."""

    row: str
    text: str


@attrs.frozen
class Goal:
    """What ours is to reach."""

    text: str
    miss: Callable[[Figures, str, str], float]
    """By what factor it is missed, at most 1 if it is not: of all figures, the row, and which of ours."""


def at_most(limit: float, of: str = "") -> Goal:
    """At most so many, or so many times the figure of another subject."""
    return Goal(
        f"≤ {_times(limit, of)}",
        lambda figures, row, ours: _ratio(figures(row, ours), limit * (figures(row, of) if of else 1)),
    )


def at_least(limit: float, of: str = "") -> Goal:
    """At least so many, or so many times the figure of another subject."""
    return Goal(
        f"≥ {_times(limit, of)}",
        lambda figures, row, ours: _ratio(limit * (figures(row, of) if of else 1), figures(row, ours)),
    )


def above_floor(limit: float) -> Goal:
    """At most so much more than the floor: what an SDK adds."""
    return Goal(f"≤ floor + {limit:g}", lambda figures, row, ours: (figures(row, ours) - figures(row, "floor")) / limit)


def no_more_than(other_row: str) -> Goal:
    """At most what the same subject takes in another row."""
    return Goal(f"≤ {other_row}", lambda figures, row, ours: _ratio(figures(row, ours), figures(other_row, ours)))


def _ratio(one: float, other: float) -> float:
    return one / other if other > 0 else 1.0 if one <= 0 else math.inf


def _times(limit: float, of: str) -> str:
    return of if of and limit == 1 else f"{limit:g} × {of}" if of else f"{limit:g}"


@attrs.frozen
class Row:
    name: str
    unit: str = ""
    goal: Goal | None = None
    headline: bool = False
    """It is one of the design's, and in the README."""


@attrs.define
class Report:
    """One run."""

    rows: tuple[Row, ...]
    date: str
    commit: str
    machine: str
    load: float
    """Of the machine, as the run began."""
    rounds: int
    command: str
    values: dict[str, Values] = attrs.Factory(dict[str, Values])
    """By the name of the row."""
    notes: dict[str, str] = attrs.Factory(dict[str, str])

    def add(self, found: Figure | Note) -> None:
        if isinstance(found, Note):
            self.notes[found.row] = found.text
        else:
            row, subject, value = found
            self.values.setdefault(row, {}).setdefault(subject, []).append(value)

    @property
    def measured(self) -> list[Row]:
        return [row for row in self.rows if row.name in self.values or row.name in self.notes]

    def median(self, row: str, subject: str) -> float:
        return statistics.median(self.values[row][subject])

    def verdict(self, row: Row) -> str:
        """Whether ours reaches the goal, on both event loops; if not, by what factor it misses it."""
        if row.goal is None:
            return ""
        try:
            misses = {ours: row.goal.miss(self.median, row.name, ours) for ours in SUBJECTS[2:]}
        except KeyError:
            return ""
        if max(misses.values()) <= 1:
            return "yes"
        return "; ".join(
            f"{subject.removeprefix('ours, ')}: {'yes' if miss <= 1 else f'{miss:.2f} ×' if miss <= 1.5 else f'**no, {miss:.1f} ×**'}"
            for subject, miss in misses.items()
        )

    def heading(self) -> str:
        busy = ": **the machine was busy**" if self.load > 1 else ""
        return (
            f"{self.date}, commit {self.commit}, {self.machine}, load {self.load:.1f} as it began{busy}. "
            f"`{self.command}`: {self.rounds} round{'s: medians, in brackets the lowest and the highest' * (self.rounds > 1)}."
        )

    def table(self, *, short: bool = False) -> str:
        rows = [row for row in self.measured if row.headline or not short]
        lines = [["", *SUBJECTS, "goal", "reached"]]
        for row in rows:
            values = self.values.get(row.name, {})
            cells = [cell(values.get(subject, []), spread=not short) for subject in SUBJECTS]
            verdict = self.notes.get(row.name) or self.verdict(row)
            name = f"{row.name}, {row.unit}" if row.unit else row.name
            lines.append([name, *cells, row.goal.text if row.goal else "", verdict])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
        text.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
        return "\n".join(text)

    def json(self) -> dict[str, Any]:
        facts = {name: getattr(self, name) for name in ("date", "commit", "machine", "load", "rounds", "command")}
        rows = [
            {
                "name": row.name,
                "unit": row.unit,
                "goal": row.goal and row.goal.text,
                "reached": self.verdict(row),
                "note": self.notes.get(row.name),
                "values": self.values.get(row.name, {}),
            }
            for row in self.measured
        ]
        return {**facts, "rows": rows}

    @classmethod
    def read(cls, rows: tuple[Row, ...], saved: Mapping[str, Any]) -> Report:
        """The run that `json` has made this of."""
        measured: list[dict[str, Any]] = saved["rows"]
        facts = {name: value for name, value in saved.items() if name != "rows"}
        values = {row["name"]: row["values"] for row in measured if row["values"]}
        notes = {row["name"]: row["note"] for row in measured if row["note"]}
        return cls(rows, **facts, values=values, notes=notes)

    def svg(self) -> str:
        """Bars for the headlines, those of each row beside its longest."""
        rows = [row for row in self.measured if row.headline and row.name in self.values]
        colours = dict(zip(SUBJECTS, ("#9aa0a6", "#d9822b", "#1f6feb", "#7fb0ff"), strict=True))
        left, width, bar, y = 380, 400, 11, 50
        parts: list[str] = []
        for number, (subject, colour) in enumerate(colours.items()):
            parts.append(f'<rect x="{left + 130 * number}" y="18" width="11" height="11" fill="{colour}"/>')
            parts.append(f'<text x="{left + 16 + 130 * number}" y="28">{escape(subject)}</text>')
        for row in rows:
            medians = {subject: self.median(row.name, subject) for subject in self.values[row.name]}
            name = f"{row.name}, {row.unit}" if row.unit else row.name
            name += " (more is better)" if row.goal and row.goal.text.startswith("≥") else ""
            parts.append(f'<text x="{left - 8}" y="{y + 22}" text-anchor="end">{escape(name)}</text>')
            for subject in SUBJECTS:
                if subject in medians:
                    length = max(1.0, width * medians[subject] / max(medians.values()))
                    parts.append(
                        f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar}" fill="{colours[subject]}"/>'
                    )
                    parts.append(
                        f'<text x="{left + length + 5:.1f}" y="{y + 9}">{number_text(medians[subject])}</text>'
                    )
                y += bar
            y += 10
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 160}" height="{y + 10}" '
            'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>'
            + "".join(parts)
            + "</svg>\n"
        )


def cell(values: Sequence[float], *, spread: bool) -> str:
    """The median, and in brackets the lowest and the highest, if they are more than one."""
    if not values:
        return "–"
    text = number_text(statistics.median(values))
    return f"{text} ({number_text(min(values))}–{number_text(max(values))})" if spread and len(values) > 1 else text


def number_text(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def fill(text: str, mark: str, content: Iterable[str]) -> str:
    """Replace what stands between `<!-- mark -->` and `<!-- /mark -->`."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"there is no {begin} … {end}")
    return "\n\n".join([before + begin, *content, end + after])
