"""Oracle: aiokafka's own builder, for the bytes, and aiokafka's own bookkeeping, for what it asks of a batch."""

import asyncio

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder, MessageBatch
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.util import encode_varint
from aiokafka.structs import TopicPartition
from hypothesis import example, given
from hypothesis import strategies as st

from api.outbox.segments import Record
from api.publishing.record_batch import MOST_BYTES, Batches, RecordBatch, Surroundings, varint
from contracts.headers import PREDICTION_MADE, EventHeaders, Origin
from contracts.topics import partition_of
from tests.builders import NOON_MS

HEADERS = EventHeaders(PREDICTION_MADE, "/tidemark/api")
STATE = (7, 3, 11)
SIZES = st.sampled_from([0, 1, 63, 64, 65, 500, 7_900, 8_100, 8_191, 8_192, 8_193, 20_000])
RECORDS = st.builds(
    lambda key, id_, time, value, origin: Record(b"k" * key, id_, time, b"v" * value, None, origin),
    st.integers(0, 200),
    st.text(max_size=80),
    st.sampled_from(["2026-03-01T12:00:00+00:00", "2026-03-01T12:00:00.123456+00:00"]),
    SIZES,
    st.none() | st.builds(Origin, st.text(max_size=70), st.sampled_from(["", "00-ab-cd-01"])),
)


def laid(records: list[Record], partitions: int = 4, *, turn: int = 3) -> list[tuple[int, RecordBatch]]:
    batches = Batches(Surroundings(HEADERS), partitions, NOON_MS)
    full = []
    for begin in range(0, len(records), turn):
        batches.put(records[begin : begin + turn])
        full += batches.take_full()
    return full + batches.take_all()


def aiokafkas(records: list[Record]) -> bytes:
    builder = BatchBuilder(1 << 30, 0)
    for record in records:
        headers = HEADERS.of(record.id, record.time, record.origin)
        builder.append(timestamp=NOON_MS, key=record.key, value=record.value, headers=headers)
    builder._set_producer_state(*STATE)
    return bytes(builder._build())


def built(batch: RecordBatch) -> bytes:
    batch._set_producer_state(*STATE)
    return batch._build()


def values(batch: RecordBatch) -> list[bytes]:
    return [record.value for record in DefaultRecordBatch(built(batch))]


@given(st.integers(0, 1 << 31))
@example(8_191)
@example(8_192)
def test_a_number_is_laid_out_as_aiokafka_does(number: int):
    theirs = bytearray()
    encode_varint(number, theirs.append)

    assert varint(number) == theirs


@given(st.lists(RECORDS, max_size=30))
@example([Record(f"{n}".encode(), "\u00e9", "now", b"") for n in range(200)])
def test_a_batch_has_the_bytes_that_aiokafkas_builder_gives(records: list[Record]):
    found = {partition: built(batch) for partition, batch in laid(records)}

    expected: dict[int, list[Record]] = {}
    for record in records:
        expected.setdefault(partition_of(record.key, 4), []).append(record)
    assert found == {partition: aiokafkas(own) for partition, own in expected.items()}


def test_a_batch_is_as_large_as_it_says_and_its_checksum_is_right():
    ((_, batch),) = laid([Record(b"k", f"{n}", "now", b"v" * 90 * n) for n in range(100)], 1)
    told = batch.size()

    assert len(built(batch)) == told
    assert DefaultRecordBatch(built(batch)).validate_crc()


def test_a_full_batch_is_followed_by_another_in_order():
    records = [Record(b"k", f"{n}", "now", b"%06d" % n * 10_000) for n in range(50)]

    batches = [batch for _, batch in laid(records, 1)]

    assert len(batches) == 3
    assert all(len(built(batch)) <= MOST_BYTES for batch in batches)
    assert [value for batch in batches for value in values(batch)] == [record.value for record in records]


def test_an_event_that_is_larger_than_a_batch_has_one_of_its_own():
    sizes = [10, MOST_BYTES, 10, 10, 2 * MOST_BYTES, 10]

    batches = [batch for _, batch in laid([Record(b"k", "i", "now", b"v" * size) for size in sizes], 1)]

    assert [[len(value) for value in values(batch)] for batch in batches] == [
        [10],
        [sizes[1]],
        [10, 10],
        [sizes[4]],
        [10],
    ]


def test_a_batch_of_the_smallest_events_ends_before_its_offsets_need_three_bytes():
    bare = EventHeaders("", "")
    bare.shared = []
    batches = Batches(Surroundings(bare), 1, NOON_MS)
    batches.put([Record(b"", "", "", b"")] * 20_000)

    found = [batch.record_count() for _, batch in batches.take_all()]

    assert found == [8_192, 8_192, 3_616]


def test_what_was_taken_is_not_given_again():
    batches = Batches(Surroundings(HEADERS), 2, NOON_MS)
    batches.put([Record(b"k", "i", "now", b"")])

    assert len(batches.take_all()) == 1
    assert batches.take_all() == []


@pytest.fixture
async def message_batch() -> tuple[RecordBatch, MessageBatch]:
    ((_, batch),) = laid([Record(b"k", "a", "now", b"1"), Record(b"k", "b", "now", b"2")], 1)
    return batch, MessageBatch(TopicPartition("t", 0), batch, ttl=60, linger_time=5.0)


async def test_it_is_all_that_aiokafka_asks_of_a_builder(message_batch: tuple[RecordBatch, MessageBatch]):
    batch, theirs = message_batch

    assert theirs.record_count == 2
    assert not theirs.is_empty()
    assert theirs.remaining_linger() is None  # it is sent at once
    assert theirs.append(b"k", b"3", None) is None  # it is closed, so another is made
    theirs.set_producer_state(*STATE)
    theirs.drain_ready()
    first = theirs.get_data_buffer()
    theirs.reset_drain()
    theirs.drain_ready()
    assert theirs.get_data_buffer() is first  # another attempt sends the same bytes
    assert batch.size() == len(first)
    theirs.done(base_offset=5)
    assert (await asyncio.wait_for(theirs.future, 1)).offset == 5
