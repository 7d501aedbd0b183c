"""Sizes and encodings that have proved themselves, as LiveKit's other SDKs have them (livekit-client, track/options.ts)."""

from __future__ import annotations

import enum

from ._publish_options import AudioEncoding, VideoEncoding


class _PicturePreset(enum.Enum):
    """Width, height, bits per second, frames per second."""

    @property
    def width(self) -> int:
        """In pixels."""
        return self.value[0]

    @property
    def height(self) -> int:
        """In pixels."""
        return self.value[1]

    @property
    def encoding(self) -> VideoEncoding:
        """For `TrackPublishOptions`."""
        return VideoEncoding(*self.value[2:])


class VideoPreset(_PicturePreset):
    """A camera's picture: its size, and how much of it is sent at most."""

    H90 = (160, 90, 90_000, 20)
    H180 = (320, 180, 160_000, 20)
    H216 = (384, 216, 180_000, 20)
    H360 = (640, 360, 450_000, 20)
    H540 = (960, 540, 800_000, 25)
    H720 = (1280, 720, 1_700_000, 30)
    H1080 = (1920, 1080, 3_000_000, 30)
    H1440 = (2560, 1440, 5_000_000, 30)
    H2160 = (3840, 2160, 8_000_000, 30)


class ScreenSharePreset(_PicturePreset):
    """A shared screen: its size, and how much of it is sent at most."""

    H360_FPS3 = (640, 360, 200_000, 3)
    H360_FPS15 = (640, 360, 400_000, 15)
    H720_FPS5 = (1280, 720, 800_000, 5)
    H720_FPS15 = (1280, 720, 1_500_000, 15)
    H720_FPS30 = (1280, 720, 2_000_000, 30)
    H1080_FPS15 = (1920, 1080, 2_500_000, 15)
    H1080_FPS30 = (1920, 1080, 5_000_000, 30)


class AudioPreset(enum.Enum):
    """How much of a sound is sent at most."""

    TELEPHONE = 12_000
    SPEECH = 24_000
    MUSIC = 48_000
    MUSIC_STEREO = 64_000
    MUSIC_HIGH_QUALITY = 96_000
    MUSIC_HIGH_QUALITY_STEREO = 128_000

    @property
    def encoding(self) -> AudioEncoding:
        """For `TrackPublishOptions`."""
        return AudioEncoding(self.value)
