"""What can go wrong before a local server answers."""

from __future__ import annotations

from typing_extensions import override

from .._errors import LiveKitError


class ServerNotFoundError(LiveKitError):
    """There is no livekit-server here and none could be built.

    Attributes:
        attempts: where it was looked for and why that did not help, as (place, reason) pairs.
    """

    def __init__(self, attempts: tuple[tuple[str, str], ...]) -> None:
        super().__init__(attempts)
        self.attempts = attempts

    @override
    def __str__(self) -> str:
        tried = "".join(f"\n  {place}: {reason}" for place, reason in self.attempts)
        return (
            f"no livekit-server was found or could be built{tried}\n"
            "Install livekit-server 1.13 and put it on PATH, or name the file in LIVEKIT_SERVER; "
            "or let it be built here, which needs the network and Go 1.26 or newer (or pip or uv, to fetch Go)."
        )


class ServerStartError(LiveKitError):
    """The server did not start, or ended before it answered.

    Attributes:
        returncode: its exit status; None if it was still running, but silent, when the time was up.
        output: the end of what it printed.
    """

    def __init__(self, returncode: int | None, output: str) -> None:
        super().__init__(returncode, output)
        self.returncode = returncode
        self.output = output

    @property
    def port_taken(self) -> bool:
        """Whether another program listens on one of its ports. The server's exit status does not tell: it is 0 then."""
        return "address already in use" in self.output

    @override
    def __str__(self) -> str:
        what = "did not answer in time" if self.returncode is None else f"ended with status {self.returncode}"
        return f"livekit-server {what}:\n{self.output}"
