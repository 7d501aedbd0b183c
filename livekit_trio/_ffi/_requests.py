"""What is known of each of the 90 requests: how it is answered, what cancelling its caller means, what it takes over.

The rows are checked against the descriptors (`tests/ffi/test_requests.py`): every request has one, and none other. There is no
default policy: a request that a new library version adds does not work before somebody has thought about it.

Sources: `ffi.proto` of livekit-ffi 0.13.2 for names and callbacks; the native sources and measurements for the rest.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

Fields: TypeAlias = dict[str, Any]
Steps: TypeAlias = tuple[tuple[str, Fields], ...]
"""Requests, each with its name and fields, to be sent one after the other."""


class OnCancel(enum.Enum):
    """What becomes of a request whose caller was cancelled before the reply came."""

    AT_ONCE = "at once"
    """It is answered by its response: there is no wait, so nothing to cancel."""
    FINISH = "finish"
    """The effect takes place; the late reply is dropped with its handles."""
    SLOT = "slot"
    """The native object is busy until the reply, or sends requests in no order; the next call on it waits for that."""
    ABANDON = "abandon"
    """There is no effect to undo; the late reply is dropped with its handles."""
    COMPENSATE = "compensate"
    """The late reply is undone, see `Request.undo`; for `connect` the bridge does it."""
    NEVER = "never"
    """We never send it."""


@attrs.frozen
class Request:
    """One request kind.

    Attributes:
        name: its field in FfiRequest.
        on_cancel: see `OnCancel`.
        reply: the field in FfiEvent that answers it; empty if the response does.
        blocks: the native call itself may take milliseconds: it converts media, opens devices or loads code, and is
            sent from a worker thread.
        takes: the field whose handle the library takes over; it must not be dropped afterwards.
        undo: for COMPENSATE, the requests that undo a successful reply; none if it was not successful.
    """

    name: str
    on_cancel: OnCancel
    reply: str = ""
    blocks: bool = False
    takes: str = ""
    undo: Callable[[Fields, Any], Steps] | None = None


def _leave(_fields: Fields, reply: Any) -> Steps:
    # The bridge does the same for a reply that comes when nobody of this loop is left.
    if reply.WhichOneof("message") != "result":
        return ()
    room = {"room_handle": reply.result.room.handle.id}
    return (("ready_for_room_event", room), ("disconnect", room))


def _unpublish(fields: Fields, reply: Any) -> Steps:
    if reply.WhichOneof("message") != "publication":
        return ()
    undo_fields = {
        "local_participant_handle": fields["local_participant_handle"],
        "track_sid": reply.publication.info.sid,
        "stop_on_unpublish": False,
    }
    return (("unpublish_track", undo_fields),)


def _close_writer(close: str) -> Callable[[Fields, Any], Steps]:
    # Dropping an open writer's handle would send a normal trailer: the reader would take half a stream for a whole one.
    def undo(_fields: Fields, reply: Any) -> Steps:
        if reply.WhichOneof("result") != "writer":
            return ()
        return ((close, {"writer_handle": reply.writer.handle.id, "reason": "cancelled"}),)

    return undo


_AT_ONCE = OnCancel.AT_ONCE
_FINISH = OnCancel.FINISH
_SLOT = OnCancel.SLOT
_ABANDON = OnCancel.ABANDON
_COMPENSATE = OnCancel.COMPENSATE

_ROWS = (
    # asynchronous disposal is todo!() natively (it aborts), and the synchronous one frees frames under living views
    Request("dispose", OnCancel.NEVER, "dispose"),
    # rooms
    Request("connect", _COMPENSATE, "connect", undo=_leave),
    Request("disconnect", _FINISH, "disconnect"),
    Request("ready_for_room_event", _AT_ONCE),
    Request("get_session_stats", _ABANDON, "get_session_stats"),
    Request("simulate_scenario", _FINISH, "simulate_scenario"),
    Request("e2ee", _AT_ONCE),
    # tracks and publications
    Request("publish_track", _COMPENSATE, "publish_track", undo=_unpublish),
    Request("unpublish_track", _FINISH, "unpublish_track"),
    Request("set_subscribed", _AT_ONCE),
    Request("create_video_track", _AT_ONCE),
    Request("create_audio_track", _AT_ONCE),
    Request("local_track_mute", _AT_ONCE),
    Request("enable_remote_track", _AT_ONCE),
    Request("get_stats", _ABANDON, "get_stats"),
    Request("enable_remote_track_publication", _AT_ONCE),
    Request("update_remote_track_publication_dimension", _AT_ONCE),
    Request("set_remote_track_publication_quality", _AT_ONCE),
    Request("set_track_subscription_permissions", _AT_ONCE),
    # the local participant
    Request("set_local_metadata", _SLOT, "set_local_metadata"),
    Request("set_local_name", _SLOT, "set_local_name"),
    Request("set_local_attributes", _SLOT, "set_local_attributes"),
    Request("publish_data", _FINISH, "publish_data"),
    Request("publish_transcription", _FINISH, "publish_transcription"),
    Request("publish_sip_dtmf", _FINISH, "publish_sip_dtmf"),
    Request("send_chat_message", _FINISH, "chat_message"),
    Request("edit_chat_message", _FINISH, "chat_message"),
    Request("set_data_channel_buffered_amount_low_threshold", _AT_ONCE),
    # video
    Request("new_video_stream", _AT_ONCE),
    Request("video_stream_from_participant", _AT_ONCE),
    Request("new_video_source", _AT_ONCE),
    Request("capture_video_frame", _AT_ONCE),  # converts on the calling thread: 0.33 ms for 720p RGBA, so not `blocks`
    Request("video_convert", _AT_ONCE, blocks=True),
    Request("capture_encoded_video_frame", _AT_ONCE),
    Request("take_encoded_video_source_feedback", _AT_ONCE),
    # audio
    Request("new_audio_stream", _AT_ONCE),
    Request("audio_stream_from_participant", _AT_ONCE),
    Request("new_audio_source", _AT_ONCE),
    Request("capture_audio_frame", _SLOT, "capture_audio_frame"),
    Request("clear_audio_buffer", _AT_ONCE),
    Request("new_audio_resampler", _AT_ONCE),
    Request("remix_and_resample", _AT_ONCE),
    Request("new_sox_resampler", _AT_ONCE),
    Request("push_sox_resampler", _AT_ONCE),
    Request("flush_sox_resampler", _AT_ONCE),
    Request("new_apm", _AT_ONCE),
    Request("apm_process_stream", _AT_ONCE),
    Request("apm_process_reverse_stream", _AT_ONCE),
    Request("apm_set_stream_delay", _AT_ONCE),
    Request("load_audio_filter_plugin", _AT_ONCE, blocks=True),
    # devices
    Request("new_platform_audio", _AT_ONCE, blocks=True),
    Request("get_audio_devices", _AT_ONCE, blocks=True),
    Request("set_recording_device", _AT_ONCE, blocks=True),
    Request("set_playout_device", _AT_ONCE, blocks=True),
    Request("start_recording", _AT_ONCE, blocks=True),
    Request("stop_recording", _AT_ONCE, blocks=True),
    # RPC
    Request("perform_rpc", _ABANDON, "perform_rpc"),
    Request("register_rpc_method", _AT_ONCE),
    Request("unregister_rpc_method", _AT_ONCE),
    Request("rpc_method_invocation_response", _AT_ONCE),
    # raw stream packets
    Request("send_stream_header", _FINISH, "send_stream_header"),
    Request("send_stream_chunk", _FINISH, "send_stream_chunk"),
    Request("send_stream_trailer", _FINISH, "send_stream_trailer"),
    # data streams, receiving: each of these takes the reader over
    Request("byte_read_incremental", _AT_ONCE, takes="reader_handle"),
    Request("byte_read_all", _ABANDON, "byte_stream_reader_read_all", takes="reader_handle"),
    Request(
        "byte_write_to_file",
        _FINISH,
        "byte_stream_reader_write_to_file",
        takes="reader_handle",
    ),
    Request("text_read_incremental", _AT_ONCE, takes="reader_handle"),
    Request("text_read_all", _ABANDON, "text_stream_reader_read_all", takes="reader_handle"),
    # data streams, sending
    Request("send_file", _FINISH, "send_file"),
    Request("send_text", _FINISH, "send_text"),
    Request("send_bytes", _FINISH, "send_bytes"),
    Request(
        "byte_stream_open",
        _COMPENSATE,
        "byte_stream_open",
        undo=_close_writer("byte_stream_close"),
    ),
    Request("byte_stream_write", _SLOT, "byte_stream_writer_write"),
    Request("byte_stream_close", _FINISH, "byte_stream_writer_close", takes="writer_handle"),
    Request(
        "text_stream_open",
        _COMPENSATE,
        "text_stream_open",
        undo=_close_writer("text_stream_close"),
    ),
    Request("text_stream_write", _SLOT, "text_stream_writer_write"),
    Request("text_stream_close", _FINISH, "text_stream_writer_close", takes="writer_handle"),
    # data tracks: dropping a late track's handle unpublishes it, so abandoning is undoing
    Request("publish_data_track", _ABANDON, "publish_data_track"),
    Request("local_data_track_try_push", _AT_ONCE),
    Request("local_data_track_unpublish", _AT_ONCE),
    Request("local_data_track_is_published", _AT_ONCE),
    Request("subscribe_data_track", _AT_ONCE),
    Request("remote_data_track_is_published", _AT_ONCE),
    Request("remote_data_track_set_pipeline_options", _AT_ONCE),
    Request("data_track_stream_read", _AT_ONCE),
    Request("define_schema", _FINISH, "define_schema"),
    Request("get_schema", _ABANDON, "get_schema"),
    # capture sources: refused by this build of the library ("built without the 'capture' feature")
    Request("new_capture_source", _ABANDON, "new_capture_source"),
    Request("start_capture", _AT_ONCE, blocks=True),
    Request("stop_capture", _AT_ONCE, blocks=True),
)

REQUESTS: Final[dict[str, Request]] = {row.name: row for row in _ROWS}
