"""What received and captured frames cost, and publishing."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from .measure import Held, percentiles, running
from .report import Note, Row, above_floor, at_least, at_most, no_more_than

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .measure import Bench
    from .report import Figure

FEW, MANY = 1, 20
SIZES: Final = {"360p": (640, 360), "720p": (1280, 720), "1080p": (1920, 1080)}
SOURCES: Final = 10


def frame_of(count: int) -> str:
    return f"{count} audio stream{'s' * (count > 1)}: 10 ms frame"


GOALS: Final = {
    1: above_floor(80),
    20: above_floor(15),
    60: above_floor(10),
    80: no_more_than(frame_of(20)),
    120: no_more_than(frame_of(20)),
    200: no_more_than(frame_of(20)),
}
AUDIO_ROWS: Final = (
    *(Row(frame_of(count), "μs of CPU", goal, headline=True) for count, goal in GOALS.items()),
    *(
        Row(f"{count} audio streams: each", "frames/s", at_least(99), headline=count == 80)
        for count in GOALS
        if count >= 60
    ),
    Row("a further audio stream: memory", "MB", at_most(1, "official")),
)
VIDEO_ROWS: Final = tuple(
    Row(f"{size} video frame", "μs of CPU", above_floor(100), headline=size == "720p") for size in SIZES
)
CAPTURE_ROWS: Final = (Row("capture_frame, 10 ms", "μs of CPU", at_most(0.5, "official"), headline=True),)
PUBLISH_ROWS: Final = tuple(
    Row(f"publish_track p{percent}", "ms", at_most(1, "official"), headline=True) for percent in (50, 95)
)


def measure_audio(bench: Bench) -> Iterator[Figure | Note]:
    """Somebody publishes so many tracks; each frame of all of them is read."""
    megabytes_of_few: dict[str, float] = {}
    for count in bench.counts(*GOALS):
        room = [f"audio {count}"]
        with ExitStack() as stack:
            try:
                stack.enter_context(running(bench.other_end("players", room, "player", "audio", str(count))))
            except RuntimeError:
                if count <= MANY:
                    raise
                yield Note(frame_of(count), "the machine ends here: the player did not get ready")
                return
            for subject in bench.subjects:
                with running(subject.command("media", "listen", bench.joining(subject, room, "listener"))) as process:
                    rate, cpu = bench.count(process)
                    megabytes = Held.by(process).megabytes
                if count == FEW:
                    megabytes_of_few[subject.name] = megabytes
                elif count == MANY:
                    growth = (megabytes - megabytes_of_few[subject.name]) / (MANY - FEW)
                    yield "a further audio stream: memory", subject.name, growth
                yield frame_of(count), subject.name, cpu
                yield f"{count} audio streams: each", subject.name, rate / count
                if subject is bench.subjects[0] and count > MANY and rate < 95 * count:
                    yield Note(
                        frame_of(count),
                        f"the machine ends here: {subject.name} gets {rate / count:.0f} of 100 frames/s",
                    )
                    return


def measure_video(bench: Bench) -> Iterator[Figure | Note]:
    for size, (width, height) in SIZES.items():
        room = [f"video {size}"]
        with running(bench.other_end("players", room, "player", f"{width}x{height}", "1")):
            for subject in bench.subjects:
                with running(subject.command("media", "listen", bench.joining(subject, room, "watcher"))) as process:
                    rate, cpu = bench.count(process)
                yield f"{size} video frame", subject.name, cpu
                if subject is bench.subjects[0] and height > 360 and rate < 28:
                    yield Note(
                        f"{size} video frame", f"the machine ends here: {subject.name} gets {rate:.0f} of 30 frames/s"
                    )
                    return


def measure_capture(bench: Bench) -> Iterator[Figure]:
    """Silence into some sources, 100 frames a second into each."""
    for subject in bench.subjects:
        with running(subject.command("media", "capture", str(SOURCES))) as process:
            yield "capture_frame, 10 ms", subject.name, bench.count(process)[1]


def measure_publish(bench: Bench) -> Iterator[Figure]:
    """One audio track after the other, in a room that nobody else is in; the first one does not count."""
    for subject in bench.subjects:
        file = bench.joining(subject, [f"publishing {subject.name}"], "ann")
        times = bench.run(subject, "media", "publish", file, str(bench.times + 1))
        yield from percentiles("publish_track", subject, [float(line) for line in times[1:]], 50, 95)
