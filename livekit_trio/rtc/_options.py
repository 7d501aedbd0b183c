"""How to join a room: frozen values, checked when they are made.

Whatever would abort the native library, be refused by it without a reason, or silently do something else, is an error here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from ._enums import (
    ContinualGatheringPolicy,
    EncryptionType,
    IceTransportType,
    KeyDerivationFunction,
)
from ._validators import boolean, instance_of, integer, member_of

if TYPE_CHECKING:
    from collections.abc import Iterable

INT32_MAX: Final = 2**31 - 1

MAX_KEY_RING_SIZE: Final = 255
"""libwebrtc's frame cryptor silently cuts larger rings down to this, and takes 16 for 0 and less."""

MAX_RATCHET_WINDOW: Final = 255
"""A frame that cannot be decrypted costs that many key derivations, and anybody can send such a frame."""

ICE_SCHEMES: Final = ("stun:", "stuns:", "turn:", "turns:")

TRACK_SID_PREFIX: Final = "TR_"
"""The native library aborts the process on any other prefix (measured on livekit-ffi 0.13.2)."""


def _secret_bytes(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    # The value is a key: it must not be in the error.
    if not isinstance(value, bytes):
        raise TypeError(f"{attribute.name} must be bytes, not {type(value).__name__}")
    if not value:
        raise ValueError(f"{attribute.name} must not be empty")


def _strings(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError("a sequence of strings is needed, not one string")
    return tuple(value)


def _all_strings(_instance: object, attribute: attrs.Attribute[Any], value: tuple[object, ...]) -> None:
    if not all(isinstance(item, str) for item in value):
        raise TypeError(f"{attribute.name} must hold strings only")


@attrs.frozen
class IceServer:
    """A STUN or TURN server.

    Attributes:
        urls: each ``stun:``, ``stuns:``, ``turn:`` or ``turns:``.
        username: for TURN.
        password: for TURN; not in the repr.

    Raises:
        TypeError, ValueError: no URL, one of another scheme, or TURN without user name and password, which libwebrtc refuses.
    """

    urls: tuple[str, ...] = attrs.field(converter=_strings, validator=_all_strings)
    username: str = attrs.field(default="", validator=instance_of(str))
    password: str = attrs.field(default="", validator=instance_of(str), repr=False)

    def __attrs_post_init__(self) -> None:
        if not self.urls:
            raise ValueError("an ICE server needs at least one URL")
        for url in self.urls:
            if not url.startswith(ICE_SCHEMES):
                raise ValueError(f"an ICE server's URL begins with {', '.join(ICE_SCHEMES)}: {url!r}")
            if url.startswith("turn") and not (self.username and self.password):
                raise ValueError(f"a TURN server needs username and password: {url!r}")


def _ice_servers(value: Iterable[IceServer]) -> tuple[IceServer, ...]:
    servers = tuple(value)
    if not all(isinstance(server, IceServer) for server in servers):  # pyright: ignore[reportUnnecessaryIsInstance] - for callers without types
        raise TypeError("ice_servers must hold IceServer objects only")
    return servers


@attrs.frozen(kw_only=True)
class RtcConfiguration:
    """How WebRTC finds its way.

    Attributes:
        ice_transport_type: which candidates may be used.
        continual_gathering_policy: whether new networks are looked for later on.
        ice_servers: empty: those that the server names.
    """

    ice_transport_type: IceTransportType = attrs.field(
        default=IceTransportType.TRANSPORT_ALL, validator=member_of(IceTransportType)
    )
    continual_gathering_policy: ContinualGatheringPolicy = attrs.field(
        default=ContinualGatheringPolicy.GATHER_CONTINUALLY, validator=member_of(ContinualGatheringPolicy)
    )
    ice_servers: tuple[IceServer, ...] = attrs.field(default=(), converter=_ice_servers)


@attrs.frozen(kw_only=True)
class KeyProviderOptions:
    """Where end-to-end encryption keys come from and how they are derived.

    Attributes:
        shared_key: one passphrase for everybody; None: each participant has keys of its own. Not in the repr.
        ratchet_salt: the same for everybody who is to understand each other.
        ratchet_window_size: how many ratchet steps are tried on a frame that cannot be decrypted, 0 to 255.
        failure_tolerance: how many such frames in a row are accepted before the track is in an error state; −1: any number.
        key_ring_size: how many keys a participant can have at once, 1 to 255.
        key_derivation_function: how a key is made of a passphrase; the same for everybody.
    """

    shared_key: bytes | None = attrs.field(default=None, validator=attrs.validators.optional(_secret_bytes), repr=False)
    ratchet_salt: bytes = attrs.field(default=b"LKFrameEncryptionKey", validator=_secret_bytes, repr=False)
    ratchet_window_size: int = attrs.field(default=16, validator=integer(0, MAX_RATCHET_WINDOW))
    failure_tolerance: int = attrs.field(default=-1, validator=integer(-1, INT32_MAX))
    key_ring_size: int = attrs.field(default=16, validator=integer(1, MAX_KEY_RING_SIZE))
    key_derivation_function: KeyDerivationFunction = attrs.field(
        default=KeyDerivationFunction.PBKDF2, validator=member_of(KeyDerivationFunction)
    )


@attrs.frozen(kw_only=True)
class E2EEOptions:
    """End-to-end encryption of media, data packets, data streams and data tracks.

    Attributes:
        key_provider_options: the keys.
        encryption_type: not NONE: to join without encryption, leave `RoomOptions.encryption` out.
    """

    key_provider_options: KeyProviderOptions = attrs.field(
        factory=KeyProviderOptions, validator=instance_of(KeyProviderOptions)
    )
    encryption_type: EncryptionType = attrs.field(
        default=EncryptionType.GCM, validator=member_of(EncryptionType, EncryptionType.NONE)
    )


@attrs.frozen(kw_only=True)
class DataStreamOptions:
    """Bounds of incoming text and byte streams.

    Attributes:
        max_payload_byte_length: a stream that is longer ends with an error, in bytes after decompression; None: the native
            default, 5 GB.
    """

    max_payload_byte_length: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(integer(1, 2**63 - 1))
    )


@attrs.frozen(kw_only=True)
class RoomOptions:
    """How to join a room.

    Attributes:
        auto_subscribe: subscribe to every track that is published; else `RemoteTrackPublication.set_subscribed` does.
        dynacast: stop sending video layers that nobody watches.
        adaptive_stream: let the server adapt video to the dimensions that `set_video_dimensions` asks for.
        encryption: end-to-end encryption; None: none.
        rtc_config: ICE servers and policies; None: what the server says.
        join_retries: how often joining is tried again after a failure that may pass, within the connect timeout.
        single_peer_connection: one peer connection for both directions; None: the native default (one, or two if the server
            cannot do with one).
        data_stream: bounds of incoming data streams; None: the native defaults.

    Raises:
        TypeError, ValueError: a value is not of the right type or range.
    """

    auto_subscribe: bool = attrs.field(default=True, validator=boolean)
    dynacast: bool = attrs.field(default=False, validator=boolean)
    adaptive_stream: bool = attrs.field(default=False, validator=boolean)
    encryption: E2EEOptions | None = attrs.field(
        default=None, validator=attrs.validators.optional(instance_of(E2EEOptions))
    )
    rtc_config: RtcConfiguration | None = attrs.field(
        default=None, validator=attrs.validators.optional(instance_of(RtcConfiguration))
    )
    join_retries: int = attrs.field(default=3, validator=integer(0, 1000))
    single_peer_connection: bool | None = attrs.field(default=None, validator=attrs.validators.optional(boolean))
    data_stream: DataStreamOptions | None = attrs.field(
        default=None, validator=attrs.validators.optional(instance_of(DataStreamOptions))
    )


def _track_sids(value: Iterable[str]) -> tuple[str, ...]:
    sids = _strings(value)
    for sid in sids:
        if not sid.startswith(TRACK_SID_PREFIX):
            raise ValueError(f"a track's SID begins with {TRACK_SID_PREFIX}: {sid!r}")
    return sids


@attrs.frozen(kw_only=True)
class ParticipantTrackPermission:
    """Which of our tracks one participant may subscribe to.

    Attributes:
        participant_identity: whom it is about.
        allow_all: all of our tracks.
        allowed_track_sids: these tracks, if not all.

    Raises:
        ValueError: a SID is none of a track.
    """

    participant_identity: str = attrs.field(validator=instance_of(str))
    allow_all: bool = attrs.field(default=False, validator=boolean)
    allowed_track_sids: tuple[str, ...] = attrs.field(default=(), converter=_track_sids)
