"""What tests of media share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.media.fakes import Stage, staged
from tests.native.tools import has_compiler
from tests.rtc.conftest import nothing_left as nothing_left, peer as peer, room_name as room_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

collect_ignore = [] if has_compiler() else ["test_filters.py"]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A room of the fake library with bob in it. Once the test has let go of its frames nothing is left."""
    async with staged() as stage:
        yield stage
