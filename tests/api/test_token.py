"""Access tokens: like the official ones, and refused for every fault."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import itertools
import json
import pickle
import re
import string
import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import anyio
import attrs
import jwt
import pytest
from hypothesis import given, strategies as st
from livekit import api as official
from livekit.protocol.agent_dispatch import RoomAgentDispatch
from livekit.protocol.room import RoomConfiguration

from livekit_trio import api, rtc

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit_trio.testing import DevServer

KEY = "APIkey"
SECRET = "a-secret-that-nobody-may-ever-see-printed"
CONFIG = RoomConfiguration(name="big", empty_timeout=7, agents=[RoomAgentDispatch(agent_name="a", metadata="m")])

flags = st.booleans()
maybe = st.none() | flags
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
words = st.text(string.ascii_lowercase, max_size=8)
sources = st.lists(st.sampled_from(["camera", "microphone", "screen_share", "screen_share_audio"]))

GRANTS: dict[str, tuple[Any, Any, st.SearchStrategy[dict[str, Any]]]] = {
    "with_grants": (
        api.VideoGrants,
        official.VideoGrants,
        st.fixed_dictionaries(
            {},
            optional={
                **dict.fromkeys(
                    ("room_create", "room_list", "room_record", "room_admin", "ingress_admin", "hidden", "recorder"),
                    maybe,
                ),
                **dict.fromkeys(
                    ("agent", "can_manage_agent_session", "can_subscribe_metrics", "can_update_own_metadata"), maybe
                ),
                **dict.fromkeys(("can_publish", "can_subscribe", "can_publish_data"), flags),
                "room": words,
                "destination_room": st.none() | words,
                "can_publish_sources": st.none() | sources,
            },
        ),
    ),
    "with_sip_grants": (
        api.SIPGrants,
        official.SIPGrants,
        st.fixed_dictionaries({}, optional={"admin": flags, "call": flags}),
    ),
    "with_inference_grants": (
        api.InferenceGrants,
        official.access_token.InferenceGrants,
        st.fixed_dictionaries({}, optional={"perform": flags}),
    ),
    "with_observability_grants": (
        api.ObservabilityGrants,
        official.access_token.ObservabilityGrants,
        st.fixed_dictionaries({}, optional={"write": flags}),
    ),
    "with_agent_grants": (
        api.AgentGrants,
        official.access_token.AgentGrants,
        st.fixed_dictionaries(
            {},
            optional=dict.fromkeys(("admin", "simulation_admin", "database_admin", "dispatch_admin"), flags),
        ),
    ),
    "with_agent_endpoint_grants": (
        api.AgentEndpointGrants,
        official.access_token.AgentEndpointGrants,
        st.fixed_dictionaries({}, optional={"call": flags, "agent_name": words, "deployment": words}),
    ),
    "with_agent_thread_grants": (
        api.AgentThreadGrants,
        official.access_token.AgentThreadGrants,
        st.fixed_dictionaries(
            {},
            optional={
                **dict.fromkeys(("all", "list", "create", "write", "read", "delete"), flags),
                "scope": words,
                "thread_ids": st.none() | st.lists(words),
            },
        ),
    ),
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "with_identity": text,
    "with_name": text,
    "with_kind": st.sampled_from(["standard", "egress", "ingress", "sip", "agent"]),
    "with_metadata": text,
    "with_attributes": st.dictionaries(words, text),
    "with_sha256": words,
    "with_room_preset": words,
    "with_room_config": st.sampled_from([RoomConfiguration(), CONFIG]),
    "with_ttl": st.timedeltas(timedelta(hours=1), timedelta(days=1000)),
}
plans = st.fixed_dictionaries(
    {}, optional={**VALUES, **{builder: strategy for builder, (_, _, strategy) in GRANTS.items()}}
)


def build(token: Any, plan: dict[str, Any], side: int) -> Any:
    """Use the builders of *plan* on our token (side 0) or the official one (side 1)."""
    for builder, value in plan.items():
        argument = GRANTS[builder][:2][side](**value) if builder in GRANTS else value
        assert getattr(token, builder)(argument) is token
    return token


def raw_claims(token: str) -> dict[str, Any]:
    return cast("Any", jwt).decode(token, options={"verify_signature": False})


def as_list(value: object) -> object:
    return list(cast("tuple[object]", value)) if isinstance(value, tuple) else value


def without_times(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in {"nbf", "exp"}}


def test_it_has_the_builders_and_grants_of_the_official_package() -> None:
    def builders(cls: type) -> set[str]:
        return {name for name in dir(cls) if name.startswith(("with_", "to_"))}

    assert builders(api.AccessToken) == builders(official.AccessToken) == {*VALUES, *GRANTS, "to_jwt"}
    for ours, theirs, _ in GRANTS.values():
        assert [field.name for field in attrs.fields(ours)] == [*theirs.__dataclass_fields__]
    assert [field.name for field in attrs.fields(api.Claims)] == [*official.access_token.Claims.__dataclass_fields__]


@given(plans)
def test_the_claims_are_those_of_the_official_package(plan: dict[str, Any]) -> None:
    ours = raw_claims(build(api.AccessToken(KEY, SECRET), plan, 0).to_jwt())
    theirs = raw_claims(build(official.AccessToken(KEY, SECRET), plan, 1).to_jwt())
    assert without_times(ours) == without_times(theirs)
    assert abs(ours["nbf"] - theirs["nbf"]) <= 1
    assert abs(ours["exp"] - theirs["exp"]) <= 1


@given(plans)
def test_each_package_verifies_the_tokens_of_the_other(plan: dict[str, Any]) -> None:
    ours = build(api.AccessToken(KEY, SECRET), plan, 0)
    theirs = build(official.AccessToken(KEY, SECRET), plan, 1)
    mine = api.TokenVerifier(KEY, SECRET).verify(theirs.to_jwt())
    assert mine == api.TokenVerifier(KEY, SECRET).verify(ours.to_jwt())
    official_view = official.TokenVerifier(KEY, SECRET).verify(ours.to_jwt())
    assert mine.identity == official_view.identity == ours.identity
    assert mine.attributes == official_view.attributes
    assert mine.room_config == official_view.room_config
    for builder, (ours_grants, _, _) in GRANTS.items():
        name = builder.removeprefix("with_").removesuffix("_grants").replace("grants", "video")
        granted, seen = getattr(mine, name), getattr(official_view, name)
        for field in attrs.fields(ours_grants) if granted is not None else ():
            assert as_list(getattr(granted, field.name)) == as_list(getattr(seen, field.name)), (name, field.name)
    if ours.claims.video is not None:
        # An empty string is left out of a token, so that it comes back as the default.
        expected = attrs.evolve(ours.claims.video, destination_room=ours.claims.video.destination_room or None)
        assert mine.video == expected


def test_a_token_without_grants_grants_nothing() -> None:
    claims = api.TokenVerifier(KEY, SECRET).verify(api.AccessToken(KEY, SECRET).with_identity("a").to_jwt())
    grants = {
        field.name: getattr(claims, field.name) for field in attrs.fields(api.Claims) if "Grants" in str(field.type)
    }
    assert grants == dict.fromkeys(
        ("video", "sip", "inference", "observability", "agent", "agent_endpoint", "agent_thread"), None
    )


@pytest.mark.parametrize(("identity", "room"), [("", "r"), ("a", ""), ("", "")])
def test_to_join_takes_an_identity_and_a_room(identity: str, room: str) -> None:
    token = api.AccessToken(KEY, SECRET).with_identity(identity)
    with pytest.raises(api.TokenError, match="identity and room must be set"):
        token.with_grants(api.VideoGrants(room_join=True, room=room)).to_jwt()
    token.with_grants(api.VideoGrants(room_join=False, room=room)).to_jwt()


def test_key_and_secret_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIVEKIT_API_KEY", raising=False)
    monkeypatch.delenv("LIVEKIT_API_SECRET", raising=False)
    for cls, (key, secret) in itertools.product((api.AccessToken, api.TokenVerifier), ((None, SECRET), (KEY, None))):
        with pytest.raises(ValueError, match="LIVEKIT_API_KEY"):
            cls(key, secret)
    monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    assert api.TokenVerifier().verify(api.AccessToken().with_name("n").to_jwt()).name == "n"


@pytest.mark.parametrize(
    ("grants", "arguments"),
    [
        (api.VideoGrants, {"room_join": "yes"}),
        (api.VideoGrants, {"room": None}),
        (api.VideoGrants, {"can_publish": None}),
        (api.VideoGrants, {"can_publish_sources": "camera"}),
        (api.VideoGrants, {"can_publish_sources": [1]}),
        (api.SIPGrants, {"call": 1}),
        (api.AgentThreadGrants, {"thread_ids": 5}),
    ],
)
def test_a_grant_of_another_type_is_refused_at_once(grants: Callable[..., object], arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        grants(**arguments)


def test_no_secret_in_any_repr() -> None:
    token = api.AccessToken(KEY, SECRET).with_identity("a")
    verifier = api.TokenVerifier(KEY, SECRET)
    assert SECRET not in f"{token!r} {token} {verifier!r} {verifier} {token.claims!r}"


# What is refused, and in which words.

NOW = 1_700_000_000


def sign(algorithm: str = "HS256", key: Any = SECRET, headers: dict[str, Any] | None = None, **changes: Any) -> str:
    """A token that is right but for *changes*; a claim changed to `...` is left out."""
    claims = {"iss": KEY, "sub": "a", "nbf": int(time.time()) - 5, "exp": int(time.time()) + 3600} | changes
    return cast("Any", jwt).encode(
        {k: v for k, v in claims.items() if v is not ...}, key, algorithm=algorithm, headers=headers
    )


def encode(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forge(header: object, payload: object) -> str:
    """A token with this header and payload, signed with the right secret."""
    signed = f"{encode(header)}.{encode(payload)}"
    return f"{signed}.{encode(hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest())}"


RIGHT_HEADER = {"alg": "HS256", "typ": "JWT"}
RIGHT_CLAIMS = {"iss": KEY, "sub": "a", "nbf": NOW, "exp": 4_000_000_000}
RIGHT = forge(RIGHT_HEADER, RIGHT_CLAIMS)
UNSIGNED = f"{encode({'alg': 'none'})}.{encode(RIGHT_CLAIMS)}."


def flip(token: str, part: int) -> str:
    """Change one character in the middle of a part of *token*."""
    parts = token.split(".")
    middle = len(parts[part]) // 2
    parts[part] = parts[part][:middle] + ("A" if parts[part][middle] != "A" else "B") + parts[part][middle + 1 :]
    return ".".join(parts)


REFUSED: dict[str, tuple[str, str]] = {
    "expired": (sign(exp=NOW), "has expired"),
    "not yet valid": (sign(nbf=4_000_000_000), "not valid yet"),
    "no exp": (sign(exp=...), "has no exp"),
    "no nbf": (sign(nbf=...), "has no nbf"),
    "no issuer": (sign(iss=...), "has no iss"),
    "other issuer": (sign(iss="APIother"), "another API key"),
    "wrong key": (sign(key="another-secret-of-more-than-32-characters"), "signature is wrong"),
    "payload changed": (flip(RIGHT, 1), "signature is wrong|malformed"),
    "signature changed": (flip(RIGHT, 2), "signature is wrong"),
    "signature cut": (RIGHT.rpartition(".")[0] + ".", "signature is wrong"),
    "alg none": (UNSIGNED, "not signed with HS256"),
    "alg none, signed": (forge({"alg": "none"}, RIGHT_CLAIMS), "not signed with HS256"),
    "alg RS256 with our secret": (forge({"alg": "RS256"}, RIGHT_CLAIMS), "not signed with HS256"),
    "alg HS512": (sign(algorithm="HS512", key=SECRET * 2), "not signed with HS256"),
    "no alg": (forge({"typ": "JWT"}, RIGHT_CLAIMS), "not signed with HS256|malformed"),
    "huge": ("a" * (2 << 20), "longer than"),
    "empty": ("", "malformed"),
    "no token": ("hello", "malformed"),
    "not UTF-8": (forge(RIGHT_HEADER, b'{"iss":"\xff\xfe"}'), "malformed"),
    "header not UTF-8": (f"{encode(bytes([255, 254]))}.{encode(RIGHT_CLAIMS)}.AAAA", "malformed"),
    "surrogates": ("\ud800.\ud800.\ud800", "malformed"),
    "nested too deep": (forge(b"[" * 100_000, RIGHT_CLAIMS), "malformed"),
    "infinite": (forge(RIGHT_HEADER, b'{"iss":"APIkey","nbf":1,"exp":Infinity}'), "malformed"),
    "no object": (forge(RIGHT_HEADER, [1]), "malformed"),
    "exp is text": (sign(exp="soon"), "malformed"),
    "video is text": (forge(RIGHT_HEADER, RIGHT_CLAIMS | {"video": "all"}), "malformed"),
    "video is null": (forge(RIGHT_HEADER, RIGHT_CLAIMS | {"video": None}), "malformed"),
    "a flag is text": (forge(RIGHT_HEADER, RIGHT_CLAIMS | {"video": {"roomAdmin": "x"}}), "malformed"),
    "name is a number": (forge(RIGHT_HEADER, RIGHT_CLAIMS | {"name": 5}), "malformed"),
    "an attribute is a number": (forge(RIGHT_HEADER, RIGHT_CLAIMS | {"attributes": {"a": 5}}), "malformed"),
    "room configuration": (forge(RIGHT_HEADER, RIGHT_CLAIMS | {"roomConfig": {"maxParticipants": "x"}}), "malformed"),
}


def test_a_right_token_is_accepted() -> None:
    assert api.TokenVerifier(KEY, SECRET).verify(RIGHT).identity == "a"
    assert api.TokenVerifier(KEY, SECRET).verify(sign()).identity == "a"


@pytest.mark.parametrize("fault", REFUSED)
def test_a_faulty_token_is_refused_without_being_quoted(fault: str) -> None:
    token, words = REFUSED[fault]
    with pytest.raises(api.TokenError, match=words) as refused:
        api.TokenVerifier(KEY, SECRET).verify(token)
    error = refused.value
    assert error.__context__ is None
    said = f"{error!r} {error} {error.args} {vars(error)}"
    assert SECRET not in said
    assert not any(part in said for part in re.findall(r"[\w-]{9,}", token))
    assert isinstance(error, ValueError)
    assert str(pickle.loads(pickle.dumps(error))) == str(copy.copy(error)) == str(error)


def test_leeway() -> None:
    token = sign(exp=int(time.time()) - 30)
    assert api.TokenVerifier(KEY, SECRET).verify(token).identity == "a"
    with pytest.raises(api.TokenError, match="has expired"):
        api.TokenVerifier(KEY, SECRET, leeway=timedelta()).verify(token)


def test_what_this_version_does_not_know_is_passed_over() -> None:
    claims = RIGHT_CLAIMS | {
        "video": {"roomJoin": True, "room": "r", "fly": True},
        "roomConfig": {"new": 1, "name": "n"},
    }
    verified = api.TokenVerifier(KEY, SECRET).verify(forge(RIGHT_HEADER, claims))
    assert verified.video == api.VideoGrants(room_join=True, room="r")
    assert verified.room_config == RoomConfiguration(name="n")


@given(
    text=st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: f"{encode(raw)}.{encode(raw)}.{encode(raw)}")
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(api.TokenError):
        api.TokenVerifier(KEY, SECRET).verify(text)


@pytest.mark.anyio
async def test_the_real_server_takes_our_tokens(server: DevServer) -> None:
    async def answer(token: str) -> int:
        request = f"GET /rtc/validate?access_token={token} HTTP/1.0\r\n\r\n"
        async with await anyio.connect_tcp("127.0.0.1", int(server.url.rpartition(":")[2])) as stream:
            await stream.send(request.encode())
            return int((await stream.receive()).split()[1])

    token = server.access_token().with_identity("a").with_room_config(CONFIG).with_attributes({"a": "b"})
    assert await answer(token.with_grants(api.VideoGrants(room_join=True, room="tokens")).to_jwt()) == 200
    assert await answer(token.with_grants(api.VideoGrants(room_list=True)).to_jwt()) == 401
    assert (
        await answer(
            token.with_ttl(timedelta(hours=-1)).with_grants(api.VideoGrants(room_join=True, room="t")).to_jwt()
        )
        == 401
    )


@pytest.mark.anyio
async def test_the_real_server_reads_every_claim_and_we_read_its_tokens(server: DevServer) -> None:
    grants = api.VideoGrants(
        room_join=True,
        room="claims",
        can_publish=True,
        can_subscribe=False,
        can_publish_data=False,
        can_publish_sources=("microphone",),
        can_update_own_metadata=True,
        can_subscribe_metrics=True,
        agent=True,
    )
    token = (
        server.access_token()
        .with_identity("änn")
        .with_name("Ann")
        .with_metadata("m")
        .with_kind("agent")
        .with_attributes({"mood": "good"})
        .with_room_config(CONFIG)
        .with_grants(grants)
    )
    async with rtc.open_room(server.url, token.to_jwt()) as room:
        with room.open_events(rtc.TokenRefreshed) as events, anyio.fail_after(60):
            refreshed = (await events.receive()).token
        [seen] = await server.list_participants("claims")
    assert (seen["identity"], seen["name"], seen["metadata"], seen["kind"]) == ("änn", "Ann", "m", "AGENT")
    assert seen["attributes"] == {"mood": "good"}
    permission = {name: value for name, value in seen["permission"].items() if value}
    assert permission == {
        "can_publish": True,
        "can_publish_sources": ["MICROPHONE"],
        "can_update_metadata": True,
        "can_subscribe_metrics": True,
        "agent": True,
    }
    theirs = api.TokenVerifier(server.api_key, server.api_secret).verify(refreshed)
    assert (theirs.identity, theirs.name, theirs.metadata, theirs.kind) == ("änn", "Ann", "m", "agent")
    assert theirs.attributes == {"mood": "good"}
    assert theirs.video is not None
    assert (theirs.video.room, theirs.video.can_publish_sources) == ("claims", ("microphone",))
    assert (theirs.video.can_subscribe, theirs.video.can_publish_data) == (False, False)


def test_the_api_needs_nothing_native() -> None:
    program = """
import sys
from livekit_trio import api
api.AccessToken("k", "s" * 32).with_identity("a").to_jwt()
print([name for name in sys.modules if name.startswith(("livekit_trio._ffi", "livekit_trio.rtc", "google", "numpy"))])
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"
