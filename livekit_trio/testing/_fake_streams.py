"""Text and byte streams that others send in a `FakeRoom`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._fake_library import FakeLibrary


@final
@attrs.define(eq=False)
class FakeInflow:
    """One stream of somebody else's, see `FakeRoom.open_stream`.

    As natively, what comes of it is kept until it is read; unlike there it is forgotten with its reader.

    Attributes:
        library: where it comes from.
        kind: ``text`` or ``byte``.
        reader: the handle of its native reader.
    """

    library: FakeLibrary
    kind: str
    reader: int
    _kept: list[dict[str, Any]] | None = attrs.field(factory=list[dict[str, Any]], init=False)

    def send(self, content: str | bytes) -> None:
        """Let a chunk arrive."""
        self._emit(chunk_received={"content": content})

    def end(self, error: str | None = None, attributes: Mapping[str, str] | None = None) -> None:
        """Let its end arrive, or what is wrong with it, in the native library's words."""
        eos: dict[str, Any] = {"attributes": dict(attributes or {})}
        if error is not None:
            eos["error"] = {"description": error}
        self._emit(eos=eos)

    def on_read(self) -> None:
        """`text_read_incremental` or `byte_read_incremental`: send what was kept, and then all that comes."""
        kept, self._kept = self._kept, None
        for detail in kept or ():
            self._emit(**detail)

    def _emit(self, **detail: Any) -> None:
        if self._kept is not None:
            self._kept.append(detail)
        else:
            self.library.emit(**{f"{self.kind}_stream_reader_event": {"reader_handle": self.reader, **detail}})
