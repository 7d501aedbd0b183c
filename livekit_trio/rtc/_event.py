"""The base of all room events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

import attrs
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import KeysView


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Event:
    """A frozen value: the annotations of its class are its fields, and each is a keyword argument.

    attrs would write methods for every class of event, which takes 0.3 ms each and would be a fifth of what it costs to
    import `livekit_trio.rtc`. Here all share theirs.
    """

    _fields: ClassVar[KeysView[str]]

    def __init_subclass__(cls) -> None:
        cls._fields = cls.__annotations__.keys()

    def __init__(self, **fields: Any) -> None:
        if fields.keys() != self._fields:
            raise TypeError(f"{type(self).__name__} takes {', '.join(self._fields)}, not {', '.join(fields)}")
        self.__dict__.update(fields)

    @override
    def __setattr__(self, name: str, value: object) -> None:
        raise attrs.exceptions.FrozenInstanceError

    @override
    def __delattr__(self, name: str) -> None:
        raise attrs.exceptions.FrozenInstanceError

    @override
    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self.__dict__ == other.__dict__

    @override
    def __hash__(self) -> int:
        return hash((type(self), *(self.__dict__[name] for name in self._fields)))

    @override
    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={self.__dict__[name]!r}" for name in self._fields)
        return f"{type(self).__name__}({fields})"
