"""Stored formats of stage 2 of the labels: the keys and values of its changelog. MessagePack, each with its version.

Per partition of `label-partials`: the newest part of each source partition of each open window, one record a window
that says what was published of it, and one a model version.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

from contracts.errors import InvalidMessage
from contracts.label_partials import LabelPartial, decode_label_partial
from stream_app.windowing.merged_state import PartKey, VersionKey
from stream_app.windowing.state import SHORT_ARRAY, read_stored


class PublishedKey(NamedTuple):
    """What was published of one window; number: the partition of `label-partials`."""

    number: int
    model: str
    version: str
    window_start: int


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """revision: the last one that is on `performance`."""

    revision: int
    v: Literal[1] = 1


class LabelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What stage 2 knows of one model version beside its open windows.

    horizon: start of the last window that is final; nothing at or below it opens again. windows, labelled, replaced:
    of the final ones. late: labels that came for final windows. offset: the last record of `label-partials` that is in
    this record. closed: start -> source partition -> labels of it that are in the sums, or in late; of the windows that
    became final last. policy: the alert policy's own state; unsent: what it said last may not be on `drift-alerts`.
    """

    model: str
    version: str
    horizon: int | None = None
    windows: int = 0
    labelled: int = 0
    replaced: int = 0
    late: int = 0
    offset: int = -1
    steps: int = 0
    closed: dict[int, dict[int, int]] = {}
    policy: bytes = b""
    unsent: bool = False
    v: Literal[1] = 1


class Revised(NamedTuple):
    """What stage 2 has stored. published: by model, version and start."""

    versions: tuple[LabelVersion, ...]
    published: dict[tuple[str, str, int], int]
    parts: tuple[LabelPartial, ...]


_KEY = "key of the labels' stage 2"
_pack = msgspec.msgpack.Encoder().encode
_version, _published = msgspec.msgpack.Decoder(LabelVersion), msgspec.msgpack.Decoder(Published)
_part_key, _version_key = msgspec.msgpack.Decoder(PartKey), msgspec.msgpack.Decoder(VersionKey)
_published_key = msgspec.msgpack.Decoder(PublishedKey)


def revised_key(key: PartKey | VersionKey | PublishedKey) -> bytes:
    """A key as it is stored."""
    return _pack(key)


def parse_revised_key(data: bytes) -> PartKey | VersionKey | PublishedKey:
    """The parts of a key. Raises InvalidMessage."""
    if data[:1] == bytes([SHORT_ARRAY + len(VersionKey._fields)]):
        return read_stored(_version_key, data, _KEY)
    if data[:1] == bytes([SHORT_ARRAY + len(PublishedKey._fields)]):
        return read_stored(_published_key, data, _KEY)
    return read_stored(_part_key, data, _KEY)


def encode_published(published: Published) -> bytes:
    """MessagePack of what was published of a window."""
    return _pack(published)


def decode_published(data: bytes) -> Published:
    """Read what was published of a window. Raises InvalidMessage."""
    return read_stored(_published, data, "revision of a window")


def encode_label_version(record: LabelVersion) -> bytes:
    """MessagePack of a model version's record."""
    return _pack(record)


def decode_label_version(data: bytes) -> LabelVersion:
    """Read a model version's record. Raises InvalidMessage."""
    return read_stored(_version, data, "version record of the labels' stage 2")


def decode_label_part(data: bytes) -> LabelPartial:
    """Read a part's record. Raises InvalidMessage."""
    message = decode_label_partial(data)
    if not isinstance(message, LabelPartial):
        raise InvalidMessage("stored labels: a heartbeat where counts should be")
    return message


def revised_of(stored: Iterable[tuple[bytes, bytes]]) -> Revised:
    """Stored keys and values as what they are. Raises InvalidMessage."""
    versions, published, parts = [], {}, []
    for key, value in stored:
        parsed = parse_revised_key(key)
        if isinstance(parsed, VersionKey):
            versions.append(decode_label_version(value))
        elif isinstance(parsed, PublishedKey):
            published[parsed.model, parsed.version, parsed.window_start] = decode_published(value).revision
        else:
            parts.append(decode_label_part(value))
    return Revised(tuple(versions), published, tuple(parts))


def age_of_revised(key: bytes, value: bytes) -> tuple[int, int]:
    """Orders the stored values of one key, older first; see windowing.state.age_of. Raises InvalidMessage."""
    parsed = parse_revised_key(key)
    if isinstance(parsed, PartKey):
        return decode_label_part(value).offset, 0
    if isinstance(parsed, PublishedKey):
        return decode_published(value).revision, 0
    record = decode_label_version(value)
    return record.steps, record.offset
