"""The records of a topic up to its end as it was at the beginning, for a command that reads and is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from contracts.topics import Topic
from training.errors import CollectError

_ANSWER_SECONDS = 15.0


class Topics:
    """Kafka as it is read here. Used inside `connected`."""

    def __init__(self, consumer: AIOKafkaConsumer, bootstrap: str, prefix: str) -> None:
        self._consumer, self._bootstrap, self._prefix = consumer, bootstrap, prefix

    async def records(self, topic: Topic) -> AsyncIterator[ConsumerRecord]:
        """Every record that the topic has now, by partition and offset. Raises CollectError."""
        name = topic.named(self._prefix)
        try:
            partitions = await self._partitions(name)
            ends = await self._consumer.end_offsets(partitions)
            begins = await self._consumer.beginning_offsets(partitions)
            wanted = {one: ends[one] for one in partitions if begins[one] < ends[one]}
            self._consumer.assign(list(wanted))
            for one in wanted:
                self._consumer.seek(one, begins[one])
            while wanted:
                for one, records in (await self._consumer.getmany(timeout_ms=500)).items():
                    for record in records:
                        if one in wanted and record.offset < wanted[one]:
                            yield record
                for one in [one for one in wanted if await self._consumer.position(one) >= wanted[one]]:
                    del wanted[one]
                    self._consumer.pause(one)
        except (KafkaError, OSError, TimeoutError) as error:
            raise CollectError(f"Kafka at {self._bootstrap}, topic {name}: {error!r}") from error

    async def _partitions(self, name: str) -> list[TopicPartition]:
        cluster = await self._consumer._client.fetch_all_metadata()  # the consumer's own knows what it is assigned
        numbers = cluster.partitions_for_topic(name)
        if not numbers:
            raise CollectError(
                f"Kafka at {self._bootstrap} has no topic {name!r}: run `python -m stream_app topics`, or correct "
                "TRAINING_TOPIC_PREFIX"
            )
        return [TopicPartition(name, number) for number in sorted(numbers)]


@asynccontextmanager
async def connected(bootstrap: str, prefix: str) -> AsyncIterator[Topics]:
    """A connection for reading. Raises CollectError when Kafka does not answer."""
    # Members of a group could not read all partitions; what is read inside a transaction is read once it is committed.
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, isolation_level="read_committed")
    try:
        await asyncio.wait_for(consumer.start(), _ANSWER_SECONDS)
    except (KafkaError, OSError, TimeoutError) as error:
        await consumer.stop()
        raise CollectError(f"Kafka at {bootstrap} does not answer ({error!r}): is it running?") from error
    try:
        yield Topics(consumer, bootstrap, prefix)
    finally:
        await consumer.stop()
