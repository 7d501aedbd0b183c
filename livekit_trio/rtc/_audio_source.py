"""AudioSource: sound that this program makes, for a local track."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, final

import anyio
import anyio.lowlevel
import attrs
from typing_extensions import override

from .._errors import CaptureError, SourceBusyError, SourceClosedError
from .._ffi._loop_event import LoopEvent
from .._ffi._messages import new_request
from .._ffi._objects import make_native
from .._ffi._runtime import acquire_runtime
from ._enums import TrackKind
from ._source import Source
from ._validators import check_integer
from ._video_layout import address_of_buffer

if TYPE_CHECKING:
    from .._ffi._calls import Call
    from .._ffi._runtime import Runtime
    from ._audio_frame import AudioFrame

NATIVE_SOURCE: Final = 0
"""AudioSourceType of a source that is fed with frames."""

TICK_MS: Final = 10
"""The native queue's grain: it aborts the process if its length is no multiple of it (measured on livekit-ffi 0.13.2)."""

MAX_RATE: Final = 384_000
MAX_CHANNELS: Final = 8
MAX_QUEUE_MS: Final = 60_000


@attrs.define(eq=False)
class _Capture:
    """A frame that the native side is taking over; it takes one at a time."""

    runtime: Runtime
    """Held until the native side is done, whether anybody waits for that or not."""
    call: Call | None = None


@final
class AudioSource(Source):
    """A queue of sound that the native library plays into a track, 10 ms at a time.

    ::

        source = rtc.AudioSource(48_000, 1)
        track = rtc.LocalAudioTrack.create_audio_track("tone", source)
        async with room.local_participant.published_track(track):
            await source.capture_frame(frame)

    It belongs to no room and no event loop: any loop may write to it, one task at a time.

    Args:
        sample_rate: of the frames to come, in Hz.
        num_channels: of the frames to come.
        queue_size_ms: how much may wait before `capture_frame` does. A multiple of 10; 0: nothing waits, each frame must be
            of exactly 10 ms and is sent at once. The native queue takes up to twice as much before it refuses anything, so
            that is the latency at worst.
        echo_cancellation: let WebRTC process the sound, as it does that of a microphone.
        noise_suppression: likewise.
        auto_gain_control: likewise.

    Raises:
        TypeError, ValueError: an argument is not what it should be.
        NativeLoadError: the native library could not be loaded.
        UsedAfterForkError: this is a forked child of a process that used it.

    Source:
        NewAudioSourceRequest (livekit-ffi audio_frame.proto).
    """

    kind = TrackKind.KIND_AUDIO

    def __init__(
        self,
        sample_rate: int,
        num_channels: int,
        queue_size_ms: int = 200,
        *,
        echo_cancellation: bool = False,
        noise_suppression: bool = False,
        auto_gain_control: bool = False,
    ) -> None:
        check_integer("sample_rate", sample_rate, 1, MAX_RATE)
        check_integer("num_channels", num_channels, 1, MAX_CHANNELS)
        check_integer("queue_size_ms", queue_size_ms, 0, MAX_QUEUE_MS)
        if queue_size_ms % TICK_MS:
            raise ValueError(f"queue_size_ms must be a multiple of {TICK_MS}, not {queue_size_ms}")
        options = {
            "echo_cancellation": bool(echo_cancellation),
            "noise_suppression": bool(noise_suppression),
            "auto_gain_control": bool(auto_gain_control),
        }
        super().__init__(
            make_native(
                "new_audio_source",
                "source",
                type=NATIVE_SOURCE,
                options=options,
                sample_rate=sample_rate,
                num_channels=num_channels,
                queue_size_ms=queue_size_ms,
            )
        )
        self._sample_rate = sample_rate
        self._num_channels = num_channels
        self._queue_size_ms = queue_size_ms
        self._writing = threading.Lock()
        """Held by the task that is in `capture_frame`; it is never waited for."""
        self._pending: _Capture | None = None
        self._freed: LoopEvent | None = None
        self._played_at = 0.0
        """When all that was captured will have been played, by `time.monotonic`."""
        self._message = new_request()
        """Of a capture, made once: all but the frame in it stays."""
        capture = self._message.capture_audio_frame
        capture.source_handle = self._native.handle
        capture.buffer.sample_rate, capture.buffer.num_channels = sample_rate, num_channels
        self._listeners: list[LoopEvent] = []
        """Who waits for the queue to run empty."""

    @property
    def sample_rate(self) -> int:
        """Of its frames, in Hz."""
        return self._sample_rate

    @property
    def num_channels(self) -> int:
        """Of its frames."""
        return self._num_channels

    @property
    def queue_size_ms(self) -> int:
        """How much may wait before `capture_frame` does."""
        return self._queue_size_ms

    @property
    def queued_duration(self) -> float:
        """How much sound waits to be played, in seconds.

        By our clock, from what was captured: the native library tells nothing of its queue.
        """
        return max(0.0, self._played_at - time.monotonic())

    async def capture_frame(self, frame: AudioFrame) -> None:
        """Append a frame to the queue.

        A rest of less than 10 ms is held back by the native library until more comes.

        Args:
            frame: its samples are copied before this returns or waits.

        Raises:
            ValueError: its sample rate or channels are not those of the source, or it does not last 10 ms although
                `queue_size_ms` is 0; or it was closed.
            SourceBusyError: another task is in this method.
            SourceClosedError: the source was closed, or is closed meanwhile.
            CaptureError: the native library refused the frame.

        Backpressure:
            Returns at once while less than `queue_size_ms` waits; else when that is so again.

        Cancellation:
            The frame is in the queue unless the caller was cancelled before this was called. The next call waits until the
            native side is done with it.

        Source:
            CaptureAudioFrameRequest (livekit-ffi audio_frame.proto).
        """
        self._check(frame)
        if not self._writing.acquire(blocking=False):
            raise SourceBusyError
        try:
            await anyio.lowlevel.checkpoint_if_cancelled()
            await self._wait_until_free()
            await self._capture(frame)
        finally:
            self._writing.release()

    def clear_queue(self) -> None:
        """Forget what was captured and not yet played; from any thread.

        Raises:
            SourceClosedError: the source was closed.

        Source:
            ClearAudioBufferRequest (livekit-ffi audio_frame.proto).
        """
        native = self._opened()
        native.request("clear_audio_buffer", source_handle=native.handle)
        self._played_at = 0.0
        self._tell_listeners()

    async def wait_for_playout(self) -> None:
        """Return once all that was captured has been played, or was cleared; at once if the source is closed.

        Cancellation:
            Nothing is left behind; the queue goes on being played.
        """
        await anyio.lowlevel.checkpoint()
        while (left := self.queued_duration) > 0 and not self.closed:
            changed = LoopEvent()
            self._listeners.append(changed)
            try:
                with anyio.move_on_after(left):
                    await changed.wait()
            finally:
                self._listeners.remove(changed)

    @override
    def close(self) -> None:
        """Let go of the native source; idempotent, from any thread. The last reference does the same.

        What was not played is lost: `wait_for_playout` first. Tracks of this source stay published, and send nothing any
        more. A task that is in `capture_frame` gets `SourceClosedError`.
        """
        super().close()
        self._tell_listeners()
        pending = self._pending
        if pending is not None:
            pending.runtime.call_soon_if_alive(lambda: _fail(pending))

    @override
    def __repr__(self) -> str:
        return (
            f"rtc.AudioSource(sample_rate={self._sample_rate}, num_channels={self._num_channels}, "
            f"queued_duration={self.queued_duration:.3f})"
        )

    # ---- helpers

    def _check(self, frame: AudioFrame) -> None:
        self._opened()
        if frame.sample_rate != self._sample_rate or frame.num_channels != self._num_channels:
            raise ValueError(f"this source takes {self._sample_rate} Hz × {self._num_channels}, not {frame!r}")
        if not self._queue_size_ms and frame.samples_per_channel * 1000 != self._sample_rate * TICK_MS:
            raise ValueError(f"without a queue frames must last {TICK_MS} ms, not {frame.duration * 1000:g}")

    async def _wait_until_free(self) -> None:  # noqa: ASYNC910 - `capture_frame` waits afterwards
        """Wait for the frame of a cancelled caller."""
        while (pending := self._pending) is not None:
            freed = self._freed = LoopEvent()
            if not pending.runtime.call_soon_if_alive(_nothing):
                self._free()  # its loop has ended: nobody will be told of the end any more
            elif self._pending is pending:
                await freed.wait()

    async def _capture(self, frame: AudioFrame) -> None:
        self._opened()
        samples = frame.data  # held until it has been sent: the library copies meanwhile

        def encode(async_id: int) -> bytes:
            capture = self._message.capture_audio_frame
            capture.request_async_id = async_id
            capture.buffer.data_ptr = address_of_buffer(samples)
            capture.buffer.samples_per_channel = frame.samples_per_channel
            return self._message.SerializeToString()

        pending = self._pending = _Capture(acquire_runtime())
        pending.call = call = pending.runtime.send("capture_audio_frame", {}, on_end=self._free, encode=encode)
        self._played_at = max(self._played_at, time.monotonic()) + frame.duration
        try:
            reply = await call.wait()
        except BaseException:
            call.forsake()
            raise
        if reply.error:
            raise CaptureError(reply.error)

    def _free(self) -> None:
        """The native side is done with a frame; on the loop that sent it, if that is alive."""
        pending, self._pending = self._pending, None
        if self._freed is not None:
            self._freed.set()
        if pending is not None:
            pending.runtime.release()

    def _tell_listeners(self) -> None:
        for listener in tuple(self._listeners):
            listener.set()


def _nothing() -> None:
    """To see whether a loop is alive."""


def _fail(pending: _Capture) -> None:
    if pending.call is not None:
        pending.call.fail(SourceClosedError())
