"""One method of a service, as a row of the table in `_rpcs`: what it needs and what may be done with it."""

from __future__ import annotations

import enum
import functools
import importlib
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

import attrs

from ._grants import SIPGrants, VideoGrants

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    Request = TypeVar("Request", bound=Message)
    Response = TypeVar("Response", bound=Message)
else:
    Request = TypeVar("Request")
    Response = TypeVar("Response")

RING_WINDOW: Final = 30
"""Seconds that a phone rings if the request does not say; the SIP service's default, and that of LiveKit's own SDKs."""


class Rings(enum.Enum):
    """When the answer waits for somebody to answer a phone."""

    NEVER = enum.auto()
    ALWAYS = enum.auto()
    IF_ASKED = enum.auto()
    """If the request's ``wait_until_answered`` is set."""


@attrs.frozen(kw_only=True)
class Needs:
    """The grants that a call needs; its token has these and no others."""

    video: tuple[str, ...] = ()
    """The fields of `VideoGrants` that are true."""
    room: str | None = None
    """The request's field that names the room that the grants are for."""
    destination_room: str | None = None
    """The request's field that names the room to which somebody is sent."""
    sip: tuple[str, ...] = ()
    """The fields of `SIPGrants` that are true."""

    def video_grants(self, request: Message) -> VideoGrants | None:
        """What the token for *request* grants with rooms."""
        if not self.video:
            return None
        given: dict[str, Any] = dict.fromkeys(self.video, True)
        if self.room is not None:
            given["room"] = getattr(request, self.room)
        if self.destination_room is not None:
            given["destination_room"] = getattr(request, self.destination_room)
        return VideoGrants(can_publish=False, can_subscribe=False, can_publish_data=False, **given)

    def sip_grants(self) -> SIPGrants | None:
        """What the token grants with telephony."""
        return SIPGrants(**dict.fromkeys(self.sip, True)) if self.sip else None


@attrs.frozen
class Rpc(Generic[Request, Response]):
    """A method. The types of its request and response are those of the service's descriptor in livekit-protocol."""

    module: str
    """Of ``livekit.protocol``, where the service is described."""
    service: str
    name: str
    needs: Needs
    repeatable: bool = attrs.field(kw_only=True)
    """Whether carrying it out twice is as good as once, so that it may be sent again when nobody knows what became of it."""
    nonce: bool = attrs.field(default=False, kw_only=True)
    """Whether the request has a nonce, by which the receivers know a repetition."""
    rings: Rings = attrs.field(default=Rings.NEVER, kw_only=True)

    @property
    def path(self) -> str:
        return f"/twirp/livekit.{self.service}/{self.name}"

    def request_type(self) -> type[Request]:
        return _types(self.module, self.service, self.name)[0]

    def response_type(self) -> type[Response]:
        return _types(self.module, self.service, self.name)[1]

    def make_request(self, given: Request | None, fields: Mapping[str, Any]) -> Request:
        """The request of a call that was given a message or its fields.

        Raises:
            TypeError: it was given both, a message of another type, or a field with a value of another type.
            ValueError: a field is unknown or its value out of range.
        """
        kind = self.request_type()
        if given is None:
            return kind(**fields)
        if fields:
            raise TypeError(f"give either a {kind.__name__} or its fields, not both")
        if not isinstance(given, kind):
            raise TypeError(f"expected a {kind.__name__}, got a {type(given).__name__}")
        return given

    def ring_window(self, request: Message) -> float | None:
        """How many seconds the answer to *request* may wait for somebody to answer a phone; None: it does not."""
        asked: Any = request
        if self.rings is Rings.NEVER or (self.rings is Rings.IF_ASKED and not asked.wait_until_answered):
            return None
        if _rings_as_told(request) and request.HasField("ringing_timeout"):
            return cast("float", asked.ringing_timeout.ToTimedelta().total_seconds())
        return RING_WINDOW

    def complete(self, request: Request, make_nonce: Any) -> Request:
        """What is sent for *request*, which is the caller's and stays as it is.

        A nonce is added, and the ring window that the deadline counts on is spelled out: the server's default may change.
        """
        window = self.ring_window(request)
        pinned = window is not None and _rings_as_told(request)
        if not self.nonce and not pinned:
            return request
        sent: Any = self.request_type()()
        sent.CopyFrom(request)
        if self.nonce and not sent.nonce:
            sent.nonce = make_nonce()
        if pinned and not sent.HasField("ringing_timeout"):
            sent.ringing_timeout.seconds = RING_WINDOW
        return sent


def _rings_as_told(request: Message) -> bool:
    """Whether a request of this type can say how long the phone rings."""
    return "ringing_timeout" in request.DESCRIPTOR.fields_by_name


@functools.cache
def _types(module: str, service: str, name: str) -> tuple[Any, Any]:
    """The message classes of a method; importing them takes protobuf, so nobody does before the first call."""
    from google.protobuf.message_factory import GetMessageClass

    described: Any = importlib.import_module(f"livekit.protocol.{module}")
    method = described.DESCRIPTOR.services_by_name[service].methods_by_name[name]
    return GetMessageClass(method.input_type), GetMessageClass(method.output_type)
