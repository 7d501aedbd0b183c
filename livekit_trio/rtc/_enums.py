"""The numbers of the protocol, under the names that LiveKit users know.

A server or library that is newer than this package may send numbers that are not listed here. Such a number becomes a member
called ``UNKNOWN_<n>`` and never raises; compare enums with ``==``, since two of these are equal but not identical.

Source: the enums of livekit-ffi 0.13.2; `tests/rtc/test_enums.py` compares them with the generated messages.
"""

from __future__ import annotations

import enum
from typing import Self

from typing_extensions import override


class OpenEnum(enum.IntEnum):
    """An IntEnum that accepts numbers of the future."""

    @classmethod
    @override
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member

    @override
    def __reduce_ex__(self, protocol: object) -> tuple[type[Self], tuple[int]]:
        # Before 3.11.4 Python does it by the name, which an unknown member has for itself only.
        return type(self), (self._value_,)

    @property
    def is_known(self) -> bool:
        """Whether this package knows what the number means."""
        return self._name_ in type(self).__members__


class ConnectionState(OpenEnum):
    """How the room is connected to the server."""

    CONN_DISCONNECTED = 0
    CONN_CONNECTED = 1
    CONN_RECONNECTING = 2
    """The connection was lost and is being sought; the room goes on."""


class ConnectionQuality(OpenEnum):
    """How good the server thinks a participant's connection is."""

    QUALITY_UNKNOWN = -1
    """Nothing was reported yet."""
    QUALITY_POOR = 0
    QUALITY_GOOD = 1
    QUALITY_EXCELLENT = 2
    QUALITY_LOST = 3
    """The server hears nothing of it any more."""


class ContinualGatheringPolicy(OpenEnum):
    """Whether ICE candidates are gathered once or as networks come and go."""

    GATHER_ONCE = 0
    GATHER_CONTINUALLY = 1


class DataPacketKind(OpenEnum):
    """How a data packet travels."""

    KIND_LOSSY = 0
    """At most once, in any order."""
    KIND_RELIABLE = 1
    """In order, and again if lost."""


class DisconnectReason(OpenEnum):
    """Why a participant or the whole room was disconnected."""

    UNKNOWN_REASON = 0
    CLIENT_INITIATED = 1
    """The participant left by itself."""
    DUPLICATE_IDENTITY = 2
    """Another participant joined with the same identity."""
    SERVER_SHUTDOWN = 3
    """The server is going down."""
    PARTICIPANT_REMOVED = 4
    """The server API removed it."""
    ROOM_DELETED = 5
    STATE_MISMATCH = 6
    """It tried to resume a session that the server does not know."""
    JOIN_FAILURE = 7
    """Its connection never came about completely."""
    MIGRATION = 8
    """It was sent to another server."""
    SIGNAL_CLOSE = 9
    """Its signal connection broke."""
    ROOM_CLOSED = 10
    """The room was closed since everybody who counts had left."""
    USER_UNAVAILABLE = 11
    """SIP: the callee did not answer in time."""
    USER_REJECTED = 12
    """SIP: the callee is busy or rejected the call."""
    SIP_TRUNK_FAILURE = 13
    """SIP: the trunk failed or answered nonsense."""
    CONNECTION_TIMEOUT = 14
    """The server did not hear of it in time."""
    MEDIA_FAILURE = 15
    """Its media failed or stopped."""
    AGENT_ERROR = 16
    """The agent failed."""


class EncryptionState(OpenEnum):
    """How the end-to-end encryption of one track is doing."""

    NEW = 0
    """No frame was seen yet."""
    OK = 1
    ENCRYPTION_FAILED = 2
    """Frames of ours could not be encrypted, and were not sent."""
    DECRYPTION_FAILED = 3
    """Frames cannot be decrypted: another key, or none on the other side."""
    MISSING_KEY = 4
    """There is no key here for that participant."""
    KEY_RATCHETED = 5
    """The key was advanced by ratcheting, and fits again."""
    INTERNAL_ERROR = 6


class EncryptionType(OpenEnum):
    """How media is encrypted end to end."""

    NONE = 0
    GCM = 1
    CUSTOM = 2
    """By means of its own, which this library does not know."""


class KeyDerivationFunction(OpenEnum):
    """How an encryption key is made of a passphrase."""

    PBKDF2 = 0
    HKDF = 1


class IceTransportType(OpenEnum):
    """Which ICE candidates may be used."""

    TRANSPORT_RELAY = 0
    """Only TURN relays."""
    TRANSPORT_NOHOST = 1
    """Everything but the machine's own addresses."""
    TRANSPORT_ALL = 2


class ParticipantKind(OpenEnum):
    """What a participant is; the server decides, and it never changes."""

    PARTICIPANT_KIND_STANDARD = 0
    PARTICIPANT_KIND_INGRESS = 1
    """A stream from outside."""
    PARTICIPANT_KIND_EGRESS = 2
    """A recorder."""
    PARTICIPANT_KIND_SIP = 3
    """Somebody on the telephone."""
    PARTICIPANT_KIND_AGENT = 4
    PARTICIPANT_KIND_CONNECTOR = 5
    PARTICIPANT_KIND_BRIDGE = 6


class ParticipantKindDetail(OpenEnum):
    """What a participant's kind leaves open."""

    PARTICIPANT_KIND_DETAIL_CLOUD_AGENT = 0
    PARTICIPANT_KIND_DETAIL_FORWARDED = 1
    PARTICIPANT_KIND_DETAIL_CONNECTOR_WHATSAPP = 2
    PARTICIPANT_KIND_DETAIL_CONNECTOR_TWILIO = 3
    PARTICIPANT_KIND_DETAIL_BRIDGE_RTSP = 4
    PARTICIPANT_KIND_DETAIL_SIMULATION = 5


class ParticipantState(OpenEnum):
    """How far a participant has come in joining."""

    PARTICIPANT_STATE_JOINING = 0
    """Its signal connection is up."""
    PARTICIPANT_STATE_JOINED = 1
    """The server has answered it."""
    PARTICIPANT_STATE_ACTIVE = 2
    """Its media connection is up: it can receive tracks and data."""
    PARTICIPANT_STATE_DISCONNECTED = 3


class SimulateScenarioKind(OpenEnum):
    """What `Room.simulate_scenario` can let happen."""

    SIMULATE_SIGNAL_RECONNECT = 0
    """The signal connection breaks: the session is resumed."""
    SIMULATE_SPEAKER = 1
    """The server lets us speak; nothing of it arrives here (measured)."""
    SIMULATE_NODE_FAILURE = 2
    """The server node fails: a full reconnect."""
    SIMULATE_SERVER_LEAVE = 3
    """The server sends us away: the room ends."""
    SIMULATE_MIGRATION = 4
    """The server sends us to another node."""
    SIMULATE_FORCE_TCP = 5
    """Media has to go over TCP from now on."""
    SIMULATE_FORCE_TLS = 6
    """Media has to go over TLS from now on, which needs a TURN server; without one there is no way back."""
    SIMULATE_FULL_RECONNECT = 7
    """A full reconnect: new connections, new SIDs."""
    SIMULATE_DISCONNECT_SIGNAL_ON_RESUME = 8
    """The signal connection breaks, and once more while the session is resumed."""


class StreamState(OpenEnum):
    """Whether a track's media flows."""

    STATE_UNKNOWN = 0
    STATE_ACTIVE = 1
    STATE_PAUSED = 2


class TrackKind(OpenEnum):
    """Audio or video."""

    KIND_UNKNOWN = 0
    KIND_AUDIO = 1
    KIND_VIDEO = 2


class TrackSource(OpenEnum):
    """What a track shows or plays."""

    SOURCE_UNKNOWN = 0
    SOURCE_CAMERA = 1
    SOURCE_MICROPHONE = 2
    SOURCE_SCREENSHARE = 3
    SOURCE_SCREENSHARE_AUDIO = 4


class AudioTrackFeature(OpenEnum):
    """What a publisher says about its audio track."""

    TF_STEREO = 0
    TF_NO_DTX = 1
    """It is sent in silence too."""
    TF_AUTO_GAIN_CONTROL = 2
    TF_ECHO_CANCELLATION = 3
    TF_NOISE_SUPPRESSION = 4
    TF_ENHANCED_NOISE_CANCELLATION = 5
    TF_PRECONNECT_BUFFER = 6
    """It begins with what was said before the connection was up."""


class FrameMetadataFeature(OpenEnum):
    """What travels with each frame of a video track."""

    FMF_USER_TIMESTAMP = 0
    """A time of the sender's, in whatever unit it chose."""
    FMF_FRAME_ID = 1
    """The frame's number."""
    FMF_USER_DATA = 2
    """Bytes of the application."""


class VideoQuality(OpenEnum):
    """A layer of a simulcasted video track."""

    VIDEO_QUALITY_LOW = 0
    VIDEO_QUALITY_MEDIUM = 1
    VIDEO_QUALITY_HIGH = 2


class VideoBufferType(OpenEnum):
    """How the pixels of a video frame lie in memory."""

    RGBA = 0
    """Four bytes a pixel; the name says in which order they lie in memory."""
    ABGR = 1
    ARGB = 2
    BGRA = 3
    RGB24 = 4
    """Three bytes a pixel: red, green, blue."""
    I420 = 5
    """Planes Y, U and V, the latter two with a sample for 2×2 pixels. What codecs take and give."""
    I420A = 6
    """As I420, and then alpha."""
    I422 = 7
    """Planes Y, U and V, the latter two with a sample for 2×1 pixels."""
    I444 = 8
    """Planes Y, U and V of the same size."""
    I010 = 9
    """As I420 with 10 bits a sample, in the lower bits of two bytes."""
    NV12 = 10
    """Planes Y and UV, the latter with two samples for 2×2 pixels."""


class VideoRotation(OpenEnum):
    """How a frame has to be turned, clockwise, to be seen upright."""

    VIDEO_ROTATION_0 = 0
    VIDEO_ROTATION_90 = 1
    VIDEO_ROTATION_180 = 2
    VIDEO_ROTATION_270 = 3


class VideoCodec(OpenEnum):
    """How video is compressed."""

    VP8 = 0
    H264 = 1
    AV1 = 2
    VP9 = 3
    H265 = 4


class VideoEncoderBackend(OpenEnum):
    """Which encoder compresses a video."""

    ENCODER_BACKEND_AUTO = 0
    """The best that there is."""
    ENCODER_BACKEND_SOFTWARE = 1
    ENCODER_BACKEND_HARDWARE = 2
    """Whichever there is."""
    ENCODER_BACKEND_NVENC = 3
    ENCODER_BACKEND_VAAPI = 4
    ENCODER_BACKEND_VIDEOTOOLBOX = 5
    ENCODER_BACKEND_PRE_ENCODED = 6
    """None: the program gives compressed frames to an `EncodedVideoSource`."""


class DegradationPreference(OpenEnum):
    """What gives way when the network or the machine is too slow for a video."""

    BALANCED = 0
    MAINTAIN_FRAMERATE = 1
    """The size gives way."""
    MAINTAIN_RESOLUTION = 2
    """The frame rate gives way."""
    MAINTAIN_FRAMERATE_AND_RESOLUTION = 4
    """Neither: the picture gets worse."""


class EncodedFrameType(OpenEnum):
    """Whether a compressed frame can be decoded by itself."""

    ENCODED_FRAME_KEY = 0
    """It can."""
    ENCODED_FRAME_DELTA = 1
    """Only with those before it."""
