"""Text and byte streams that others send in a `FakeRoom`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._fake_library import FakeLibrary


@final
@attrs.frozen
class FakeInflow:
    """One stream of somebody else's, see `FakeRoom.open_stream`.

    Attributes:
        library: where it comes from.
        kind: ``text`` or ``byte``.
        reader: the handle of its native reader.
    """

    library: FakeLibrary
    kind: str
    reader: int

    def send(self, content: str | bytes) -> None:
        """Let a chunk arrive."""
        self._emit(chunk_received={"content": content})

    def end(self, error: str | None = None, attributes: Mapping[str, str] | None = None) -> None:
        """Let its end arrive, or what is wrong with it, in the native library's words."""
        eos: dict[str, Any] = {"attributes": dict(attributes or {})}
        if error is not None:
            eos["error"] = {"description": error}
        self._emit(eos=eos)

    def _emit(self, **detail: Any) -> None:
        self.library.emit(**{f"{self.kind}_stream_reader_event": {"reader_handle": self.reader, **detail}})
