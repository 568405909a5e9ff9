"""Stored formats of stage 2: the keys and values of its changelog. MessagePack, each value with its version.

Stage 2 keeps, per partition of `window-partials`, the parts of pending windows and one record a model version.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from contracts.partials import PartialAggregate
from stream_app.windowing.state import SHORT_ARRAY, decode_part, read_stored


class PartKey(NamedTuple):
    """What stage 2 holds of one window from one source partition; number: the partition of `window-partials`."""

    number: int
    model: str
    version: str
    window_start: int
    partition: int


class VersionKey(NamedTuple):
    """The record of one model version in stage 2."""

    number: int
    model: str
    version: str


class VersionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What stage 2 knows of one model version beside its pending windows.

    horizon: start of the last closed window; nothing at or below it opens again. reports, reported_rows: closed
    windows and their rows. late_rows: rows that came for closed windows. offset: the last record of `window-partials`
    that is in this record or was stored before it. closed: start -> length -> source partition -> rows, of the closed
    windows touched last. thin: starts of closed windows too small to compare, waiting to be merged. policy: the alert
    policy's own state.
    """

    model: str
    version: str
    horizon: int | None = None
    reports: int = 0
    reported_rows: int = 0
    late_rows: int = 0
    offset: int = -1
    closed: dict[int, dict[int, dict[int, int]]] = {}
    thin: tuple[int, ...] = ()
    policy: bytes = b""
    v: Literal[1] = 1


_pack = msgspec.msgpack.Encoder().encode
_version = msgspec.msgpack.Decoder(VersionRecord)
_part_key = msgspec.msgpack.Decoder(PartKey)
_version_key = msgspec.msgpack.Decoder(VersionKey)


def part_key(key: PartKey) -> bytes:
    """Key of a pending part in stage 2."""
    return _pack(key)


def version_key(key: VersionKey) -> bytes:
    """Key of a model version's record in stage 2."""
    return _pack(key)


def parse_merged_key(data: bytes) -> PartKey | VersionKey:
    """The parts of a stage 2 key. Raises InvalidMessage."""
    if data[:1] == bytes([SHORT_ARRAY + len(VersionKey._fields)]):
        return read_stored(_version_key, data, "key of stage 2")
    return read_stored(_part_key, data, "key of stage 2")


def encode_version(record: VersionRecord) -> bytes:
    """MessagePack of a model version's record."""
    return _pack(record)


def decode_version(data: bytes) -> VersionRecord:
    """Read a model version's record. Raises InvalidMessage."""
    return read_stored(_version, data, "version record of stage 2")


def rows_closed(record: VersionRecord, part: PartialAggregate) -> int:
    """Rows of this part that a closed window, or the late rows, include already; 0 where nothing is remembered."""
    length = part.window_end - part.window_start
    return record.closed.get(part.window_start, {}).get(length, {}).get(part.partition, 0)


def age_of_merged(key: bytes, value: bytes) -> tuple[int, int]:
    """Orders the stored values of one stage 2 key, older first, as `state.age_of` does those of stage 1.

    Raises InvalidMessage.
    """
    if isinstance(parse_merged_key(key), VersionKey):
        record = decode_version(value)
        return record.reports, record.offset
    return decode_part(value).offset, 0
