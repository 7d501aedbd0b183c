"""AudioProcessingModule: WebRTC's echo cancellation, noise suppression, high-pass filter and gain control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from typing_extensions import override

from .._errors import NativeRefusalError
from .._ffi._objects import make_native
from ._native_tool import NativeTool, check_whole_ticks
from ._validators import check_integer
from ._video_layout import address_of_buffer

if TYPE_CHECKING:
    from ._audio_frame import AudioFrame

MIN_RATE: Final = 8_000
MAX_RATE: Final = 384_000
MAX_CHANNELS: Final = 8
MAX_DELAY_MS: Final = 500
"""WebRTC cuts longer delays down to this."""


@final
class AudioProcessingModule(NativeTool):
    """Cleans the sound of a microphone.

    It belongs to no room and no loop; its calls take some tens of microseconds and do not wait. Each stream needs a module of
    its own, since it adapts.

    Args:
        echo_cancellation: take out what the loudspeaker plays; it must be told by `process_reverse_stream`.
        noise_suppression: take out steady noise.
        high_pass_filter: take out hum below 80 Hz or so.
        auto_gain_control: bring speech to an even level.

    Raises:
        NativeLoadError: the native library could not be loaded.

    Source:
        NewApmRequest (livekit-ffi audio_frame.proto).
    """

    def __init__(
        self,
        *,
        echo_cancellation: bool = False,
        noise_suppression: bool = False,
        high_pass_filter: bool = False,
        auto_gain_control: bool = False,
    ) -> None:
        super().__init__(
            make_native(
                "new_apm",
                "apm",
                echo_canceller_enabled=bool(echo_cancellation),
                noise_suppression_enabled=bool(noise_suppression),
                high_pass_filter_enabled=bool(high_pass_filter),
                gain_controller_enabled=bool(auto_gain_control),
            )
        )

    def process_stream(self, frame: AudioFrame) -> None:
        """Clean a frame of the microphone, in place.

        Args:
            frame: of a multiple of 10 ms, 8 000 to 384 000 Hz, at most 8 channels, and writable: take `AudioFrame.copy` of a
                received one.

        Raises:
            ValueError: the frame is of another kind, or the module or the frame was closed.
            NativeRefusalError: the native library failed.

        Source:
            ApmProcessStreamRequest (livekit-ffi audio_frame.proto).
        """
        if frame.data.readonly:
            raise ValueError("the frame is read-only and cannot be processed in place: take a copy() of it")
        self._process("apm_process_stream", frame)

    def process_reverse_stream(self, frame: AudioFrame) -> None:
        """Tell what the loudspeaker is about to play, so that its echo can be taken out.

        Args:
            frame: as for `process_stream`; a writable one is processed in place too, of a read-only one a copy is.

        Raises:
            ValueError: the frame is of another kind, or the module or the frame was closed.
            NativeRefusalError: the native library failed.

        Source:
            ApmProcessReverseStreamRequest (livekit-ffi audio_frame.proto).
        """
        self._process("apm_process_reverse_stream", frame.copy() if frame.data.readonly else frame)

    def set_stream_delay_ms(self, delay_ms: int) -> None:
        """Say how long it takes from `process_reverse_stream` to the moment the echo comes in by `process_stream`.

        Only for echo cancellation.

        Args:
            delay_ms: 0 to 500.

        Raises:
            TypeError, ValueError: the delay is no int or out of range, or the module was closed.
            NativeRefusalError: the native library failed.

        Source:
            ApmSetStreamDelayRequest (livekit-ffi audio_frame.proto).
        """
        check_integer("delay_ms", delay_ms, 0, MAX_DELAY_MS)
        reply = self._request("apm_set_stream_delay", apm_handle=self._native.handle, delay_ms=delay_ms)
        if reply.error:
            raise NativeRefusalError("apm_set_stream_delay", reply.error)

    def _process(self, request: str, frame: AudioFrame) -> None:
        check_whole_ticks(frame)
        if not MIN_RATE <= frame.sample_rate <= MAX_RATE or frame.num_channels > MAX_CHANNELS:
            raise ValueError(f"{MIN_RATE} to {MAX_RATE} Hz and up to {MAX_CHANNELS} channels are possible: {frame!r}")
        data = frame.data
        with self._lock:
            reply = self._request(
                request,
                apm_handle=self._native.handle,
                data_ptr=address_of_buffer(data),
                size=data.nbytes,
                sample_rate=frame.sample_rate,
                num_channels=frame.num_channels,
            )
        if reply.error:
            raise NativeRefusalError(request, reply.error)

    @override
    def __repr__(self) -> str:
        return f"<rtc.AudioProcessingModule closed={self._native.closed}>"
