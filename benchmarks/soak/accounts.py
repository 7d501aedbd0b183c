"""What became of every packet and stream: the diary that a soak writes while it runs, and what it says when it is read afterwards.

Nothing of it is kept in memory, whose size is what the soak is about.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

import anyio
import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

UNDER_WAY: Final = 1.0
"""Seconds: what was sent just before a cut may still have been on its way when it came."""
AFTERMATH: Final = 40.0
"""Seconds after a cut in which a connection may still be lost because of it: ICE waits long before it gives up."""


class Diary:
    """A line of JSON for each thing that happens."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", buffering=1 << 16)
        self.counts: Counter[str] = Counter()

    def note(self, what: str, **facts: Any) -> None:
        self._file.write(json.dumps({"at": round(anyio.current_time(), 3), "what": what, **facts}) + "\n")
        self.counts[what] += 1

    def close(self) -> None:
        self._file.close()


def read_diary(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@attrs.define
class Cut:
    """A time in which a room was, or may have been, without its server.

    Attributes:
        why: what was done to the network or the server.
        begin: when it was done, less `UNDER_WAY`.
        end: when both participants were connected again and the first packet sent since had come through.
    """

    why: str
    begin: float
    end: float


@attrs.define
class Verdict:
    """What the diary says.

    Attributes:
        counts: of what was sent, arrived, lost in a cut, by kind.
        cuts: a line for each cut, and one for each room with what was lost there, number by number.
        problems: what should not have happened.
    """

    counts: Counter[str] = attrs.field(factory=Counter[str])
    cuts: list[str] = attrs.field(factory=list[str])
    problems: list[str] = attrs.field(factory=list[str])


def judge(diary: list[dict[str, Any]]) -> Verdict:
    verdict = Verdict()
    lost_in: dict[tuple[float, str], list[str]] = {
        (entry["at"], entry["why"]): [] for entry in diary if entry["what"] == "cut"
    }
    for room in sorted({entry["room"] for entry in diary if "room" in entry}):
        of_room = [entry for entry in diary if entry.get("room", room) == room]
        cuts = list(_cuts(of_room))
        for cut, (key, lines) in zip(cuts, lost_in.items(), strict=True):
            lost = _judge_sent(of_room, verdict, cut, key[0])
            away = cut.end - cut.begin - UNDER_WAY
            lines.append(f"  room {room}, away for {away:.1f} s: {lost or 'nothing lost'}")
        _judge_rest(of_room, room, cuts, verdict)
    for number, ((at, why), lines) in enumerate(lost_in.items(), 1):
        verdict.cuts += [f"cut {number}, {why}, at {at - diary[0]['at']:.0f} s", *lines]
    return verdict


def _cuts(diary: list[dict[str, Any]]) -> Iterator[Cut]:
    """Each cut, as one room has seen it."""
    downs = list(_downs(diary))
    arrived = {entry["number"] for entry in diary if entry["what"] == "arrived" and entry["kind"] == "packet"}
    sent = [entry for entry in diary if entry["what"] == "sent" and entry["kind"] == "packet"]
    made = [entry for entry in diary if entry["what"] == "cut"]
    last = diary[-1]["at"]
    for cut, following in itertools.zip_longest(made, made[1:]):
        mended = next((each["at"] for each in diary if each["what"] == "mended" and each["at"] >= cut["at"]), last)
        until = min(mended + AFTERMATH, following["at"] - UNDER_WAY if following else last)
        again = max([mended, *(up for down, up in downs if cut["at"] - UNDER_WAY <= down < until)])
        through = (each["at"] for each in sent if each["at"] >= again and each["number"] in arrived)
        yield Cut(cut["why"], cut["at"] - UNDER_WAY, next(through, last))


def _downs(diary: list[dict[str, Any]]) -> Iterator[tuple[float, float]]:
    """When either of the two was without a connection."""
    since: dict[str, float] = {}
    for entry in diary:
        if entry["what"] == "down":
            since.setdefault(entry["who"], entry["at"])
        elif entry["what"] == "up" and entry["who"] in since:
            yield since.pop(entry["who"]), entry["at"]
    for begin in since.values():
        yield begin, diary[-1]["at"]


def _judge_sent(diary: list[dict[str, Any]], verdict: Verdict, cut: Cut, at: float) -> str:
    """What of it was sent in this cut and did not arrive."""
    parts: list[str] = []
    for kind in ("packet", "text", "bytes"):
        arrived = {entry["number"] for entry in diary if entry["what"] == "arrived" and entry["kind"] == kind}
        sent = [
            entry["number"]
            for entry in diary
            if entry["what"] == "sent" and entry["kind"] == kind and cut.begin <= entry["at"] < cut.end
        ]
        lost = [number for number in sent if number not in arrived]
        verdict.counts[f"{kind}, sent in a cut"] += len(sent)
        verdict.counts[f"{kind}, lost in a cut"] += len(lost)
        if lost:
            parts.append(f"{kind} {ranges(lost)}")
    return ", ".join(parts)


def _judge_rest(diary: list[dict[str, Any]], room: int, cuts: list[Cut], verdict: Verdict) -> None:
    """What is wrong in one room, whatever its cuts."""
    end = diary[-1]["at"]

    def in_a_cut(moment: float) -> bool:
        return any(cut.begin <= moment < cut.end for cut in cuts)

    for kind in ("packet", "text", "bytes"):
        sent = {entry["number"]: entry["at"] for entry in diary if entry["what"] == "sent" and entry["kind"] == kind}
        arrived = [entry["number"] for entry in diary if entry["what"] == "arrived" and entry["kind"] == kind]
        verdict.counts[f"{kind}, sent"] += len(sent)
        verdict.counts[f"{kind}, arrived"] += len(set(arrived))
        lost = [number for number in sent if number not in set(arrived) and not in_a_cut(sent[number])]
        twice = [number for number, times in Counter(arrived).items() if times > 1]
        late = [later for earlier, later in itertools.pairwise(arrived) if later < earlier]
        for what, numbers in (("lost outside a cut", lost), ("arrived twice", twice), ("arrived out of order", late)):
            if numbers:
                verdict.problems.append(f"room {room}: {kind} {ranges(sorted(numbers))} {what}")
    for down, up in _downs(diary):
        if not any(cut.begin <= down <= cut.end + AFTERMATH for cut in cuts):
            verdict.problems.append(f"room {room}: its connection was lost for no reason, for {up - down:.1f} s")
        if up == end:
            verdict.problems.append(f"room {room}: its connection did not come back")
    for entry in diary:
        if entry["what"] == "failed" and not in_a_cut(entry["at"]) and not in_a_cut(entry.get("since", entry["at"])):
            verdict.problems.append(f"room {room}: {entry['doing']}: {entry['error']}")
    for kind in ("sound", "picture"):
        frames = sum(entry["frames"] for entry in diary if entry["what"] == "media" and entry["kind"] == kind)
        verdict.counts[f"{kind}, frames heard or seen"] += frames
    verdict.counts["failures"] += sum(entry["what"] == "failed" for entry in diary)
    guests = [entry for entry in diary if entry["what"] == "guest"]
    verdict.counts["joins of guests"] += len(guests)
    verdict.counts["guests who leave tracks of others behind"] += sum(entry["tracks"] > 0 for entry in guests)


def ranges(numbers: Iterable[int]) -> str:
    """As 3, 5–9."""
    runs: dict[int, list[int]] = defaultdict(list)
    for place, number in enumerate(numbers):
        runs[number - place].append(number)
    return ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs.values())
