"""The smallest Faust app that can lose records: a counting agent with state, on a real broker, recovery held open.

It is the minimal reproduction of docs/decisions/0003-faust-recovery.md, and says what each consumer counted:

    python -m tests.faust_recovery 127.0.0.1:9092
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from contextlib import suppress
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faust.transport.drivers import aiokafka as driver
from msgspec.structs import replace

from stream_app.delivery.batches import Fetching, RecordBatch
from stream_app.delivery.configuration import faust_settings
from stream_app.delivery.consumer import Consumer
from stream_app.delivery.framework import App, Transport
from stream_app.settings import StreamSettings
from tests.waiting import eventually

PARTITIONS, BATCH, WAITING, LIVE = 2, 4, 40, 10
"""WAITING records lie on the log before each start, LIVE ones come after it."""
_TOO_EARLY = 3 * BATCH
"""More records than the agent can have in hand: of so many that came too early, some are in a queue, or dropped."""
_HELD_SECONDS = 1.5


class StockRecovery(Consumer):
    """Commits by batch as ours does; in all that concerns recovery it is Faust's own."""

    resume_partitions = driver.Consumer.resume_partitions
    resume_flow = driver.Consumer.resume_flow
    perform_seek = driver.Consumer.perform_seek
    _getmany = driver.Consumer._getmany
    _wait_next_records = driver.Consumer._wait_next_records


class LiveSet(Consumer):
    """Ours, except that a pending fetch gets the live set of active partitions, as in Faust."""

    _getmany = driver.Consumer._getmany


class Outcome(NamedTuple):
    """sent: records that Kafka acknowledged. gaps: (partition, offset expected, offset that came instead)."""

    sent: int
    counted: int
    gaps: list[tuple[int, int, int]]


class Session:
    """One life of a worker that counts each record of `topic` once: what its stored offset includes, it skips."""

    def __init__(self, bootstrap: str, topic: str, consumer: type[Consumer], *, held: bool) -> None:
        self.topic, self._held, self._early = topic, held, 0
        self._recovered, self._too_early = asyncio.Event(), asyncio.Event()
        self.last = dict.fromkeys(range(PARTITIONS), -1)
        self.counted = dict.fromkeys(range(PARTITIONS), 0)
        self.gaps: list[tuple[int, int, int]] = []
        self.app = _app(bootstrap, topic, _watched(consumer, self))
        self.app.when_ready = self._recovered.set
        self._state = self.app.state_table(
            "state", PARTITIONS, age=lambda key, value: int(value.split()[0]), recovered=self._restore
        )
        if consumer is not Consumer:  # the changelog is read by record, and applied by the thousand, as in Faust
            self.app.fetching = replace(self.app.fetching, batched=frozenset({topic}))
            self._state.recovery_buffer_size = 1000

        @self.app.agent(self.app.batched_topic(topic), name=f"{topic}-agent", concurrency=1)
        async def count(batches: Any) -> None:
            async for batch in batches:
                await self._recovered.wait()  # it is slow: what is delivered meanwhile waits in its queue
                self._count(batch)

    def _restore(self) -> None:
        for key, value in self._state.stored():
            self.last[int(key)], self.counted[int(key)] = map(int, value.split())

    def _count(self, batch: RecordBatch) -> None:
        number, last = batch.partition, self.last[batch.partition]
        if batch.first_offset > last + 1:
            self.gaps.append((number, last + 1, batch.first_offset))
        new = sum(record.offset > last for record in batch.records)
        if new:
            self.last[number], self.counted[number] = batch.offset, self.counted[number] + new
            self._state.put(number, b"%d" % number, b"%d %d" % (batch.offset, self.counted[number]))

    def early(self, records: int) -> None:
        """So many were read before recovery was over."""
        self._early += records
        if self._early >= _TOO_EARLY:
            self._too_early.set()

    async def hold(self) -> None:
        """Recovery has sought and is about to go on. It is held here until records were read too early, or a while."""
        self._early = 0
        self._too_early.clear()
        if self._held:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._too_early.wait(), _HELD_SECONDS)


def _app(bootstrap: str, topic: str, consumer: type[Consumer]) -> App:
    class Watching(Transport):
        Consumer = consumer

    class Watched(App):
        def _new_transport(self) -> Transport:
            return Watching(self.conf.broker_consumer, self)

    fetching = Fetching(batched=frozenset({topic}), batch_records=BATCH, max_wait_ms=100, min_bytes=1)
    return Watched(topic, fetching=fetching, **faust_settings(StreamSettings(bootstrap=bootstrap)))


def _watched(consumer: type[Consumer], session: Session) -> type[Consumer]:
    """The consumer, telling the session what it reads in recovery, and held by it at the end of the seek."""

    class Watched(consumer):  # type: ignore[valid-type, misc]
        async def perform_seek(self) -> None:
            await super().perform_seek()
            if self.app.rebalancing and self.flow_active:
                await session.hold()

        async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109  # Faust's signature
            found = await super()._getmany(active_partitions, timeout)
            if self.app.rebalancing:  # what is not active now is dropped by Consumer.getmany
                session.early(sum(len(found[tp]) for tp in found if tp.topic == session.topic))
            return found

    return Watched


async def lived(bootstrap: str, consumer: type[Consumer], tries: int) -> Outcome:
    """A worker is started, stopped and started again, its recovery held up to `tries` times until records are missed.

    Its last life is an undisturbed one: what is still missing then is lost.
    """
    topic, sent, gaps = f"recovery-{secrets.token_hex(4)}", 0, []
    await _create(bootstrap, topic)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:

        async def send(count: int) -> None:
            nonlocal sent
            acks = [await producer.send(topic, b"x", partition=i % PARTITIONS) for i in range(count)]
            await asyncio.gather(*acks)
            sent += count

        for held in (False, *[True] * tries, False):
            if held and gaps:
                continue
            await send(WAITING)
            session = Session(bootstrap, topic, consumer, held=held)
            starting = asyncio.create_task(session.app.start())
            try:
                await eventually(lambda: session.app.ready, 20, "the worker to be ready")  # noqa: B023  # awaited here
                await send(LIVE)
                end = sent // PARTITIONS - 1
                await eventually(lambda: set(session.last.values()) == {end}, 20, "the log's end to be counted")  # noqa: B023
            finally:
                await session.app.stop()
                await starting
            gaps += session.gaps
    return Outcome(sent, sum(session.counted.values()), gaps)


async def _create(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in (topic, f"{topic}-state-changelog")])
    finally:
        await admin.close()


async def _main(bootstrap: str) -> None:
    for consumer in (StockRecovery, LiveSet, Consumer):
        outcome = await lived(bootstrap, consumer, tries=10 if consumer is not Consumer else 2)
        print(f"{consumer.__name__:13} sent {outcome.sent}, counted {outcome.counted}, gaps {outcome.gaps}")


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
