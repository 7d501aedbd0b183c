"""Options of the form NAME=VALUE."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable


def pairs(texts: Iterable[str] | None) -> list[tuple[str, str]]:
    """Take each text apart at its first equals sign.

    Raises:
        typer.BadParameter: it has none.
    """
    return [_pair(text) for text in texts or ()]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value
