"""Stored formats of stage 1 of the labels: the keys and values of its changelog. MessagePack, each with its version.

A window of a source partition is a list of labels that only grows: offset, hash of the prediction's id, cell. It is
stored in segments, of which the last one is written anew until it is full. So any state of the list that was ever there
is found again by its last offset: what a crash left behind the position is cut off, and read again.

    a label:  4 bytes of offset (from the segment's first) + 8 of hash + 2 of cell = 14 bytes, until its window is final
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from stream_app.windowing.forever import NEVER
from stream_app.windowing.state import SHORT_ARRAY, MetaKey, meta_key, read_stored

__all__ = ["MetaKey", "meta_key"]

FULL = 1024
"""Labels of a segment after which the next one begins; the last segment is written at each batch, 7 kB on average."""


class SegmentKey(NamedTuple):
    """One segment of a window; number: counts from 0."""

    partition: int
    model: str
    version: str
    window_start: int
    number: int


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """Labels of a window, in the order of their offsets; those that said the same as the one before are left out.

    baseline, coding: as LabelPartial has them. first, last: offsets of the first and the last label. offsets: how far
    each is behind the first, unsigned, 32 bits; hashes: 64 bits; cells: 16 bits; all little endian.
    """

    baseline: str
    coding: str
    window_end: int
    first: int
    last: int
    offsets: bytes
    hashes: bytes
    cells: bytes
    v: Literal[1] = 1

    def __post_init__(self) -> None:
        number = len(self.offsets) // 4
        if (len(self.offsets), len(self.hashes), len(self.cells)) != (4 * number, 8 * number, 2 * number):
            raise ValueError("offsets, hashes and cells are not of equally many labels")


class LabelAccount(msgspec.Struct):
    """What became of the labels of one model version in one source partition. repeated: said the same again."""

    counted: int = 0
    replaced: int = 0
    repeated: int = 0
    late: int = 0

    def add(self, more: LabelAccount) -> None:
        """Those of another one, too."""
        for kind in self.__struct_fields__:
            setattr(self, kind, getattr(self, kind) + getattr(more, kind))


class LabelMeta(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a partition of `labels` that is not in a window.

    first_offset, last_offset: of the first record ever read and of the last one. watermark: of labelled_at; None before
    the first label. sent: parts up to this offset are on `label-partials`. read: records; absent: offsets without a
    record: read + absent = last_offset - first_offset + 1. accounts: by (model, version). refused: dead letters by
    reason. read = all that is in accounts and refused.
    """

    partition: int
    first_offset: int
    last_offset: int
    watermark: int | None
    sent: int
    read: int
    accounts: dict[tuple[str, str], LabelAccount]
    refused: dict[str, int]
    absent: int = 0
    v: Literal[1] = 1


_pack = msgspec.msgpack.Encoder().encode
_segment, _meta = msgspec.msgpack.Decoder(Segment), msgspec.msgpack.Decoder(LabelMeta)
_segment_key, _meta_key = msgspec.msgpack.Decoder(SegmentKey), msgspec.msgpack.Decoder(MetaKey)


def segment_key(key: SegmentKey) -> bytes:
    """Key of a segment's record."""
    return _pack(key)


def parse_label_key(data: bytes) -> SegmentKey | MetaKey:
    """The parts of a key. Raises InvalidMessage."""
    if data[:1] == bytes([SHORT_ARRAY + len(MetaKey._fields)]):
        return read_stored(_meta_key, data, "key of the labels' stage 1")
    return read_stored(_segment_key, data, "key of the labels' stage 1")


def encode_segment(segment: Segment) -> bytes:
    """MessagePack of a segment."""
    return _pack(segment)


def decode_segment(data: bytes) -> Segment:
    """Read a segment. Raises InvalidMessage."""
    return read_stored(_segment, data, "labels of a window")


def encode_label_meta(meta: LabelMeta) -> bytes:
    """MessagePack of a meta record."""
    return _pack(meta)


def decode_label_meta(data: bytes) -> LabelMeta:
    """Read a meta record. Raises InvalidMessage."""
    return read_stored(_meta, data, "meta record of the labels' stage 1")


def age_of_labels(key: bytes, value: bytes) -> tuple[int, int]:
    """Orders the stored values of one key, older first; see windowing.state.age_of. Raises InvalidMessage."""
    if isinstance(parse_label_key(key), MetaKey):
        meta = decode_label_meta(value)
        return meta.last_offset, NEVER if meta.watermark is None else meta.watermark
    return decode_segment(value).last, NEVER
