"""Packets without a server: what is asked of the native side, and what is refused before."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from livekit_trio import rtc
from livekit_trio._ffi import _proto as native
from livekit_trio.rtc._packet_size import packet_size
from tests.rtc.native import Scene

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.anyio

SEGMENT = rtc.TranscriptionSegment(id="SG_1", text="hello", start_time=1, end_time=2, final=False, language="en")
MESSAGE = rtc.ChatMessage(id="1", timestamp=5, message="hello")


def me_with(*, kind: int = native.PARTICIPANT_KIND_STANDARD, **permissions: Any) -> Scene:
    scene = Scene()
    known: Any = {"permission": scene.native.permissions(**permissions), "kind": kind}
    scene.apply(scene.native.updated(scene.native.participant_info("me", **known)))
    return scene


class Refused(SimpleNamespace):
    """Any of their replies."""

    error = "not today"

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - protobuf's
        return "error"


SENDERS: dict[str, tuple[Callable[[rtc.LocalParticipant], Awaitable[object]], type[rtc.OperationError]]] = {
    "publish_data": (lambda me: me.publish_data(b"x"), rtc.PublishDataError),
    "publish_sip_dtmf": (lambda me: me.publish_dtmf(digit="1"), rtc.PublishDTMFError),
    "publish_transcription": (
        lambda me: me.publish_transcription(
            rtc.Transcription(participant_identity="bob", track_sid="TR_1", segments=(SEGMENT,))
        ),
        rtc.PublishTranscriptionError,
    ),
    "send_chat_message": (lambda me: me.send_chat_message("hello"), rtc.SendChatMessageError),
    "edit_chat_message": (lambda me: me.edit_chat_message(MESSAGE, "bye"), rtc.SendChatMessageError),
}


@pytest.mark.parametrize("name", SENDERS)
async def test_without_permission_nothing_is_sent(name: str) -> None:
    send, error = SENDERS[name]
    scene = me_with(kind=native.PARTICIPANT_KIND_AGENT, can_publish_data=False)
    with pytest.raises(error, match="no permission"):
        await send(scene.state.local_participant)
    assert scene.link.requests == []


@pytest.mark.parametrize("name", SENDERS)
async def test_a_room_that_has_ended_comes_before_any_other_reason(name: str) -> None:
    send, _ = SENDERS[name]
    scene = me_with(can_publish_data=False)
    scene.link.close(rtc.DisconnectReason.CLIENT_INITIATED)
    with pytest.raises(rtc.RoomClosedError):
        await send(scene.state.local_participant)


@pytest.mark.parametrize("name", SENDERS)
async def test_what_the_native_side_refuses(name: str) -> None:
    send, error = SENDERS[name]
    scene = me_with(kind=native.PARTICIPANT_KIND_AGENT)
    scene.link.replies[name] = lambda _fields: Refused()
    with pytest.raises(error, match="not today"):
        await send(scene.state.local_participant)


@pytest.mark.parametrize("payload", ["héy", "héy".encode(), bytearray("héy".encode()), memoryview("héy".encode())])
async def test_publishing_data(payload: Any) -> None:
    scene = me_with()
    await scene.state.local_participant.publish_data(payload, reliable=False, destination_identities=["bob"], topic="t")
    [(name, fields)] = scene.link.requests
    assert name == "publish_data"
    assert type(fields["data"]) is bytes
    assert fields == {
        "local_participant_handle": 1001,
        "data": "héy".encode(),
        "reliable": False,
        "destination_identities": ["bob"],
        "topic": "t",
    }


async def test_data_of_the_wrong_type() -> None:
    scene = me_with()
    me = scene.state.local_participant
    for wrong in (5, None, ["a"]):
        with pytest.raises(TypeError):
            await me.publish_data(wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="not one string"):
        await me.publish_data(b"x", destination_identities="bob")
    assert scene.link.requests == []


@pytest.mark.parametrize("topic", ["", "t", "ä" * 200])
@pytest.mark.parametrize("to", [(), ("bob",), ("bob", "c" * 200)])
@pytest.mark.parametrize("reliable", [True, False])
async def test_the_limit_counts_all_that_is_sent(topic: str, to: tuple[str, ...], *, reliable: bool) -> None:
    facts: Any = {"reliable": reliable, "sender_identity": "me", "sender_sid": "PA_me"}
    around = packet_size(60_000, topic, to, **facts) - 60_000
    scene = me_with()
    me = scene.state.local_participant
    arguments: Any = {"reliable": reliable, "destination_identities": to, "topic": topic}
    await me.publish_data(bytes(64_000 - around), **arguments)
    with pytest.raises(rtc.PublishDataError, match=r"64001 bytes.*64000"):
        await me.publish_data(bytes(64_001 - around), **arguments)
    assert len(scene.link.requests) == 1


@pytest.mark.parametrize(("digit", "code"), [(digit, code) for code, digit in enumerate("0123456789*#ABCD")])
async def test_each_key_has_its_code(digit: str, code: int) -> None:
    scene = me_with()
    me = scene.state.local_participant
    await me.publish_dtmf(digit=digit)
    await me.publish_dtmf(digit=digit, code=code, destination_identities=["bob"])
    sent = [(fields["code"], fields["digit"], fields["destination_identities"]) for _, fields in scene.link.requests]
    assert sent == [(code, digit, []), (code, digit, ["bob"])]


@pytest.mark.parametrize(("digit", "code"), [("", None), ("12", None), ("E", None), ("a", None), ("9", 1), ("ZZ", 99)])
async def test_keys_that_no_telephone_has(digit: str, code: int | None) -> None:
    scene = me_with()
    with pytest.raises(ValueError, match="key"):
        await scene.state.local_participant.publish_dtmf(digit=digit, code=code)
    assert scene.link.requests == []


async def test_transcriptions_are_for_agents() -> None:
    send, error = SENDERS["publish_transcription"]
    scene = me_with()
    with pytest.raises(error, match="agents only"):
        await send(scene.state.local_participant)
    assert scene.link.requests == []
    agent = me_with(kind=native.PARTICIPANT_KIND_AGENT)
    await send(agent.state.local_participant)
    [(_, fields)] = agent.link.requests
    sent = native.PublishTranscriptionRequest(**fields)
    assert (sent.participant_identity, sent.track_id, len(sent.segments)) == ("bob", "TR_1", 1)
    assert (sent.segments[0].id, sent.segments[0].text, sent.segments[0].final) == ("SG_1", "hello", False)


async def test_an_edited_message_goes_with_its_original() -> None:
    scene = me_with()
    edited = native.ChatMessage(id="1", timestamp=5, message="bye", edit_timestamp=9)
    scene.link.replies["edit_chat_message"] = lambda _: native.SendChatMessageCallback(async_id=1, chat_message=edited)
    result = await scene.state.local_participant.edit_chat_message(MESSAGE, "bye", destination_identities=["bob"])
    assert result == rtc.ChatMessage(id="1", timestamp=5, message="bye", edit_timestamp=9)
    [(_, fields)] = scene.link.requests
    sent = native.EditChatMessageRequest(**fields)
    assert (sent.edit_text, sent.original_message.id, sent.original_message.message) == ("bye", "1", "hello")


async def test_the_low_water_mark() -> None:
    scene = me_with()
    me = scene.state.local_participant
    me.set_data_channel_low_threshold(rtc.DataPacketKind.KIND_RELIABLE, 0)
    with pytest.raises(ValueError, match="-1"):
        me.set_data_channel_low_threshold(rtc.DataPacketKind.KIND_LOSSY, -1)
    [(name, fields)] = scene.link.requests
    assert name == "set_data_channel_buffered_amount_low_threshold"
    assert (fields["threshold"], fields["kind"]) == (0, 1)
