"""The mixer: adds up, waits for no silent input, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING

import anyio
import numpy as np
import pytest

from livekit_trio import rtc
from livekit_trio.rtc import AudioFrame

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

RATE = 1000
"""Blocks of ten samples, so that the sums can be seen."""

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


def constant(value: int, samples: int = 10, channels: int = 1) -> AudioFrame:
    return AudioFrame.from_ndarray(np.full((samples, channels), value, np.int16), RATE)


def mixer(**options: int) -> rtc.AudioMixer:
    return rtc.AudioMixer(RATE, 1, **{"blocksize": 10, **options})


async def frames(*values: int, pause: float = 0.01, then: float = 0) -> AsyncGenerator[AudioFrame]:  # noqa: ASYNC900 - inputs of any kind are mixed
    """A frame every *pause* seconds, and *then* another pause before the end."""
    for value in values:
        yield constant(value)
        await anyio.sleep(pause)
    await anyio.sleep(then)


class Endless:
    """An input that never ends; it says how often it was read, and whether it is being read."""

    def __init__(self, value: int, pause: float = 0.01) -> None:
        self.value, self.pause, self.readers, self.read = value, pause, 0, 0

    def __aiter__(self) -> Endless:
        return self

    async def __anext__(self) -> AudioFrame:
        self.readers += 1
        try:
            await anyio.sleep(self.pause if self.read else 0)
        finally:
            self.readers -= 1
        self.read += 1
        return constant(self.value)


async def read(mixing: rtc.AudioMixer, count: int) -> list[int]:
    """The first sample of each of the next frames."""
    return [(await mixing.receive()).data[0] for _ in range(count)]


async def test_inputs_are_added_up_until_all_have_ended() -> None:
    async with mixer() as mixing:
        mixing.add_stream(frames(1, 2, 3))
        mixing.add_stream(frames(10, 20, 30, 40))
        mixing.end_input()
        output = [frame async for frame in mixing]
    assert [frame.data[0] for frame in output] == [11, 22, 33, 40]
    assert {(frame.sample_rate, frame.num_channels, frame.samples_per_channel) for frame in output} == {(RATE, 1, 10)}


async def test_what_is_too_loud_is_clipped() -> None:
    async with mixer() as mixing:
        for value in (30_000, 20_000):
            mixing.add_stream(frames(value, -value))
        mixing.end_input()
        assert [frame.data[0] async for frame in mixing] == [32_767, -32_768]


async def test_frames_of_any_size_are_cut_to_blocks_and_the_rest_is_padded() -> None:
    async def uneven() -> AsyncGenerator[AudioFrame]:  # noqa: ASYNC900 - inputs of any kind are mixed
        for size in (3, 11, 1, 8):
            yield constant(5, size)

    async with mixer() as mixing:
        mixing.add_stream(uneven())
        mixing.end_input()
        output = [list(frame.data) async for frame in mixing]
    assert output == [[5] * 10, [5] * 10, [5] * 3 + [0] * 7]


async def test_a_silent_input_is_waited_for_once() -> None:
    start = anyio.current_time()
    silent = Endless(1000, pause=1000)
    async with mixer() as mixing:
        mixing.add_stream(silent)
        mixing.add_stream(Endless(7))
        assert await read(mixing, 100) == [1007] + [7] * 99
    # The timeout of 0.1 s has cost latency once, and no throughput.
    assert anyio.current_time() - start == pytest.approx(0.99, abs=0.02)


async def test_an_input_that_was_silent_is_heard_again() -> None:
    async def coming_back() -> AsyncGenerator[AudioFrame]:  # noqa: ASYNC900 - inputs of any kind are mixed
        yield constant(100)
        await anyio.sleep(1)
        for _ in range(50):
            yield constant(100)
            await anyio.sleep(0.01)

    async with mixer() as mixing:
        mixing.add_stream(coming_back())
        mixing.add_stream(Endless(1))
        values = await read(mixing, 140)
    assert values[0] == 101
    assert values[1:85] == [1] * 84
    assert values[110:] == [101] * 30


async def test_silence_everywhere_gives_no_frames() -> None:
    async with mixer() as mixing:
        mixing.add_stream(Endless(1, pause=100))
        assert await read(mixing, 1) == [1]
        with anyio.move_on_after(50) as waiting:
            await mixing.receive()
        assert waiting.cancelled_caught
        assert await read(mixing, 1) == [1]


async def test_after_the_end_of_input_a_lost_stream_does_not_hold_the_mix_up() -> None:
    start = anyio.current_time()
    async with mixer() as mixing:
        mixing.add_stream(frames(1, then=1000))
        mixing.end_input()
        assert [frame.data[0] async for frame in mixing] == [1]
    assert anyio.current_time() - start == pytest.approx(1.0, abs=0.02)


async def test_inputs_come_and_go() -> None:
    one, two = Endless(1), Endless(10)
    async with mixer() as mixing:
        mixing.add_stream(one)
        assert await read(mixing, 2) == [1, 1]
        mixing.add_stream(two)
        mixing.add_stream(two)
        assert (await read(mixing, 3))[-1] == 11
        mixing.remove_stream(one)
        mixing.remove_stream(one)
        assert (await read(mixing, 3))[-1] == 10
        await anyio.wait_all_tasks_blocked()
        assert (one.readers, two.readers) == (0, 1)
    assert two.readers == 0


async def test_an_input_is_not_read_further_ahead_than_the_capacity() -> None:
    busy = Endless(1, pause=0)
    async with mixer(capacity=5) as mixing:
        mixing.add_stream(busy)
        await anyio.wait_all_tasks_blocked()
        ahead = busy.read
        assert ahead == 6  # one more is in hand
        assert await read(mixing, 20) == [1] * 20
        await anyio.wait_all_tasks_blocked()
        assert busy.read - 20 == ahead


async def test_what_an_input_raises_comes_out_and_the_others_go_on() -> None:
    async def failing() -> AsyncGenerator[AudioFrame]:  # noqa: ASYNC900 - inputs of any kind are mixed
        yield constant(1)
        raise OSError("the microphone is gone")

    async with mixer() as mixing:
        mixing.add_stream(failing())
        mixing.add_stream(Endless(10))
        with pytest.raises(OSError, match="microphone"):
            await read(mixing, 5)
        assert (await read(mixing, 3))[-1] == 10


async def test_other_rates_and_channels_are_refused() -> None:
    async def stereo() -> AsyncGenerator[AudioFrame]:  # noqa: ASYNC900 - inputs of any kind are mixed
        yield AudioFrame.create(RATE, 2, 10)

    async with contextlib.aclosing(stereo()) as other, mixer() as mixing:
        mixing.add_stream(other)
        with pytest.raises(ValueError, match="cannot mix"):
            await mixing.receive()


async def test_one_reader_at_a_time_and_only_inside_the_block() -> None:
    mixing = mixer()
    with pytest.raises(rtc.StreamClosedError, match="once it is entered"):
        mixing.add_stream(frames(1))
    with pytest.raises(rtc.StreamClosedError, match="once it is entered"):
        await mixing.receive()

    async def wait_in_vain() -> None:
        with pytest.raises(rtc.StreamClosedError, match="was closed"):
            await mixing.receive()

    async with mixing, anyio.create_task_group() as tasks:
        tasks.start_soon(wait_in_vain)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(rtc.StreamBusyError):
            await mixing.receive()
        await mixing.aclose()
        await mixing.aclose()
        with pytest.raises(rtc.StreamClosedError, match="closed"):
            mixing.add_stream(frames(1))
    with pytest.raises(rtc.StreamClosedError, match="entered once"):
        async with mixing:
            pass


async def test_no_stream_is_added_after_the_end_of_input() -> None:
    async with mixer() as mixing:
        mixing.end_input()
        with pytest.raises(ValueError, match="end_input"):
            mixing.add_stream(frames(1))
        with pytest.raises(rtc.EndOfStream):
            await mixing.receive()


async def test_the_body_s_error_leaves_as_it_is_and_nothing_is_left() -> None:
    endless = Endless(1)
    error = OSError("of the body")
    with pytest.raises(OSError) as caught:  # noqa: PT011
        async with mixer() as mixing:
            mixing.add_stream(endless)
            await read(mixing, 3)
            raise error
    assert caught.value is error
    assert endless.readers == 0


async def test_a_cancelled_read_loses_nothing() -> None:
    async def counting() -> AsyncGenerator[AudioFrame]:  # noqa: ASYNC900 - inputs of any kind are mixed
        for number in itertools.count():
            yield constant(number)
            await anyio.sleep(0.01)

    values: list[int] = []
    async with mixer() as mixing:
        mixing.add_stream(counting())
        for _ in range(300):
            with anyio.move_on_after(0.003):
                values += await read(mixing, 1)
    assert values == list(range(len(values)))
    assert len(values) > 50


@pytest.mark.parametrize(
    "options", [{"blocksize": -1}, {"stream_timeout_ms": 0}, {"capacity": 0}, {"blocksize": 2**40}]
)
async def test_numbers_have_bounds(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be from"):
        mixer(**options)
