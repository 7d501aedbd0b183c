"""Measure and print a table. See docs/benchmarks.md for what the columns mean."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import anyio

from livekit_trio.testing import DevServer, open_server

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SDKS: Final = ("floor", "official", "ours")
IMPORTS: Final = {
    "official": ("asyncio", "livekit.rtc"),
    "ours": ("trio, anyio", "livekit_trio.rtc"),
}


def program(sdk: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "benchmarks.programs", sdk, *map(str, arguments)]


def run(command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


class Report:
    """A line for each measure, a column for each SDK."""

    def __init__(self) -> None:
        print(f"{'':42}" + "".join(f"{sdk:>12}" for sdk in SDKS))

    def line(self, what: str, values: dict[str, float]) -> None:
        cells = "".join(f"{values[sdk]:12.1f}" if sdk in values else f"{'–':>12}" for sdk in SDKS)
        print(f"{what:42}{cells}", flush=True)


def each(rounds: int, measure: Callable[[str], dict[str, float]]) -> dict[str, dict[str, float]]:
    """Measure all SDKs in turn, several times, and take the medians."""
    results: dict[str, list[dict[str, float]]] = {sdk: [] for sdk in SDKS}
    for _ in range(rounds):
        for sdk in SDKS:
            results[sdk].append(measure(sdk))
    return {
        sdk: {name: statistics.median(one[name] for one in many) for name in many[0]} for sdk, many in results.items()
    }


def importing(report: Report, rounds: int) -> None:
    values: dict[str, float] = {}
    for sdk, (before, module) in IMPORTS.items():
        code = (
            f"import {before}, time; t = time.perf_counter(); import {module}; print((time.perf_counter() - t) * 1000)"
        )
        times = [
            float(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout)
            for _ in range(rounds * 3)
        ]
        values[sdk] = statistics.median(times)
    report.line("import, ms", values)


def connecting(report: Report, server: DevServer, rounds: int) -> None:
    def measure(sdk: str) -> dict[str, float]:
        times = run(program(sdk, "connect", 20, server.url, server.token("a", f"connect-{sdk}")))["seconds"]
        return {"p50": statistics.median(times) * 1000, "p95": statistics.quantiles(times, n=20)[18] * 1000}

    results = each(rounds, measure)
    for quantile in ("p50", "p95"):
        report.line(f"connect {quantile}, ms", {sdk: values[quantile] for sdk, values in results.items()})


def receiving(report: Report, server: DevServer, rounds: int, rooms: int, rate: float, seconds: float) -> None:
    def measure(sdk: str) -> dict[str, float]:
        names = [f"receive-{sdk}-{number}" for number in range(rooms)]
        receiver = subprocess.Popen(
            program(sdk, "receive", server.url, *(server.token("receiver", name) for name in names)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with receiver as process:
            if process.stdin is None or process.stdout is None or process.stdout.readline() != "joined\n":
                raise RuntimeError(f"{sdk} did not join")
            tokens = [server.token("sender", name) for name in names]
            sent = run(program("ours", "send", rate, seconds, server.url, *tokens))["sent"]
            process.stdin.write("\n")
            process.stdin.flush()
            result = json.loads(process.stdout.readline())
        result["cpu_us_a_message"] = result["cpu"] / sent * 1e6
        result["received"] = 100 * min(result["messages"] / sent, 1)
        return result

    results = each(rounds, measure)
    report.line(
        f"{rooms} rooms, {rate:g} messages/s: CPU each, us",
        {sdk: values["cpu_us_a_message"] for sdk, values in results.items()},
    )
    report.line("  received, %", {sdk: values["received"] for sdk, values in results.items()})
    for name, what in (("fds", "fds a room"), ("rss_mib", "memory a room, MiB"), ("threads", "threads a room")):
        report.line(f"  {what}", {sdk: values[f"{name}_a_room"] for sdk, values in results.items()})


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of each: to see that it runs, not to compare")
    quick = parser.parse_args().quick
    rounds, seconds = (1, 2.0) if quick else (3, 10.0)
    async with open_server() as server:

        def measure() -> None:
            report = Report()
            importing(report, rounds)
            connecting(report, server, rounds)
            receiving(report, server, rounds, 1, 500, seconds)
            receiving(report, server, rounds, 30, 500, seconds)

        await anyio.to_thread.run_sync(measure)


if __name__ == "__main__":
    anyio.run(main, backend="trio")
