"""The enums: those of the protocol, and open for its future."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from livekit_trio import rtc
from livekit_trio._ffi import _proto as native
from livekit_trio.rtc import stats
from livekit_trio.rtc._enums import OpenEnum

SHOWN = [getattr(module, name) for module in (rtc, stats) for name in dir(module)]
ENUMS = [value for value in SHOWN if isinstance(value, type) and issubclass(value, OpenEnum)]


def test_all_are_exported() -> None:
    assert {enum.__name__ for enum in ENUMS} == {enum.__name__ for enum in OpenEnum.__subclasses__()}


@pytest.mark.parametrize("enum", ENUMS)
def test_names_and_numbers_are_those_of_the_native_library(enum: type[OpenEnum]) -> None:
    ours = {name: member.value for name, member in enum.__members__.items()}
    if enum is rtc.ConnectionQuality:
        assert ours.pop("QUALITY_UNKNOWN") == -1  # the official SDK's, for what was not reported yet
    if enum is rtc.DegradationPreference:  # the official SDK's names, which are shorter
        ours = {f"DEGRADATION_PREFERENCE_{name}": number for name, number in ours.items()}
    of_native: Any = (
        native.DataStream.OperationType if enum is rtc.TextStreamOperation else getattr(native, enum.__name__)
    )
    assert ours == dict(of_native.items())


def test_a_number_of_the_future_is_a_member_too() -> None:
    future = rtc.TrackKind(17)
    assert (future.name, future.value, repr(future), future.is_known) == (
        "UNKNOWN_17",
        17,
        "<TrackKind.UNKNOWN_17: 17>",
        False,
    )
    assert future == rtc.TrackKind(17) == 17
    assert {future: 1}[rtc.TrackKind(17)] == 1
    assert future not in list(rtc.TrackKind)
    for again in (pickle.loads(pickle.dumps(future)), copy.deepcopy(future)):
        assert (again, again.name) == (future, "UNKNOWN_17")
    assert rtc.TrackKind.KIND_AUDIO.is_known


def test_what_is_no_number_is_no_member() -> None:
    with pytest.raises(ValueError, match="not a valid TrackKind"):
        rtc.TrackKind("KIND_AUDIO")
