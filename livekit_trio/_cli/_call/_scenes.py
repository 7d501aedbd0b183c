"""The scenes of the demo's call, each between people who are in the room already; each adds its row to the report."""

from __future__ import annotations

import hashlib
import statistics
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
from PIL import Image

from ... import rtc
from ...rtc import stats
from ._picture import Moment

if TYPE_CHECKING:
    from pathlib import Path

    from ... import api
    from ._report import Report

CALLS_OF_EACH: Final = 10
WORDS: Final = "Bonjour, ça va ? 你好 👋 " * 400
STATS_EVERY: Final = 0.5
PATIENCE: Final = 60.0
"""Seconds for each scene; a good network needs one."""


async def talk(report: Report, speaker: rtc.Room, listener: rtc.Room) -> None:
    """A text, as a stream."""
    with listener.accept_text_streams("talk") as incoming, anyio.fail_after(PATIENCE):
        begin = anyio.current_time()
        await speaker.local_participant.send_text(WORDS, topic="talk")
        text = await (await incoming.receive()).read_all()
    report.add(
        "a text, as a stream",
        sent=f"{len(WORDS)} characters",
        received=f"{len(text)} characters",
        seconds=anyio.current_time() - begin,
        problem="" if text == WORDS else "another text arrived",
    )


async def send_file(report: Report, speaker: rtc.Room, listener: rtc.Room, file: Path, directory: Path) -> None:
    """A file, as a stream, saved at the other end."""
    content = await anyio.Path(file).read_bytes()
    await anyio.Path(directory).mkdir(exist_ok=True)
    with listener.accept_byte_streams("file") as incoming, anyio.fail_after(PATIENCE):
        begin = anyio.current_time()
        await speaker.local_participant.send_file(file, topic="file")
        saved = await (await incoming.receive()).save_to(directory, overwrite=True)
    arrived = await anyio.Path(saved).read_bytes()
    same = hashlib.sha256(arrived).digest() == hashlib.sha256(content).digest()
    report.add(
        f"the file, saved as {saved.name}",
        sent=f"{len(content)} bytes",
        received=f"{len(arrived)} bytes",
        seconds=anyio.current_time() - begin,
        problem="" if same else "other bytes arrived",
    )


async def call(report: Report, speaker: rtc.Room, listener: rtc.Room) -> None:
    """Remote procedures, by some callers at once."""

    def shout(invocation: rtc.RpcInvocationData) -> str:
        return invocation.payload.upper()

    trips: list[float] = []
    answered = 0

    async def call_some(caller: str) -> None:  # noqa: ASYNC910 - each call is a checkpoint
        nonlocal answered
        for number in range(CALLS_OF_EACH):
            begin = anyio.current_time()
            answer = await speaker.local_participant.perform_rpc(
                destination_identity=listener.local_participant.identity, method="shout", payload=f"{caller}{number}"
            )
            trips.append(anyio.current_time() - begin)
            answered += answer == f"{caller}{number}".upper()

    begin = anyio.current_time()
    with listener.local_participant.rpc_method("shout", shout), anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as callers:
            for caller in "abcde":
                callers.start_soon(call_some, caller)
    report.add(
        f"remote calls, {statistics.median(trips) * 1000:.1f} ms each",
        sent=len(trips),
        received=answered,
        seconds=anyio.current_time() - begin,
        problem="" if answered == len(trips) else "wrong answers came",
    )


async def manage(report: Report, lkapi: api.LiveKitAPI, room: rtc.Room, people: int) -> None:
    """The server API: who is there, a change of the room, a packet from the server."""
    with room.open_events(rtc.RoomMetadataChanged, rtc.DataReceived) as events, anyio.fail_after(PATIENCE):
        begin = anyio.current_time()
        listed = (await lkapi.room.list_participants(room=room.name)).participants
        await lkapi.room.update_room_metadata(room=room.name, metadata="on air")
        await lkapi.room.send_data(room=room.name, data=b"from the server", topic="news")
        seen: set[str] = set()
        while len(seen) < 2:
            event = await events.receive()
            if isinstance(event, rtc.RoomMetadataChanged):
                seen.add("metadata")
            elif isinstance(event.sender, rtc.ServerSender):
                seen.add("news")
    report.add(
        "the room, managed by the server API",
        sent="3 calls",
        received=f"{len(listed)} participants, {len(seen)} events",
        seconds=anyio.current_time() - begin,
        problem="" if len(listed) == people else f"{people} participants should be listed",
    )


async def lose_network(report: Report, room: rtc.Room) -> None:
    """The connection breaks and comes back, and what is received goes on."""
    with room.open_events(rtc.Reconnecting, rtc.Reconnected) as events:
        begin = anyio.current_time()
        seen: list[str] = []
        with anyio.move_on_after(PATIENCE):
            await room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT)
            while seen[-1:] != ["Reconnected"]:
                seen.append(type(await events.receive()).__name__)
    report.add(
        "the connection, lost and found again",
        received=", ".join(seen),
        seconds=anyio.current_time() - begin,
        problem="" if seen == ["Reconnecting", "Reconnected"] else "the reconnect did not come",
    )


async def watch_stats(room: rtc.Room, moments: list[Moment]) -> None:
    """Until cancelled: how much comes in, and how long the way to the server is."""
    begin = anyio.current_time()
    before = await room.get_stats()
    while True:
        await anyio.sleep(STATS_EVERY)
        after = await room.get_stats()
        bits = sum(
            rates.bits_per_second
            for old, new in ((before.publisher, after.publisher), (before.subscriber, after.subscriber))
            for rates in new.rates_since(old)
        )
        trips = [
            pair.current_round_trip_time
            for half in (after.publisher, after.subscriber)
            for pair in half.of(stats.CandidatePairStats)
            if pair.nominated and pair.current_round_trip_time
        ]
        moments.append(Moment(anyio.current_time() - begin, bits / 1000, min(trips) * 1000 if trips else None))
        before = after


async def measure_loss(*tracks: rtc.RemoteTrack) -> float:
    """Which part of the tracks' packets the network has lost so far, whether or not they came later."""
    received = [stream for track in tracks for stream in (await track.get_stats()).of(stats.InboundRtpStats)]
    lost = sum(max(0, stream.packets_lost) for stream in received)
    return lost / max(1, lost + sum(stream.packets_received for stream in received))  # noqa: ASYNC910 - there are tracks


async def take_picture(track: rtc.RemoteVideoTrack, after: int) -> Image.Image:
    """A received frame: the one that comes after some others."""
    with track.open_stream() as frames:
        async for frame in frames:
            after -= 1
            if after <= 0:
                return await anyio.to_thread.run_sync(frame.to_image)
    return Image.new("RGB", (16, 9))
