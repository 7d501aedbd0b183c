"""Who has left without a reason, and may be back in a moment.

On a full reconnect the native library reports everybody's leaving, with an unknown reason, *before* it says that it
reconnects; and when somebody joins once more under the same identity it reports a leaving of that kind and then the joining.
Real leaves carry a reason (tests/recordings). So a leaving without one is held back for a moment, and for the length of a
reconnect.
"""

from __future__ import annotations

from typing import Final

HOLD_BACK: Final = 0.25
"""Seconds. Measured: the native library says `reconnecting`, or reports the new session, within the same millisecond."""


class HoldBack:
    """The identities whose leaving is held back, each with the time at which it will be believed."""

    def __init__(self) -> None:
        self._deadlines: dict[str, float | None] = {}  # None: not before the reconnect is over

    def __contains__(self, identity: str) -> bool:
        return identity in self._deadlines

    @property
    def deadline(self) -> float | None:
        """When to look again; None: not before something happens."""
        return min((deadline for deadline in self._deadlines.values() if deadline is not None), default=None)

    def hold(self, identity: str, now: float, *, reconnecting: bool) -> None:
        self._deadlines[identity] = None if reconnecting else now + HOLD_BACK

    def release(self, identity: str) -> bool:
        """Hold it back no longer. False: it was not."""
        found = identity in self._deadlines
        self._deadlines.pop(identity, None)
        return found

    def on_reconnecting(self) -> None:
        """Wait for the end of the reconnect."""
        self._deadlines = dict.fromkeys(self._deadlines)

    def on_connected(self, now: float) -> None:
        """The reconnect is over, and `Reconnected` should follow at once; wait no longer than usual for it."""
        self._deadlines = dict.fromkeys(self._deadlines, now + HOLD_BACK)

    def take_due(self, now: float) -> list[str]:
        """Remove and return those whose time has come."""
        due = [identity for identity, deadline in self._deadlines.items() if deadline is not None and deadline <= now]
        for identity in due:
            del self._deadlines[identity]
        return due

    def take_all(self) -> list[str]:
        """Remove and return everybody."""
        identities = list(self._deadlines)
        self._deadlines.clear()
        return identities
