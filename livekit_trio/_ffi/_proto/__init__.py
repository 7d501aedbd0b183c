"""The native library's messages: every message class, enum and enum value of its protocol by name.

Nested ones are attributes of their message. The descriptors live in a pool of their own: another SDK's, or a program's own
`room.proto`, does not collide with them. Made from descriptors at import (7 ms), not by protoc: code of protoc's carries a
check of the protobuf version, and ours has to run with 4.25 to 7.
"""

import sys

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from ._descriptors import FILES


def _publish(owner, messages, enums):
    for enum in enums:
        setattr(owner, enum.name, EnumTypeWrapper(enum))
        for value in enum.values:
            setattr(owner, value.name, value.number)
    for message in messages:
        cls = message_factory.GetMessageClass(message)
        setattr(owner, message.name, cls)
        _publish(cls, message.nested_types, message.enum_types)


POOL = descriptor_pool.DescriptorPool()
for _name, _data in FILES.items():
    POOL.AddSerializedFile(_data)
    _file = POOL.FindFileByName(_name)
    _publish(sys.modules[__name__], _file.message_types_by_name.values(), _file.enum_types_by_name.values())
