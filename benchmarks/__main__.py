"""``python -m benchmarks``: livekit_trio beside the official SDK and beside the native library alone. See docs/benchmarks.md."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anyio.from_thread import start_blocking_portal

from livekit_trio.testing import open_server

from . import api, calls, media, rooms, streams
from .measure import ROOT, Bench, install_official, subjects
from .report import Note, Report, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .report import Figure, Row

ALL: Final[dict[str, tuple[Callable[[Bench], Iterable[Figure | Note]], tuple[Row, ...]]]] = {
    "import": (rooms.measure_import, rooms.IMPORT_ROWS),
    "wakes": (rooms.measure_wakes, rooms.WAKE_ROWS),
    "join": (rooms.measure_join, rooms.JOIN_ROWS),
    "rooms": (rooms.measure_rooms, rooms.ROOM_ROWS),
    "holdings": (rooms.measure_holdings, rooms.HOLDING_ROWS),
    "calls": (calls.measure_calls, calls.CALL_ROWS),
    "latency": (calls.measure_latency, calls.LATENCY_ROWS),
    "streams": (streams.measure_streams, streams.STREAM_ROWS),
    "audio": (media.measure_audio, media.AUDIO_ROWS),
    "video": (media.measure_video, media.VIDEO_ROWS),
    "capture": (media.measure_capture, media.CAPTURE_ROWS),
    "publish": (media.measure_publish, media.PUBLISH_ROWS),
    "api": (api.measure_api, api.API_ROWS),
    "files": (streams.measure_files, streams.FILE_ROWS),
}
ONCE: Final = {"files", "holdings"}
"""What takes long and is much the same in each round."""
ROWS: Final = tuple(row for _, rows in ALL.values() for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="ROW",
        help=f"only rows with such a name, or groups of rows: {', '.join(ALL)}",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="how long is counted at a time")
    parser.add_argument("--at-most", type=int, default=200, help="the most rooms or streams in a process")
    parser.add_argument(
        "--read", type=Path, metavar="FILE", help="measure nothing: take the figures of an earlier run's --json"
    )
    for name in ("json", "markdown", "plot"):
        parser.add_argument(
            f"--{name}",
            type=Path,
            metavar="FILE",
            help=f"write the figures there, as {'SVG' if name == 'plot' else name}",
        )
    parser.add_argument("--docs", action="store_true", help="write them into README.md and docs/, as all of these")
    arguments = parser.parse_args()
    report = Report.read(ROWS, json.loads(arguments.read.read_text())) if arguments.read else run(arguments)
    write(report, arguments.json, arguments.markdown, arguments.plot)
    if arguments.docs:
        write(report, ROOT / "docs" / "benchmarks.json", None, ROOT / "docs" / "benchmarks.svg")
        for page, short in (("README.md", True), ("docs/benchmarks.md", False)):
            text = (ROOT / page).read_text()
            (ROOT / page).write_text(fill(text, "benchmarks", [report.heading(), report.table(short=short)]))
    print(f"\n{report.heading()}\n\n{report.table()}")


def write(report: Report, as_json: Path | None, as_markdown: Path | None = None, as_svg: Path | None = None) -> None:
    if as_json:
        as_json.write_text(json.dumps(report.json(), indent=1, ensure_ascii=False) + "\n")
    if as_markdown:
        as_markdown.write_text(f"{report.heading()}\n\n{report.table()}\n")
    if as_svg:
        as_svg.write_text(report.svg())


def run(arguments: argparse.Namespace) -> Report:
    report = Report(
        ROWS,
        date=f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC",
        commit=commit(),
        machine=machine(),
        load=os.getloadavg()[0],
        rounds=arguments.rounds,
        command=shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
    )
    groups = chosen(arguments.only)
    start = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_server()) as server,
    ):
        bench = Bench(
            server,
            Path(folder),
            subjects(Path(folder), install_official(Path(folder))),
            seconds=arguments.seconds,
            at_most=arguments.at_most,
        )
        for number in range(arguments.rounds):
            for name in groups:
                if number and name in ONCE:
                    continue
                print(
                    f"{time.monotonic() - start:5.0f} s, round {number + 1} of {arguments.rounds}: {name}", flush=True
                )
                try:
                    # One subject after the other in each group: what else the machine does hits them all.
                    for found in ALL[name][0](bench):
                        report.add(found)
                except (RuntimeError, ValueError, OSError, subprocess.SubprocessError) as error:
                    print(f"  failed: {error!r}", flush=True)
                    report.add(Note(ALL[name][1][0].name, f"{type(error).__name__} in round {number + 1}"))
            write(report, arguments.json)
    return report


def chosen(words: Sequence[str]) -> list[str]:
    """The groups that *words* name, or that have rows with such names; all if there are none."""
    unknown = [word for word in words if word not in ALL]
    return [
        group
        for group, (_, rows) in ALL.items()
        if not words or group in words or any(word in row.name for word in unknown for row in rows)
    ]


def commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + (
        " with changes" if git("status", "--short", "--untracked-files=no") else ""
    )


def machine() -> str:
    models = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return f"{os.cpu_count()} × {models[0] if models else platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
