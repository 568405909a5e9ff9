"""Stored formats of both stages: the keys and values of their changelogs. MessagePack, each value with its version.

Stage 1 keeps, per source partition, one record a window (a `PartialAggregate`) and one meta record, written last.
Stage 2 keeps, per partition of `window-partials`, the parts of pending windows and one record a model version.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeVar

import msgspec

from contracts.errors import InvalidMessage
from contracts.partials import PartialAggregate, decode_partial

T = TypeVar("T")


class WindowKey(NamedTuple):
    """One window of one model version in one source partition, counted against one baseline (its digest)."""

    partition: int
    model: str
    version: str
    window_start: int
    baseline: str


class MetaKey(NamedTuple):
    """The meta record of one source partition."""

    partition: int


class PartKey(NamedTuple):
    """What stage 2 holds of one window from one source partition; number: the partition of `window-partials`."""

    number: int
    model: str
    version: str
    window_start: int
    partition: int
    baseline: str


class VersionKey(NamedTuple):
    """The record of one model version in stage 2."""

    number: int
    model: str
    version: str


class VersionAccount(msgspec.Struct):
    """What became of the decoded events of one model version in one source partition."""

    counted: int = 0
    late: int = 0
    repeats: int = 0


class PartitionMeta(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a source partition that is not in a window.

    first_offset: of the first record ever read; last_offset: of the last one. watermark: None before the first event.
    read: records. sequences: "source-epoch" -> highest sequence, least recently seen first. accounts: by (model,
    version). refused: dead letters by reason. read = counted + late + repeats + refused, summed over all.
    """

    partition: int
    first_offset: int
    last_offset: int
    watermark: int | None
    read: int
    sequences: dict[str, int]
    accounts: dict[tuple[str, str], VersionAccount]
    refused: dict[str, int]
    v: Literal[1] = 1


class VersionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What stage 2 knows of one model version beside its pending windows.

    horizon: start of the last closed window; nothing at or below it opens again. reports, reported_rows: closed
    windows and their rows. late_rows: rows that came for closed windows. offset: the last record of `window-partials`
    that is in this record or was stored before it. closed: start -> counted_as() -> source partition -> rows, of the
    closed windows touched last. thin: starts of closed windows too small to compare, waiting to be merged. policy:
    the alert policy's own state.
    """

    model: str
    version: str
    horizon: int | None = None
    reports: int = 0
    reported_rows: int = 0
    late_rows: int = 0
    offset: int = -1
    closed: dict[int, dict[str, dict[int, int]]] = {}
    thin: tuple[int, ...] = ()
    policy: bytes = b""
    v: Literal[1] = 1


_pack = msgspec.msgpack.Encoder().encode
_meta = msgspec.msgpack.Decoder(PartitionMeta)
_version = msgspec.msgpack.Decoder(VersionRecord)
_window_key = msgspec.msgpack.Decoder(WindowKey)
_meta_key = msgspec.msgpack.Decoder(MetaKey)
_part_key = msgspec.msgpack.Decoder(PartKey)
_version_key = msgspec.msgpack.Decoder(VersionKey)
_ARRAY = 0x90  # MessagePack: a short array's first byte is this plus its length, which tells the kinds of keys apart


def window_key(key: WindowKey) -> bytes:
    """Key of a window's record in stage 1."""
    return _pack(key)


def meta_key(partition: int) -> bytes:
    """Key of a source partition's meta record in stage 1."""
    return _pack(MetaKey(partition))


def parse_key(data: bytes) -> WindowKey | MetaKey:
    """The parts of a stage 1 key. Raises InvalidMessage."""
    if data[:1] == bytes([_ARRAY + len(MetaKey._fields)]):
        return _read(_meta_key, data, "key of stage 1")
    return _read(_window_key, data, "key of stage 1")


def part_key(key: PartKey) -> bytes:
    """Key of a pending part in stage 2."""
    return _pack(key)


def version_key(key: VersionKey) -> bytes:
    """Key of a model version's record in stage 2."""
    return _pack(key)


def parse_merged_key(data: bytes) -> PartKey | VersionKey:
    """The parts of a stage 2 key. Raises InvalidMessage."""
    if data[:1] == bytes([_ARRAY + len(VersionKey._fields)]):
        return _read(_version_key, data, "key of stage 2")
    return _read(_part_key, data, "key of stage 2")


def encode_meta(meta: PartitionMeta) -> bytes:
    """MessagePack of a meta record."""
    return _pack(meta)


def decode_meta(data: bytes) -> PartitionMeta:
    """Read a meta record. Raises InvalidMessage."""
    return _read(_meta, data, "meta record of stage 1")


def encode_version(record: VersionRecord) -> bytes:
    """MessagePack of a model version's record."""
    return _pack(record)


def decode_version(data: bytes) -> VersionRecord:
    """Read a model version's record. Raises InvalidMessage."""
    return _read(_version, data, "version record of stage 2")


def decode_part(data: bytes) -> PartialAggregate:
    """Read a window's or a part's record. Raises InvalidMessage."""
    message = decode_partial(data)
    if not isinstance(message, PartialAggregate):
        raise InvalidMessage("stored window: a heartbeat where counts should be")
    return message


def counted_as(part: PartialAggregate) -> str:
    """Tells apart what one source partition may send for the same start: the baseline's digest and the length."""
    return f"{part.baseline}/{part.window_end - part.window_start}"


def rows_closed(record: VersionRecord, part: PartialAggregate) -> int:
    """Rows of this part that a closed window, or the late rows, include already; 0 where nothing is remembered."""
    return record.closed.get(part.window_start, {}).get(counted_as(part), {}).get(part.partition, 0)


def age_of(key: bytes, value: bytes) -> tuple[int, int]:
    """Orders the stored values of one stage 1 key, older first.

    A worker that lost its partition without knowing may write an old value after the new owner's: a recovery that
    keeps the greatest of each key is not fooled. Raises InvalidMessage.
    """
    if isinstance(parse_key(key), MetaKey):
        meta = decode_meta(value)
        return meta.last_offset, _NEVER if meta.watermark is None else meta.watermark
    return decode_part(value).offset, _NEVER


_NEVER = -(1 << 62)


def _read(decoder: msgspec.msgpack.Decoder[T], data: bytes, what: str) -> T:
    try:
        return decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise InvalidMessage(f"stored {what} cannot be read: {error}") from error
