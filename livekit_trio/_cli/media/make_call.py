# pyright: basic
"""Make `call.mp4`, the recording that the demo publishes: a synthetic voice, and numbered colour bars with a ball in front.

It is checked in; run this to make it anew: ``python -m livekit_trio._cli.media.make_call``. It needs espeak-ng, whose output
belongs to whoever made it, and the extra ``media``.
"""

from __future__ import annotations

import io
import math
import subprocess
import wave
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np

from ...testing import colour_bars

if TYPE_CHECKING:
    from ...rtc import VideoFrame

TEXT: Final = (
    "This is a recording for the demonstration of live kit trio. "
    "Rooms are scopes. Events are streams. Every task has an owner, and every buffer has a bound. "
    "Whoever hears this hears it through a real server."
)
FILE: Final = Path(__file__).with_name("call.mp4")
RATE: Final = 48_000
FPS: Final = 15
WIDTH, HEIGHT = 640, 360
RADIUS: Final = 40


def main() -> None:
    voice = _speak(TEXT)
    with av.open(str(FILE), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"crf": "26", "preset": "veryslow", "g": "30"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        audio.bit_rate = 64_000
        for number in range(math.ceil(len(voice) / RATE * FPS)):
            picture = _picture(number).to_av()
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(picture))
        sound = av.AudioFrame.from_ndarray(voice[None, :], format="s16", layout="mono")
        sound.sample_rate, sound.pts = RATE, 0
        container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    print(f"{FILE}: {FILE.stat().st_size} bytes, {len(voice) / RATE:.1f} s")


def _speak(text: str) -> np.ndarray[Any, np.dtype[np.int16]]:
    """The text as 48 kHz mono."""
    command = ["espeak-ng", "-v", "en-gb", "-s", "150", "--stdout", text]
    spoken = subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603 - its one argument is ours
    with wave.open(io.BytesIO(spoken)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    places = np.arange(0, len(samples) - 1, rate / RATE)
    return np.interp(places, np.arange(len(samples)), samples).astype(np.int16)


def _picture(number: int) -> VideoFrame:
    frame = colour_bars(number, WIDTH, HEIGHT)
    luma: Any = frame.planes[0].to_ndarray()
    x = WIDTH / 2 + (WIDTH / 2 - RADIUS) * math.sin(number / 9)
    y = HEIGHT * 3 / 8 + (HEIGHT * 3 / 8 - RADIUS) * math.cos(number / 5)
    rows, columns = np.ogrid[: luma.shape[0], : luma.shape[1]]
    luma[(rows - y) ** 2 + (columns - x) ** 2 < RADIUS**2] = 235
    return frame


if __name__ == "__main__":
    main()
