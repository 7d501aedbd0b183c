"""Let native threads flood an inbox while its loop is blocked. Prints what came of it.

    python -m tests.process.programs.stall bridge|ctypes sleep|gil SECONDS DIRECTORY

SECONDS 0: as fast as the threads can, without blocking, for the callbacks' own CPU time.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from livekit_trio._ffi import _proto, _wire
from livekit_trio._ffi._abc import LAGGED, READY, RouteLimits
from livekit_trio._ffi._ctypes_library import CtypesLibrary
from tests.conformance.subjects import NativeSubject, Reader
from tests.native.fake_control import HANDLE, POINTER, SEQUENCE, FakeControl, Flood
from tests.native.tools import builder

if TYPE_CHECKING:
    from collections.abc import Sequence

messages: Final[Any] = _proto

AUDIO, ROOM, CHUNK = 4, 1, 28
FRAMES: Final = 20_000
PACKETS: Final = 20_000
CHUNKS: Final = 2_000
STATES: Final = 2_000
RING: Final = 20
"""Frames of 10 ms: the default bound of an audio stream."""
PAYLOAD: Final = 400
CHUNK_SIZE: Final = 10_000


def frame(stream: int) -> bytes:
    event = messages.FfiEvent()
    event.audio_stream_event.stream_handle = stream
    owned = event.audio_stream_event.frame_received.frame
    owned.handle.id = HANDLE
    owned.info.data_ptr = POINTER
    owned.info.num_channels, owned.info.sample_rate, owned.info.samples_per_channel = 1, 48_000, 480
    return event.SerializeToString()


def packet(room: int, *, reliable: bool) -> bytes:
    event = messages.FfiEvent()
    event.room_event.room_handle = room
    received = event.room_event.data_packet_received
    received.kind, received.participant_identity = int(reliable), "bob"
    received.user.data.handle.id = HANDLE
    received.user.data.data.data_ptr, received.user.data.data.data_len = POINTER, PAYLOAD
    return event.SerializeToString()


def state(room: int) -> bytes:
    event = messages.FfiEvent()
    event.room_event.room_handle = room
    republished = event.room_event.local_track_republished
    republished.publication_handle, republished.previous_sid = SEQUENCE, "TR_x"
    for field in ("sid", "name", "mime_type"):
        setattr(republished.info, field, "x")
    for field in ("kind", "source", "simulcasted", "width", "height", "muted", "remote", "encryption_type"):
        setattr(republished.info, field, 0)
    return event.SerializeToString()


def chunk(reader: int) -> bytes:
    sequence = messages.FfiOwnedHandle(id=SEQUENCE).SerializeToString()[1:]  # ten bytes, to be replaced as such
    event = messages.FfiEvent()
    event.byte_stream_reader_event.reader_handle = reader
    event.byte_stream_reader_event.chunk_received.content = sequence + bytes(CHUNK_SIZE)
    return event.SerializeToString()


def status(name: str) -> int:
    """A line of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def block(how: str, seconds: float) -> None:
    if how == "sleep":
        time.sleep(seconds)
        return
    sys.setswitchinterval(1000)  # nobody else gets the GIL while the loop below runs
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def numbers(events: Sequence[tuple[int, int, int, bytes]], kind: int) -> list[int]:
    """The sequence numbers that the events of one kind carry, in the order in which they came."""
    found: list[int] = []
    for event_kind, _, _, payload in events:
        if event_kind != kind:
            continue
        if kind == ROOM:
            event = messages.RoomEvent.FromString(payload)
            if event.WhichOneof("message") == "local_track_republished":
                found.append(event.local_track_republished.publication_handle & 0xFFFF_FFFF)
        else:
            content = messages.ByteStreamReaderEvent.FromString(payload).chunk_received.content
            found.append(messages.FfiOwnedHandle.FromString(b"\x08" + content[:10]).id & 0xFFFF_FFFF)
    return found


def main(kind: str, how: str, seconds: float, directory: Path) -> None:
    control = FakeControl(builder().build_fake(), directory / "libfake_ffi.so")
    if kind == "bridge":
        from livekit_trio._ffi import _bridge

        subject = NativeSubject(control, _bridge.load)
    else:
        subject = NativeSubject(control, CtypesLibrary)
    control.set_handler(None)
    inbox = Reader(subject).inbox
    room, reader = control.new_handle(), control.new_handle()
    inbox.route(room, RouteLimits())
    inbox.route(reader, RouteLimits())
    _, ring = inbox.open_ring(
        messages.FfiRequest(new_audio_stream={"track_handle": 1, "type": 0}).SerializeToString(), RING
    )
    handles = control.live_handles()

    def flood(template: bytes, count: int, memory: int = 0) -> Flood:
        return Flood(template, count, per_second=round(count / (seconds * 0.5)) if seconds else 0, memory=memory)

    floods = [
        flood(frame(ring.key), FRAMES, 960),
        flood(packet(room, reliable=how == "gil"), PACKETS, PAYLOAD),
        flood(chunk(reader), CHUNKS),
        flood(state(room), STATES),
    ]
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # let the peak begin here
    control.start_floods(floods)
    if seconds:
        block(how, seconds)
    let_go = time.monotonic_ns()
    running = control.threads_running()
    sys.setswitchinterval(0.005)
    timing = control.join_threads()
    grown = status("VmHWM") - before

    events: list[tuple[int, int, int, bytes]] = []
    while batch := inbox.take(256):
        events += batch
    frames = 0
    while taken := ring.take():
        frames += 1
        for handle in _wire.owned_handles(AUDIO, taken[2]):
            subject.library.drop(handle)
    packets = 0
    for event_kind, _, _, payload in events:
        for handle in _wire.owned_handles(event_kind, payload) if event_kind < READY else ():
            packets += 1
            subject.library.drop(handle)
    print(  # noqa: T201 - the report
        json.dumps(
            {
                "grown": grown,
                "running": running,
                "returned_before_let_go": timing.last_return_ns <= let_go,
                "cpu_p999_ns": timing.cpu_p999_ns,
                "calls": timing.calls,
                "states": numbers(events, ROOM),
                "chunks": numbers(events, CHUNK),
                "packets": packets,
                "frames": frames,
                "ring": ring.statistics()._asdict(),
                "inbox": dict(inbox.statistics()),
                "lost": sum(int(payload) for event_kind, _, _, payload in events if event_kind == LAGGED),
                "kinds": Counter(event_kind for event_kind, *_ in events),
                "left": control.live_handles() - handles,
                "false_drops": control.false_drops(),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]))
