"""The command line, ``livekit-trio``. It needs the extra ``cli``."""

from __future__ import annotations

import logging
import sys

from .._errors import LiveKitError
from ._leaves import leaves


def main() -> None:
    """Run the command that `sys.argv` names."""
    try:
        from ._app import app
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package not in {"rich", "typer"}:
            raise
        sys.exit(f"livekit-trio: the command line needs {package}: pip install 'livekit-trio[cli]'")
    # What the native library warns about is said by the errors; without a handler Python would print it.
    logging.getLogger("livekit_trio").addHandler(logging.NullHandler())
    errors: list[str] = []
    try:
        app()
    except* LiveKitError as group:
        errors += map(str, leaves(group))
    if errors:
        sys.exit("\n".join(f"livekit-trio: {error}" for error in errors))
