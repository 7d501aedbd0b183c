"""A standard token endpoint, as somebody's backend: what `test_token_source.py` has a web server serve.

The LiveKit server's address, key and secret come from the environment, and so does the password that it asks for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from google.protobuf.json_format import ParseDict
from livekit.protocol.room import RoomConfiguration
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from livekit_trio import api

if TYPE_CHECKING:
    from starlette.requests import Request


async def token(request: Request) -> Response:
    if request.headers.get("authorization") != os.environ["ENDPOINT_PASSWORD"]:
        return PlainTextResponse("nobody let you in", 403)
    said = await request.json()
    builder = api.AccessToken(os.environ["LIVEKIT_API_KEY"], os.environ["LIVEKIT_API_SECRET"])
    builder.with_identity(said.get("participant_identity", "anybody")).with_name(said.get("participant_name", ""))
    builder.with_metadata(said.get("participant_metadata", ""))
    builder.with_attributes(said.get("participant_attributes", {}))
    if "room_config" in said:
        builder.with_room_config(ParseDict(said["room_config"], RoomConfiguration()))
    builder.with_grants(api.VideoGrants(room_join=True, room=said.get("room_name", "anywhere")))
    made = {"server_url": os.environ["LIVEKIT_URL"], "participant_token": builder.to_jwt()}
    return JSONResponse(made, 201)


app = Starlette(routes=[Route("/token", token, methods=["POST"])])
