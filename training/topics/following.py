"""Following: records of several topics from a moment on: those that are there, and then as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from contracts.topics import Topic
from training.errors import PublishError
from training.topics.ready import cluster_of, stopped

_ANSWER_SECONDS = 15.0
_HELD_SECONDS = 0.2
Beginnings = Sequence[tuple[Topic, int | None]]
"""Topics, each with the moment to begin at, milliseconds UTC by the broker's clock; None: at the beginning."""


class Following:
    """Used inside `following`. What is `held` lay on the topics at the start; `take` goes on from there."""

    def __init__(self, consumer: AIOKafkaConsumer, topics: Mapping[str, Topic], bootstrap: str) -> None:
        self._consumer, self._topics, self._bootstrap = consumer, topics, bootstrap
        self._ends: dict[TopicPartition, int] = {}

    async def begin(self, beginnings: Mapping[str, int | None]) -> None:
        """Go to where reading begins. Raises PublishError where a topic is not there."""
        partitions: dict[TopicPartition, int | None] = {}
        cluster = await cluster_of(self._consumer._client, self._bootstrap)  # its own is as old as its connection
        for name in self._topics:
            numbers = cluster.partitions_for_topic(name)
            if not numbers:
                raise PublishError(
                    f"Kafka at {self._bootstrap} has no topic {name!r}: run `python -m stream_app topics`"
                )
            partitions |= {TopicPartition(name, number): beginnings[name] for number in numbers}
        everywhere = list(partitions)
        begins, self._ends = [
            await asked(everywhere) for asked in (self._consumer.beginning_offsets, self._consumer.end_offsets)
        ]
        timed = {one: at for one, at in partitions.items() if at is not None}
        found = await self._consumer.offsets_for_times(timed) if timed else {}
        # No await from here on: the consumer would begin where it likes.
        self._consumer.assign(everywhere)
        for one, at in partitions.items():
            if at is None:
                self._consumer.seek(one, begins[one])
            else:  # nothing is that young: what comes from now on is
                offset = found.get(one)
                self._consumer.seek(one, self._ends[one] if offset is None else offset.offset)

    async def take(self, seconds: float) -> list[tuple[Topic, ConsumerRecord]]:
        """What has come, waiting for so long if there is nothing. Raises PublishError.

        A broker that is away is waited for: then nothing comes.
        """
        try:
            fetched = await self._consumer.getmany(timeout_ms=round(seconds * 1000), max_records=10_000)
        except KafkaError as error:
            raise PublishError(f"Kafka at {self._bootstrap}: {error!r}") from error
        return [(self._topics[partition.topic], record) for partition, records in fetched.items() for record in records]

    async def held(self) -> AsyncIterator[tuple[Topic, ConsumerRecord]]:
        """What was there at the start, all of it; a few that came meanwhile may be among it. Raises PublishError."""
        while not await self.caught_up():
            for one in await self.take(_HELD_SECONDS):
                yield one

    async def caught_up(self) -> bool:
        """Whether all that was there at the start is read."""
        return all([await self._consumer.position(one) >= end for one, end in self._ends.items()])


@asynccontextmanager
async def following(bootstrap: str, prefix: str, since: Beginnings) -> AsyncIterator[Following]:
    """A connection that follows the topics. Raises PublishError when Kafka does not answer, or lacks one of them."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",  # where retention has taken what was to come next
    )
    try:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await consumer.start()
                follower = Following(consumer, {topic.named(prefix): topic for topic, _ in since}, bootstrap)
                await follower.begin({topic.named(prefix): at for topic, at in since})
        except (KafkaError, OSError) as error:  # TimeoutError is one
            raise PublishError(f"Kafka at {bootstrap} does not answer ({error!r}): is it running?") from error
        yield follower
    finally:
        await stopped(consumer)


Follow = Callable[[str, str, Beginnings], AbstractAsyncContextManager[Following]]
"""As `following`."""
