"""Parsing: what a fetch brought of a batched topic becomes records in one go, at half of aiokafka's cost.

aiokafka makes each record in four calls of Python, as an object of eleven fields that the garbage collector visits. A
batched topic is always taken whole, and six fields are enough. The bytes are still parsed and checked by aiokafka.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import msgspec
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, FetchResult
from aiokafka.errors import CorruptRecordException


class Record(msgspec.Struct, frozen=True, gc=False):
    """A `SourceRecord` of stream_app/windowing/decoding.py."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class WholeFetch:
    """Stands in for the PartitionRecords of a FetchResult whose getall() has no limit on the number of records."""

    def __init__(self, tp: TopicPartition, theirs: Any) -> None:
        self._tp, self._records, self._check_crcs = tp, theirs._records, theirs._check_crcs
        self.next_fetch_offset: int = theirs.next_fetch_offset
        # Their generator, never begun, holds them, and they hold it, with all bytes of the fetch: up to a gigabyte lay
        # there until the garbage collector came.
        theirs._records_iterator = None

    def __iter__(self) -> Iterator[Record]:
        """All of them, once. A damaged batch raises, and none before it is given: they are fetched again together."""
        records, self._records = self._records, None
        found: list[Record] = []
        following, (topic, partition) = self.next_fetch_offset, self._tp
        while records is not None and records.has_next():
            batch = records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if not batch.is_control_batch:  # that is the marker of a transaction
                found += [
                    Record(topic, partition, record.offset, record.timestamp, record.key, record.value)
                    for record in batch
                    if record.offset >= following  # a batch may begin before what was asked for
                ]
            following = batch.next_offset  # also behind records that compaction has taken
        self.next_fetch_offset = following
        return iter(found)


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
