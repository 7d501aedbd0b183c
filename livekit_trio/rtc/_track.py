"""Tracks: read-only views of what the reducer knows of them.

A track object lives as long as its subscription (remote) or as its program keeps it (local). Once it has ended it can still be
read, and whoever asks for its media gets a stream that ends at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, final

import attrs
from typing_extensions import override

from .._guard import MadeByTheRoom
from ._enums import StreamState, TrackKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._link import RoomLink

UNPUBLISHED_SID = "TR_unknown"
"""What the native library calls a local track that was never published."""


@attrs.define(eq=False, kw_only=True)
class TrackFacts:
    """What is known of one track; only the reducer changes it."""

    handle: int
    sid: str
    name: str
    kind: TrackKind
    muted: bool = False
    stream_state: StreamState = StreamState.STATE_ACTIVE
    ended: bool = False
    _at_end: list[Callable[[], None]] = attrs.field(factory=list["Callable[[], None]"], init=False)

    def call_at_end(self, callback: Callable[[], None]) -> None:
        """Call *callback* once the track ends; at once if it has. It must neither raise nor wait."""
        if self.ended:
            callback()
        else:
            self._at_end.append(callback)

    def forget_callback(self, callback: Callable[[], None]) -> None:
        if callback in self._at_end:
            self._at_end.remove(callback)

    def end(self) -> None:
        self.ended = True
        callbacks, self._at_end = self._at_end, []
        for callback in callbacks:
            callback()


class Track(metaclass=MadeByTheRoom):
    """An audio or video track, ours or another participant's."""

    def __init__(self, facts: TrackFacts) -> None:
        self._facts = facts

    @property
    def sid(self) -> str:
        """The server's name for the track; a local one gets another each time it is published."""
        return self._facts.sid

    @property
    def name(self) -> str:
        """The name that its publisher gave it; may be empty."""
        return self._facts.name

    @property
    def kind(self) -> TrackKind:
        """Audio or video."""
        return self._facts.kind

    @property
    def muted(self) -> bool:
        """Whether its publisher has muted it."""
        return self._facts.muted

    @property
    def stream_state(self) -> StreamState:
        """Whether its media flowed when it was made; the native library reports no later change."""
        return self._facts.stream_state

    @property
    def ended(self) -> bool:
        """Whether no media will come any more: unsubscribed, unpublished, its participant gone or the room closed."""
        return self._facts.ended

    @override
    def __repr__(self) -> str:
        return f"rtc.{type(self).__name__}(sid={self.sid}, name={self.name})"


class _RemoteTrack(Track):
    def __init__(self, facts: TrackFacts, link: RoomLink) -> None:
        super().__init__(facts)
        self._link = link


@final
class RemoteAudioTrack(_RemoteTrack):
    """Another participant's audio, for the length of one subscription."""


@final
class RemoteVideoTrack(_RemoteTrack):
    """Another participant's video, for the length of one subscription."""


@final
class LocalAudioTrack(Track):
    """Audio that this program sends."""


@final
class LocalVideoTrack(Track):
    """Video that this program sends."""


RemoteTrack: TypeAlias = RemoteAudioTrack | RemoteVideoTrack
LocalTrack: TypeAlias = LocalAudioTrack | LocalVideoTrack
AudioTrack: TypeAlias = LocalAudioTrack | RemoteAudioTrack
VideoTrack: TypeAlias = LocalVideoTrack | RemoteVideoTrack


def facts_of(track: Track) -> TrackFacts:
    """The record behind a view, for the modules of this package."""
    return track._facts  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
