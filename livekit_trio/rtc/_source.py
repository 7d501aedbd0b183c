"""What audio and video sources have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import anyio.lowlevel

from .._errors import SourceClosedError

if TYPE_CHECKING:
    from types import TracebackType

    from .._ffi._objects import NativeObject
    from ._enums import TrackKind


class Source:
    """Where the media of a local track comes from. It belongs to no room and no event loop."""

    kind: ClassVar[TrackKind]

    def __init__(self, native: NativeObject) -> None:
        self._native = native

    @property
    def closed(self) -> bool:
        """Whether the source was closed."""
        return self._native.closed

    def close(self) -> None:
        """Let go of the native source; idempotent, from any thread. The last reference does the same.

        Tracks of this source stay published, and send nothing any more.
        """
        self._native.close()

    async def aclose(self) -> None:
        """Do what `close` does, then let other tasks run.

        Cancellation:
            The source is closed in any case.
        """
        self.close()
        await anyio.lowlevel.checkpoint()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _opened(self) -> NativeObject:
        if self._native.closed:
            raise SourceClosedError
        return self._native


def native_of(source: Source) -> NativeObject:
    """The native source, for the modules of this package.

    Raises:
        SourceClosedError: it was closed.
    """
    return source._opened()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - there for tracks
