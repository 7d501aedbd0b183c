"""Calls that are pending when a room ends, and what becomes of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import attrs

from livekit_trio import rtc

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit_trio.rtc import DisconnectReason

ROOM_EVENT: Final = 1


@attrs.define
class Ending:
    """A room with calls pending, and what becomes of them.

    Attributes:
        native: when the native library said that the room has ended, or, while it reconnects, that we have left.
        calls: how each call ended, and when.
    """

    room: rtc.Room
    native: float | None = None
    calls: dict[str, tuple[object, float]] = attrs.Factory(dict[str, tuple[object, float]])

    def watch(self) -> None:
        from livekit_trio._ffi._proto import RoomEvent

        session = self.room._session
        deliver, release = session.deliver, session.release

        def note_and_deliver(kind: int, stamp_ns: int, payload: bytes) -> None:
            if kind == ROOM_EVENT and RoomEvent.FromString(payload).HasField("disconnected"):
                self.native = stamp_ns / 1e9
            deliver(kind, stamp_ns, payload)

        def note_and_release() -> None:
            self.native = self.native or time.monotonic()
            release()

        for name, replacement in (("deliver", note_and_deliver), ("release", note_and_release)):
            setattr(session, name, replacement)

    async def pend(self, name: str, call: Callable[[], Awaitable[object]]) -> None:
        try:
            outcome = await call()
        except rtc.LiveKitError as error:
            outcome = error
        self.calls[name] = (outcome, time.monotonic())

    async def read_events(self) -> DisconnectReason:
        last: object = None
        with self.room.open_events() as events:
            async for event in events:
                last = event
        assert isinstance(last, rtc.Disconnected)
        return last.reason

    def check(self, names: set[str], reason: DisconnectReason) -> None:
        """All of *names* have ended, for *reason*, within a second of the native end."""
        assert names <= set(self.calls), names - set(self.calls)
        for name in names:
            outcome, _ = self.calls[name]
            if name in ("reading events", "wait_closed"):
                assert outcome == reason, name
            else:
                assert isinstance(outcome, rtc.RoomClosedError), (name, outcome)
                assert outcome.reason == reason, name
        assert self.native is not None
        last = max(at for _, at in self.calls.values())
        print(f"native end at {self.native:.3f} s, last of {len(names)} pending calls at {last:.3f} s")  # noqa: T201
        assert last - self.native < 1
        assert self.room.disconnect_reason == reason
        assert not self.room.connected


def lasting_calls(room: rtc.Room) -> dict[str, Callable[[], Awaitable[object]]]:
    """Calls that wait for what does not come."""
    return {
        "wait_for": lambda: room.wait_for(rtc.Moved),
        "wait_until": lambda: room.wait_until(lambda: False),
        "wait_for_participant": lambda: room.wait_for_participant("nobody"),
        "wait_closed": room.wait_closed,
    }
