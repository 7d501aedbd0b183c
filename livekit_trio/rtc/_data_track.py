"""Data tracks of other participants."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs
from typing_extensions import override

from .._guard import MadeByTheRoom, make

if TYPE_CHECKING:
    from ._link import RoomLink


@attrs.define(eq=False)
class DataTrackFacts:
    """What is known of one data track; only the reducer changes it."""

    handle: int
    sid: str
    name: str
    publisher_identity: str
    uses_e2ee: bool
    link: RoomLink
    ended: bool = attrs.field(default=False, init=False)
    view: RemoteDataTrack = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.view = make(RemoteDataTrack, self)


@final
class RemoteDataTrack(metaclass=MadeByTheRoom):
    """A stream of small frames that another participant publishes. Stays readable when that ends."""

    def __init__(self, facts: DataTrackFacts) -> None:
        self._facts = facts

    @property
    def sid(self) -> str:
        """The server's name for it."""
        return self._facts.sid

    @property
    def name(self) -> str:
        """The name that its publisher gave it."""
        return self._facts.name

    @property
    def publisher_identity(self) -> str:
        """Who publishes it. It can be published before its publisher is known here to have joined."""
        return self._facts.publisher_identity

    @property
    def uses_e2ee(self) -> bool:
        """Whether its frames are encrypted end to end."""
        return self._facts.uses_e2ee

    @property
    def is_published(self) -> bool:
        """Whether it is still published, as far as we know."""
        return not self._facts.ended

    @override
    def __repr__(self) -> str:
        return f"rtc.RemoteDataTrack(sid={self.sid}, name={self.name}, publisher_identity={self.publisher_identity})"
