"""Media of a `FakeLibrary`: streams whose frames a test sends one by one, and sources that keep what they are given."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, final

import attrs

if TYPE_CHECKING:
    from ._fake_library import FakeLibrary, FakeRequest, Handler

FREED: Final = 0xA5
"""What freed memory is overwritten with."""

MAX_FREED: Final = 64
"""How many freed buffers are kept, so that their addresses are not used again at once."""


@final
@attrs.frozen
class FakeStream:
    """A native audio or video stream that we have opened.

    Attributes:
        handle: its handle.
        request: the request that opened it.
    """

    library: FakeLibrary
    handle: int
    request: Any

    @property
    def open(self) -> bool:
        """Whether its handle was not dropped yet."""
        return self.handle in self.library.live_handles

    def send_audio(self, samples: bytes) -> None:
        """Let 16-bit samples arrive, in the format that was asked for. Of a stream that is closed nothing arrives."""
        if not self.open:
            return
        channels = self.request.num_channels
        owned = self.library.new_buffer(samples)
        info = {
            "data_ptr": owned["data"]["data_ptr"],
            "num_channels": channels,
            "sample_rate": self.request.sample_rate,
            "samples_per_channel": len(samples) // 2 // channels,
        }
        frame = {"handle": owned["handle"], "info": info}
        self.library.emit(audio_stream_event={"stream_handle": self.handle, "frame_received": {"frame": frame}})

    def send_video(self, pixels: bytes, width: int, height: int, **fields: Any) -> None:
        """Let an I420 frame arrive. *fields*: of VideoFrameReceived."""
        if not self.open:
            return
        owned = self.library.new_buffer(pixels)
        info = {"type": 5, "width": width, "height": height, "data_ptr": owned["data"]["data_ptr"]}
        received = {"buffer": {"handle": owned["handle"], "info": info}, "timestamp_us": 0, "rotation": 0, **fields}
        self.library.emit(video_stream_event={"stream_handle": self.handle, "frame_received": received})

    def send_end(self) -> None:
        """Let the native end of the stream arrive."""
        kind = "audio" if self.request.DESCRIPTOR.name.startswith("NewAudio") else "video"
        self.library.emit(**{f"{kind}_stream_event": {"stream_handle": self.handle, "eos": {}}})


@final
class FakeMedia:
    """All media of one library.

    Attributes:
        streams: what was opened, oldest first.
    """

    def __init__(self, fake: FakeLibrary) -> None:
        self.streams: list[FakeStream] = []
        self._fake = fake
        self._freed: deque[Any] = deque(maxlen=MAX_FREED)

    def handlers(self) -> dict[str, Handler]:
        """What does the requests about media."""
        return {"new_audio_stream": self._open_stream, "new_video_stream": self._open_stream}

    def of_track(self, track_handle: int) -> list[FakeStream]:
        """The streams of one track that are open."""
        return [stream for stream in self.streams if stream.open and stream.request.track_handle == track_handle]

    def overwrite(self, memory: Any) -> None:
        """Make freed memory useless to whoever still looks at it."""
        for index in range(len(memory)):
            memory[index] = FREED
        self._freed.append(memory)

    def _open_stream(self, request: FakeRequest) -> None:
        handle = self._fake.new_handle()
        self.streams.append(FakeStream(self._fake, handle, request.message))
        request.respond(stream={"handle": {"id": handle}})
