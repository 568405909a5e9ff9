"""Listener: hears on `model-events` that something about our model has changed, so that the registry is asked at once.

It has no consumer group and begins at the end: every process hears everything, and what was said before its start is
in the registry already. It only wakes the poll, so a record that is lost, repeated or forged costs a question. Without
Kafka, or without the topic, the poll goes on by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from api.health import Health
from api.telemetry import Telemetry
from contracts.errors import InvalidMessage
from contracts.model_events import decode_model_event

log = logging.getLogger(__name__)

_RETRY_SECONDS = 2.0
_CHECK_SECONDS = 5.0
_CONNECT_SECONDS = 15.0
_ANSWER_SECONDS = 5.0
_STOP_SECONDS = 2.0


class Listener:
    """topic: its full name. model: whose records count. heard: called on the event loop, for each that does."""

    def __init__(self, bootstrap: str, topic: str, model: str, heard: Callable[[], None], telemetry: Telemetry) -> None:
        self.health = Health(False, "model-events is not read yet")
        self._bootstrap = bootstrap
        self._topic = topic
        self._key = model.encode()
        self._heard = heard
        self._telemetry = telemetry

    async def run(self) -> None:
        """Forever, until cancelled. Nothing that Kafka does ends it."""
        while True:
            try:
                await self._listen()
            except (KafkaError, OSError, TimeoutError) as error:
                self._away(str(error) or type(error).__name__)
            except Exception as error:
                log.exception("model-events: unexpected; a new connection")
                self._away(type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _listen(self) -> None:
        async with self._connected() as (consumer, partitions):
            self._heard()  # whatever was said before
            while True:
                found = await consumer.getmany(*partitions, timeout_ms=int(_CHECK_SECONDS * 1000))
                if any(self._counts(record.key, record.value) for records in found.values() for record in records):
                    self._heard()
                elif not found:
                    async with asyncio.timeout(_ANSWER_SECONDS):
                        await consumer.end_offsets(partitions)  # otherwise its silence could be Kafka's
                self._well()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[AIOKafkaConsumer, list[TopicPartition]]]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            auto_offset_reset="latest",
            enable_auto_commit=False,
            request_timeout_ms=10_000,
        )
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await consumer.start()
                # not partitions_for_topic(): it asks for the topic by name, which could create it
                cluster = await consumer._client.fetch_all_metadata()
                numbers = cluster.partitions_for_topic(self._topic)
                if not numbers:
                    raise UnknownTopicOrPartitionError(f"no topic {self._topic}: run `python -m stream_app topics`")
                partitions = [TopicPartition(self._topic, number) for number in sorted(numbers)]
                consumer.assign(partitions)
                await consumer.seek_to_end(*partitions)
            self._well()
            yield consumer, partitions
        finally:
            stopping = asyncio.create_task(consumer.stop())
            await asyncio.wait([stopping], timeout=_STOP_SECONDS)

    def _counts(self, key: bytes | None, value: bytes | None) -> bool:
        if key != self._key:
            return False
        try:
            return decode_model_event(value or b"").kind != "rollout-trouble"  # our own word changes nothing
        except InvalidMessage:
            return True

    def _well(self) -> None:
        if not self.health.ok:
            log.info("model-events: read; a new champion answers at once")
        self.health = Health(True, "")
        self._telemetry.model_events_up.set(1)

    def _away(self, detail: str) -> None:
        health = Health(False, f"model-events cannot be read, the registry is polled alone: {detail}")
        if self.health != health:
            log.warning("model-events: cannot be read, the registry is polled alone: %s", detail)
        self.health = health
        self._telemetry.model_events_up.set(0)
