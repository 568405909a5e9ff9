"""Record batches: events laid out as Kafka stores them, in one pass over a part of the outbox.

aiokafka's own builder takes one event at a time, with a list of its headers: 2.6 us an event. Here all that the events
of a slice have in common is laid out once (the names of headers, their time, numbers of up to two bytes), and an event
is a few references to bytes that are there already, which are joined once.

    batch  = 61 bytes of header, the last 40 and the records in its checksum (crc32c)
    record = length attributes:0 timestamp:0 offset key-length key value-length value headers      (varints, zigzag)
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cache

import google_crc32c
from aiokafka.record.util import calc_crc32c

from api.outbox.segments import Record
from contracts.headers import ID, EventHeaders, Origin, after_id
from contracts.topics import partition_of

MOST_BYTES = 1 << 20
"""Of a batch, unless one event is larger."""
_UNCHECKED, _CHECKED = struct.Struct(">qiibI"), struct.Struct(">hiqqqhii")
_HEADER_BYTES = _UNCHECKED.size + _CHECKED.size
_AFTER_LENGTH = struct.calcsize(">ibI")
_MAGIC, _NO_EPOCH = 2, -1
# the processor's own instruction, a tenth of the time; in plain Python it would be far slower than aiokafka's
_checksum: Callable[[bytes], int] = google_crc32c.value if google_crc32c.implementation == "c" else calc_crc32c


def varint(number: int) -> bytes:
    """A whole number from 0 on, zigzag.

    >>> varint(0), varint(63), varint(64), varint(8_192)
    (b'\\x00', b'~', b'\\x80\\x01', b'\\x80\\x80\\x01')
    """
    rest, laid = number << 1, bytearray()
    while rest > 0x7F:
        laid.append(rest & 0x7F | 0x80)
        rest >>= 7
    laid.append(rest)
    return bytes(laid)


_SHORT = 8_192
_NUMBERS = [bytes((n << 1,)) for n in range(64)] + [bytes((n << 1 & 0x7F | 0x80, n >> 6)) for n in range(64, _SHORT)]
"""The varints of one and two bytes: those of usual lengths, and of all offsets in a batch."""
_BEGINS = [b"\0\0" + number for number in _NUMBERS]
"""Attributes, time and offset of a record, by its place in the batch."""
_MOST_BEGIN = 24
"""Bytes that a record has at most besides its key, its value and its headers."""


class RecordBatch:
    """Records of one partition. To aiokafka it is a BatchBuilder that is closed: the methods from `record_count` on are
    what it asks of one.
    """

    __slots__ = ("_built", "_most", "_now_ms", "_producer", "bytes", "count", "parts")

    def __init__(self, now_ms: int, most: int = MOST_BYTES) -> None:
        self.parts = [b""]
        self.count = 0
        self.bytes = _HEADER_BYTES
        self._now_ms = now_ms
        self._most = most
        self._producer = (-1, -1, 0)
        self._built: bytes | None = None

    def full_for(self, size: int) -> bool:
        """Whether a record of so many bytes is one too many. The first never is: the topic decides about large ones."""
        return self.count > 0 and (self.bytes + size > self._most or self.count == _SHORT)

    def record_count(self) -> int:
        """So many records."""
        return self.count

    def size(self) -> int:
        """Bytes, header included."""
        return self.bytes

    def closed(self) -> bool:
        """It takes no more: what aiokafka is asked to send besides has batches of its own."""
        return True

    def close(self) -> None:
        """It is."""

    def append(self, **event: object) -> None:
        """It takes no more."""

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._producer = producer_id, producer_epoch, base_sequence

    def _build(self) -> bytes:
        """The bytes; the same again for another attempt."""
        if self._built is None:
            self._built = self._joined()
            self.parts = []
        return self._built

    def _joined(self) -> bytes:
        now = self._now_ms
        self.parts[0] = _CHECKED.pack(0, self.count - 1, now, now, *self._producer, self.count)
        checked = b"".join(self.parts)
        length = _AFTER_LENGTH + len(checked)
        return _UNCHECKED.pack(0, length, _NO_EPOCH, _MAGIC, _checksum(checked)) + checked


class Surroundings:
    """What lies around the id in the headers of a record. headers: of all of one kind."""

    def __init__(self, headers: EventHeaders) -> None:
        self._shared = headers.shared
        self._befores: dict[tuple[int, int], bytes] = {}

    def of(self, id_size: int, time: str, origin: Origin | None) -> tuple[bytes, bytes]:
        """What lies before and after an id of so many bytes."""
        own = after_id(time, origin)
        key = id_size, len(own)
        before = self._befores.get(key)
        if before is None:
            count = varint(len(self._shared) + 1 + len(own))
            laid = b"".join(_laid(name, value) for name, value in self._shared)
            before = self._befores[key] = count + laid + _name(ID) + varint(id_size)
        return before, b"".join([_laid(name, value) for name, value in own])


class Batches:
    """Of one topic and some events in their order. around: of its events. now_ms: the time of their records, where the
    topic does not take the broker's. most: bytes of a batch, unless one event is larger.
    """

    def __init__(self, around: Surroundings, partitions: int, now_ms: int, most: int = MOST_BYTES) -> None:
        self._around = around
        self._now_ms = now_ms
        self._most = most
        self._open: list[RecordBatch | None] = [None] * partitions
        self._full: list[tuple[int, RecordBatch]] = []

    def take_full(self) -> list[tuple[int, RecordBatch]]:
        """Batches that take no more, each after its partition, since the last call, oldest first."""
        full, self._full = self._full, []
        return full

    def take_all(self) -> list[tuple[int, RecordBatch]]:
        """What is left once all events are put in."""
        left = [(partition, batch) for partition, batch in enumerate(self._open) if batch is not None]
        self._open = [None] * len(self._open)
        return self.take_full() + left

    def put(self, records: Sequence[Record]) -> None:
        """Add events. One loop and few calls: this is on the way of every event."""
        open_, partitions, numbers, begins = self._open, len(self._open), _NUMBERS, _BEGINS
        time: str | None = None
        origin: Origin | None = None
        id_size, around, before, after = -1, 0, b"", b""
        for record in records:
            key, value, id_ = record.key, record.value, record.id.encode()
            if len(id_) != id_size or record.time != time or record.origin != origin:
                id_size, time, origin = len(id_), record.time, record.origin
                before, after = self._around.of(id_size, time, origin)
                around = len(before) + id_size + len(after)
            partition = partition_of(key, partitions)
            key_size, value_size = len(key), len(value)
            size = key_size + value_size + around + _MOST_BEGIN
            batch = open_[partition]
            if batch is None or batch.full_for(size):
                batch = self._next(partition)
            begin = begins[batch.count]
            if size < _SHORT:
                of_key, of_value = numbers[key_size], numbers[value_size]
                size = len(begin) + len(of_key) + key_size + len(of_value) + value_size + around
                of_all = numbers[size]
            else:
                of_key, of_value = varint(key_size), varint(value_size)
                size = len(begin) + len(of_key) + key_size + len(of_value) + value_size + around
                of_all = varint(size)
            batch.parts += (of_all, begin, of_key, key, of_value, value, before, id_, after)
            batch.bytes += len(of_all) + size
            batch.count += 1

    def _next(self, partition: int) -> RecordBatch:
        full = self._open[partition]
        if full is not None:
            self._full.append((partition, full))
        fresh = self._open[partition] = RecordBatch(self._now_ms, self._most)
        return fresh


def _laid(name: str, value: bytes) -> bytes:
    return _name(name) + varint(len(value)) + value


@cache
def _name(name: str) -> bytes:
    """One of the few that there are."""
    return varint(len(name.encode())) + name.encode()
