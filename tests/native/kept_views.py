"""Views of received frames, kept after the stream, the frame and the loop's runtime have gone; for AddressSanitizer.

``native/tests/run`` starts it in a Python under AddressSanitizer: ``python -m tests.native.kept_views BRIDGE FAKE [planted]``, both
built with it. The C fake overwrites and frees what a dropped handle owns, and AddressSanitizer keeps that memory from being
used again: who reads too late is found out. Ends with 0 if all was readable and everything was freed. ``planted`` drops a handle
under a view, and reads it: that must be reported.
"""

from __future__ import annotations

import gc
import importlib.machinery
import importlib.util
import sys
import tempfile
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

import anyio

from livekit_trio import rtc
from livekit_trio._ffi._load import use_library
from livekit_trio._ffi._proto import FfiEvent
from livekit_trio.rtc._audio_stream import open_audio_stream
from livekit_trio.rtc._media_feed import follow_track
from livekit_trio.rtc._track import TrackFacts
from livekit_trio.rtc._video_stream import open_video_stream

from .fake_control import HANDLE, POINTER, FakeControl, Flood

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    Stream = rtc.AudioStream | rtc.VideoStream

FRESH: Final = b"\x11"
"""What the fake fills memory with; 0xDD when it is freed."""

TRACK: Final = TrackFacts(handle=1, sid="TR_fake", name="fake", kind=rtc.TrackKind.KIND_UNKNOWN)
"""The fake asks nothing of it."""

COUNT: Final = 64
WIDTH, HEIGHT, SAMPLES = 17, 9, 480


def check(condition: object, what: str) -> None:
    """`python -O` or not."""
    if not condition:
        sys.exit(f"FAILED: {what}")


class Stage:
    """The sanitized bridge over the sanitized fake, and what is open there."""

    def __init__(self, bridge: Path, fake: Path, folder: Path) -> None:
        loader = importlib.machinery.ExtensionFileLoader("livekit_trio._ffi._bridge", str(bridge))
        spec = importlib.util.spec_from_loader(loader.name, loader)
        check(spec, "the bridge cannot be loaded")
        module: Any = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        loader.exec_module(module)
        self.control = FakeControl(fake, folder / "libfake.so")
        entries = [self.control.address(f"livekit_ffi_{name}") for name in ("initialize", "request", "drop_handle")]
        self.library = module.load(str(self.control.path), *entries, "test", "0")

    def audio(self, capacity: int = COUNT) -> rtc.AudioStream:
        return open_audio_stream(
            follow_track(TRACK, None),
            sample_rate=48_000,
            num_channels=1,
            frame_size_ms=None,
            capacity=capacity,
            overflow="drop_oldest",
            noise_cancellation=None,
        )

    def video(self) -> rtc.VideoStream:
        return open_video_stream(
            follow_track(TRACK, None), format=None, capacity=COUNT, overflow="drop_oldest", processor=None
        )

    def start(self, frames: Stream, count: int = COUNT, per_second: int = 0) -> None:
        """Let frames come from a native thread."""
        if isinstance(frames, rtc.AudioStream):
            info = {"data_ptr": POINTER, "num_channels": 1, "sample_rate": 48_000, "samples_per_channel": SAMPLES}
            received = {"frame": {"handle": {"id": HANDLE}, "info": info}}
            memory = 2 * SAMPLES
        else:
            info = {"type": rtc.VideoBufferType.I420, "width": WIDTH, "height": HEIGHT, "data_ptr": POINTER}
            received = {"buffer": {"handle": {"id": HANDLE}, "info": info}, "timestamp_us": 1, "rotation": 0}
            memory = WIDTH * HEIGHT + 2 * ((WIDTH + 1) // 2) * ((HEIGHT + 1) // 2)
        native = frames._feed._native
        name = "audio_stream_event" if isinstance(frames, rtc.AudioStream) else "video_stream_event"
        fields: Any = {name: {"stream_handle": native and native.handle, "frame_received": received}}
        self.control.start_floods([Flood(FfiEvent(**fields).SerializeToString(), count, per_second, memory)])

    def check_freed(self, what: str) -> None:
        gc.collect()
        check(self.control.live_handles() == 0, f"{what}: {self.control.live_handles()} handles are left")
        check(self.control.false_drops() == 0, f"{what}: dropped twice")


def is_intact(view: Buffer) -> bool:
    """Copy it, which AddressSanitizer watches, and compare."""
    copied = bytes(view)
    return bool(copied) and copied.strip(FRESH) == b""


def views_of(frame: rtc.AudioFrame | rtc.VideoFrame) -> list[Any]:
    """One of each sort; each keeps the memory alive by itself."""
    if isinstance(frame, rtc.AudioFrame):
        return [frame.data, frame.data[7:300], memoryview(frame.data).cast("B"), frame.to_ndarray()]
    planes = frame.planes
    return [frame.data, planes[1].data, planes[0].to_ndarray(), planes[2].to_ndarray()[1:]]


async def kept_views(stage: Stage, kind: str) -> list[Any]:
    """Read some frames and keep one view of each; others wait unread when the stream is closed."""
    kept: list[Any] = []
    with stage.audio() if kind == "audio" else stage.video() as frames:
        stage.start(frames)
        for number in range(COUNT // 2):
            frame = await frames.receive()
            kept.append(views_of(frame)[number % 4])
            if number % 3 == 0:
                frame.close()
        stage.control.join_threads()
    return kept


def in_a_thread(act: Callable[[], Any]) -> None:
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


def keep(stage: Stage, kind: str) -> None:
    """Keep views after the stream and its loop's runtime, here and in another thread; let them die here and there."""
    kept = anyio.run(kept_views, stage, kind, backend="trio")
    gc.collect()
    check(stage.control.live_handles() == COUNT // 2, f"{kind}: not the memory of what is kept is left, and only that")
    check(all(map(is_intact, kept)), f"{kind}: a view that was kept has changed")
    here, there = kept[::2], kept[1::2]
    kept.clear()
    seen: list[bool] = []
    in_a_thread(lambda: seen.extend(map(is_intact, there)))
    check(seen == [True] * len(there), f"{kind}: a view that was kept has changed in another thread")
    in_a_thread(there.clear)
    check(stage.control.live_handles() == len(here), f"{kind}: what died in another thread was not freed")
    here.clear()
    stage.check_freed(kind)


async def hand_over(stage: Stage, queues: list[SimpleQueue[Any]]) -> None:
    with stage.audio(capacity=4) as frames:
        stage.start(frames, 2000, 5000)
        while stage.control.threads_running():
            with anyio.move_on_after(0.05):
                queues[frames.statistics().delivered % len(queues)].put((await frames.receive()).data)
        stage.control.join_threads()
    for queue in queues:
        queue.put(None)


def share(stage: Stage) -> None:
    """Let threads read and drop views while frames come, are dropped unread, and the stream is closed."""
    queues = [SimpleQueue[Any]() for _ in range(3)]
    good = [0] * len(queues)

    def read(number: int) -> None:
        while (view := queues[number].get()) is not None:
            good[number] += is_intact(view)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(len(queues))]
    for thread in threads:
        thread.start()
    anyio.run(hand_over, stage, queues, backend="trio")
    for thread in threads:
        thread.join()
    check(min(good) > 0, f"the threads saw {good} whole frames")
    stage.check_freed("threads")


def plant(stage: Stage) -> None:
    """Read a view whose handle somebody else has dropped."""
    handle = stage.control.new_handle(FRESH * 64)
    view = memoryview(stage.library.buffer(handle, stage.control.memory(handle), 64))
    stage.library.drop(handle)
    print("read", bytes(view)[:1])  # noqa: T201


def main(bridge: str, fake: str, planted: str = "") -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(bridge), Path(fake), Path(folder))
        with use_library(stage.library):
            if planted:
                plant(stage)
                return
            keep(stage, "audio")
            keep(stage, "video")
            share(stage)


if __name__ == "__main__":
    main(*sys.argv[1:])
