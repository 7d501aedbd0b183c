"""The values around data tracks: frames, schemas, encodings."""

from __future__ import annotations

import enum

import attrs


class DataTrackSchemaEncoding(enum.Enum):
    """In what language a schema is written; a text stands for one that is not among these."""

    PROTOBUF = 1
    FLATBUFFER = 2
    ROS1_MSG = 3
    ROS2_MSG = 4
    ROS2_IDL = 5
    OMG_IDL = 6
    JSON_SCHEMA = 7


class DataTrackFrameEncoding(enum.Enum):
    """How the frames of a data track are encoded; a text stands for an encoding that is not among these."""

    ROS1 = 1
    CDR = 2
    PROTOBUF = 3
    FLATBUFFER = 4
    CBOR = 5
    MSGPACK = 6
    JSON = 7


@attrs.frozen
class DataTrackSchema:
    """The name of a schema, which says what is in the frames of a data track.

    Attributes:
        name: its name.
        encoding: in what language it is written; None if nobody says.
    """

    name: str
    encoding: DataTrackSchemaEncoding | str | None = None


@attrs.frozen
class DataTrackFrame:
    """One frame of a data track.

    Attributes:
        payload: the data.
        user_timestamp: a number of its sender's, such as a time; None if there is none.
    """

    payload: bytes
    user_timestamp: int | None = None
