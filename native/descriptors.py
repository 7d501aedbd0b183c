"""The native library's messages as descriptors, under our own names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor

OFFICIAL_PACKAGE = "livekit.proto"
PACKAGE = "livekit_trio.ffi"


def renamed(serialised: list[bytes]) -> list[FileDescriptorProto]:
    """The official files with our file and package names, each after those that it imports."""
    files = [_renamed(FileDescriptorProto.FromString(data)) for data in serialised]
    ordered: list[FileDescriptorProto] = []
    while files:
        done = {file.name for file in ordered}
        ready = [file for file in files if done.issuperset(file.dependency)]
        if not ready:
            raise ValueError(f"imports in a circle, or a missing file: {[file.name for file in files]}")
        ordered += ready
        files = [file for file in files if file not in ready]
    return ordered


def _renamed(file: FileDescriptorProto) -> FileDescriptorProto:
    if file.package != OFFICIAL_PACKAGE or file.syntax not in {"", "proto2"}:
        raise ValueError(f"{file.name}: package {file.package!r}, syntax {file.syntax!r}")
    file.name = _file_name(file.name)
    file.package = PACKAGE
    file.ClearField("options")  # where other languages put their code
    file.dependency[:] = [_file_name(name) for name in file.dependency]
    for message in file.message_type:
        _rename_references(message)
    return file


def _file_name(official: str) -> str:
    return f"livekit_trio/ffi/{official}"


def _rename_references(message: DescriptorProto) -> None:
    for field in message.field:
        if field.type_name:
            field.type_name = f".{PACKAGE}." + field.type_name.removeprefix(f".{OFFICIAL_PACKAGE}.")
    for nested in message.nested_type:
        _rename_references(nested)


class Messages:
    """All files, in a pool of their own."""

    def __init__(self, files: list[FileDescriptorProto]) -> None:
        self.files = files
        self.pool = descriptor_pool.DescriptorPool()
        for file in files:
            self.pool.AddSerializedFile(file.SerializeToString())

    def descriptors(self) -> Iterator[FileDescriptor]:
        """The files in the order in which they were given."""
        for file in self.files:
            yield self.pool.FindFileByName(file.name)

    def messages(self) -> Iterator[Descriptor]:
        """The top-level messages, in the order of the files."""
        for file in self.descriptors():
            yield from file.message_types_by_name.values()

    def enums(self) -> Iterator[EnumDescriptor]:
        """The top-level enums, in the order of the files."""
        for file in self.descriptors():
            yield from file.enum_types_by_name.values()

    def message(self, name: str) -> Descriptor:
        """The message of that name, without the package."""
        return self.pool.FindMessageTypeByName(f"{PACKAGE}.{name}")


def inner(field: FieldDescriptor) -> Descriptor:
    """The message that *field* holds."""
    if field.message_type is None:
        raise ValueError(f"{field.full_name} holds no message")
    return field.message_type


def is_map(field: FieldDescriptor) -> bool:
    """Whether *field* is a ``map<…>``."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry
