"""Sending one request: encoded, sent, and if it was refused with the reason that the library logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import InternalError, NativeRefusalError
from . import _logs
from ._memory import address_of
from ._messages import encode_request
from ._requests import REQUESTS, OnCancel

if TYPE_CHECKING:
    from ._abc import Inbox, NativeLibrary, Ring


def send_request(library: NativeLibrary, name: str, fields: dict[str, Any]) -> bytes:
    """Send request *name* and return the serialised FfiResponse. From any thread.

    Raises:
        NativeRefusalError: the library refused it.
        UsedAfterForkError: this is a forked child.
    """
    if REQUESTS[name].on_cancel is OnCancel.NEVER:
        raise InternalError(f"the request {name} is never sent")
    data = fields.get("data")
    if isinstance(data, bytes):
        # `data` is held by our caller's frame until the request has returned, and the library copies during the call.
        fields = {key: value for key, value in fields.items() if key != "data"}
        fields.update(data_ptr=address_of(data), data_len=len(data))
    return send_encoded(library, name, encode_request(name, fields))


def send_encoded(library: NativeLibrary, name: str, message: bytes) -> bytes:
    """As `send_request`, for an FfiRequest that is serialised already."""
    try:
        return library.request(message)
    except NativeRefusalError:
        raise NativeRefusalError(name, _logs.failure_text(library)) from None


def send_ring_request(
    library: NativeLibrary, inbox: Inbox, name: str, fields: dict[str, Any], capacity: int
) -> tuple[bytes, Ring]:
    """As `send_request`, for one that opens a media stream: *inbox* keeps its frames in a ring of *capacity* frames."""
    message = encode_request(name, fields)
    try:
        return inbox.open_ring(message, capacity)
    except NativeRefusalError:
        raise NativeRefusalError(name, _logs.failure_text(library)) from None
