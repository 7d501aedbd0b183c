"""MediaDevices: microphones and loudspeakers through PortAudio, frame by frame. Needs the extra ``devices``."""

from __future__ import annotations

import importlib
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any, Final, Self, final

import anyio
import anyio.to_thread
from typing_extensions import override

from .._errors import PlatformAudioError, StreamClosedError
from ._audio_frame import SAMPLE_SIZE, AudioFrame
from ._audio_mixer import AudioMixer
from ._audio_source import AudioSource
from ._platform_audio import AudioDeviceInfo
from ._services import open_in_thread, open_services
from ._validators import check_integer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ._apm import AudioProcessingModule
    from ._audio_stream import AudioStream
    from ._track import AudioTrack

TICKS: Final = 100
"""Devices are read and written 10 ms at a time."""

LATENCY: Final = "low"


@final
class MediaDevices:
    """Finds and opens microphones and loudspeakers, with PortAudio.

    Unlike with `PlatformAudio` every frame passes through this program. Tried, as that, without real devices.

    Args:
        sample_rate: of what is opened, in Hz, a multiple of 100.
        num_channels: of what is opened, 1 or 2.

    Raises:
        PlatformAudioError: the extra ``devices`` or PortAudio is not installed.
        TypeError, ValueError: an argument is not what it should be.
    """

    def __init__(self, *, sample_rate: int = 48_000, num_channels: int = 1) -> None:
        check_integer("sample_rate", sample_rate, 8_000, 192_000)
        check_integer("num_channels", num_channels, 1, 2)
        if sample_rate % TICKS:
            raise ValueError(f"sample_rate must be a multiple of {TICKS}, not {sample_rate}")
        self._library = _port_audio()
        self._sample_rate = sample_rate
        self._num_channels = num_channels

    def list_input_devices(self) -> tuple[AudioDeviceInfo, ...]:
        """Return the microphones.

        Raises:
            PlatformAudioError: PortAudio cannot tell.
        """
        return self._list("max_input_channels")

    def list_output_devices(self) -> tuple[AudioDeviceInfo, ...]:
        """Return the loudspeakers.

        Raises:
            PlatformAudioError: PortAudio cannot tell.
        """
        return self._list("max_output_channels")

    def default_input_device(self) -> AudioDeviceInfo | None:
        """Return the microphone that the machine prefers; None if there is none.

        Raises:
            PlatformAudioError: PortAudio cannot tell.
        """
        return self._default("input")

    def default_output_device(self) -> AudioDeviceInfo | None:
        """Return the loudspeaker that the machine prefers; None if there is none.

        Raises:
            PlatformAudioError: PortAudio cannot tell.
        """
        return self._default("output")

    def open_input(
        self, device: AudioDeviceInfo | None = None, *, processing: AudioProcessingModule | None = None
    ) -> InputCapture:
        """Return a microphone to be entered as an ``async with`` block.

        Args:
            device: None: that which the machine prefers.
            processing: cleans what is heard; give the same to `open_output` for echo cancellation.
        """
        return InputCapture(self._library, self._settings(device), processing)

    def open_output(
        self, device: AudioDeviceInfo | None = None, *, processing: AudioProcessingModule | None = None
    ) -> OutputPlayer:
        """Return a loudspeaker to be entered as an ``async with`` block.

        Args:
            device: None: that which the machine prefers.
            processing: is told what is played.
        """
        return OutputPlayer(self._library, self._settings(device), processing)

    @override
    def __repr__(self) -> str:
        return f"rtc.MediaDevices(sample_rate={self._sample_rate}, num_channels={self._num_channels})"

    def _settings(self, device: AudioDeviceInfo | None) -> dict[str, Any]:
        return {
            "samplerate": self._sample_rate,
            "channels": self._num_channels,
            "blocksize": self._sample_rate // TICKS,
            "dtype": "int16",
            "latency": LATENCY,
            "device": None if device is None else device.index,
        }

    def _list(self, wanted: str) -> tuple[AudioDeviceInfo, ...]:
        try:
            found = self._library.query_devices()
        except self._library.PortAudioError as error:
            raise PlatformAudioError(str(error)) from error
        return tuple(_info(each) for each in found if each[wanted])

    def _default(self, kind: str) -> AudioDeviceInfo | None:
        try:
            return _info(self._library.query_devices(kind=kind))
        except (self._library.PortAudioError, ValueError):
            return None


class _Device(anyio.AsyncContextManagerMixin):
    def __init__(self, library: Any, settings: dict[str, Any], processing: AudioProcessingModule | None) -> None:
        self._library = library
        self._settings = settings
        self._processing = processing
        self._state = "new"
        self._error: Exception | None = None

    def _enter(self) -> None:
        if self._state != "new":
            raise StreamClosedError("a device is entered once; open it again")
        self._state = "open"

    async def _start(self, kind: str) -> Any:
        def start() -> Any:
            stream = getattr(self._library, kind)(**self._settings)
            try:
                stream.start()
            except BaseException:
                stream.close()
                raise
            return stream

        try:
            return await open_in_thread(start, lambda stream: stream.close())
        except (self._library.PortAudioError, ValueError) as error:
            raise PlatformAudioError(str(error)) from error

    @override
    def __repr__(self) -> str:
        return f"<rtc.{type(self).__name__}: {self._state}>"


@final
class InputCapture(_Device):
    """A microphone that is being read; made by `MediaDevices.open_input`.

    Raises:
        PlatformAudioError: on entering: there is no such device, or it cannot be used. On leaving: it has failed meanwhile.

    Cancellation:
        Leaving the block lets the device go, within some 10 ms.
    """

    def __init__(self, library: Any, settings: dict[str, Any], processing: AudioProcessingModule | None) -> None:
        super().__init__(library, settings, processing)
        self._source = AudioSource(settings["samplerate"], settings["channels"])

    @property
    def source(self) -> AudioSource:
        """What it hears, for `LocalAudioTrack.create_audio_track`."""
        return self._source

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        self._enter()
        try:
            with closing(await self._start("RawInputStream")) as stream:
                async with open_services() as tasks:
                    tasks.start_soon(self._capture, stream)
                    yield self
        finally:
            self._state = "closed"
            self._source.close()
        if self._error is not None:
            raise self._error

    async def _capture(self, stream: Any) -> None:  # noqa: ASYNC910 - a service task, or a step of one
        rate, channels, block = (self._settings[name] for name in ("samplerate", "channels", "blocksize"))
        try:
            while True:
                data, _overflowed = await anyio.to_thread.run_sync(stream.read, block)
                frame = AudioFrame(bytearray(data), rate, channels, len(data) // SAMPLE_SIZE // channels)
                if self._processing is not None:
                    self._processing.process_stream(frame)
                await self._source.capture_frame(frame)
        except Exception as error:  # noqa: BLE001 - for whoever has the device
            self._error = PlatformAudioError(str(error))


@final
class OutputPlayer(_Device):
    """A loudspeaker that plays any number of tracks; made by `MediaDevices.open_output`.

    Raises:
        PlatformAudioError: on entering: there is no such device, or it cannot be used. On leaving: it has failed meanwhile.

    Cancellation:
        Leaving the block lets the device go, within some 10 ms.
    """

    def __init__(self, library: Any, settings: dict[str, Any], processing: AudioProcessingModule | None) -> None:
        super().__init__(library, settings, processing)
        self._mixer = AudioMixer(settings["samplerate"], settings["channels"], blocksize=settings["blocksize"])
        self._playing: dict[AudioTrack, AudioStream] = {}

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        self._enter()
        try:
            with closing(await self._start("RawOutputStream")) as stream:
                async with self._mixer, open_services() as tasks:
                    tasks.start_soon(self._play, stream)
                    try:
                        yield self
                    finally:
                        for track in list(self._playing):
                            self.remove_track(track)
        finally:
            self._state = "closed"
        if self._error is not None:
            raise self._error

    def add_track(self, track: AudioTrack) -> None:
        """Play a track until it ends, or is removed; nothing happens if it is being played.

        Raises:
            StreamClosedError: the device is closed, or not entered yet.
        """
        if track in self._playing:
            return
        stream = track.open_stream(
            sample_rate=self._settings["samplerate"], num_channels=self._settings["channels"]
        ).__enter__()
        try:
            self._mixer.add_stream(stream)
        except BaseException:
            stream.close()
            raise
        self._playing[track] = stream

    def remove_track(self, track: AudioTrack) -> None:
        """Play a track no longer; nothing happens if it is not being played."""
        stream = self._playing.pop(track, None)
        if stream is not None:
            self._mixer.remove_stream(stream)
            stream.close()

    async def _play(self, stream: Any) -> None:  # noqa: ASYNC910 - a service task, or a step of one
        try:
            async for frame in self._mixer:
                if self._processing is not None:
                    self._processing.process_reverse_stream(frame)
                await anyio.to_thread.run_sync(stream.write, bytes(frame.data))
        except Exception as error:  # noqa: BLE001 - for whoever has the device
            self._error = PlatformAudioError(str(error))


def _port_audio() -> Any:
    try:
        return importlib.import_module("sounddevice")
    except ModuleNotFoundError as error:
        raise PlatformAudioError("MediaDevices needs the package sounddevice: the extra `devices`") from error
    except OSError as error:
        raise PlatformAudioError(f"MediaDevices needs PortAudio (Debian: libportaudio2): {error}") from error


def _info(found: Any) -> AudioDeviceInfo:
    return AudioDeviceInfo(found["index"], found["name"], str(found["index"]))
