"""What courier and dock say to each other: msgpack behind a u32 length, little-endian, over one connection."""

from __future__ import annotations

import asyncio
import re
import struct

import msgspec

from freehold.core.errors import BadRequest

PARCEL_BYTES = 1 << 20
"""Most bytes of a journal in one message."""
JOIN_BYTES = 4 << 10
"""Longest message of somebody who has not shown a token yet."""
MAX_MESSAGE = 256 << 20
EPOCH = re.compile(r"[0-9a-f]{32}")
"""What an epoch of a gateway is called: it becomes the name of a folder."""
SNAPSHOT = re.compile(r"[a-z][a-z_]*\.snapshot")
_LENGTH = struct.Struct("<I")


class Join(msgspec.Struct, frozen=True, tag="join"):
    """First of all: a replica's token."""

    token: str


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """This epoch is the replica's; answered by where it stands."""

    epoch: str


class Parcel(msgspec.Struct, frozen=True, tag="parcel"):
    """Bytes of a segment from `offset` on; answered by where the epoch stands then."""

    epoch: str
    segment: int
    offset: int
    data: bytes


class Over(msgspec.Struct, frozen=True, tag="over"):
    """The epoch's gateway is gone, and this is where its journal ends."""

    epoch: str
    segment: int
    offset: int


class Say(msgspec.Struct, frozen=True, tag="say"):
    """One message of a gateway to the budget authority, unread; `line` is the gateway's connection."""

    line: int
    epoch: str
    data: bytes


class Hangup(msgspec.Struct, frozen=True, tag="hangup"):
    """A line is closed, whoever closed it."""

    line: int


class Position(msgspec.Struct, frozen=True, tag="position"):
    """What the dock has of an epoch: all before `segment`, and so many bytes of it. Not all where not `ended`."""

    epoch: str
    segment: int
    offset: int
    ended: bool = False


class Reply(msgspec.Struct, frozen=True, tag="reply"):
    """One message of the authority to a gateway, unread."""

    line: int
    data: bytes


class Refuse(msgspec.Struct, frozen=True, tag="refuse"):
    """No replica has that token, or has it any more."""


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """A signed snapshot, whole."""

    name: str
    data: bytes


Up = Join | Begin | Parcel | Over | Say | Hangup
Down = Position | Refuse | Reply | Snapshot | Hangup
_encode = msgspec.msgpack.Encoder().encode
decode_up = msgspec.msgpack.Decoder(Up).decode
decode_down = msgspec.msgpack.Decoder(Down).decode


def framed(data: bytes) -> bytes:
    """A message behind its length."""
    return _LENGTH.pack(len(data)) + data


def packed(message: Up | Down) -> bytes:
    """One message as it goes over the wire."""
    return framed(_encode(message))


async def receive(reader: asyncio.StreamReader, limit: int = MAX_MESSAGE) -> bytes:
    """The next message. Raises IncompleteReadError where the connection ends, BadRequest where it is too long."""
    length = _LENGTH.unpack(await reader.readexactly(4))[0]
    if length > limit:
        raise BadRequest(f"a message of {length} bytes is longer than {limit}")
    return await reader.readexactly(length)
