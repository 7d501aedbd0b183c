"""What the native audio tools have in common: resampler, remixer, processing module."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

    from .._ffi._objects import NativeObject
    from ._audio_frame import AudioFrame

TICKS: int = 100
"""WebRTC processes sound in ticks of 10 ms: a hundred a second."""


class NativeTool:
    """Something native that works on frames and keeps state. It belongs to no loop; calls from several threads take turns."""

    def __init__(self, native: NativeObject) -> None:
        self._native = native
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the native side now instead of with the last reference; idempotent."""
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _request(self, name: str, **fields: Any) -> Any:
        if self._native.closed:
            raise ValueError(f"this {type(self).__name__} was closed")
        return self._native.request(name, **fields)


def check_whole_ticks(frame: AudioFrame, *, once: bool = False) -> None:
    """Raise ValueError unless *frame* lasts a multiple of 10 ms; exactly that if *once*. Natively others abort the process."""
    tick, rest = divmod(frame.sample_rate, TICKS)
    ticks, more = divmod(frame.samples_per_channel, tick) if tick else (0, 1)
    if rest or more or (once and ticks != 1):
        wanted = "exactly 10 ms" if once else "a multiple of 10 ms"
        raise ValueError(f"{wanted} are needed, not {frame.samples_per_channel} samples at {frame.sample_rate} Hz")
