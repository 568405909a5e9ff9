"""Stored formats of stage 2: the keys and values of its changelog. MessagePack, each value with its version.

Stage 2 keeps, per partition of `window-partials`, the parts of pending windows, one record a model version, and one
record for each of the windows that it closed last. The last is written once and is large with many source partitions;
the version's is written at each close and is small.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

from contracts.mutes import Mute
from contracts.partials import PartialAggregate, partial_offset
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


class ClosedKey(NamedTuple):
    """What is remembered of one closed window."""

    number: int
    model: str
    version: str
    window_start: int


class VersionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What stage 2 knows of one model version beside its pending windows.

    horizon: start of the last closed window; nothing at or below it opens again. reports, reported_rows: closed
    windows and their rows. late_rows: rows that came for closed windows. offset: the last record of `window-partials`
    that is in this record or was stored before it. closed: start -> length -> source partition -> rows, where they
    came too late for the window's report and so are not in its `ClosedWindow`; of the windows touched last. thin:
    starts of closed windows too small to compare, waiting to be merged. policy: the alert policy's own state.
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


class ClosedWindow(msgspec.Struct, frozen=True, kw_only=True):
    """What the report of a window was made of. It tells a part that is sent again from one that came too late.

    length: of the window in milliseconds. rows: by source partition. reports, offset: those of the version's record
    that was written with it. It stands from before the report on: while the window waits it says that its report may be
    out. mutes: those by which its alerts were decided; a repeat of them asks for no others. baseline: digest of the one
    that it was compared with, for the repeat; "", of an older version: not known.
    """

    length: int
    rows: dict[int, int]
    reports: int
    offset: int
    mutes: tuple[Mute, ...] = ()
    baseline: str = ""
    v: Literal[1] = 1


class Merged(NamedTuple):
    """What stage 2 has stored. closed: by model, version and start."""

    versions: tuple[VersionRecord, ...]
    closed: dict[tuple[str, str, int], ClosedWindow]
    parts: tuple[PartialAggregate, ...]


_pack = msgspec.msgpack.Encoder().encode
_version = msgspec.msgpack.Decoder(VersionRecord)
_closed = msgspec.msgpack.Decoder(ClosedWindow)
_part_key = msgspec.msgpack.Decoder(PartKey)
_version_key = msgspec.msgpack.Decoder(VersionKey)
_closed_key = msgspec.msgpack.Decoder(ClosedKey)


def part_key(key: PartKey) -> bytes:
    """Key of a pending part in stage 2."""
    return _pack(key)


def version_key(key: VersionKey) -> bytes:
    """Key of a model version's record in stage 2."""
    return _pack(key)


def closed_key(key: ClosedKey) -> bytes:
    """Key of a closed window's record in stage 2."""
    return _pack(key)


def parse_merged_key(data: bytes) -> PartKey | VersionKey | ClosedKey:
    """The parts of a stage 2 key. Raises InvalidMessage."""
    if data[:1] == bytes([SHORT_ARRAY + len(ClosedKey._fields)]):
        return read_stored(_closed_key, data, "key of stage 2")
    if data[:1] == bytes([SHORT_ARRAY + len(VersionKey._fields)]):
        return read_stored(_version_key, data, "key of stage 2")
    return read_stored(_part_key, data, "key of stage 2")


def encode_version(record: VersionRecord) -> bytes:
    """MessagePack of a model version's record."""
    return _pack(record)


def decode_version(data: bytes) -> VersionRecord:
    """Read a model version's record. Raises InvalidMessage."""
    return read_stored(_version, data, "version record of stage 2")


def encode_closed(closed: ClosedWindow) -> bytes:
    """MessagePack of what is remembered of a closed window."""
    return _pack(closed)


def decode_closed(data: bytes) -> ClosedWindow:
    """Read what is remembered of a closed window. Raises InvalidMessage."""
    return read_stored(_closed, data, "closed window of stage 2")


def merged_of(stored: Iterable[tuple[bytes, bytes]]) -> Merged:
    """Stored keys and values as what they are. Raises InvalidMessage."""
    versions, closed, parts = [], {}, []
    for key, value in stored:
        parsed = parse_merged_key(key)
        if isinstance(parsed, VersionKey):
            versions.append(decode_version(value))
        elif isinstance(parsed, ClosedKey):
            closed[parsed.model, parsed.version, parsed.window_start] = decode_closed(value)
        else:
            parts.append(decode_part(value))
    return Merged(tuple(versions), closed, tuple(parts))


def rows_closed(record: VersionRecord, closed: ClosedWindow | None, part: PartialAggregate) -> int:
    """Rows of this part that a closed window, or the late rows, include already; 0 where nothing is remembered.

    closed: what is remembered of its window, None where nothing is.
    """
    length = part.window_end - part.window_start
    late = record.closed.get(part.window_start, {}).get(length, {}).get(part.partition)
    if late is not None:
        return late  # all of the partition's rows, those of the report included
    return closed.rows.get(part.partition, 0) if closed is not None and closed.length == length else 0


def age_of_merged(key: bytes, value: bytes) -> tuple[int, int]:
    """Orders the stored values of one stage 2 key, older first, as `state.age_of` does those of stage 1.

    Raises InvalidMessage.
    """
    parsed = parse_merged_key(key)
    if isinstance(parsed, PartKey):
        return partial_offset(value), 0
    record = decode_version(value) if isinstance(parsed, VersionKey) else decode_closed(value)
    return record.reports, record.offset
