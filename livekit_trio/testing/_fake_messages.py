"""Completing native messages, so that a test says only what it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def complete(message: Message, new_handle: Callable[[], int]) -> None:
    """Set every required field that is not set, in *message* and all that it contains.

    Numbers become 0, texts empty, enums their first value, owned handles new ones; where nothing of a oneof is set, it
    becomes its first field that is no error.
    """
    if message.DESCRIPTOR.name == "FfiOwnedHandle":
        if not message.HasField("id"):
            setattr(message, "id", new_handle())  # noqa: B010 - no class of this name is known here
        return
    for oneof in message.DESCRIPTOR.oneofs:
        if message.WhichOneof(oneof.name) is None:
            _set(message, next(field.name for field in oneof.fields if field.name != "error"))
    untyped: Any = message  # the stubs do not know this method
    for name in untyped.FindInitializationErrors():
        if "." not in name:
            _set(message, name)
    for inner in _messages_in(message):
        complete(inner, new_handle)


def _set(message: Message, name: str) -> None:
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.message_type is not None:
        getattr(message, name).SetInParent()
    else:
        setattr(message, name, field.default_value)


def _messages_in(message: Message) -> Iterator[Message]:
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        many: Any = [value] if isinstance(value, Message) else value
        yield from many
