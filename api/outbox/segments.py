"""The bytes of an outbox file: a header that names the format, then one checksummed frame per group of events.

    file   = "TMOB" version:u16 0:u16   frame*
    frame  = length:u32 crc32:u32 payload              (little endian; crc32 of the payload)
    payload= MessagePack of Group

A file is written by one process and never appended to by another, so a frame that was cut off by a crash can only be
the last one, and nothing has to be repaired. A disk may damage bytes anywhere: `likely_frames` says where the next
frame may begin, and its length and checksum decide. Pure: bytes in, values out.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from contracts.headers import Origin

VERSION = 1
FILE_HEADER = struct.Struct("<4sHH")
FRAME_HEADER = struct.Struct("<II")
_MAGIC = b"TMOB"
_GROUP_BEGINS = b"\x93"  # MessagePack's array of three, which every payload is
_NUMBER_BYTES = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
LIKELY_BYTES = FRAME_HEADER.size + len(_GROUP_BEGINS)
"""So many bytes show whether a frame may begin."""


class Outcome(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a retry of an idempotent request is to be answered, committed with its events (see api.idempotency).

    digest: names the request's key. taken: when the key was taken, milliseconds since the epoch. answer: JSON.
    """

    digest: bytes
    taken: int
    answer: bytes


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event as Kafka takes it. time: the event time, RFC 3339, for the CloudEvents header.

    outcome: of the request, at one of its events; origin: of the request, where its client named one. Files written
    before these fields were have neither.
    """

    key: bytes
    id: str
    time: str
    value: bytes
    outcome: Outcome | None = None
    origin: Origin | None = None


class Group(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Events that were committed together. baseline: `model/version`, the baseline that must be on Kafka before them;
    of more than one version, each on a line of its own (see baseline_keys); empty: none.

    written: milliseconds since the epoch.
    """

    baseline: str
    written: int
    records: list[Record]

    @property
    def baselines(self) -> list[str]:
        """Each `model/version` whose baseline must be on Kafka before the events."""
        return self.baseline.split("\n") if self.baseline else []


def baseline_keys(*keys: str) -> str:
    """For Group.baseline."""
    return "\n".join(keys)


class Parsed(NamedTuple):
    """Whole groups from the start of some bytes, and how many bytes they take. needed: bytes of the frame that follows
    them, header included, as far as it says; 0 where there is none or its header is cut off.
    """

    groups: list[Group]
    size: int
    needed: int


_encode_into = msgspec.msgpack.Encoder().encode_into
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


def frame(group: Group) -> bytearray:
    """The frame of one group: written where it stays, for a batch's is some 750 KB long."""
    block = bytearray(FRAME_HEADER.size)
    _encode_into(group, block, FRAME_HEADER.size)
    payload = memoryview(block)[FRAME_HEADER.size :]
    FRAME_HEADER.pack_into(block, 0, len(payload), zlib.crc32(payload))
    return block


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
        try:
            groups.append(_decode(payload))
        except (msgspec.MsgspecError, UnicodeDecodeError):  # the checksum agrees by chance
            return Parsed(groups, at, FRAME_HEADER.size + size)
        at = end
    return Parsed(groups, at, 0)


def likely_frames(data: bytes, left: int) -> Iterator[tuple[int, int]]:
    """Where a frame may begin in `data`, rising, and the size it would have, header included. left: bytes from the
    start of `data` to the end of its file. Nothing is said of the last bytes, where fewer than LIKELY_BYTES are there.
    """
    found = data.find(_GROUP_BEGINS, FRAME_HEADER.size)
    while found >= 0:
        at = found - FRAME_HEADER.size
        size = FRAME_HEADER.size + int(FRAME_HEADER.unpack_from(data, at)[0])
        if LIKELY_BYTES <= size <= left - at and _may_be_a_group(data, found):
            yield at, size
        found = data.find(_GROUP_BEGINS, found + 1)


def _may_be_a_group(data: bytes, at: int) -> bool:
    """Whether a text, a whole number and an array begin where they should; True where `data` ends before that.

    Without it each place of some garbage where a length happens to fit would cost a checksum over megabytes.
    """
    try:
        kind = data[at + 1]
        if kind == 0xDA:
            number = at + 4 + int.from_bytes(data[at + 2 : at + 4], "big")
        elif kind == 0xD9:
            number = at + 3 + data[at + 2]
        elif 0xA0 <= kind <= 0xBF:
            number = at + 2 + (kind & 0x1F)
        else:
            return False
        kind = data[number]
        if kind > 0x7F and kind not in _NUMBER_BYTES:
            return False
        array = data[number + 1 + _NUMBER_BYTES.get(kind, 0)]
    except IndexError:
        return True
    return 0x90 <= array <= 0x9F or array in (0xDC, 0xDD)
