"""LocalParticipant: what this program is and does in the room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

import anyio
import attrs
from typing_extensions import override

from .._errors import UpdateError
from .._guard import make
from ._chat import Chatting
from ._convert import track_permission
from ._data_tracks import DataTracks
from ._packets import Packets
from ._participant import Participant, ParticipantFacts
from ._publication import LocalPublicationFacts, LocalTrackPublication
from ._publishing import Publishing
from ._rpc import RpcCalls
from ._rpc_serving import RpcServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ._data_tracks import LocalDataTrackFacts
    from ._options import ParticipantTrackPermission

UPDATE_TIMEOUT: Final = 5.5
"""Seconds for the whole of an update: the native library waits 5 s for the server's answer, and the change comes about then."""


@attrs.define(eq=False)
class LocalFacts(ParticipantFacts[LocalPublicationFacts]):
    reconnecting: bool = attrs.field(default=False, init=False)
    """Between `Reconnecting` and `Reconnected`."""
    updating: anyio.Lock = attrs.field(factory=anyio.Lock, init=False)
    """One update at a time: natively each also sends the other values as they are then, and would take another one back."""
    rpc: RpcServer = attrs.field(init=False)
    data_tracks: dict[str, LocalDataTrackFacts] = attrs.field(factory=dict[str, Any], init=False)
    view: LocalParticipant = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rpc = RpcServer(self.link, self.handle)
        self.view = make(LocalParticipant, self)


@final
class LocalParticipant(Publishing, Packets, Chatting, RpcCalls, DataTracks, Participant[LocalTrackPublication]):
    """This program as a participant of the room."""

    def __init__(self, facts: LocalFacts) -> None:
        super().__init__(facts)
        self._local = facts

    @property
    @override
    def is_local(self) -> bool:
        return True

    async def set_metadata(self, metadata: str) -> None:
        """Replace our metadata; everybody gets `ParticipantMetadataChanged`. Returns once the change is in effect.

        Args:
            metadata: anything but nothing: the server ignores an empty one. It bounds its size (some 500 kB by default).

        Raises:
            TypeError: it is no string.
            UpdateError: no permission (``can_update_own_metadata`` of the token), or the server did not take it.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            The change may take place or not.

        Source:
            SetLocalMetadataRequest (livekit-ffi room.proto), whose errors are raised here.
        """
        self._check_text("metadata", metadata)
        await self._replace("set_metadata", "metadata", metadata, lambda: self.metadata == metadata)

    async def set_name(self, name: str) -> None:
        """Replace our name; everybody gets `ParticipantNameChanged`. Returns once the change is in effect.

        Args:
            name: not empty, which the server ignores, and of at most 256 bytes by the server's default.

        Raises:
            TypeError: it is no string.
            UpdateError: no permission (``can_update_own_metadata`` of the token), or the server did not take it.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            The change may take place or not.

        Source:
            SetLocalNameRequest (livekit-ffi room.proto), whose errors are raised here.
        """
        self._check_text("name", name)
        await self._replace("set_name", "name", name, lambda: self.name == name)

    async def set_attributes(self, attributes: Mapping[str, str]) -> None:
        """Set some of our attributes; everybody gets `ParticipantAttributesChanged`. Returns once the change is in effect.

        Args:
            attributes: those to set; an empty value removes the key. Others stay as they are.

        Raises:
            TypeError: a key or value is no string.
            UpdateError: no permission (``can_update_own_metadata`` of the token), or the server did not take it; its default
                bound is 64 000 bytes for all keys and values together.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            The change may take place or not.

        Source:
            SetLocalAttributesRequest (livekit-ffi room.proto), whose errors are raised here.
        """
        for key, value in attributes.items():
            self._check_text("attribute keys", key)
            self._check_text("attributes", value)
        wanted = dict(attributes)
        entries = [{"key": key, "value": value} for key, value in wanted.items()]
        await self._update("set_attributes", {"attributes": entries}, lambda: self._has(wanted))

    async def clear_attributes(self) -> None:
        """Remove all our attributes, as `set_attributes` with an empty value for each does.

        Raises:
            UpdateError: no permission (``can_update_own_metadata`` of the token), or the server did not take it.
            RoomClosedError: the room has ended, or ended meanwhile.

        Cancellation:
            The change may take place or not.
        """
        await self.set_attributes(dict.fromkeys(self.attributes, ""))

    def set_track_subscription_permissions(
        self,
        *,
        allow_all_participants: bool,
        participant_permissions: Sequence[ParticipantTrackPermission] = (),
    ) -> None:
        """Say who may subscribe to our tracks. It is sent and not answered.

        Natively each call is a task of its own: two within some milliseconds may reach the server in either order.

        Media that is not allowed any more stops at once; a subscriber keeps ``subscribed`` and hears of nothing until it is
        allowed again, and then gets `TrackUnsubscribed` and `TrackSubscribed` (measured with livekit-server 1.13.5).

        Args:
            allow_all_participants: everybody, to everything; then the rest does not matter.
            participant_permissions: who else, and to what. Whoever is not listed may subscribe to nothing.

        Raises:
            RoomClosedError: the room has ended.

        Source:
            SetTrackSubscriptionPermissionsRequest (livekit-ffi track.proto).
        """
        self._local.link.request(
            "set_track_subscription_permissions",
            local_participant_handle=self._local.handle,
            all_participants_allowed=allow_all_participants,
            permissions=[track_permission(permission) for permission in participant_permissions],
        )

    async def _replace(self, operation: str, field: str, value: str, in_effect: Callable[[], bool]) -> None:
        self._check_may_update(operation)
        if not value:
            raise UpdateError(operation, "the server ignores an empty value: it cannot be cleared")
        await self._update(operation, {field: value}, in_effect)

    async def _update(self, operation: str, fields: dict[str, Any], in_effect: Callable[[], bool]) -> None:
        self._check_may_update(operation)
        facts = self._local
        native_name = operation.replace("set_", "set_local_")
        async with facts.updating:
            with anyio.move_on_after(UPDATE_TIMEOUT):
                # Natively each update is a task of its own: one that was cancelled may be sent after ours, and would win (measured).
                await facts.link.wait_for_slot(native_name)
            if in_effect():
                return
            with anyio.move_on_after(UPDATE_TIMEOUT):
                fields["local_participant_handle"] = facts.handle
                # Natively one in some 40 updates that follow another at once times out although it is in effect (measured).
                reply = await facts.link.call_unless(in_effect, native_name, **fields)
                if reply is not None and reply.error:
                    raise UpdateError(operation, reply.error)
                await facts.link.wait_until(in_effect)
                return
        raise UpdateError(operation, "the server did not take it over")

    def _check_may_update(self, operation: str) -> None:
        self._local.link.check_open()
        permissions = self.permissions
        if permissions is not None and not permissions.can_update_metadata:
            raise UpdateError(operation, "no permission to update our own metadata")

    def _has(self, wanted: Mapping[str, str]) -> bool:
        attributes = self.attributes
        return all(attributes.get(key, "") == value for key, value in wanted.items())

    def _check_text(self, what: str, value: object) -> None:
        if not isinstance(value, str):
            raise TypeError(f"{what} must be strings, not {type(value).__name__}")
