"""AudioMixer: one stream of sound out of many."""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Self, final

import anyio
import anyio.lowlevel
import attrs
from typing_extensions import override

from .._errors import EndOfStream, StreamBusyError, StreamClosedError
from ._audio_frame import MAX_CHANNELS, MAX_RATE, UINT32_MAX, AudioFrame
from ._services import open_services
from ._validators import check_integer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from anyio.abc import TaskGroup
    from numpy.typing import NDArray

MAX_BLOCK: Final = 1 << 22

PATIENCE: Final = 10
"""For how many timeouts an input may be silent once `AudioMixer.end_input` was called; then it counts as ended."""


@attrs.define(eq=False)
class _Input:
    """One stream and what was read of it ahead of the mix."""

    stream: AsyncIterable[AudioFrame]
    heard_at: float
    """When its last frame came, by the loop's clock."""
    blocks: deque[NDArray[Any]] = attrs.field(factory=deque["NDArray[Any]"])
    samples: int = 0
    ended: bool = False
    taken: anyio.Event = attrs.field(factory=anyio.Event)
    """Set when the mix has taken something."""
    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)

    def put(self, samples: NDArray[Any], now: float) -> None:
        self.blocks.append(samples)
        self.samples += len(samples)
        self.heard_at = now

    def take_into(self, block: NDArray[Any]) -> None:
        """Add the oldest samples to *block*: as many as it holds, or as there are."""
        filled = 0
        while filled < len(block) and self.blocks:
            piece = self.blocks.popleft()
            wanted = len(block) - filled
            if len(piece) > wanted:
                self.blocks.appendleft(piece[wanted:])
                piece = piece[:wanted]
            block[filled : filled + len(piece)] += piece
            filled += len(piece)
        self.samples -= filled
        self.taken.set()
        self.taken = anyio.Event()


@final
class AudioMixer(anyio.AsyncContextManagerMixin):
    """Adds up streams of sound, all of one sample rate and number of channels.

    ::

        async with rtc.AudioMixer(48_000, 1) as mixer:
            mixer.add_stream(one)
            mixer.add_stream(other)
            async for frame in mixer:
                await source.capture_frame(frame)

    The inputs set the pace: a frame is ready once every input has enough for it. An input that has been silent for
    *stream_timeout_ms* is not waited for until it is heard again. What is too loud is clipped.

    Args:
        sample_rate: of inputs and output, in Hz.
        num_channels: of inputs and output.
        blocksize: samples of each frame that comes out; 0: 100 ms of them.
        stream_timeout_ms: how long a silent input is waited for, in milliseconds.
        capacity: how many frames are read ahead of each input at most.

    Raises:
        TypeError, ValueError: a number is no int, or too small.

    Backpressure:
        An input is not read while *capacity* frames of it wait: it then drops or waits as it does for any slow reader.

    Concurrency:
        One task reads at a time. `add_stream` and the like are called on the same loop.

    Cancellation:
        Leaving the block cancels the tasks that read the inputs; the inputs stay open, and are their owner's to close.
    """

    def __init__(
        self,
        sample_rate: int,
        num_channels: int,
        *,
        blocksize: int = 0,
        stream_timeout_ms: int = 100,
        capacity: int = 100,
    ) -> None:
        check_integer("sample_rate", sample_rate, 10, MAX_RATE)
        check_integer("num_channels", num_channels, 1, MAX_CHANNELS)
        check_integer("blocksize", blocksize, 0, MAX_BLOCK)
        check_integer("stream_timeout_ms", stream_timeout_ms, 1, UINT32_MAX)
        check_integer("capacity", capacity, 1, UINT32_MAX)
        self._sample_rate = sample_rate
        self._num_channels = num_channels
        self._block = blocksize or sample_rate // 10
        self._timeout = stream_timeout_ms / 1000
        self._limit = capacity * self._block
        self._inputs: dict[AsyncIterable[AudioFrame], _Input] = {}
        self._failed: deque[Exception] = deque()
        self._ending = False
        self._tasks: TaskGroup | None = None
        self._closed = False
        self._wake: anyio.Event | None = None

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        if self._tasks is not None or self._closed:
            raise StreamClosedError("a mixer is entered once; make another one")
        async with open_services() as self._tasks:
            try:
                yield self
            finally:
                self._close()

    def add_stream(self, stream: AsyncIterable[AudioFrame]) -> None:
        """Mix another stream in, from now on; nothing happens if it is an input already.

        Args:
            stream: what yields its frames, such as a track's stream. A task of the mixer's iterates over it until it ends.

        Raises:
            StreamClosedError: the mixer is closed, or not entered yet.
            ValueError: `end_input` was called before.
        """
        tasks = self._open()
        if self._ending:
            raise ValueError("no stream can be added after end_input()")
        if stream not in self._inputs:
            source = self._inputs[stream] = _Input(stream, anyio.current_time())
            tasks.start_soon(self._feed, source)
            self._notify()

    def remove_stream(self, stream: AsyncIterable[AudioFrame]) -> None:
        """Mix a stream in no longer and forget what was read of it; nothing happens if it is no input."""
        source = self._inputs.pop(stream, None)
        if source is not None:
            source.scope.cancel()
            self._notify()

    def end_input(self) -> None:
        """Say that no more streams will be added: the mix ends with the last of them.

        An input that is silent for ten times the timeout is dropped from now on.
        """
        self._ending = True
        self._notify()

    async def receive(self) -> AudioFrame:
        """Return the next frame of the mix, waiting for one if need be.

        Raises:
            EndOfStream: `end_input` was called, and all inputs have ended.
            StreamClosedError: the mixer is closed, or not entered yet.
            StreamBusyError: another task is in this method.
            ValueError: an input's frame has another sample rate or other channels; that input is removed.
            Exception: whatever an input has raised; it is removed.

        Cancellation:
            Nothing is lost: the next call returns what this one would have.
        """
        self._open()
        if self._wake is not None:
            raise StreamBusyError
        await anyio.lowlevel.checkpoint()
        while True:
            self._open()
            if self._failed:
                raise self._failed.popleft()
            self._drop_what_has_ended()
            if self._ending and not self._inputs:
                raise EndOfStream
            awaited = self._awaited()
            if not awaited and any(source.samples for source in self._inputs.values()):
                return self._mix()
            await self._wait(min((source.heard_at for source in awaited), default=None))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AudioFrame:
        try:
            return await self.receive()
        except EndOfStream:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Stop mixing; idempotent. The inputs stay open.

        Cancellation:
            The mixer is closed in any case.
        """
        self._close()
        await anyio.lowlevel.checkpoint()

    @override
    def __repr__(self) -> str:
        return f"<rtc.AudioMixer of {len(self._inputs)} inputs, {self._sample_rate} Hz, {self._num_channels} channels>"

    # ---- the inputs

    async def _feed(self, source: _Input) -> None:  # noqa: ASYNC910 - a service task, or a step of one
        with source.scope:
            try:
                async for frame in source.stream:
                    samples = self._samples_of(frame)
                    while source.samples >= self._limit:
                        await source.taken.wait()
                    source.put(samples, anyio.current_time())
                    self._notify()
            except Exception as error:  # noqa: BLE001 - for the reader, who asked for this input
                self._failed.append(error)
        source.ended = True
        self._notify()

    def _samples_of(self, frame: AudioFrame) -> NDArray[Any]:
        if (frame.sample_rate, frame.num_channels) != (self._sample_rate, self._num_channels):
            raise ValueError(f"{self!r} cannot mix {frame!r}")
        return frame.to_ndarray()

    def _drop_what_has_ended(self) -> None:
        deadline = anyio.current_time() - PATIENCE * self._timeout
        for stream, source in list(self._inputs.items()):
            lost = self._ending and source.heard_at <= deadline
            if not source.samples and (source.ended or lost):
                self.remove_stream(stream)

    def _awaited(self) -> list[_Input]:
        """The inputs that have not enough yet, and were heard lately."""
        since = anyio.current_time() - self._timeout
        return [
            source
            for source in self._inputs.values()
            if source.samples < self._block and not source.ended and source.heard_at > since
        ]

    # ---- the mix

    def _mix(self) -> AudioFrame:
        import numpy as np

        mixed = np.zeros((self._block, self._num_channels), np.int32)
        for source in self._inputs.values():
            source.take_into(mixed)
        return AudioFrame.from_ndarray(np.clip(mixed, -32768, 32767).astype(np.int16), self._sample_rate)

    async def _wait(self, heard_at: float | None) -> None:
        """Wait until something has changed, or one more input counts as silent, or as lost."""
        if heard_at is None and self._ending:
            heard_at = min((source.heard_at for source in self._inputs.values()), default=None)
            patience = PATIENCE * self._timeout
        else:
            patience = self._timeout
        self._wake = anyio.Event()
        try:
            with anyio.CancelScope(deadline=float("inf") if heard_at is None else heard_at + patience):
                await self._wake.wait()
        finally:
            self._wake = None

    def _notify(self) -> None:
        if self._wake is not None:
            self._wake.set()

    def _open(self) -> TaskGroup:
        if self._closed:
            raise StreamClosedError("this mixer was closed")
        if self._tasks is None:
            raise StreamClosedError("a mixer works once it is entered: use `async with rtc.AudioMixer(...) as mixer`")
        return self._tasks

    def _close(self) -> None:
        self._closed = True
        for stream in list(self._inputs):
            self.remove_stream(stream)
        self._notify()
