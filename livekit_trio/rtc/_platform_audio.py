"""PlatformAudio: the machine's microphones and loudspeakers, handled by the native library itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self, final

import attrs
from typing_extensions import override

from .._errors import NativeRefusalError, PlatformAudioError
from .._ffi._load import load_library
from .._ffi._messages import decode_response
from .._ffi._objects import NativeObject
from .._ffi._send import send_request
from .._guard import MadeByTheRoom, make
from ._enums import TrackKind
from ._source import Source

if TYPE_CHECKING:
    from types import TracebackType

PLATFORM_SOURCE: Final = 1
"""AudioSourceType of a microphone that the library reads by itself."""

SAMPLE_RATE: Final = 48_000


@attrs.frozen
class AudioDeviceInfo:
    """A microphone or a loudspeaker.

    Attributes:
        index: its place in the machine's list; it changes when devices come and go.
        name: for people.
        id: the machine's own name of it, for `PlatformAudio.set_recording_device` and `PlatformAudio.set_playout_device`;
            empty where the machine has none.
    """

    index: int
    name: str
    id: str


@attrs.frozen(kw_only=True)
class PlatformAudioOptions:
    """How a microphone's sound is processed.

    Attributes:
        echo_cancellation: take out what the loudspeaker plays.
        noise_suppression: take out steady noise.
        auto_gain_control: bring speech to an even level.
        prefer_hardware: let the machine do so, where it can.
    """

    echo_cancellation: bool = True
    noise_suppression: bool = True
    auto_gain_control: bool = True
    prefer_hardware: bool = False


@final
class PlatformAudioSource(Source, metaclass=MadeByTheRoom):
    """The chosen microphone as a source for `LocalAudioTrack.create_audio_track`; made by `PlatformAudio.create_audio_source`."""

    kind = TrackKind.KIND_AUDIO

    @override
    def __repr__(self) -> str:
        return f"<rtc.PlatformAudioSource closed={self.closed}>"


@final
class PlatformAudio:
    """The machine's audio devices. While one is alive, received sound is played through the chosen loudspeaker.

    Its calls ask the machine and may take some milliseconds. There are no frames to be seen: what the microphone hears goes
    into the track by itself, and what is received to the loudspeaker.

    Tried with PulseAudio's null sink and its monitor; the machines that this package was made on have no real devices.

    Raises:
        PlatformAudioError: there are no devices, or they cannot be used.
        NativeLoadError: the native library could not be loaded.

    Source:
        NewPlatformAudioRequest (livekit-ffi audio_frame.proto).
    """

    def __init__(self) -> None:
        library = load_library()
        reply = decode_response(send_request(library, "new_platform_audio", {}))
        if reply.error:
            raise PlatformAudioError(reply.error)
        self._native = NativeObject(library, reply.platform_audio.handle.id)

    def recording_devices(self) -> tuple[AudioDeviceInfo, ...]:
        """Return the microphones.

        Raises:
            PlatformAudioError: the machine cannot tell, or this was closed.

        Source:
            GetAudioDevicesRequest (livekit-ffi audio_frame.proto).
        """
        return _devices(self._ask("get_audio_devices").recording_devices)

    def playout_devices(self) -> tuple[AudioDeviceInfo, ...]:
        """Return the loudspeakers.

        Raises:
            PlatformAudioError: the machine cannot tell, or this was closed.

        Source:
            GetAudioDevicesRequest (livekit-ffi audio_frame.proto).
        """
        return _devices(self._ask("get_audio_devices").playout_devices)

    def set_recording_device(self, device_id: str) -> None:
        """Choose a microphone by its `AudioDeviceInfo.id`.

        Raises:
            PlatformAudioError: there is none of that id, it cannot be used, or this was closed.

        Source:
            SetRecordingDeviceRequest (livekit-ffi audio_frame.proto).
        """
        self._ask("set_recording_device", device_id=device_id)

    def set_playout_device(self, device_id: str) -> None:
        """Choose a loudspeaker by its `AudioDeviceInfo.id`.

        Raises:
            PlatformAudioError: there is none of that id, it cannot be used, or this was closed.

        Source:
            SetPlayoutDeviceRequest (livekit-ffi audio_frame.proto).
        """
        self._ask("set_playout_device", device_id=device_id)

    def start_recording(self) -> None:
        """Let the microphone be read, also before its track is published.

        Raises:
            PlatformAudioError: it cannot be read, or this was closed.

        Source:
            StartRecordingRequest (livekit-ffi audio_frame.proto).
        """
        self._ask("start_recording")

    def stop_recording(self) -> None:
        """Let the microphone be.

        Raises:
            PlatformAudioError: it cannot be let go, or this was closed.

        Source:
            StopRecordingRequest (livekit-ffi audio_frame.proto).
        """
        self._ask("stop_recording")

    def create_audio_source(self, options: PlatformAudioOptions | None = None) -> PlatformAudioSource:
        """Return the chosen microphone as a source.

        Raises:
            PlatformAudioError: it cannot be used, or this was closed.

        Source:
            NewAudioSourceRequest (livekit-ffi audio_frame.proto).
        """
        self._check_open()
        fields = attrs.asdict(options or PlatformAudioOptions())
        try:
            reply = self._native.request(
                "new_audio_source",
                type=PLATFORM_SOURCE,
                platform_audio_handle=self._native.handle,
                options=fields,
                sample_rate=SAMPLE_RATE,
                num_channels=1,
            )
        except NativeRefusalError as refusal:
            raise PlatformAudioError(refusal.text) from refusal
        return make(PlatformAudioSource, NativeObject(self._native.library, reply.source.handle.id))

    def close(self) -> None:
        """Let go of the devices; idempotent. The last reference does the same."""
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @override
    def __repr__(self) -> str:
        return f"<rtc.PlatformAudio closed={self._native.closed}>"

    def _check_open(self) -> None:
        if self._native.closed:
            raise PlatformAudioError("this PlatformAudio was closed")

    def _ask(self, name: str, **fields: Any) -> Any:
        self._check_open()
        reply = self._native.request(name, platform_audio_handle=self._native.handle, **fields)
        if reply.error:
            raise PlatformAudioError(reply.error)
        return reply


def _devices(found: Any) -> tuple[AudioDeviceInfo, ...]:
    return tuple(AudioDeviceInfo(each.index, each.name, each.guid) for each in found)
