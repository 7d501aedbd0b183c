"""Webhooks: what is taken for one, and what is refused and why."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import pickle
import threading
import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from livekit import api as official
from livekit.protocol.webhook import WebhookEvent

from livekit_trio import api
from livekit_trio.api import WebhookErrorKind as Kind

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "APIkey"
SECRET = "a-secret-that-nobody-may-ever-see-printed"
PRIVATE = "a-stream-key"


def event_body(**changes: Any) -> bytes:
    """An event as the server writes it; a field changed to `...` is left out."""
    facts = {
        "event": "participant_joined",
        "room": {"sid": "RM_1", "name": "demo", "emptyTimeout": 300, "creationTime": "1700000000"},
        "participant": {"sid": "PA_1", "identity": "änn", "state": "ACTIVE", "metadata": PRIVATE},
        "id": "EV_1",
        "createdAt": str(int(time.time()) + 3600),  # so that it is not too old at the end of a long run
    } | changes
    return json.dumps({name: value for name, value in facts.items() if value is not ...}, ensure_ascii=False).encode()


def sign(body: bytes, *, secret: str = SECRET, ttl: timedelta = timedelta(minutes=5)) -> str:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return api.AccessToken(KEY, secret).with_sha256(digest).with_ttl(ttl).to_jwt()


def make_receiver(**options: Any) -> api.WebhookReceiver:
    return api.WebhookReceiver(api.TokenVerifier(KEY, SECRET), **options)


BODY = event_body()


def test_a_right_webhook_is_read_as_by_the_official_package() -> None:
    theirs = official.WebhookReceiver(official.TokenVerifier(KEY, SECRET)).receive(BODY.decode(), sign(BODY))
    assert make_receiver().receive(BODY, sign(BODY)) == theirs
    assert make_receiver().receive(BODY.decode(), sign(BODY)) == theirs
    assert isinstance(theirs, WebhookEvent)
    assert theirs.participant.identity == "änn"


def test_one_signed_by_the_official_package_is_read() -> None:
    digest = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    token = official.AccessToken(KEY, SECRET).with_sha256(digest).to_jwt()
    assert make_receiver().receive(BODY, token).room.name == "demo"


def test_what_this_version_does_not_know_is_passed_over() -> None:
    body = event_body(news={"a": 1}, event="room_painted", roomEndReason="ROOM_END_REASON_OF_THE_FUTURE")
    assert make_receiver().receive(body, sign(body)).event == "room_painted"


OLD = event_body(createdAt=str(int(time.time()) - 3600))
NOT_JSON = b'{"event": "room_started"'
NOT_UTF8 = b'{"event": "\xff"}'
NO_OBJECT = b"[1]"
WRONG_TYPE = event_body(room=5)
NAMELESS = event_body(event=...)
DEEP = b'{"participant":' * 10_000
REFUSED: dict[str, tuple[Callable[[], tuple[bytes, str]], Kind, str]] = {
    "no token": (lambda: (BODY, ""), Kind.UNAUTHORIZED, "malformed"),
    "nonsense for a token": (lambda: (BODY, "Bearer x"), Kind.UNAUTHORIZED, "malformed"),
    "forged": (
        lambda: (BODY, sign(BODY, secret="another-secret-of-more-than-32-characters")),
        Kind.UNAUTHORIZED,
        "signature is wrong",
    ),
    "expired": (lambda: (BODY, sign(BODY, ttl=timedelta(minutes=-5))), Kind.UNAUTHORIZED, "has expired"),
    "a token that signs no body": (
        lambda: (BODY, api.AccessToken(KEY, SECRET).with_identity("a").to_jwt()),
        Kind.UNAUTHORIZED,
        "does not sign a body",
    ),
    "another body": (lambda: (event_body(id="EV_2"), sign(BODY)), Kind.UNAUTHORIZED, "signs another body"),
    "truncated": (lambda: (BODY[:-1], sign(BODY)), Kind.UNAUTHORIZED, "signs another body"),
    "extended": (lambda: (BODY + b" ", sign(BODY)), Kind.UNAUTHORIZED, "signs another body"),
    "empty": (lambda: (b"", sign(BODY)), Kind.UNAUTHORIZED, "signs another body"),
    "a hash that is none": (
        lambda: (BODY, api.AccessToken(KEY, SECRET).with_sha256("ä\ud800").to_jwt()),
        Kind.UNAUTHORIZED,
        "signs another body",
    ),
    "too large": (lambda: (b" " * 10_001, sign(BODY)), Kind.TOO_LARGE, "longer than 10000 bytes"),
    "too old": (lambda: (OLD, sign(OLD)), Kind.TOO_OLD, "older than 0:05:00"),
    "without a date": (
        lambda: (event_body(createdAt=...), sign(event_body(createdAt=...))),
        Kind.TOO_OLD,
        "older than 0:05:00",
    ),
    "not JSON": (lambda: (NOT_JSON, sign(NOT_JSON)), Kind.MALFORMED, "no webhook event"),
    "not UTF-8": (lambda: (NOT_UTF8, sign(NOT_UTF8)), Kind.MALFORMED, "no webhook event"),
    "no object": (lambda: (NO_OBJECT, sign(NO_OBJECT)), Kind.MALFORMED, "no webhook event"),
    "of another type": (lambda: (WRONG_TYPE, sign(WRONG_TYPE)), Kind.MALFORMED, "no webhook event"),
    "without a name": (lambda: (NAMELESS, sign(NAMELESS)), Kind.MALFORMED, "no webhook event"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_faulty_webhook_is_refused_without_being_quoted(fault: str) -> None:
    make, kind, words = REFUSED[fault]
    body, token = make()
    with pytest.raises(api.WebhookError, match=words) as refused:
        make_receiver(max_size=10_000).receive(body, token)
    error = refused.value
    assert error.kind is kind
    assert error.__context__ is None
    assert error.__cause__ is None
    assert PRIVATE not in f"{error!r} {error.args} {vars(error)}"
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (twin.kind, twin.message, str(twin)) == (error.kind, error.message, str(error))


def test_json_nested_too_deep_is_refused() -> None:
    with pytest.raises(api.WebhookError) as refused:
        make_receiver().receive(DEEP, sign(DEEP))
    assert refused.value.kind is Kind.MALFORMED


def test_every_altered_byte_is_noticed() -> None:
    token = sign(BODY)
    receiver = make_receiver()
    for place in range(len(BODY)):
        altered = bytearray(BODY)
        altered[place] ^= 1
        with pytest.raises(api.WebhookError) as refused:
            receiver.receive(bytes(altered), token)
        assert refused.value.kind is Kind.UNAUTHORIZED


def test_age_is_limited_by_the_option() -> None:
    assert make_receiver(max_age=timedelta(hours=2)).receive(OLD, sign(OLD)).id == "EV_1"
    assert make_receiver(max_age=None).receive(OLD, sign(OLD)).id == "EV_1"


def test_replays_are_refused_only_if_wanted() -> None:
    receiver = make_receiver()
    assert receiver.receive(BODY, sign(BODY)) == receiver.receive(BODY, sign(BODY))
    receiver = make_receiver(refuse_replays=True)
    event = receiver.receive(BODY, sign(BODY))
    with pytest.raises(api.WebhookError, match="was here before") as refused:
        receiver.receive(BODY, sign(BODY))
    assert refused.value.kind is Kind.REPLAYED
    other = event_body(id="EV_2")
    assert receiver.receive(other, sign(other)).id == "EV_2"
    receiver.forget(event)
    assert receiver.receive(BODY, sign(BODY)) == event


def test_an_event_that_cannot_be_remembered_is_no_event_where_replays_are_refused() -> None:
    body = event_body(id=...)
    assert make_receiver().receive(body, sign(body)).event == "participant_joined"
    with pytest.raises(api.WebhookError, match="no id"):
        make_receiver(refuse_replays=True).receive(body, sign(body))
    with pytest.raises(ValueError, match="needs max_age"):
        make_receiver(refuse_replays=True, max_age=None)


def test_ids_are_forgotten_when_their_events_are_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = make_receiver(refuse_replays=True, max_age=timedelta(seconds=100))
    now = time.time()
    first = event_body(id="first", createdAt=str(int(now)))
    receiver.receive(first, sign(first))
    later = event_body(id="later", createdAt=str(int(now) + 120))
    first_token, later_token = sign(first), sign(later)
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: now + 120)
        receiver.receive(later, later_token)
        assert receiver._replays is not None
        assert [*receiver._replays._until] == ["later"]
        with pytest.raises(api.WebhookError) as refused:
            receiver.receive(first, first_token)
        assert refused.value.kind is Kind.TOO_OLD  # so that nothing is lost by forgetting it


def test_of_many_threads_one_receives_an_event() -> None:
    receiver = make_receiver(refuse_replays=True)
    token = sign(BODY)
    ready = threading.Barrier(8)
    outcomes: Counter[str] = Counter()

    def receive() -> None:
        ready.wait()
        try:
            receiver.receive(BODY, token)
        except api.WebhookError as error:
            outcomes[error.kind.name] += 1
        else:
            outcomes["received"] += 1

    threads = [threading.Thread(target=receive) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {"received": 1, "REPLAYED": 7}


def test_no_secret_in_its_repr() -> None:
    said = repr(make_receiver(refuse_replays=True))
    assert SECRET not in said
    assert "APIkey" in said
