"""``livekit-trio publish``: a media file into a room."""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import trio
import typer
from rich.console import Console

from .. import rtc
from ._joining import Joining, joining


@joining
async def publish(
    where: Joining,
    file: Annotated[Path, typer.Argument(help="A file with sound, pictures or both.", exists=True)],
    loop: Annotated[bool, typer.Option(help="Begin again at its end.")] = False,
    wait: Annotated[bool, typer.Option(help="Begin when somebody has subscribed.")] = False,
) -> None:
    """Play a media file into a room at its own pace, until its end or Ctrl-C."""
    console = Console()
    async with AsyncExitStack() as scopes:
        try:
            media = await scopes.enter_async_context(rtc.MediaFileSource(file, loop=loop))
        except (OSError, ValueError) as error:
            raise rtc.OperationError(f"cannot play {file}: {error}") from error
        room = await scopes.enter_async_context(where.open_room())
        publications: list[rtc.LocalTrackPublication] = []
        for track, source in (
            (media.audio_track, rtc.TrackSource.SOURCE_MICROPHONE),
            (media.video_track, rtc.TrackSource.SOURCE_CAMERA),
        ):
            if track is not None:
                scope = room.local_participant.published_track(track, rtc.TrackPublishOptions(source=source))
                publications.append(await scopes.enter_async_context(scope))
        kinds = " and ".join(publication.kind.name.removeprefix("KIND_").lower() for publication in publications)
        console.print(f"{file}: playing {kinds} into {room.name} as {room.local_participant.identity}", soft_wrap=True)

        async def end_with_room() -> None:
            console.print(f"The room has ended: {(await room.wait_closed()).name}")
            playing.cancel_scope.cancel()

        async with trio.open_nursery() as playing:
            playing.start_soon(end_with_room)
            with suppress(rtc.RoomClosedError):  # which `end_with_room` tells of
                if wait:
                    await publications[0].wait_for_subscription()
                media.resume()
                await media.wait_ended()
                playing.cancel_scope.cancel()
