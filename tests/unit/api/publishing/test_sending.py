"""Laws of Sending, over a broker that knows a topic's bound and, as Kafka does, the sequence of each partition."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError, RecordListTooLargeError
from hypothesis import given, settings
from hypothesis import strategies as st

from api.outbox.segments import Record
from api.publishing.record_batch import Batches, RecordBatch, Surroundings
from api.publishing.sending import Sending
from contracts.headers import PREDICTION_MADE, EventHeaders
from contracts.topics import partition_of
from tests.builders import NOON, NOON_MS

PARTITIONS = 3
AROUND = Surroundings(EventHeaders(PREDICTION_MADE, "/tidemark/api"))


class Broker:
    """most: bytes of a batch that it takes. error: that it raises otherwise. lost: a partition that does not answer."""

    def __init__(self, most: int, error: type[Exception] = MessageSizeTooLargeError, lost: int | None = None) -> None:
        self.most = most
        self.error = error
        self.lost = lost
        self.arrived: dict[int, list[str]] = defaultdict(list)
        self.refusals = 0
        self._names: dict[int, list[str]] = {}
        self._sent = Counter[int]()
        self._taken = Counter[int]()
        self._busy = set[int]()

    async def begin(self, partition: int, batch: RecordBatch) -> asyncio.Future[Any]:
        assert partition not in self._busy
        self._busy.add(partition)
        done = asyncio.get_running_loop().create_future()
        assert self._sent[partition] == self._taken[partition]  # no gap in the sequence
        self._sent[partition] += batch.count
        asyncio.get_running_loop().call_soon(self._answer, partition, batch, done)
        return done

    def _answer(self, partition: int, batch: RecordBatch, done: asyncio.Future[Any]) -> None:
        self._busy.discard(partition)
        if partition == self.lost:
            done.set_exception(KafkaConnectionError("gone"))
        elif batch.bytes > self.most:
            self.refusals += 1
            done.set_exception(self.error())
        else:
            self._taken[partition] += batch.count
            self.arrived[partition] += [part.decode() for part in batch.parts if part.startswith(b"id-")]
            done.set_result(None)

    def uncount(self, partition: int, batch: RecordBatch) -> None:
        self._sent[partition] -= batch.count


def laid(records: list[Record], most: int) -> list[tuple[int, RecordBatch]]:
    batches = Batches(AROUND, PARTITIONS, NOON_MS, most)
    batches.put(records)
    return batches.take_all()


def lay(part: Any) -> RecordBatch:
    ((_, batch),) = laid(part, 1 << 30)
    return batch


def a_record(number: int, size: int, key: int) -> Record:
    return Record(b"k%d" % key, f"id-{number:04}", NOON.isoformat(), b"v" * size)


async def sent(broker: Broker, records: list[Record], most: int) -> list[Record]:
    sending = Sending(records, PARTITIONS, broker, lay)
    await sending.put(laid(records, most))
    await sending.end()
    return sending.alone


@given(
    st.lists(st.tuples(st.sampled_from([1, 50, 400, 2_000, 9_000]), st.integers(0, 5)), max_size=60),
    st.sampled_from([350, 700, 1_500, 3_000, 20_000]),
    st.sampled_from([500, 4_000, 1 << 20]),
    st.sampled_from([MessageSizeTooLargeError, RecordListTooLargeError]),
)
@settings(max_examples=150, deadline=None)
def test_all_that_the_topic_takes_is_there_once_and_in_order_and_all_else_is_given_back(
    sizes: list[tuple[int, int]], takes: int, most: int, error: type[Exception]
) -> None:
    records = [a_record(number, size, key) for number, (size, key) in enumerate(sizes)]
    broker = Broker(takes, error)

    alone = asyncio.run(sent(broker, records, most))

    large = [record.id for record in records if lay([record]).bytes > takes]
    assert sorted(record.id for record in alone) == large
    expected: dict[int, list[str]] = defaultdict(list)
    for record in records:
        if record.id not in large:
            expected[partition_of(record.key, PARTITIONS)].append(record.id)
    assert dict(broker.arrived) == dict(expected)


async def test_one_large_event_among_many_costs_few_attempts() -> None:
    records = [a_record(number, 400_000 if number == 300 else 10, 1) for number in range(1_000)]
    broker = Broker(350_000)
    assert await sent(broker, records, 1 << 20) == [records[300]]
    assert broker.refusals <= 12


async def test_of_many_large_events_only_the_first_are_asked_about() -> None:
    records = [a_record(number, 500, number % 6) for number in range(600)]
    broker = Broker(400)
    assert len(await sent(broker, records, 4_000)) == 600
    assert broker.refusals < 150


@pytest.mark.parametrize("most", [600, 1 << 20])
async def test_another_error_is_raised_and_nothing_is_left_behind(most: int) -> None:
    records = [a_record(number, 100, number % 6) for number in range(30)]
    with pytest.raises(KafkaConnectionError):
        await sent(Broker(1 << 20, lost=partition_of(b"k0", PARTITIONS)), records, most)
