"""Stored formats of stage 1: the keys and values of its changelog. MessagePack, each value with its version.

Stage 1 keeps, per source partition, one record a window (a `PartialAggregate`) and one meta record, written last.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeVar

import msgspec

from contracts.errors import InvalidMessage
from contracts.formats import refuse_newer
from contracts.partials import PartialAggregate, decode_partial, partial_offset
from stream_app.windowing.forever import NEVER

T = TypeVar("T")


class WindowKey(NamedTuple):
    """One window of one model version in one source partition."""

    partition: int
    model: str
    version: str
    window_start: int


class MetaKey(NamedTuple):
    """The meta record of one source partition."""

    partition: int


class VersionAccount(msgspec.Struct):
    """What became of the decoded events of one model version in one source partition."""

    counted: int = 0
    late: int = 0
    repeats: int = 0


class PartitionMeta(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a source partition that is not in a window.

    first_offset: of the first record ever read; last_offset: of the last one. watermark: None before the first event.
    read: records. absent: offsets that the log has no record for, such as the markers of a foreign producer's
    transactions: read + absent = last_offset - first_offset + 1. sequences: "source-epoch" -> highest sequence, least
    recently seen first. accounts: by (model, version). refused: dead letters by reason. read = counted + late +
    repeats + refused, summed over all.
    """

    partition: int
    first_offset: int
    last_offset: int
    watermark: int | None
    read: int
    sequences: dict[str, int]
    accounts: dict[tuple[str, str], VersionAccount]
    refused: dict[str, int]
    absent: int = 0
    v: Literal[1] = 1


_pack = msgspec.msgpack.Encoder().encode
_meta = msgspec.msgpack.Decoder(PartitionMeta)
_window_key = msgspec.msgpack.Decoder(WindowKey)
_meta_key = msgspec.msgpack.Decoder(MetaKey)
SHORT_ARRAY = 0x90
"""MessagePack: the first byte of a short array is this plus its length, which tells the kinds of keys apart."""


def window_key(key: WindowKey) -> bytes:
    """Key of a window's record in stage 1."""
    return _pack(key)


def meta_key(partition: int) -> bytes:
    """Key of a source partition's meta record in stage 1."""
    return _pack(MetaKey(partition))


def parse_key(data: bytes) -> WindowKey | MetaKey:
    """The parts of a stage 1 key. Raises InvalidMessage."""
    if data[:1] == bytes([SHORT_ARRAY + len(MetaKey._fields)]):
        return read_stored(_meta_key, data, "key of stage 1")
    return read_stored(_window_key, data, "key of stage 1")


def encode_meta(meta: PartitionMeta) -> bytes:
    """MessagePack of a meta record."""
    return _pack(meta)


def decode_meta(data: bytes) -> PartitionMeta:
    """Read a meta record. Raises InvalidMessage."""
    return read_stored(_meta, data, "meta record of stage 1")


def decode_part(data: bytes) -> PartialAggregate:
    """Read a window's or a part's record. Raises InvalidMessage."""
    message = decode_partial(data)
    if not isinstance(message, PartialAggregate):
        raise InvalidMessage("stored window: a heartbeat where counts should be")
    return message


def age_of(key: bytes, value: bytes) -> tuple[int, int]:
    """Orders the stored values of one stage 1 key, older first.

    A worker that lost its partition without knowing may write an old value after the new owner's: a recovery that
    keeps the greatest of each key is not fooled. Raises InvalidMessage.
    """
    if isinstance(parse_key(key), MetaKey):
        meta = decode_meta(value)
        return meta.last_offset, NEVER if meta.watermark is None else meta.watermark
    return partial_offset(value), NEVER  # a recovery asks this of both values, for every record that it reads


class TooLarge(Exception):
    """A record that the changelog would not take; the text says what to do."""


def check_sizes(records: Iterable[tuple[bytes, bytes]], largest: int) -> None:
    """Raises TooLarge for a record of stage 1 with more than `largest` bytes.

    To be called before the first of them is written: a meta record behind a window that was refused would say that its
    rows are counted.
    """
    for key, value in records:
        if len(key) + len(value) <= largest:
            continue
        parsed, size = parse_key(key), f"{len(value):,} bytes, a record may have {largest:,}"
        if isinstance(parsed, MetaKey):
            raise TooLarge(f"the meta record of source partition {parsed.partition} has {size}: use fewer versions")
        raise TooLarge(
            f"a window of {parsed.model}/{parsed.version} in source partition {parsed.partition} has {size}: let "
            "fewer of its features be monitored (monitored = false) and, as open windows keep theirs, count anew under "
            "another STREAM_APP_ID"
        )


def read_stored(decoder: msgspec.msgpack.Decoder[T], data: bytes, what: str) -> T:
    """Decode a key or value. what: it, in words. Raises InvalidMessage, NewerFormat."""
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        refuse_newer(data, f"stored {what}")
        raise InvalidMessage(f"stored {what} cannot be read: {error}") from error
