"""How to publish a track: frozen values, checked when they are made."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from ._enums import DegradationPreference, FrameMetadataFeature, TrackSource, VideoCodec, VideoEncoderBackend
from ._validators import boolean, instance_of, integer, member_of

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_BITRATE: Final = 10**9

SCALABILITY_MODE: Final = re.compile(r"L[1-3]T[1-3](h|_KEY|_KEY_SHIFT)?|S[1-3]T[1-3]h?")
"""The scalability modes of WebRTC (W3C webrtc-svc)."""


def _framerate(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{attribute.name} must be a number, not {type(value).__name__}")
    if not (math.isfinite(value) and 0 < value <= 1000):
        raise ValueError(f"{attribute.name} must be above 0 and at most 1000 frames a second, not {value}")


def _features(value: Iterable[FrameMetadataFeature]) -> tuple[FrameMetadataFeature, ...]:
    features = tuple(value)
    for feature in features:
        if not isinstance(feature, FrameMetadataFeature) or not feature.is_known:  # pyright: ignore[reportUnnecessaryIsInstance] - for callers without types
            raise TypeError(f"frame_metadata_features must hold FrameMetadataFeature members only, not {feature!r}")
    return features


def _scalability_mode(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{attribute.name} must be a string, not {type(value).__name__}")
    if not SCALABILITY_MODE.fullmatch(value):
        raise ValueError(f"{attribute.name} must be one such as L3T3_KEY, not {value!r}")


@attrs.frozen
class VideoEncoding:
    """How much of a video is sent at most; with simulcast, of its largest layer.

    Attributes:
        max_bitrate: in bits a second.
        max_framerate: in frames a second.

    Raises:
        TypeError, ValueError: a value is not of the right type or range.
    """

    max_bitrate: int = attrs.field(validator=integer(1, MAX_BITRATE))
    max_framerate: float = attrs.field(validator=_framerate)


@attrs.frozen
class AudioEncoding:
    """How much of a sound is sent at most.

    Attributes:
        max_bitrate: in bits a second, from 6 000 to 510 000 (Opus). With less the connection would break (measured).

    Raises:
        TypeError, ValueError: the value is not of the right type or range.
    """

    max_bitrate: int = attrs.field(validator=integer(6_000, 510_000))


@attrs.frozen(kw_only=True)
class TrackPublishOptions:
    """How to publish a track. What is None is left to the native library, whose defaults are named below.

    Attributes:
        source: what the track shows or plays. A token may permit some sources only.
        video_encoding: None: by the size of the video.
        audio_encoding: None: 48 kbit/s.
        video_codec: VP8 if None. Where the native library cannot encode the one that is asked for it takes another:
            `LocalTrackPublication.wait_for_codec` says which.
        dtx: send next to nothing in silence; on if None.
        red: send sound twice, so that lost packets are not heard; on if None, but with end-to-end encryption.
        simulcast: send video in several sizes; on if None.
        stream: tracks of the same stream are played in sync by receivers.
        preconnect_buffer: say that the sound begins with what was said before the connection was up.
        frame_metadata_features: what travels with each frame, see `FrameMetadata`.
        scalability_mode: one encoding in layers instead of simulcast, such as ``"L3T3_KEY"``; for VP9 and AV1.
        video_encoder: which encoder; the best that there is if None. For an `EncodedVideoSource`
            ENCODER_BACKEND_PRE_ENCODED, and `simulcast` False.
        degradation_preference: what gives way when the network is slow; None: for a camera the size, for a screen the
            frame rate.

    Raises:
        TypeError, ValueError: a value is not of the right type or range.
    """

    source: TrackSource = attrs.field(default=TrackSource.SOURCE_UNKNOWN, validator=member_of(TrackSource))
    video_encoding: VideoEncoding | None = attrs.field(
        default=None, validator=attrs.validators.optional(instance_of(VideoEncoding))
    )
    audio_encoding: AudioEncoding | None = attrs.field(
        default=None, validator=attrs.validators.optional(instance_of(AudioEncoding))
    )
    video_codec: VideoCodec | None = attrs.field(
        default=None, validator=attrs.validators.optional(member_of(VideoCodec))
    )
    dtx: bool | None = attrs.field(default=None, validator=attrs.validators.optional(boolean))
    red: bool | None = attrs.field(default=None, validator=attrs.validators.optional(boolean))
    simulcast: bool | None = attrs.field(default=None, validator=attrs.validators.optional(boolean))
    stream: str | None = attrs.field(default=None, validator=attrs.validators.optional(instance_of(str)))
    preconnect_buffer: bool | None = attrs.field(default=None, validator=attrs.validators.optional(boolean))
    frame_metadata_features: tuple[FrameMetadataFeature, ...] = attrs.field(default=(), converter=_features)
    scalability_mode: str | None = attrs.field(default=None, validator=attrs.validators.optional(_scalability_mode))
    video_encoder: VideoEncoderBackend | None = attrs.field(
        default=None, validator=attrs.validators.optional(member_of(VideoEncoderBackend))
    )
    degradation_preference: DegradationPreference | None = attrs.field(
        default=None, validator=attrs.validators.optional(member_of(DegradationPreference))
    )


def native_options(options: TrackPublishOptions) -> dict[str, Any]:
    """TrackPublishOptions of the native library, as fields."""
    given = {name: value for name, value in attrs.asdict(options).items() if value is not None}
    return given | {"frame_metadata_features": list(options.frame_metadata_features)}
