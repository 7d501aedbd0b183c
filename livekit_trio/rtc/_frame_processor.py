"""FrameProcessor: a program's own code between a track and the reader of its frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from typing_extensions import override

from ._audio_frame import AudioFrame
from ._video_frame import VideoFrame

F = TypeVar("F", AudioFrame, VideoFrame)


class FrameProcessor(ABC, Generic[F]):
    """Changes frames as they are read, such as a noise suppression in Python or of a third party.

    Give one to `open_stream`. It is called in the reader's task and must not wait. A processor that keeps state serves one
    stream at a time. What it holds is its owner's to free: nobody else knows when it is not needed any more.

    Attributes:
        enabled: whether frames go through `process`; a program may switch it at any time.
    """

    enabled: bool = True

    @abstractmethod
    def process(self, frame: F) -> F:
        """Return the frame to be delivered instead of *frame*: a new one, or the same.

        What it raises comes out of the stream's `receive`; the frame is then lost.
        """

    def process_if_enabled(self, frame: F) -> F:
        """Return what `process` makes of a frame, or the frame itself if this is not `enabled`."""
        return self.process(frame) if self.enabled else frame

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__} enabled={self.enabled}>"
