"""The benchmarks work; what they find is for people to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.__main__ import ALL, ROWS, chosen
from benchmarks.measure import Bench, subjects
from benchmarks.report import SUBJECTS, Goal, Note, Report, Row, above_floor, at_least, at_most, fill, no_more_than

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from livekit_trio.testing import DevServer

ROW = Row("packet", "ms", at_most(1.1, "floor"), headline=True)


def report(
    *rows: Row, load: float = 0.2, values: Mapping[str, tuple[float, float, float, float]] | None = None
) -> Report:
    """A run with figures of the floor, the official SDK, and ours on Trio and asyncio."""
    made = Report(
        rows, date="2026-01-02", commit="abc", machine="2 × fast", load=load, rounds=1, command="python -m benchmarks"
    )
    for row, figures in (values or {}).items():
        for subject, figure in zip(SUBJECTS, figures, strict=True):
            made.add((row, subject, figure))
    return made


@pytest.mark.parametrize(
    ("goal", "figures", "reached"),
    [
        (at_most(40), (0, 0, 40, 39), "yes"),
        (at_most(40), (0, 0, 44, 39), "Trio: 1.10 ×; asyncio: yes"),
        (at_most(40), (0, 0, 39, 80), "Trio: yes; asyncio: **no, 2.0 ×**"),
        (at_most(1.5, "official"), (0, 10, 15, 30), "Trio: yes; asyncio: **no, 2.0 ×**"),
        (at_most(1, "official"), (0, 0, 0, 0), "yes"),
        (at_most(1, "official"), (0, 0, 1, 0), "Trio: **no, inf ×**; asyncio: yes"),
        (at_least(15, "official"), (0, 10, 150, 120), "Trio: yes; asyncio: 1.25 ×"),
        (above_floor(10), (50, 0, 60, 64), "Trio: yes; asyncio: 1.40 ×"),
        (above_floor(10), (50, 0, 40, 50), "yes"),
        (no_more_than("other"), (0, 0, 5, 8), "Trio: yes; asyncio: 1.33 ×"),
        (None, (1, 2, 3, 4), ""),
    ],
)
def test_what_is_reached(goal: Goal | None, figures: tuple[float, float, float, float], reached: str) -> None:
    row = Row("it", goal=goal)
    assert report(row, values={"it": figures, "other": (0, 0, 6, 6)}).verdict(row) == reached


def test_a_goal_without_the_figure_that_it_is_about_is_neither_reached_nor_missed() -> None:
    made = report(ROW)
    made.add(("packet", "ours, Trio", 1.0))
    assert made.verdict(ROW) == ""


def test_the_table_tells_medians_and_how_far_the_rounds_lie_apart() -> None:
    made = report(ROW, Row("other"), values={"packet": (1, 9, 2, 2), "other": (1, 1, 1, 1234.5)})
    made.add(("packet", "official", 5))
    made.add(("packet", "official", 7))
    heading, _, packet, other = made.table().splitlines()
    assert [cell.strip() for cell in heading.split("|")[1:-1]] == ["", *SUBJECTS, "goal", "reached"]
    assert "| packet, ms | 1     | 7 (5–9) " in packet
    assert "| 1234 " in other
    assert "other" not in made.table(short=True)
    assert "(" not in made.table(short=True).splitlines()[2].partition("goal")[0].partition("≤")[0]


def test_a_row_that_ends_early_says_why() -> None:
    made = report(ROW)
    made.add(Note("packet", "the machine ends here"))
    assert "the machine ends here" in made.table()
    assert "–" in made.table()


def test_a_busy_machine_is_told() -> None:
    assert "busy" in report(ROW, load=1.5).heading()
    assert "busy" not in report(ROW).heading()


def test_what_was_saved_is_read_again() -> None:
    made = report(*ROWS, values={ROWS[0].name: (1, 2, 3, 4)})
    made.add(Note(ROWS[1].name, "why"))
    assert Report.read(ROWS, made.json()) == made
    assert made.svg().startswith("<svg ")
    assert made.svg().count("<rect") == 1 + 2 * len(SUBJECTS)  # the ground, the legend, the bars


def test_a_page_gets_the_table_between_its_marks() -> None:
    page = "a\n<!-- figures -->\nold\n<!-- /figures -->\nb"
    assert fill(page, "figures", ["new"]) == "a\n<!-- figures -->\n\nnew\n\n<!-- /figures -->\nb"
    with pytest.raises(ValueError, match="there is no"):
        fill("nothing", "figures", [])


def test_every_row_has_a_name_of_its_own_and_those_of_the_design_a_goal() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all(row.goal for row in ROWS if row.headline)


def test_rows_and_groups_are_chosen_by_name() -> None:
    assert chosen([]) == list(ALL)
    assert chosen(["audio"]) == ["audio"]
    assert chosen(["RPC", "join"]) == ["join", "calls"]


# ---- the measurements themselves


def measured(group: str, server: DevServer, folder: Path) -> set[tuple[str, str]]:
    """Run a group with little effort: rows and subjects of which there are figures, all of them rows of the table."""
    bench = Bench(server, folder, subjects(folder), seconds=0.5, settling=1, times=2, at_most=30)
    measure, rows = ALL[group]
    found = [figure for figure in measure(bench) if not isinstance(figure, Note)]
    assert {row for row, _, _ in found} <= {row.name for row in rows}
    return {(row, subject) for row, subject, _ in found}


def test_each_subject_joins(server: DevServer, tmp_path: Path) -> None:
    found = measured("join", server, tmp_path)
    assert found >= {("join p50", subject) for subject in SUBJECTS[1:]}  # the floor needs a C compiler


@pytest.mark.long
@pytest.mark.parametrize("group", [name for name in ALL if name != "join"])
def test_each_group_has_figures_of_each_subject(server: DevServer, tmp_path: Path, group: str) -> None:
    counted = ("60 ", "80 ", "100 ", "120 ", "200 ")
    rows = [row.name for row in ALL[group][1] if not row.name.startswith(counted) or group == "calls"]
    under_test = SUBJECTS[2:] if group == "wakes" else SUBJECTS[1:]
    assert measured(group, server, tmp_path) >= {(row, subject) for row in rows for subject in under_test}
