"""End-to-end encryption while a room goes on: its keys, and which tracks are encrypted with which.

It is chosen at the join (`RoomOptions.encryption`). How a track's encryption does is told by `E2eeStateChanged`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from typing_extensions import override

from .._errors import OperationError
from .._guard import MadeByTheRoom, make
from ._validators import check_integer

if TYPE_CHECKING:
    from ._link import RoomLink
    from ._options import E2EEOptions, KeyProviderOptions


@final
class KeyProvider(metaclass=MadeByTheRoom):
    """The keys of a room: one ring of them for everybody, or one for each participant.

    A ring has `KeyProviderOptions.key_ring_size` places. Frames say the place of the key that they were encrypted with, so
    that old and new keys are there side by side while keys change: set the new one everywhere, at another index, then let
    each sender use it (`FrameCryptor.set_key_index`).

    Keys are handed to the native library and are not kept here.
    """

    def __init__(self, link: RoomLink, room_handle: int, options: KeyProviderOptions) -> None:
        self._link = link
        self._room_handle = room_handle
        self._options = options

    @property
    def options(self) -> KeyProviderOptions:
        """As given at the join."""
        return self._options

    def set_shared_key(self, key: bytes, key_index: int = 0) -> None:
        """Set everybody's key at a place of the ring. Data is encrypted with the key that was set last.

        Raises:
            TypeError, ValueError: the key is no bytes or empty, or there is no such place.
            OperationError: each participant has keys of its own in this room.
            RoomClosedError: the room has ended.

        Source:
            E2eeRequest.set_shared_key (livekit-ffi e2ee.proto).
        """
        self._check(key_index, shared=True)
        self._ask("set_shared_key", shared_key=_key(key), key_index=key_index)

    def export_shared_key(self, key_index: int = 0) -> bytes:
        """Return everybody's key at a place of the ring.

        Raises:
            TypeError, ValueError: there is no such place.
            OperationError: each participant has keys of its own in this room, or nothing was set there.
            RoomClosedError: the room has ended.

        Source:
            E2eeRequest.get_shared_key (livekit-ffi e2ee.proto).
        """
        self._check(key_index, shared=True)
        return _found(self._ask("get_shared_key", key_index=key_index).key, key_index)

    def ratchet_shared_key(self, key_index: int = 0) -> bytes:
        """Derive everybody's next key from the one at a place of the ring, put it there, and return it.

        Receivers still understand us, by trying the next `KeyProviderOptions.ratchet_window_size` keys. We no longer
        understand whom we are subscribed to, not even once they have ratcheted too (measured with livekit-ffi 0.13.2): it is
        for those who only send. In a call, set a new key at another index instead.

        Raises:
            TypeError, ValueError: there is no such place.
            OperationError: each participant has keys of its own in this room, or nothing was set there.
            RoomClosedError: the room has ended.

        Source:
            E2eeRequest.ratchet_shared_key (livekit-ffi e2ee.proto).
        """
        self._check(key_index, shared=True)
        return _found(self._ask("ratchet_shared_key", key_index=key_index).new_key, key_index)

    def set_key(self, participant_identity: str, key: bytes, key_index: int = 0) -> None:
        """Set a participant's key at a place of its ring; one's own key is that under one's own identity.

        Raises:
            TypeError, ValueError: the key is no bytes or empty, or there is no such place.
            OperationError: all participants share one key in this room.
            RoomClosedError: the room has ended.

        Source:
            E2eeRequest.set_key (livekit-ffi e2ee.proto).
        """
        self._check(key_index, shared=False)
        self._ask("set_key", participant_identity=participant_identity, key=_key(key), key_index=key_index)

    def export_key(self, participant_identity: str, key_index: int = 0) -> bytes:
        """Return a participant's key at a place of its ring.

        Raises:
            TypeError, ValueError: there is no such place.
            OperationError: all participants share one key in this room, or nothing was set there.
            RoomClosedError: the room has ended.

        Source:
            E2eeRequest.get_key (livekit-ffi e2ee.proto).
        """
        self._check(key_index, shared=False)
        reply = self._ask("get_key", participant_identity=participant_identity, key_index=key_index)
        return _found(reply.key, key_index)

    def ratchet_key(self, participant_identity: str, key_index: int = 0) -> bytes:
        """Derive a participant's next key from the one at a place of its ring, put it there, and return it.

        Of our own key: receivers still understand us, by trying the next `KeyProviderOptions.ratchet_window_size` keys.

        Raises:
            TypeError, ValueError: there is no such place.
            OperationError: all participants share one key in this room, or nothing was set there.
            RoomClosedError: the room has ended.

        Source:
            E2eeRequest.ratchet_key (livekit-ffi e2ee.proto).
        """
        self._check(key_index, shared=False)
        reply = self._ask("ratchet_key", participant_identity=participant_identity, key_index=key_index)
        return _found(reply.new_key, key_index)

    @override
    def __repr__(self) -> str:
        return f"<rtc.KeyProvider: {'one ring for all' if self._shared else 'a ring for each participant'}>"

    @property
    def _shared(self) -> bool:
        return self._options.shared_key is not None

    def _check(self, key_index: int, *, shared: bool) -> None:
        self._link.check_open()
        check_integer("key_index", key_index, 0, self._options.key_ring_size - 1)
        if shared != self._shared:
            # Natively it would be kept, and never used.
            raise OperationError(
                "all participants share one key in this room"
                if self._shared
                else "each participant has its own key here"
            )

    def _ask(self, name: str, **fields: Any) -> Any:
        return ask(self._link, self._room_handle, name, **fields)


@final
class FrameCryptor(metaclass=MadeByTheRoom):
    """The encryption of one track, ours or another participant's."""

    def __init__(self, manager: E2EEManager, link: RoomLink, room_handle: int, native: Any) -> None:
        self._manager = manager
        self._link = link
        self._room_handle = room_handle
        self._participant_identity: str = native.participant_identity
        self._track_sid: str = native.track_sid
        self._key_index: int = native.key_index
        self._enabled: bool = native.enabled

    @property
    def participant_identity(self) -> str:
        """Whose track it is."""
        return self._participant_identity

    @property
    def track_sid(self) -> str:
        """The track's SID."""
        return self._track_sid

    @property
    def key_index(self) -> int:
        """Which place of the key ring it encrypts with, as of when this object was made or changed it last."""
        return self._key_index

    @property
    def enabled(self) -> bool:
        """Whether it encrypts or decrypts, as of when this object was made or changed it last."""
        return self._enabled

    def set_enabled(self, enabled: bool) -> None:
        """Encrypt or decrypt this track's frames, or pass them on as they are.

        Raises:
            OperationError: the track is not encrypted any more, such as since it was unpublished.
            RoomClosedError: the room has ended.

        Source:
            E2eeRequest.cryptor_set_enabled (livekit-ffi e2ee.proto).
        """
        self._set("cryptor_set_enabled", enabled=bool(enabled))

    def set_key_index(self, key_index: int) -> None:
        """Encrypt with the key at another place of the ring; of somebody else's track the frames say which they need.

        Raises:
            TypeError, ValueError: there is no such place.
            OperationError: the track is not encrypted any more, such as since it was unpublished.
            RoomClosedError: the room has ended.

        Source:
            E2eeRequest.cryptor_set_key_index (livekit-ffi e2ee.proto).
        """
        check_integer("key_index", key_index, 0, self._manager.key_provider.options.key_ring_size - 1)
        self._set("cryptor_set_key_index", key_index=key_index)

    def _set(self, name: str, **fields: Any) -> None:
        who = {"participant_identity": self._participant_identity, "track_sid": self._track_sid}
        ask(self._link, self._room_handle, name, **who, **fields)
        # The native side says nothing about a cryptor that it does not have.
        for twin in self._manager.frame_cryptors():
            if (twin.participant_identity, twin.track_sid) == (self._participant_identity, self._track_sid):
                self._key_index, self._enabled = twin.key_index, twin.enabled
                return
        raise OperationError(f"track {self._track_sid} is not encrypted any more")

    @override
    def __repr__(self) -> str:
        return (
            f"rtc.FrameCryptor(participant_identity={self._participant_identity!r}, track_sid={self._track_sid!r}, "
            f"key_index={self._key_index}, enabled={self._enabled})"
        )


@final
class E2EEManager(metaclass=MadeByTheRoom):
    """The end-to-end encryption of a room, see `Room.e2ee_manager`."""

    def __init__(self, link: RoomLink, room_handle: int, options: E2EEOptions | None) -> None:
        self._link = link
        self._room_handle = room_handle
        self._options = options
        self._enabled = options is not None

    @property
    def options(self) -> E2EEOptions | None:
        """As given at the join; None: this room is not encrypted by us."""
        return self._options

    @property
    def enabled(self) -> bool:
        """Whether media is encrypted and decrypted."""
        return self._enabled

    @property
    def key_provider(self) -> KeyProvider:
        """The room's keys.

        Raises:
            OperationError: the room was joined without encryption.
        """
        if self._options is None:
            raise OperationError("the room was joined without encryption")
        return make(KeyProvider, self._link, self._room_handle, self._options.key_provider_options)

    def set_enabled(self, enabled: bool) -> None:
        """Switch the encryption of media on or off, for all tracks. Data stays encrypted.

        Receivers are told nothing: a track's `TrackPublication.encryption_type` stays what it was when it was published.

        Raises:
            OperationError: the room was joined without encryption.
            RoomClosedError: the room has ended.

        Source:
            E2eeRequest.manager_set_enabled (livekit-ffi e2ee.proto).
        """
        self._link.check_open()
        if self._options is None:
            raise OperationError("the room was joined without encryption")
        ask(self._link, self._room_handle, "manager_set_enabled", enabled=bool(enabled))
        self._enabled = bool(enabled)

    def frame_cryptors(self) -> tuple[FrameCryptor, ...]:
        """Return the encryption of each encrypted track that is published by us or subscribed to, as it is now.

        Raises:
            RoomClosedError: the room has ended.

        Source:
            E2eeRequest.manager_get_frame_cryptors (livekit-ffi e2ee.proto).
        """
        reply = ask(self._link, self._room_handle, "manager_get_frame_cryptors")
        return tuple(make(FrameCryptor, self, self._link, self._room_handle, native) for native in reply.frame_cryptors)

    @override
    def __repr__(self) -> str:
        return f"<rtc.E2EEManager enabled={self._enabled}>"


def ask(link: RoomLink, room_handle: int, name: str, **fields: Any) -> Any:
    """Send one of the ten kinds of E2eeRequest and return the inner response."""
    reply = link.request("e2ee", room_handle=room_handle, **{name: fields})
    return getattr(reply, reply.WhichOneof("message"))


def _key(key: object) -> bytes:
    # The value must not be in the error.
    if not isinstance(key, bytes):
        raise TypeError(f"a key must be bytes, not {type(key).__name__}")
    if not key:
        raise ValueError("a key must not be empty")
    return key


def _found(key: bytes, key_index: int) -> bytes:
    if not key:
        raise OperationError(f"there is no key at index {key_index}")
    return key
