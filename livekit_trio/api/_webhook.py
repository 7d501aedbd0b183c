"""Webhooks: checking that they come from the server, and reading them.

The server signs each with a token that holds the hash of the body. The token is valid for five minutes and the same for all
attempts to deliver the event, of which there are up to five within 15 seconds (``protocol/webhook`` in livekit-server).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final, final

from typing_extensions import override

from .._errors import TokenError, WebhookError, WebhookErrorKind
from .._json import is_too_deep

if TYPE_CHECKING:
    from livekit.protocol.webhook import WebhookEvent

    from ._token import TokenVerifier

DEFAULT_MAX_SIZE: Final = 1 << 20
"""Events hold a room, a participant and a track with their metadata, which the server by default limits to 64 kB each."""
DEFAULT_MAX_AGE: Final = timedelta(minutes=5)
"""As long as a webhook's token is valid. The server gives up an event that has waited for 30 seconds."""


@final
class WebhookReceiver:
    """Checks webhooks against the server's API key and reads them.

    An object may be used by several threads and event loops.

    Args:
        token_verifier: made with the key and secret that the server signs its webhooks with.
        max_size: how many bytes a body may have.
        max_age: how old an event may be; None: as old as it likes, as long as its token is valid.
        refuse_replays: accept the event of each id once. The ids are remembered for *max_age*, by this object alone: where
            several processes receive webhooks, remember them in what the processes share.

    Raises:
        ValueError: replays are to be refused without a limit of their age.
    """

    __slots__ = ("_replays", "_verifier", "max_age", "max_size")

    def __init__(
        self,
        token_verifier: TokenVerifier,
        *,
        max_size: int = DEFAULT_MAX_SIZE,
        max_age: timedelta | None = DEFAULT_MAX_AGE,
        refuse_replays: bool = False,
    ) -> None:
        if refuse_replays and max_age is None:
            raise ValueError("refuse_replays needs max_age: ids are not remembered for ever")
        self._verifier = token_verifier
        self._replays = _SeenIds() if refuse_replays else None
        self.max_size: int = max_size
        self.max_age: timedelta | None = max_age

    @override
    def __repr__(self) -> str:
        return (
            f"WebhookReceiver({self._verifier!r}, max_size={self.max_size}, max_age={self.max_age!r}, "
            f"refuse_replays={self._replays is not None})"
        )

    def receive(self, body: bytes | str, auth_token: str) -> WebhookEvent:
        """Return the event in *body*, if it comes from the server and is recent.

        Args:
            body: the body of the request as it came, not parsed and formatted anew.
            auth_token: the request's ``Authorization`` header.

        Returns:
            A ``livekit.protocol.webhook.WebhookEvent``. What this version does not know of it is left out.

        Raises:
            WebhookError: it is too large, not signed by the server, altered, too old or here again; its `kind` says which.
        """
        raw = body.encode(errors="replace") if isinstance(body, str) else body
        if len(raw) > self.max_size:
            raise too_large(self.max_size)
        self._check_signature(raw, auth_token)
        event = _parse(raw)
        if event is None or not event.event:
            raise WebhookError(WebhookErrorKind.MALFORMED, "the body is no webhook event")
        if self.max_age is not None:
            self._check_age(event, self.max_age)
        return event

    def forget(self, event: WebhookEvent) -> None:
        """Accept *event* again although replays are refused.

        For an event that could not be handled: answer it with an error of 500 or above, and the server repeats it.
        """
        if self._replays is not None:
            self._replays.remove(event.id)

    def _check_signature(self, body: bytes, auth_token: str) -> None:
        reason = ""
        try:
            signed = self._verifier.verify(auth_token).sha256
        except TokenError as error:
            signed = None
            reason = str(error)
        if reason:
            raise WebhookError(WebhookErrorKind.UNAUTHORIZED, reason)
        if not signed:
            raise WebhookError(WebhookErrorKind.UNAUTHORIZED, "the token does not sign a body")
        digest = base64.b64encode(hashlib.sha256(body).digest())
        if not hmac.compare_digest(digest, signed.encode(errors="replace")):
            raise WebhookError(WebhookErrorKind.UNAUTHORIZED, "the token signs another body")

    def _check_age(self, event: WebhookEvent, max_age: timedelta) -> None:
        now = time.time()
        limit = max_age.total_seconds()
        if now - event.created_at > limit:
            raise WebhookError(WebhookErrorKind.TOO_OLD, f"the event is older than {max_age}")
        if self._replays is None:
            return
        if not event.id:
            raise WebhookError(WebhookErrorKind.MALFORMED, "the event has no id")
        # The clock of the server may be ahead of ours.
        if not self._replays.add(event.id, now, until=max(now, event.created_at) + limit):
            raise WebhookError(WebhookErrorKind.REPLAYED, "the event was here before")


class _SeenIds:
    """The ids of recent events, each until the event is too old anyway."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def add(self, identifier: str, now: float, until: float) -> bool:
        """Say whether the id is new."""
        with self._lock:
            while self._until and self._until[oldest := next(iter(self._until))] < now:
                del self._until[oldest]
            if identifier in self._until:
                return False
            self._until[identifier] = until
            return True

    def remove(self, identifier: str) -> None:
        with self._lock:
            self._until.pop(identifier, None)


def too_large(max_size: int) -> WebhookError:
    """The error for a body of more than *max_size* bytes."""
    return WebhookError(WebhookErrorKind.TOO_LARGE, f"the body is longer than {max_size} bytes")


def _parse(body: bytes) -> WebhookEvent | None:
    """The event, or None if it is none. No error is raised inside the handler: protobuf's, as a context, would quote the body."""
    from google.protobuf.json_format import Parse, ParseError
    from livekit.protocol.webhook import WebhookEvent

    try:
        text = body.decode()
        return None if is_too_deep(text) else Parse(text, WebhookEvent(), ignore_unknown_fields=True)
    except (ParseError, ValueError):
        return None
