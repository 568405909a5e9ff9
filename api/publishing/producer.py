"""One connection to Kafka: an idempotent producer that takes whole groups, in order, and can be thrown away at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError
from aiokafka.structs import TopicPartition

from api.errors import BaselineRefused
from api.outbox.segments import Record
from api.publishing.one_copy import send_in_one_copy
from api.publishing.record_batch import MOST_BYTES, Batches, RecordBatch, Surroundings
from api.publishing.sending import TOO_LARGE, Sending
from contracts.baseline import Baseline
from contracts.headers import BASELINE_PUBLISHED, LABEL_GIVEN, PREDICTION_MADE, EventHeaders, cloud_event
from contracts.topics import BASELINES, LABELS, PREDICTIONS, Topic, partition_of

_SOURCE = "/tidemark/api"
_TURN = 100
"""Events that are put into batches before others have their turn: some .15 ms."""
_REQUEST_MS = 10_000
_LARGEST = 64 << 20
"""Bytes of one message: far beyond what the topics are made with, for the topic decides; a broker takes 100 MB."""
_CLOSE_SECONDS = 2.0


class Feed(NamedTuple):
    """What is sent from an outbox: to which topic, events of which kind. besides: topics that must be there, too."""

    topic: Topic
    kind: str
    besides: tuple[Topic, ...] = ()


PREDICTION_FEED = Feed(PREDICTIONS, PREDICTION_MADE, (BASELINES,))
LABEL_FEED = Feed(LABELS, LABEL_GIVEN)


class Producer:
    """Made by connect(). Order is kept within a partition as long as one group at a time is sent and awaited."""

    def __init__(self, inner: AIOKafkaProducer, prefix: str, feed: Feed) -> None:
        self._inner = inner
        self._topic = feed.topic.named(prefix)
        self._baselines = BASELINES.named(prefix)
        self._most = MOST_BYTES
        self._around = Surroundings(EventHeaders(feed.kind, _SOURCE))

    @classmethod
    async def connect(cls, bootstrap: str, prefix: str, feed: Feed = PREDICTION_FEED) -> Producer:
        """Raises KafkaError; UnknownTopicOrPartitionError when a topic is not there."""
        inner = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            enable_idempotence=True,
            acks="all",
            max_batch_size=MOST_BYTES,
            max_request_size=_LARGEST,
            request_timeout_ms=_REQUEST_MS,
        )
        send_in_one_copy(inner.client)
        producer = cls(inner, prefix, feed)
        try:
            await inner.start()
            cluster = await inner.client.fetch_all_metadata()
            for topic in (producer._topic, *(beside.named(prefix) for beside in feed.besides)):
                if not cluster.partitions_for_topic(topic):
                    raise UnknownTopicOrPartitionError(f"no topic {topic}: run `python -m stream_app topics`")
        except BaseException:
            await producer.close()
            raise
        return producer

    async def send_baseline(self, data: bytes) -> None:
        """Publish a baseline; returns when all replicas have it. Raises BaselineRefused or KafkaError."""
        baseline = Baseline.from_bytes(data)
        key = baseline.key.encode()
        partitions = await self._inner.partitions_for(self._baselines)
        try:
            await self._inner.send_and_wait(
                self._baselines,
                data,
                key=key,
                partition=partition_of(key, len(partitions)),
                headers=cloud_event(
                    BASELINE_PUBLISHED, f"{baseline.key}/{baseline.digest}", _SOURCE, time=baseline.created.isoformat()
                ),
            )
        except TOO_LARGE as error:
            raise BaselineRefused(
                f"the baseline of {baseline.key} has {len(data)} bytes, more than max.message.bytes of "
                f"{self._baselines} allows: `python -m stream_app topics` says how to raise it"
            ) from error

    async def send(self, records: Sequence[Record]) -> list[Record]:
        """Publish events in order; returns when all replicas have all of them, but for those that it gives back: each
        is too large for the topic. Raises KafkaError.
        """
        partitions = len(await self._inner.partitions_for(self._topic))
        now_ms = time.time_ns() // 1_000_000
        batches = Batches(self._around, partitions, now_ms, self._most)

        def lay(part: Sequence[Record]) -> RecordBatch:
            one = Batches(self._around, partitions, now_ms, _LARGEST)
            one.put(part)
            ((_, batch),) = one.take_all()
            return batch

        sending = Sending(records, partitions, self, lay)
        for begin in range(0, len(records), _TURN):
            if begin:
                await asyncio.sleep(0)  # let requests through
            batches.put(records[begin : begin + _TURN])
            await sending.put(batches.take_full())
        await sending.put(batches.take_all())
        await sending.end()
        return sending.alone

    async def check(self) -> None:
        """Ask whether Kafka is there; for times without traffic. Raises KafkaConnectionError."""
        if not await self._inner.client.force_metadata_update():
            raise KafkaConnectionError("no broker answers")

    async def begin(self, partition: int, batch: RecordBatch) -> asyncio.Future[Any]:
        """For Sending."""
        future: asyncio.Future[Any] = await self._inner.send_batch(batch, self._topic, partition=partition)
        return future

    def uncount(self, partition: int, batch: RecordBatch) -> None:
        """For Sending. The producer has counted these events: the next ones would seem to come after a gap, and be
        refused for that. And from now on batches are smaller: the topic takes less than it usually does.
        """
        self._inner._txn_manager.increment_sequence_number(TopicPartition(self._topic, partition), -batch.count)
        if batch.count > 1:
            self._most = min(self._most, batch.bytes // 2)

    async def close(self) -> None:
        """Let go within seconds, whatever is under way; what was not acknowledged is not sent any more.

        Not AIOKafkaProducer.stop(): an idempotent producer never gives a batch up, and stop() waits for all of them,
        with Kafka away for ever. Ended here are the task that sends and the connections; nobody awaits the batches.
        """
        self._inner._closed = True  # it would warn that stop() was not called
        task = self._inner._sender.sender_task
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=_CLOSE_SECONDS)
        closing = asyncio.create_task(self._inner.client.close())
        await asyncio.wait([closing], timeout=_CLOSE_SECONDS)
