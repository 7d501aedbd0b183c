"""The typing stub of the generated messages, strict enough for pyright.

Fields of an enum type are plain `int`: an unknown future number must not be an error, and our own IntEnums go in as they are.
proto2 throughout: every singular field has presence, and a constructor leaves out what is None.
"""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING

from descriptors import PACKAGE, Messages, inner, is_map
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SCALARS = {
    FieldDescriptor.CPPTYPE_BOOL: "bool",
    FieldDescriptor.CPPTYPE_DOUBLE: "float",
    FieldDescriptor.CPPTYPE_ENUM: "int",
    FieldDescriptor.CPPTYPE_FLOAT: "float",
    FieldDescriptor.CPPTYPE_INT32: "int",
    FieldDescriptor.CPPTYPE_INT64: "int",
    FieldDescriptor.CPPTYPE_UINT32: "int",
    FieldDescriptor.CPPTYPE_UINT64: "int",
}

_PREAMBLE = """
import builtins
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, Literal, overload

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal.containers import (
    MessageMap,
    RepeatedCompositeFieldContainer,
    RepeatedScalarFieldContainer,
    ScalarMap,
)
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

POOL: Final[DescriptorPool]
"""


def stub_module(messages: Messages, header: str) -> str:
    """`__init__.pyi`."""
    lines = [f'"""{header}"""', *_PREAMBLE.splitlines()]
    for enum in messages.enums():
        lines += ["", *_enum(enum), f"{enum.name}: Final[_{enum.name}]"]
        lines += [f"{value.name}: Final = {value.number}" for value in enum.values]
    for message in messages.messages():
        lines += ["", *_message(message)]
    return "\n".join([*lines, ""])


def _enum(enum: EnumDescriptor) -> list[str]:
    lines = [f"class _{enum.name}(EnumTypeWrapper):"]
    return lines + [f"    {value.name}: ClassVar[Literal[{value.number}]]" for value in enum.values]


def _message(message: Descriptor) -> list[str]:
    lines = [f"class {message.name}(Message):"]
    for enum in message.enum_types:
        lines += [*_indented(_enum(enum)), f"    {enum.name}: ClassVar[_{enum.name}]"]
        lines += [f"    {value.name}: ClassVar[Literal[{value.number}]]" for value in enum.values]
    for nested in message.nested_types:
        if not nested.GetOptions().map_entry:
            lines += _indented(_message(nested))
    body = [*_fields(message), *_constructor(message), *_presence(message), *_oneofs(message)]
    return lines + _indented(body)


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _fields(message: Descriptor) -> Iterator[str]:
    for field in _named(message):
        if field.message_type is None and not field.is_repeated:
            yield f"{field.name}: builtins.{_scalar(field)}"
        else:
            yield "@builtins.property"
            yield f"def {field.name}(self) -> {_container(field)}: ..."


def _constructor(message: Descriptor) -> Iterator[str]:
    named = _named(message)
    arguments = [f"{field.name}: {_argument(field)} | None = None" for field in named]
    keywords = [field for field in message.fields if field not in named]
    if named:
        arguments.insert(0, "*")
    if keywords:
        # Python's own words, such as `async`, can only come in as **{...} and be read by getattr.
        arguments.append("**keywords: Any")
    yield f"def __init__({', '.join(['self', *arguments])}) -> None: ..."


def _presence(message: Descriptor) -> Iterator[str]:
    singular = [field.name for field in message.fields if not field.is_repeated]
    if singular:
        yield f"def HasField(self, field_name: {_literal(singular)}) -> builtins.bool: ..."
    every = [field.name for field in message.fields] + [oneof.name for oneof in message.oneofs]
    if every:
        yield f"def ClearField(self, field_name: {_literal(every)}) -> None: ..."


def _oneofs(message: Descriptor) -> Iterator[str]:
    for oneof in message.oneofs:
        if len(message.oneofs) > 1:
            yield "@overload"
        members = _literal([field.name for field in oneof.fields])
        yield f'def WhichOneof(self, oneof_group: Literal["{oneof.name}"]) -> {members} | None: ...'


def _named(message: Descriptor) -> list[FieldDescriptor]:
    return [field for field in message.fields if not keyword.iskeyword(field.name)]


def _literal(names: Iterable[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"Literal[{quoted}]"


def _scalar(field: FieldDescriptor) -> str:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return "bytes" if field.type == FieldDescriptor.TYPE_BYTES else "str"
    return _SCALARS[field.cpp_type]


def _element(field: FieldDescriptor) -> str:
    message = field.message_type
    return message.full_name.removeprefix(f"{PACKAGE}.") if message is not None else f"builtins.{_scalar(field)}"


def _container(field: FieldDescriptor) -> str:
    if is_map(field):
        key, value = (inner(field).fields_by_name[name] for name in ("key", "value"))
        kind = "MessageMap" if value.message_type is not None else "ScalarMap"
        return f"{kind}[{_element(key)}, {_element(value)}]"
    if field.is_repeated:
        kind = "RepeatedScalarFieldContainer" if field.message_type is None else "RepeatedCompositeFieldContainer"
        return f"{kind}[{_element(field)}]"
    return _element(field)


def _argument(field: FieldDescriptor) -> str:
    if is_map(field):
        key, value = (inner(field).fields_by_name[name] for name in ("key", "value"))
        return f"Mapping[{_element(key)}, {_element(value)}]"
    return f"Iterable[{_element(field)}]" if field.is_repeated else _element(field)
