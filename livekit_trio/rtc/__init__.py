"""The realtime half: join a room, see what happens in it, send and receive.

Importing it loads neither the native library nor protobuf nor numpy, and of itself not what few programs need: that comes with
the first use of its name.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from .._errors import (
    AudioFilterError as AudioFilterError,
    CaptureError as CaptureError,
    ConnectError as ConnectError,
    ConnectErrorKind as ConnectErrorKind,
    DataTrackError as DataTrackError,
    DataTrackErrorKind as DataTrackErrorKind,
    EndOfStream as EndOfStream,
    InternalError as InternalError,
    LiveKitError as LiveKitError,
    NativeError as NativeError,
    NativeLoadError as NativeLoadError,
    NativePanicError as NativePanicError,
    NativeRefusalError as NativeRefusalError,
    OperationError as OperationError,
    PlatformAudioError as PlatformAudioError,
    PublishDataError as PublishDataError,
    PublishDataTrackError as PublishDataTrackError,
    PublishDTMFError as PublishDTMFError,
    PublishTrackError as PublishTrackError,
    PublishTranscriptionError as PublishTranscriptionError,
    PushFrameError as PushFrameError,
    RoomClosedError as RoomClosedError,
    SendChatMessageError as SendChatMessageError,
    SenderLeftError as SenderLeftError,
    SourceBusyError as SourceBusyError,
    SourceClosedError as SourceClosedError,
    StreamAbortedError as StreamAbortedError,
    StreamBusyError as StreamBusyError,
    StreamClosedError as StreamClosedError,
    StreamCorruptError as StreamCorruptError,
    StreamError as StreamError,
    StreamIncompleteError as StreamIncompleteError,
    StreamLaggedError as StreamLaggedError,
    StreamReceiveError as StreamReceiveError,
    StreamSendError as StreamSendError,
    StreamTooLargeError as StreamTooLargeError,
    SubscribeDataTrackError as SubscribeDataTrackError,
    SubscribeError as SubscribeError,
    UnpublishTrackError as UnpublishTrackError,
    UpdateError as UpdateError,
    UsedAfterForkError as UsedAfterForkError,
    WrongLoopError as WrongLoopError,
)
from .._ffi._statistics import RuntimeStatistics as RuntimeStatistics, runtime_statistics as runtime_statistics
from .._mailbox import StreamStatistics as StreamStatistics, WouldBlock as WouldBlock
from .._metadata import fix_public_paths as _fix_public_paths
from .._streams import EventStream as EventStream
from ._audio_filter import AudioFilter as AudioFilter, NoiseCancellationOptions as NoiseCancellationOptions
from ._audio_frame import AudioFrame as AudioFrame, combine_audio_frames as combine_audio_frames
from ._audio_source import AudioSource as AudioSource
from ._audio_stream import AudioStream as AudioStream
from ._chat import CHAT_TOPIC as CHAT_TOPIC, TRANSCRIPTION_TOPIC as TRANSCRIPTION_TOPIC
from ._connect import open_room as open_room
from ._data_track import DataTrackStream as DataTrackStream, RemoteDataTrack as RemoteDataTrack
from ._data_track_types import (
    DataTrackFrame as DataTrackFrame,
    DataTrackFrameEncoding as DataTrackFrameEncoding,
    DataTrackSchema as DataTrackSchema,
    DataTrackSchemaEncoding as DataTrackSchemaEncoding,
)
from ._data_tracks import DataTrackStatistics as DataTrackStatistics, LocalDataTrack as LocalDataTrack
from ._e2ee import E2EEManager as E2EEManager, FrameCryptor as FrameCryptor, KeyProvider as KeyProvider
from ._enums import (
    AudioTrackFeature as AudioTrackFeature,
    ConnectionQuality as ConnectionQuality,
    ConnectionState as ConnectionState,
    ContinualGatheringPolicy as ContinualGatheringPolicy,
    DataPacketKind as DataPacketKind,
    DegradationPreference as DegradationPreference,
    DisconnectReason as DisconnectReason,
    EncodedFrameType as EncodedFrameType,
    EncryptionState as EncryptionState,
    EncryptionType as EncryptionType,
    FrameMetadataFeature as FrameMetadataFeature,
    IceTransportType as IceTransportType,
    KeyDerivationFunction as KeyDerivationFunction,
    ParticipantKind as ParticipantKind,
    ParticipantKindDetail as ParticipantKindDetail,
    ParticipantState as ParticipantState,
    SimulateScenarioKind as SimulateScenarioKind,
    StreamState as StreamState,
    TrackKind as TrackKind,
    TrackSource as TrackSource,
    VideoBufferType as VideoBufferType,
    VideoCodec as VideoCodec,
    VideoEncoderBackend as VideoEncoderBackend,
    VideoQuality as VideoQuality,
    VideoRotation as VideoRotation,
)
from ._events import (
    ActiveSpeakersChanged as ActiveSpeakersChanged,
    ChatMessageReceived as ChatMessageReceived,
    ConnectionQualityChanged as ConnectionQualityChanged,
    ConnectionStateChanged as ConnectionStateChanged,
    DataChannelLowThresholdChanged as DataChannelLowThresholdChanged,
    DataReceived as DataReceived,
    DataTrackPublished as DataTrackPublished,
    DataTrackUnpublished as DataTrackUnpublished,
    Disconnected as Disconnected,
    E2eeStateChanged as E2eeStateChanged,
    LocalDataTrackPublished as LocalDataTrackPublished,
    LocalDataTrackUnpublished as LocalDataTrackUnpublished,
    LocalTrackPublished as LocalTrackPublished,
    LocalTrackRepublished as LocalTrackRepublished,
    LocalTrackSubscribed as LocalTrackSubscribed,
    LocalTrackUnpublished as LocalTrackUnpublished,
    Moved as Moved,
    ParticipantActive as ParticipantActive,
    ParticipantAttributesChanged as ParticipantAttributesChanged,
    ParticipantConnected as ParticipantConnected,
    ParticipantDisconnected as ParticipantDisconnected,
    ParticipantEncryptionStatusChanged as ParticipantEncryptionStatusChanged,
    ParticipantMetadataChanged as ParticipantMetadataChanged,
    ParticipantNameChanged as ParticipantNameChanged,
    ParticipantPermissionsChanged as ParticipantPermissionsChanged,
    Reconnected as Reconnected,
    Reconnecting as Reconnecting,
    RecordingStatusChanged as RecordingStatusChanged,
    RoomEvent as RoomEvent,
    RoomMetadataChanged as RoomMetadataChanged,
    RoomUpdated as RoomUpdated,
    SipDtmfReceived as SipDtmfReceived,
    TokenRefreshed as TokenRefreshed,
    TrackMuted as TrackMuted,
    TrackPublished as TrackPublished,
    TrackSubscribed as TrackSubscribed,
    TrackSubscriptionFailed as TrackSubscriptionFailed,
    TrackUnmuted as TrackUnmuted,
    TrackUnpublished as TrackUnpublished,
    TrackUnsubscribed as TrackUnsubscribed,
    TranscriptionReceived as TranscriptionReceived,
)
from ._incoming_streams import IncomingStreams as IncomingStreams
from ._local_participant import LocalParticipant as LocalParticipant
from ._options import (
    DataStreamOptions as DataStreamOptions,
    E2EEOptions as E2EEOptions,
    IceServer as IceServer,
    KeyProviderOptions as KeyProviderOptions,
    ParticipantTrackPermission as ParticipantTrackPermission,
    RoomOptions as RoomOptions,
    RtcConfiguration as RtcConfiguration,
)
from ._participant import Participant as Participant, RemoteParticipant as RemoteParticipant
from ._publication import (
    LocalTrackPublication as LocalTrackPublication,
    RemoteTrackPublication as RemoteTrackPublication,
    TrackPublication as TrackPublication,
)
from ._publish_options import (
    AudioEncoding as AudioEncoding,
    TrackPublishOptions as TrackPublishOptions,
    VideoEncoding as VideoEncoding,
)
from ._room import Room as Room
from ._rpc_method import (
    JsonSerializer as JsonSerializer,
    RpcMethod as RpcMethod,
    RpcSerializer as RpcSerializer,
)
from ._rpc_types import (
    RpcCallInfo as RpcCallInfo,
    RpcError as RpcError,
    RpcHandler as RpcHandler,
    RpcInterceptor as RpcInterceptor,
    RpcInvocationData as RpcInvocationData,
    RpcStatistics as RpcStatistics,
)
from ._stream_info import (
    ByteStreamInfo as ByteStreamInfo,
    StreamInfo as StreamInfo,
    TextStreamInfo as TextStreamInfo,
    TextStreamOperation as TextStreamOperation,
)
from ._stream_readers import ByteStreamReader as ByteStreamReader, TextStreamReader as TextStreamReader
from ._stream_writers import ByteStreamWriter as ByteStreamWriter, TextStreamWriter as TextStreamWriter
from ._track import (
    AudioTrack as AudioTrack,
    LocalAudioTrack as LocalAudioTrack,
    LocalTrack as LocalTrack,
    LocalVideoTrack as LocalVideoTrack,
    RemoteAudioTrack as RemoteAudioTrack,
    RemoteTrack as RemoteTrack,
    RemoteVideoTrack as RemoteVideoTrack,
    Track as Track,
    VideoTrack as VideoTrack,
)
from ._values import (
    ChatMessage as ChatMessage,
    ParticipantPermission as ParticipantPermission,
    ServerSender as ServerSender,
    Transcription as Transcription,
    TranscriptionSegment as TranscriptionSegment,
    UnknownSender as UnknownSender,
)
from ._video_frame import (
    FrameMetadata as FrameMetadata,
    VideoFrame as VideoFrame,
    VideoPlane as VideoPlane,
)
from ._video_source import VideoSource as VideoSource
from ._video_stream import VideoStream as VideoStream

if TYPE_CHECKING:
    from ._apm import AudioProcessingModule as AudioProcessingModule
    from ._audio_byte_stream import AudioByteStream as AudioByteStream
    from ._audio_mixer import AudioMixer as AudioMixer
    from ._av_sync import AVSynchronizer as AVSynchronizer
    from ._encoded_video_source import (
        EncodedVideoFrame as EncodedVideoFrame,
        EncodedVideoSource as EncodedVideoSource,
        EncoderFeedback as EncoderFeedback,
        EncoderFeedbackStream as EncoderFeedbackStream,
        KeyFrameRequested as KeyFrameRequested,
        TargetRateChanged as TargetRateChanged,
    )
    from ._frame_processor import FrameProcessor as FrameProcessor
    from ._media_devices import InputCapture as InputCapture, MediaDevices as MediaDevices, OutputPlayer as OutputPlayer
    from ._media_file import MediaFileSource as MediaFileSource
    from ._platform_audio import (
        AudioDeviceInfo as AudioDeviceInfo,
        PlatformAudio as PlatformAudio,
        PlatformAudioOptions as PlatformAudioOptions,
        PlatformAudioSource as PlatformAudioSource,
    )
    from ._presets import (
        AudioPreset as AudioPreset,
        ScreenSharePreset as ScreenSharePreset,
        VideoPreset as VideoPreset,
    )
    from ._resampler import (
        AudioRemixer as AudioRemixer,
        AudioResampler as AudioResampler,
        AudioResamplerQuality as AudioResamplerQuality,
    )
    from ._track_recorder import TrackRecorder as TrackRecorder, TrackRecording as TrackRecording
    from ._transcription import FeedSegment as FeedSegment, TranscriptionFeed as TranscriptionFeed
else:
    _LATER = {
        "_apm": ("AudioProcessingModule",),
        "_audio_byte_stream": ("AudioByteStream",),
        "_audio_mixer": ("AudioMixer",),
        "_av_sync": ("AVSynchronizer",),
        "_encoded_video_source": (
            "EncodedVideoFrame",
            "EncodedVideoSource",
            "EncoderFeedback",
            "EncoderFeedbackStream",
            "KeyFrameRequested",
            "TargetRateChanged",
        ),
        "_frame_processor": ("FrameProcessor",),
        "_media_devices": (
            "InputCapture",
            "MediaDevices",
            "OutputPlayer",
        ),
        "_media_file": ("MediaFileSource",),
        "_platform_audio": (
            "AudioDeviceInfo",
            "PlatformAudio",
            "PlatformAudioOptions",
            "PlatformAudioSource",
        ),
        "_presets": (
            "AudioPreset",
            "ScreenSharePreset",
            "VideoPreset",
        ),
        "_resampler": (
            "AudioRemixer",
            "AudioResampler",
            "AudioResamplerQuality",
        ),
        "_track_recorder": (
            "TrackRecorder",
            "TrackRecording",
        ),
        "_transcription": (
            "FeedSegment",
            "TranscriptionFeed",
        ),
    }

    def __getattr__(name: str) -> object:
        for module, names in _LATER.items():
            if name in names:
                found = {each: getattr(_import_module(f".{module}", __name__), each) for each in names}
                _fix_public_paths(__name__, found)
                globals().update(found)
                return found[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *(name for names in _LATER.values() for name in names)})

    # Only for `import *`, which then loads all of it.
    __all__ = [name for name in __dir__() if not name.startswith("_") and name != "TYPE_CHECKING"]


_fix_public_paths(__name__, globals())
del TYPE_CHECKING
