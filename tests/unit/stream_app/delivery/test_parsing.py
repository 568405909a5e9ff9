"""Parsing of a batched topic gives the records that aiokafka's own gives, and goes on where that would."""

from __future__ import annotations

import gc
import inspect
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import (
    READ_COMMITTED,
    READ_UNCOMMITTED,
    Fetcher,
    FetchError,
    FetchResult,
    PartitionRecords,
)
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy
from aiokafka.record.util import calc_crc32c
from hypothesis import given
from hypothesis import strategies as st

from stream_app.delivery.parsing import FetchResults, WholeFetch
from stream_app.windowing.decoding import SourceRecord

TP = TopicPartition("predictions", 3)
FIELDS = ("topic", "partition", "offset", "timestamp", "key", "value")
NONE, GZIP, LZ4, ZSTD = 0, 1, 3, 4
READERS = MemoryRecords, _MemoryRecordsPy
"""aiokafka's own, and the one whose bytes can be seen: see keep_bytes_of_fetches()."""
_BASE_OFFSET, _CRC, _ATTRIBUTES = 8, 17, 21
"""Bytes of the first; where the other two begin. The checksum covers what follows it."""
Content = Sequence[tuple[int, bytes | None, bytes | None]]
"""Timestamp, key and value of each record of a batch."""


def a_batch(
    first: int, content: Content, codec: int = NONE, *, control: bool = False, stamped: bool = False, step: int = 1
) -> bytes:
    """As a broker stores it. control: its records mark the end of a transaction. stamped: with LogAppendTime.

    step: from one offset to the next, as compaction leaves them.
    """
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    for i, (timestamp, key, value) in enumerate(content):
        assert (
            builder.append(i * step, timestamp=timestamp, key=key, value=value, headers=[("ce_id", b"x")]) is not None
        )
    data = bytearray(first.to_bytes(_BASE_OFFSET, "big") + bytes(builder.build())[_BASE_OFFSET:])
    if control:
        data[_ATTRIBUTES + 1] |= 0x20
    if stamped:
        data[_ATTRIBUTES + 1] |= 0x08
    data[_CRC:_ATTRIBUTES] = calc_crc32c(data[_ATTRIBUTES:]).to_bytes(4, "big")
    return bytes(data)


def theirs(
    data: bytes, fetch_offset: int, isolation: int = READ_UNCOMMITTED, reader: Any = MemoryRecords
) -> PartitionRecords:
    return PartitionRecords(TP, reader(data), None, fetch_offset, None, None, True, isolation)


def fields_of(records: Sequence[SourceRecord]) -> list[tuple[Any, ...]]:
    return [tuple(getattr(record, name) for name in FIELDS) for record in records]


class Assignment:
    """As much of aiokafka's as a FetchResult asks for; of one partition."""

    active, paused = True, False

    def __init__(self, position: int) -> None:
        self.position = position

    def state_value(self, tp: TopicPartition) -> Assignment:
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def a_result(data: bytes, fetch_offset: int, isolation: int = READ_UNCOMMITTED, reader: Any = MemoryRecords) -> Any:
    records = theirs(data, fetch_offset, isolation, reader)
    return FetchResult(TP, assignment=Assignment(fetch_offset), partition_records=records, backoff=0.1)


contents = st.lists(
    st.tuples(st.integers(0, 1 << 42), st.none() | st.binary(max_size=9), st.none() | st.binary(max_size=99)),
    min_size=1,
    max_size=9,
)


@given(
    st.lists(
        st.tuples(
            contents,
            st.sampled_from([NONE, GZIP, LZ4, ZSTD]),
            st.integers(0, 3) | st.none(),
            st.booleans(),
            st.integers(1, 2),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 12),
    st.integers(0, 40),
    st.sampled_from(READERS),
)
def test_the_records_and_the_position_behind_them_are_aiokafkas_own(
    batches: list[tuple[Content, int, int | None, bool, int]], skipped: int, cut: int, reader: Any
) -> None:
    data, offset = b"", 100
    for content, codec, hole, stamped, step in batches:
        data += a_batch(offset, content, codec, control=hole is None, stamped=stamped, step=step)
        offset += len(content) * step + (hole or 0)  # a compacted log has holes
    data = data[: len(data) - cut]  # the end of a fetch is often half a batch
    expected, found = a_result(data, 100 + skipped), a_result(data, 100 + skipped, reader=reader)
    results = FetchResults(frozenset({TP.topic}))
    results[TP] = found
    assert isinstance(found._partition_records, WholeFetch)
    expected_fields = fields_of(expected.getall())
    wholes = found.getall()
    assert len(wholes) == bool(expected_fields)  # all in one, or nothing
    for whole in wholes:
        assert fields_of(whole) == fields_of([whole[i] for i in range(len(whole))]) == expected_fields
    assert found._assignment.position == expected._assignment.position
    assert not found.has_more()


def test_the_bytes_of_a_fetch_go_with_it_and_wait_for_no_garbage_collector() -> None:
    # a worker looks for garbage seldom, and a fetch is up to a megabyte a partition
    results = FetchResults(frozenset({TP.topic}))
    gc.disable()
    try:
        result = a_result(a_batch(0, [(0, None, b"a")]), 0)
        theirs_is_there = weakref.ref(result._partition_records)
        results[TP] = result
        assert theirs_is_there() is None
        (records,) = result.getall()
        assert len(records) == 1
    finally:
        gc.enable()


@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_batch_raises_and_nothing_before_it_is_taken_for_read(reader: Any) -> None:
    damaged = bytearray(a_batch(102, [(0, None, b"value")]))
    damaged[-3] ^= 1
    result = a_result(a_batch(100, [(0, None, b"a"), (0, None, b"b")]) + bytes(damaged), 100, reader=reader)
    results = FetchResults(frozenset({TP.topic}))
    results[TP] = result
    with pytest.raises(CorruptRecordException):
        result.getall()
    assert result._assignment.position == 100
    assert (result.getall(), result._assignment.position) == ([], 100)  # so it is fetched again from there
    assert not result.has_more()


def test_what_is_not_batched_or_in_error_or_committed_reads_is_left_as_it_is() -> None:
    data = a_batch(0, [(0, None, b"a")])
    error = FetchError(error=ValueError(), backoff=0.1)
    results = FetchResults(frozenset({"another"}))
    results[TP] = a_result(data, 0)
    assert isinstance(results[TP]._partition_records, PartitionRecords)
    results = FetchResults(frozenset({TP.topic}))
    results[TP] = error
    assert results[TP] is error
    results[TP] = a_result(data, 0, READ_COMMITTED)
    assert isinstance(results[TP]._partition_records, PartitionRecords)


def test_the_fetcher_keeps_its_results_by_partition_and_drains_them_whole() -> None:
    """What FetchResults and WholeFetch rely on in aiokafka."""
    source = " ".join(inspect.getsource(Fetcher).split())
    assert source.count("self._records = ") == 1
    assert source.count("records = MemoryRecords(part_data[-1])") == 1
    assert source.count("self._records[tp] = ") == 2  # a FetchResult, an error
    assert "records = res_or_error.getall(max_records)" in source
    drained = " ".join(inspect.getsource(FetchResult.getall).split())
    assert "for msg in self._partition_records:" in drained
    assert "state.consumed_to(self._partition_records.next_fetch_offset)" in " ".join(
        inspect.getsource(FetchResult._update_position).split()
    )
