"""The lock of the Python implementations: finalisers in the middle of a step, effects, and forked children."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from livekit_trio._ffi._py_steps import Steps


def test_a_step_inside_a_step_is_put_off() -> None:
    """As when the garbage collector runs a finaliser while a step allocates."""
    steps, order = Steps(), list[str]()

    def outer() -> None:
        order.append("outer begins")
        steps.run(order.append, "finaliser")
        steps.run(steps.run, order.append, "finaliser's own")
        order.append("outer ends")

    steps.run(outer)
    assert order == ["outer begins", "outer ends", "finaliser", "finaliser's own"]


def test_effects_run_in_order_without_the_lock() -> None:
    steps, order = Steps(), list[str]()

    def effect(name: str) -> None:
        thread = threading.Thread(target=steps.run, args=[order.append, f"other thread after {name}"])
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
        order.append(name)

    def step() -> None:
        steps.afterwards(effect, "first")
        steps.afterwards(effect, "second")
        order.append("step")

    steps.run(step)
    assert order == ["step", "other thread after first", "first", "other thread after second", "second"]


def test_the_effects_of_what_was_put_off_run_once_too() -> None:
    steps, order = Steps(), list[str]()

    def outer() -> None:
        steps.run(steps.afterwards, order.append, "effect")
        assert order == []

    steps.run(outer)
    assert order == ["effect"]


def test_an_effect_that_raises_keeps_none_of_the_others() -> None:
    steps, order = Steps(), list[str]()

    def raises() -> None:
        raise RuntimeError("the loop is closed")

    def step() -> None:
        steps.afterwards(raises)
        steps.afterwards(order.append, "still done")

    with pytest.raises(RuntimeError, match="the loop is closed"):
        steps.run(step)
    assert order == ["still done"]
    assert steps.ask(lambda: 5) == 5


def test_a_step_that_raises_lets_the_lock_go() -> None:
    steps = Steps()

    def raises() -> None:
        raise ValueError("closed")

    with pytest.raises(ValueError, match="closed"):
        steps.run(raises)
    assert steps.ask(int, "7") == 7


def test_nothing_runs_once_stopped_not_even_with_the_lock_taken() -> None:
    steps, order = Steps(), list[str]()
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        let_go.wait(10)

    thread = threading.Thread(target=steps.run, args=[hold])  # in a forked child this thread does not exist any more
    thread.start()
    held.wait(10)
    steps.stop()
    steps.run(order.append, "never")
    let_go.set()
    thread.join()
    assert order == []


PROGRAM = """
import signal
import trio
from livekit_trio._ffi._py_steps import Steps

steps = Steps()

def step():
    signal.raise_signal(signal.SIGINT)
    print("step")

async def main():
    steps.run(step)
    await trio.sleep_forever()

try:
    trio.run(main)
except KeyboardInterrupt:
    print("interrupt")
"""


def test_ctrl_c_comes_after_a_step() -> None:
    """On Trio it is raised in the main task, wherever that is."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["step", "interrupt"]
