"""The bytes of an outbox file: a header that names the format, then one checksummed frame per group of events.

    file   = "TMOB" version:u16 0:u16   frame*
    frame  = length:u32 crc32:u32 payload              (little endian; crc32 of the payload)
    payload= MessagePack of Group

A file is written by one process and never appended to by another, so a frame that was cut off by a crash can only be
the last one: a reader stops at it, and nothing has to be repaired. Pure: bytes in, values out.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

import msgspec

VERSION = 1
FILE_HEADER = struct.Struct("<4sHH")
FRAME_HEADER = struct.Struct("<II")
_MAGIC = b"TMOB"


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event as Kafka takes it. time: the event time, RFC 3339, for the CloudEvents header."""

    key: bytes
    id: str
    time: str
    value: bytes


class Group(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Events that were committed together. baseline: `model/version`, the baseline that must be on Kafka before them.

    written: milliseconds since the epoch.
    """

    baseline: str
    written: int
    records: list[Record]


class Parsed(NamedTuple):
    """Whole groups from the start of some bytes, and how many bytes they take. needed: bytes of the frame that follows
    them, header included, as far as it says; 0 where there is none or its header is cut off.
    """

    groups: list[Group]
    size: int
    needed: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Group).decode


def file_header() -> bytes:
    """What a file begins with."""
    return FILE_HEADER.pack(_MAGIC, VERSION, 0)


def version_of(header: bytes) -> int | None:
    """The format of a file by its first bytes; None where they are cut off or not ours."""
    if len(header) < FILE_HEADER.size:
        return None
    magic, version, _ = FILE_HEADER.unpack_from(header)
    return int(version) if magic == _MAGIC else None


def frame(group: Group) -> bytes:
    """The frame of one group."""
    payload = _encode(group)
    return FRAME_HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def parse(data: bytes) -> Parsed:
    """The whole frames that `data` begins with. Stops at the first that is cut off or whose checksum is wrong."""
    groups: list[Group] = []
    at = 0
    while at + FRAME_HEADER.size <= len(data):
        size, checksum = FRAME_HEADER.unpack_from(data, at)
        end = at + FRAME_HEADER.size + size
        payload = data[at + FRAME_HEADER.size : end]
        # a run of zeros, as some filesystems leave after a power cut, would pass as an empty frame
        if size == 0 or len(payload) < size or zlib.crc32(payload) != checksum:
            return Parsed(groups, at, FRAME_HEADER.size + size)
        groups.append(_decode(payload))
        at = end
    return Parsed(groups, at, 0)
