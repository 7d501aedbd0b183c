"""What type checkers know of a room's events. Never run: `tests/test_surface.py` has pyright and mypy read it."""

from __future__ import annotations

from typing import assert_never, assert_type

from livekit_trio import rtc


async def all_events(room: rtc.Room) -> None:
    with room.open_events(include_existing=True) as events:
        assert_type(events, rtc.EventStream[rtc.RoomEvent])
        async for event in events:
            assert_type(event, rtc.RoomEvent)


async def one_type(room: rtc.Room) -> None:
    with room.open_events(rtc.TrackSubscribed, where=lambda event: event.track.name == "x") as events:
        assert_type(events, rtc.EventStream[rtc.TrackSubscribed])
        async for event in events:
            assert_type(event, rtc.TrackSubscribed)
            assert_type(event.track, rtc.RemoteTrack)
        assert_type(await events.receive(), rtc.TrackSubscribed)
        assert_type(events.receive_nowait(), rtc.TrackSubscribed)


async def two_types(room: rtc.Room) -> None:
    with room.open_events(rtc.TrackSubscribed, rtc.TrackUnsubscribed) as events:
        assert_type(await events.receive(), rtc.TrackSubscribed | rtc.TrackUnsubscribed)


async def three_types(room: rtc.Room) -> None:
    with room.open_events(rtc.Reconnecting, rtc.Reconnected, rtc.Disconnected) as events:
        assert_type(await events.receive(), rtc.Reconnecting | rtc.Reconnected | rtc.Disconnected)


async def four_types(room: rtc.Room) -> None:
    with room.open_events(
        rtc.ParticipantConnected, rtc.ParticipantDisconnected, rtc.TrackPublished, rtc.TrackUnpublished
    ) as events:
        event = await events.receive()
        assert_type(
            event,
            rtc.ParticipantConnected | rtc.ParticipantDisconnected | rtc.TrackPublished | rtc.TrackUnpublished,
        )
        assert_type(event.participant, rtc.RemoteParticipant)


async def five_types(room: rtc.Room) -> None:
    with room.open_events(
        rtc.Reconnecting, rtc.Reconnected, rtc.Disconnected, rtc.RoomUpdated, rtc.Moved, capacity=8
    ) as events:
        assert_type(await events.receive(), rtc.RoomEvent)


async def waiting(room: rtc.Room) -> None:
    received = await room.wait_for(rtc.DataReceived, lambda packet: packet.topic == "chat")
    assert_type(received, rtc.DataReceived)
    assert_type(received.sender, rtc.RemoteParticipant | rtc.ServerSender | rtc.UnknownSender)
    assert_type(await room.wait_for_participant(kind=rtc.ParticipantKind.PARTICIPANT_KIND_AGENT), rtc.RemoteParticipant)
    assert_type(await room.wait_closed(), rtc.DisconnectReason)


async def joining(url: str, token: str) -> None:
    async with rtc.open_room(url, token, options=rtc.RoomOptions(auto_subscribe=False)) as room:
        assert_type(room, rtc.Room)
        for identity, participant in room.remote_participants.items():
            assert_type(identity, str)
            assert_type(participant, rtc.RemoteParticipant)
            for publication in participant.track_publications.values():
                assert_type(publication, rtc.RemoteTrackPublication)
                assert_type(await publication.subscribe(), rtc.RemoteAudioTrack | rtc.RemoteVideoTrack)
        for local_publication in room.local_participant.track_publications.values():
            assert_type(local_publication, rtc.LocalTrackPublication)


def every_event(event: rtc.RoomEvent) -> None:
    """A checker knows when a class is missing here."""
    match event:
        case rtc.ConnectionStateChanged() | rtc.Reconnecting() | rtc.Reconnected() | rtc.Disconnected():
            pass
        case rtc.TokenRefreshed() | rtc.RoomMetadataChanged() | rtc.RoomUpdated() | rtc.RecordingStatusChanged():
            pass
        case rtc.Moved() | rtc.ParticipantConnected() | rtc.ParticipantActive() | rtc.ParticipantDisconnected():
            pass
        case rtc.ParticipantMetadataChanged(participant=who) | rtc.ParticipantNameChanged(participant=who):
            assert_type(who, rtc.LocalParticipant | rtc.RemoteParticipant)
        case rtc.ParticipantAttributesChanged() | rtc.ParticipantPermissionsChanged():
            pass
        case rtc.ParticipantEncryptionStatusChanged() | rtc.ConnectionQualityChanged() | rtc.ActiveSpeakersChanged():
            pass
        case rtc.TrackPublished() | rtc.TrackUnpublished() | rtc.TrackSubscribed() | rtc.TrackUnsubscribed():
            pass
        case rtc.TrackSubscriptionFailed() | rtc.TrackMuted() | rtc.TrackUnmuted() | rtc.E2eeStateChanged():
            pass
        case rtc.DataTrackPublished() | rtc.DataTrackUnpublished():
            pass
        case rtc.LocalTrackPublished() | rtc.LocalTrackUnpublished() | rtc.LocalTrackRepublished():
            pass
        case rtc.LocalDataTrackPublished() | rtc.LocalDataTrackUnpublished():
            pass
        case rtc.LocalTrackSubscribed() | rtc.SipDtmfReceived() | rtc.TranscriptionReceived():
            pass
        case rtc.DataReceived(data=data):
            assert_type(data, bytes)
        case rtc.ChatMessageReceived() | rtc.DataChannelLowThresholdChanged():
            pass
        case _:
            assert_never(event)


async def types_from_a_list(room: rtc.Room, wanted: list[type[rtc.RoomEvent]]) -> None:
    with room.open_events(*wanted) as events:
        assert_type(await events.receive(), rtc.RoomEvent)
