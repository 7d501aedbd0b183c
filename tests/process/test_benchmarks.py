"""The benchmarks work; what they find is for people to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.measure import Bench, import_time, subjects
from benchmarks.streams import carry, of_streams

if TYPE_CHECKING:
    from pathlib import Path

    from livekit_trio.testing import DevServer


def test_each_subject_is_measured(server: DevServer, tmp_path: Path) -> None:
    bench = Bench(server, tmp_path)
    under_test = subjects(tmp_path)
    assert [subject.name for subject in under_test][-3:] == ["ours, Trio", "ours, asyncio", "official"]
    for subject in under_test:
        assert len(bench.connect(subject, 2)) == 2
        per_second, cpu = bench.receive(subject, rooms=2, rate=200, seconds=0.5)
        assert per_second > 20
        assert cpu > 0
    own, total = import_time(under_test[-1])
    assert 0 < own < total


@pytest.mark.long
def test_byte_streams_are_carried(server: DevServer, tmp_path: Path) -> None:
    bench = Bench(server, tmp_path)
    for subject in subjects(tmp_path):
        assert min(carry(bench, of_streams(subject), 100_000, settling=1)) > 0, subject.name
