"""The generated messages by the names that the request table uses; they are loaded by the first request, not at import."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def encode_request(name: str, fields: Mapping[str, Any]) -> bytes:
    """Serialise an FfiRequest of kind *name*; a dict stands for a nested message, None for a field that is not set."""
    message = _messages().FfiRequest(**{name: fields})
    getattr(message, name).SetInParent()  # a request without fields is one all the same
    return message.SerializeToString()


def new_request() -> Any:
    """An empty FfiRequest, to be filled and serialised again and again."""
    return _messages().FfiRequest()


def decode_response(data: bytes) -> Any:
    """Parse an FfiResponse and return the inner message."""
    response = _messages().FfiResponse.FromString(data)
    return getattr(response, response.WhichOneof("message"))


@functools.cache
def event_number(name: str) -> int:
    """The kind of the event that stands in field *name* of FfiEvent."""
    return _messages().FfiEvent.DESCRIPTOR.fields_by_name[name].number


@functools.cache
def event_class(name: str) -> Any:
    """The message class of the event that stands in field *name* of FfiEvent."""
    return getattr(
        _messages(),
        _messages().FfiEvent.DESCRIPTOR.fields_by_name[name].message_type.name,
    )


@functools.cache
def request_class(name: str) -> Any:
    """The message class of the request that stands in field *name* of FfiRequest."""
    return getattr(_messages(), _messages().FfiRequest.DESCRIPTOR.fields_by_name[name].message_type.name)


def _messages() -> Any:
    from . import _proto

    return _proto
