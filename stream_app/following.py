"""Follower: a compacted topic, read from its beginning without a group, and on as it grows.

Every process knows all of such a topic. Its end is asked for where what is not there then must not be there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from stream_app.errors import BrokerError, NotFollowed
from stream_app.readiness import not_fetching, stopped

_RETRY_SECONDS = 1.0
log = logging.getLogger(__name__)


class Follower:
    """Hands each record of a topic to `learn`, in the order of its partition. learn: must not raise. since_ms: leave
    out the records before that time, of a topic that is not compacted.
    """

    def __init__(
        self, bootstrap: str, topic: str, learn: Callable[[ConsumerRecord], None], since_ms: int | None = None
    ) -> None:
        self._bootstrap, self._topic, self._learn, self._since_ms = bootstrap, topic, learn, since_ms
        self._consumer: AIOKafkaConsumer | None = None
        self._follower: asyncio.Task[None] | None = None
        self._applied: dict[TopicPartition, int] = {}
        self._moved, self._ended = asyncio.Condition(), False

    async def start(self) -> None:
        """Read the topic to its end, then follow it. Raises BrokerError."""
        consumer = AIOKafkaConsumer(
            self._topic, bootstrap_servers=self._bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
        )
        try:
            await consumer.start()
            if self._since_ms is not None:
                await _seek(consumer, self._since_ms)
            self._consumer = consumer
            self._ended = False
            self._follower = asyncio.create_task(self._follow_on(consumer), name=f"follow {self._topic}")
            await self.refresh()
        except (KafkaError, BrokerError) as error:
            if self._consumer is None:
                await stopped(consumer)
            await self.stop()
            raise BrokerError(f"cannot read the topic {self._topic}: {error}") from error

    async def stop(self) -> None:
        """Stop following; what was read stays."""
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)
            self._follower = None
        if self._consumer is not None:
            await stopped(self._consumer)
            self._consumer = None

    async def refresh(self) -> None:
        """Return when all that is on the topic now has been read. Raises KafkaError while no broker answers, and
        NotFollowed where the topic is not followed, not yet or not any more.
        """
        if self._consumer is None:
            raise NotFollowed(f"the topic {self._topic} is not followed: call start() first")
        with not_fetching(self._consumer):
            ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        async with self._moved:
            await self._moved.wait_for(lambda: self._ended or self._has_reached(ends))
        if not self._has_reached(ends):
            raise NotFollowed(f"the topic {self._topic} is not followed any more: start this process again")

    def _has_reached(self, ends: Mapping[TopicPartition, int]) -> bool:
        return all(self._applied.get(tp, 0) >= end for tp, end in ends.items())

    async def _follow_on(self, consumer: AIOKafkaConsumer) -> None:
        """Whatever ends it is said, here and to all who wait for it."""
        try:
            await self._follow(consumer)
        except Exception:
            log.exception("the topic %s is not followed any more: start this process again", self._topic)
        finally:
            async with self._moved:
                self._ended = True
                self._moved.notify_all()

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            try:
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    for record in records:
                        self._learn(record)
                # Asked for behind that, for it may raise, and what was fetched does not come again.
                reached = {tp: await consumer.position(tp) for tp in consumer.assignment()}
            except KafkaError as error:
                log.warning("the topic %s cannot be read (%s), trying again", self._topic, error)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            async with self._moved:
                self._applied = reached
                self._moved.notify_all()


async def _seek(consumer: AIOKafkaConsumer, since_ms: int) -> None:
    with not_fetching(consumer):
        found = await consumer.offsets_for_times(dict.fromkeys(consumer.assignment(), since_ms))
        ends = await consumer.end_offsets(list(found))
    for tp, at in found.items():
        consumer.seek(tp, ends[tp] if at is None else at.offset)
