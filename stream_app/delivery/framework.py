"""The Faust app that delivers by batch: its transport, producer and tables are the ones of this package."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from msgspec.structs import replace

from stream_app.delivery import consumer
from stream_app.delivery.batches import BatchSchema, Fetching
from stream_app.delivery.tables import Age, StateTable, Tables
from stream_app.readiness import until_one_answers


class Producer(driver.Producer):  # type: ignore[misc]
    """Idempotent, which Faust sets only for exactly_once: retries neither repeat nor reorder, and never expire."""

    def _settings_extra(self) -> dict[str, Any]:
        return {"acks": "all", "enable_idempotence": True}

    def _new_producer(self, transactional_id: str | None = None) -> Any:
        producer = super()._new_producer(transactional_id)
        producer.start = partial(until_one_answers, producer.start, lambda: self.should_stop)
        return producer


class Transport(driver.Transport):  # type: ignore[misc]
    """Where Faust takes its consumer and producer from."""

    Consumer = consumer.Consumer
    Producer = Producer


class App(faust.App):  # type: ignore[misc]
    """A Faust app with this delivery; it is the `Outlet` of stream_app/agents/ports.py.

    stored_next: the offset behind the last stored one, by partition. ready: partitions are assigned and their state is
    restored; when_ready, when_rebalancing: called when that begins and, in the consumer's thread, when it ends.
    was_ready: it has been, at any time: before, nothing was counted.
    handed_out: `rebalancing_count` of the last rebalance whose partitions are known, and paused.
    when_covered: called with a number of stored values over which a former owner had written late.
    when_unwritten: called when state could not be written, so that what is counted would be lost with this process.
    """

    def __init__(self, id: str, *, fetching: Fetching, **settings: Any) -> None:
        self.fetching = fetching
        self.stored_next: Callable[[], Mapping[TP, int]] = dict
        self.ready = self.was_ready = False
        self.handed_out = 0
        self.when_covered: Callable[[int], None] = lambda number: None
        self.when_unwritten: Callable[[BaseException], None] = lambda error: None
        self.when_rebalancing: Callable[[], None] = lambda: None
        self.when_ready: Callable[[], None] = lambda: None
        super().__init__(id, Table=StateTable, TableManager=Tables, store="memory://", **settings)

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """None is needed: all state is in Kafka, and the file system may be read-only."""

    @property
    def overtaken(self) -> bool:
        """A rebalance has begun and not handed out its partitions: whoever recovers now does so for a former one."""
        return bool(self.handed_out != self.rebalancing_count)

    def on_rebalance_start(self) -> None:
        """Called in the consumer's thread."""
        super().on_rebalance_start()
        self.ready = False
        self.when_rebalancing()

    def on_rebalance_end(self) -> None:
        """Recovery is over and partitions flow. (Or it was a former rebalance's; see consumer.py, (C).)"""
        if self.overtaken:
            return
        super().on_rebalance_end()
        self.ready = self.was_ready = True
        self.when_ready()

    async def maybe_start_producer(self) -> Any:
        """Asked for each message. Faust's own guards against a stampede: three turns of the event loop each time."""
        producer = self.producer
        await producer.maybe_start()
        return producer

    def batched_topic(self, name: str) -> Any:
        """One of `fetching.batched`. What waits in its queue is bounded by the consumer: see consumer.py, WAITING."""
        return self.topic(name, schema=BatchSchema(key_type=bytes, value_type=bytes))

    def state_table(self, name: str, partitions: int, age: Age, recovered: Callable[[], None]) -> StateTable:
        """A table of the topic `{group}-{name}-changelog`. recovered: called when its partitions have been read."""
        # A buffer of one: what recovery calls an event is a batch of records.
        schema = BatchSchema(key_type=bytes, value_type=bytes)
        table: StateTable = self.Table(
            name, schema=schema, key_type=bytes, value_type=bytes, partitions=partitions, recovery_buffer_size=1
        )
        table.age = age
        self.fetching = replace(self.fetching, batched=self.fetching.batched | {table.changelog_topic_name})

        async def on_recover() -> None:
            recovered()

        table.on_recover(on_recover)
        return table

    async def publish(
        self, topic: str, value: bytes, *, key: bytes | None, partition: int, headers: list[tuple[str, bytes]]
    ) -> Awaitable[object]:
        """Send through the worker's one producer; awaiting the result waits for the acknowledgement."""
        producer = await self.maybe_start_producer()
        ack: Awaitable[object] = await producer.send(topic, key, value, partition, None, headers)
        return ack
