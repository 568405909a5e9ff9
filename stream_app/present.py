"""What is on a topic now: its records, from a beginning to the ends that its logs have at this moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaTimeoutError

from stream_app.readiness import not_fetching, stopped

WAIT_MS = 500
POLLS_IN_VAIN = 120
"""A minute. aiokafka asks a broker that went away again and again, and says nothing."""


class Present(NamedTuple):
    """By partition the first offset that its log has, and the one behind its last; and the records in between, in lists
    of one partition each.
    """

    first: Mapping[int, int]
    ends: Mapping[int, int]
    batches: AsyncIterator[list[ConsumerRecord]]


@asynccontextmanager
async def present(bootstrap: str, topic: str, starts: Mapping[int, int] | None = None) -> AsyncIterator[Present]:
    """A topic as it is now. Raises KafkaError.

    starts: where to begin; partitions that are not among them are left out. None: all, from their first record.
    """
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    try:
        await consumer.start()
        partitions = [tp for tp in consumer.assignment() if starts is None or tp.partition in starts]
        consumer.pause(*(consumer.assignment() - set(partitions)))
        for number, offset in (starts or {}).items():
            consumer.seek(TopicPartition(topic, number), offset)
        with not_fetching(consumer):
            first, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        yield Present(_by_number(first), _by_number(ends), _before(consumer, ends))
    finally:
        await stopped(consumer)


async def records(bootstrap: str, topic: str) -> AsyncIterator[ConsumerRecord]:
    """Every record that is on a topic now, of each partition in the order of its offsets. Raises KafkaError."""
    async with present(bootstrap, topic) as now:
        async for batch in now.batches:
            for record in batch:
                yield record


async def fetched(consumer: Any, ends: Mapping[TopicPartition, int]) -> AsyncIterator[list[ConsumerRecord]]:
    """What a consumer fetches until it has come to these ends; the last fetches may go on behind them.

    Raises KafkaTimeoutError when nothing has come for a minute.
    """
    vain = 0
    while waiting := [tp for tp, end in ends.items() if await consumer.position(tp) < end]:
        found = await consumer.getmany(timeout_ms=WAIT_MS)
        for batch in found.values():
            yield batch
        vain = 0 if found else vain + 1
        if vain >= POLLS_IN_VAIN:
            names = ", ".join(f"{tp.topic}/{tp.partition}" for tp in sorted(waiting))
            raise KafkaTimeoutError(f"for a minute no records came of {names}, which are there")


async def _before(consumer: Any, ends: Mapping[TopicPartition, int]) -> AsyncIterator[list[ConsumerRecord]]:
    async for batch in fetched(consumer, ends):
        end = ends[TopicPartition(batch[0].topic, batch[0].partition)]
        if found := [record for record in batch if record.offset < end]:
            yield found


def _by_number(offsets: Mapping[TopicPartition, int]) -> dict[int, int]:
    return {tp.partition: offset for tp, offset in offsets.items()}
