"""Broker: a Kafka that commands send a record to, or read a topic of, within a time limit. Errors are one line."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from contracts.headers import Headers
from contracts.topics import Topic, partition_of
from training.errors import PublishError
from training.topics.following import following
from training.topics.ready import cluster_of

T = TypeVar("T")


@dataclass(frozen=True)
class Message:
    """A keyed record on its way."""

    key: bytes
    value: bytes
    headers: Headers


@dataclass(frozen=True)
class Broker:
    """timeout_seconds: of connecting and all that follows together."""

    bootstrap: str
    timeout_seconds: float

    def send(self, topic: str, message: Message | None, max_request_size: int = 1 << 20) -> None:
        """Returns when all replicas have it; None: only see whether the topic is there. Raises PublishError."""
        self._run(self._send(topic, message, max_request_size))

    def read(self, topic: Topic, prefix: str) -> list[ConsumerRecord]:
        """All that is on the topic now, in the order of its partitions. Raises PublishError."""
        return self._run(self._read(topic, prefix))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run(asyncio.wait_for(work, self.timeout_seconds))
        except TimeoutError as error:
            limit = f"{self.timeout_seconds:g} s"
            raise PublishError(f"Kafka at {self.bootstrap} did not answer within {limit}: is it running?") from error
        except (KafkaError, OSError, ValueError) as error:
            raise PublishError(f"Kafka at {self.bootstrap}: {error}; start it or correct TRAINING_BOOTSTRAP") from error

    async def _send(self, topic: str, message: Message | None, max_request_size: int) -> None:
        # Ahead of the producer, whose start waits in silence for a broker that is ready.
        partitions = self._there(topic, (await self._cluster()).partitions_for_topic(topic))
        if message is None:
            return
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            acks="all",
            enable_idempotence=True,
            compression_type="gzip",
            max_request_size=max_request_size,
        )
        try:
            await producer.start()
            at = partition_of(message.key, len(partitions))
            await producer.send_and_wait(topic, message.value, key=message.key, partition=at, headers=message.headers)
        finally:
            await producer.stop()

    async def _cluster(self) -> Any:
        client = AIOKafkaClient(bootstrap_servers=self.bootstrap)
        try:
            await client.bootstrap()
            return await cluster_of(client, self.bootstrap)
        finally:
            await client.close()

    async def _read(self, topic: Topic, prefix: str) -> list[ConsumerRecord]:
        async with following(self.bootstrap, prefix, ((topic, None),)) as there:
            records = [record async for _, record in there.held()]
        return sorted(records, key=lambda record: (record.partition, record.offset))

    def _there(self, topic: str, partitions: set[int] | None) -> set[int]:
        if not partitions:
            raise PublishError(f"Kafka at {self.bootstrap} has no topic {topic!r}: run `python -m stream_app topics`")
        return partitions
