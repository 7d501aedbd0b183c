"""The demo's picture: a received frame, the recorded sound, and how the connection did, on one sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ._compare import Samples

WIDTH: Final = 960
FRAME_HEIGHT: Final = 540
PANEL: Final = 140
MARGIN: Final = 24
BACKGROUND: Final = "#10151c"
GRID: Final = "#2a3441"
TEXT: Final = "#d7dee8"
SOUND: Final = "#58b6ff"
BITRATE: Final = "#7ee08a"
ROUND_TRIP: Final = "#ffb454"


@attrs.frozen
class Moment:
    """How the connection did at one time.

    Attributes:
        at: seconds since the first.
        kbits: received in a second, sound and pictures, in 1000 bits.
        round_trip: to the server and back, in milliseconds; None if it was not measured.
    """

    at: float
    kbits: float
    round_trip: float | None


def draw(path: Path, frame: Image.Image, sound: Samples, sample_rate: int, moments: Sequence[Moment]) -> None:
    """Write the sheet as PNG."""
    sheet = Image.new("RGB", (WIDTH, FRAME_HEIGHT + 3 * (PANEL + MARGIN) + MARGIN), BACKGROUND)
    scaled = ImageOps.contain(frame.convert("RGB"), (WIDTH, FRAME_HEIGHT))
    sheet.paste(scaled, ((WIDTH - scaled.width) // 2, (FRAME_HEIGHT - scaled.height) // 2))
    pen = ImageDraw.Draw(sheet)
    top = FRAME_HEIGHT + MARGIN
    _panel(pen, top, f"sound, {len(sound) / sample_rate:.1f} s")
    _wave(pen, top, sound)
    kbits = [(moment.at, moment.kbits) for moment in moments]
    _curve(pen, top + PANEL + MARGIN, "received, kbit/s", kbits, BITRATE)
    trips = [(moment.at, moment.round_trip) for moment in moments if moment.round_trip is not None]
    _curve(pen, top + 2 * (PANEL + MARGIN), "round trip, ms", trips, ROUND_TRIP)
    sheet.save(path)


def _panel(pen: ImageDraw.ImageDraw, top: int, title: str) -> None:
    pen.rectangle((MARGIN, top, WIDTH - MARGIN, top + PANEL), outline=GRID)
    pen.text((MARGIN + 6, top + 4), title, fill=TEXT, font=ImageFont.load_default(14))


def _wave(pen: ImageDraw.ImageDraw, top: int, sound: Samples) -> None:
    columns = WIDTH - 2 * MARGIN
    middle, scale = top + PANEL / 2, (PANEL / 2 - 4) / max(float(np.abs(sound).max()), 1e-6)
    for column, part in enumerate(np.array_split(sound, columns)):
        x = MARGIN + column
        pen.line((x, middle - float(part.max()) * scale, x, middle - float(part.min()) * scale), fill=SOUND)


def _curve(pen: ImageDraw.ImageDraw, top: int, title: str, points: Sequence[tuple[float, float]], colour: str) -> None:
    if len(points) < 2:
        _panel(pen, top, f"{title}: not measured")
        return
    highest = max(value for _, value in points) or 1.0
    _panel(pen, top, f"{title}, up to {highest:.3g}")
    begin, end = points[0][0], points[-1][0]
    line = [
        (
            MARGIN + (at - begin) / (end - begin) * (WIDTH - 2 * MARGIN),
            top + PANEL - 4 - value / highest * (PANEL - 30),
        )
        for at, value in points
    ]
    pen.line(line, fill=colour, width=2, joint="curve")
