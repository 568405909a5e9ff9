"""Parsing: what a fetch brought of a batched topic becomes columns in one go, at a third of aiokafka's cost.

aiokafka makes each record in four calls of Python, as an object of eleven fields that the garbage collector visits. A
batched topic is always taken whole, and four columns are enough. The bytes are still parsed by aiokafka's compiled
code; their checksum is computed with the processor's own instruction, which that does not know.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import google_crc32c
import numpy as np
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, FetchResult
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import _MemoryRecordsPy

from stream_app.windowing.records import Records

_CHECKED = 21
"""Where in a batch begins what its checksum covers."""
_LOG_APPEND_TIME = 1
Span = tuple[int, int, int]
"""Offset of the first record, how many follow one another from there, and the timestamp of all of them."""


def keep_bytes_of_fetches() -> None:
    """For the whole process: aiokafka's compiled reader of a fetch keeps its bytes to itself, the other one does not.

    Both cut them into the same compiled batches.
    """
    fetcher.MemoryRecords = _MemoryRecordsPy


class WholeFetch:
    """Stands in for the PartitionRecords of a FetchResult whose getall() has no limit on the number of records."""

    def __init__(self, tp: TopicPartition, theirs: Any) -> None:
        self._tp, self._records, self._check_crcs = tp, theirs._records, theirs._check_crcs
        self.next_fetch_offset: int = theirs.next_fetch_offset
        # Their generator, never begun, holds them, and they hold it, with all bytes of the fetch: up to a gigabyte lay
        # there until the garbage collector came.
        theirs._records_iterator = None

    def __iter__(self) -> Iterator[Records]:
        """All of them, once and as one; nothing where there are none.

        A damaged batch raises, and none before it is given: they are fetched again together.
        """
        records, self._records = self._records, None
        spans: list[Span] = []
        keys: list[bytes | None] = []
        values: list[bytes | None] = []
        following, (topic, partition) = self.next_fetch_offset, self._tp
        while records is not None and records.has_next():
            data = getattr(records, "_next_slice", None)
            batch = records.next_batch()
            if self._check_crcs and not _sound(batch, data):
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if not batch.is_control_batch:  # that is the marker of a transaction
                found = list(batch)
                if batch.base_offset < following:  # a batch may begin before what was asked for
                    found = [record for record in found if record.offset >= following]
                spans += _spans(batch, found)
                keys += [record.key for record in found]
                values += [record.value for record in found]
            following = batch.next_offset  # also behind records that compaction has taken
        self.next_fetch_offset = following
        if not values:
            return iter(())
        first, count, timestamp = np.array(spans, dtype=np.int64).T
        offsets = np.repeat(first - np.cumsum(count) + count, count) + np.arange(len(values))
        return iter((Records(topic, partition, offsets, np.repeat(timestamp, count), keys, values),))


def _sound(batch: Any, data: memoryview | None) -> bool:
    if data is None or type(batch) is not DefaultRecordBatch or google_crc32c.implementation != "c":
        return bool(batch.validate_crc())
    return bool(google_crc32c.value(bytes(data[_CHECKED:])) == batch.crc)


def _spans(batch: Any, records: list[Any]) -> list[Span]:
    """Of these records of a batch; mostly they are all of it, stamped together by the broker."""
    stamped = type(batch) is DefaultRecordBatch and batch.timestamp_type == _LOG_APPEND_TIME
    if stamped and len(records) == batch.next_offset - batch.base_offset:
        return [(batch.base_offset, len(records), batch.max_timestamp)]
    return [(record.offset, 1, -1 if record.timestamp is None else record.timestamp) for record in records]


class FetchResults(OrderedDict[TopicPartition, Any]):
    """The results of an aiokafka Fetcher, by partition; those of the batched topics are parsed here."""

    def __init__(self, batched: frozenset[str]) -> None:
        super().__init__()
        self._batched = batched

    def __setitem__(self, tp: TopicPartition, result: Any) -> None:
        if tp.topic in self._batched and type(result) is FetchResult:
            theirs = result._partition_records
            if theirs._isolation_level == READ_UNCOMMITTED:  # else records of aborted transactions must be left out
                result._partition_records = WholeFetch(tp, theirs)
        super().__setitem__(tp, result)
