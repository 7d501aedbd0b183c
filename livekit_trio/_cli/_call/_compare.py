"""Whether a recording is of the file that was published: its length, its sound second by second, the numbers in its pictures.

Both have been through codecs, and the recording begins a little earlier than the file. So the sound is first found in the
recording by its loudness over time, and then compared in short windows, band by band.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import av
import numpy as np
from numpy.typing import NDArray

from ...rtc import VideoFrame
from ...testing import read_counter

if TYPE_CHECKING:
    from pathlib import Path

Samples: TypeAlias = NDArray[np.float64]

RATE: Final = 16_000
WINDOW: Final = RATE // 2
"""Half a second: a silence of one second covers one of them whole, wherever it begins and however it is shifted."""
STEP: Final = WINDOW // 4
HOP: Final = RATE // 100
BANDS: Final = 24
ALIKE: Final = 0.6
"""The correlation of two windows' spectra; of the same words through Opus and AAC it is above 0.9, of other words mostly below 0.5."""
QUIET: Final = 0.1
"""Of the file's own loudness: what is below has no spectrum worth comparing."""
MANY: Final = 0.25
"""Of all that was compared: if more is strange, it is another sound, whose pauses say nothing."""
FAINT: Final = 0.1
"""Of what it should be: nothing on the way makes half a second that much softer."""
LENGTH: Final = 0.3
"""Seconds by which the recording of a picture sequence may be off."""
SHIFT: Final = RATE // 6
"""A jitter buffer plays faster and slower: what is compared may be that much earlier or later than expected."""
ENOUGH: Final = 0.75
"""Which part of the pictures has to arrive: an encoder that is short of time or bandwidth leaves some out."""
LOSSY: Final = 0.01
"""Which part of the packets a network has to lose to count as a bad one."""
ENOUGH_OF_LOSSY: Final = 0.5
"""There, which part of the pictures: now and then the decoder waits 3.3 s for a key frame; the worst of fourteen calls had 0.68 (measured)."""
SPOILT: Final = 0.1
"""There, which part of the sound's windows may be wrong: as a connection is resumed, 0.2 s may get lost, which are in five (measured)."""


@attrs.frozen
class Media:
    """A file's contents.

    Attributes:
        sound: mono, 16 kHz, full scale 1.
        pictures: the time of each picture, in seconds, and the number in it, if it has one.
    """

    sound: Samples
    pictures: list[tuple[float, int | None]]

    @property
    def numbered(self) -> list[tuple[float, int]]:
        """Those that have a number."""
        return [(at, number) for at, number in self.pictures if number is not None]


def read_media(path: Path) -> Media:
    """Decode a file."""
    with av.open(str(path)) as container:
        pictures = [(picture.time, read_counter(VideoFrame.from_av(picture))) for picture in container.decode(video=0)]
    parts: list[NDArray[Any]] = []
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("s16", "mono", RATE)
        for frame in container.decode(audio=0):
            parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
        parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
    return Media(np.concatenate(parts) / 32768, pictures)


def find(source: Samples, recording: Samples) -> int:
    """Where *source* begins in *recording*, in samples."""
    ours, theirs = _loudness(source), _loudness(recording)
    if len(theirs) <= len(ours):
        return 0
    likeness = np.correlate(theirs - theirs.mean(), ours - ours.mean(), "valid")
    return int(likeness.argmax()) * HOP


def sound_problem(source: Samples, recording: Samples, lost: float = 0.0) -> str:
    """What is wrong with the recorded sound; empty if nothing is. The network has lost this part of its packets."""
    start = find(source, recording)
    part = recording[start : start + len(source)]
    missing = (len(source) - len(part)) / RATE
    if missing > LENGTH:
        return f"the recording ends {missing:.1f} s too early"
    limit = QUIET * _rms(source)
    compared = 0
    silent: list[str] = []
    strange: list[str] = []
    for at in range(0, len(part) - WINDOW, STEP):
        wanted = source[at : at + WINDOW]
        if _rms(wanted) < limit:
            continue
        compared += 1
        near = [
            recording[begin : begin + WINDOW]
            for begin in range(max(0, start + at - SHIFT), start + at + SHIFT, 2 * HOP)
            if begin + WINDOW <= len(recording)
        ]
        likeness = max(_likeness(wanted, found) for found in near)
        if max(map(_rms, near)) < FAINT * _rms(wanted):
            silent.append(f"silence at {at / RATE:.1f} s, where the file has sound")
        elif likeness < ALIKE:
            strange.append(f"another sound at {at / RATE:.1f} s (likeness {likeness:.2f})")
    if lost >= LOSSY and len(silent) + len(strange) <= SPOILT * compared:
        return ""
    # What is half silent is half strange too; and a sound that is another one altogether has pauses elsewhere.
    found = strange + silent if len(strange) > MANY * compared else silent + strange
    return found[0] if found else ""


def pictures_problem(source: Media, recording: Media, lost: float = 0.0) -> str:
    """What is wrong with the recorded pictures; empty if nothing is. The network has lost this part of their packets."""
    wanted, found = source.numbered, recording.numbered
    if not wanted:
        return "" if recording.pictures else "no picture was recorded"
    numbers = [number for _, number in found]
    if not numbers:
        return "no picture that can be told apart was recorded"
    if any(later < earlier for earlier, later in pairwise(numbers)):
        return "the recorded pictures are not in their order"
    strangers = set(numbers) - {number for _, number in wanted}
    if strangers:
        return f"pictures were recorded that the file does not have: {sorted(strangers)[:5]}"
    if len(set(numbers)) < (ENOUGH if lost < LOSSY else ENOUGH_OF_LOSSY) * len(wanted):
        return f"only {len(set(numbers))} of {len(wanted)} pictures were recorded"
    slower = _slower({number: at for at, number in wanted}, found)
    if abs(slower) > LENGTH:
        return f"what lasts {wanted[-1][0]:.2f} s in the file lasts {wanted[-1][0] + slower:.2f} s in the recording"
    return ""


def _slower(wanted: dict[int, float], found: list[tuple[float, int]]) -> float:
    """How many seconds more than *wanted* the whole takes. From how late most pictures are in each half: a few are always late."""
    late = np.array([at - wanted[number] for at, number in found])
    halves = np.array_split(late, 2)
    return 2 * float(np.median(halves[1]) - np.median(halves[0])) if len(late) > 1 else 0.0


def _likeness(one: Samples, other: Samples) -> float:
    """How alike two sounds are, 1 to -1; nothing is like silence."""
    spectra = _spectrum(one), _spectrum(other)
    return float(np.corrcoef(*spectra)[0, 1]) if spectra[1].std() else 0.0


def _loudness(samples: Samples) -> Samples:
    whole = samples[: len(samples) // HOP * HOP].reshape(-1, HOP)
    return np.sqrt((whole**2).mean(axis=1))


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def _spectrum(samples: Samples) -> Samples:
    """The energy in bands of equal width on a logarithmic scale, in decibels."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    edges = np.geomspace(100, 6_000, BANDS + 1) * len(samples) / RATE
    bands = [power[int(low) : int(high)].mean() for low, high in pairwise(edges)]
    return np.log10(np.array(bands) + 1e-9)
