"""The smallest Faust app that can lose records: a counting agent with state, on a real broker, recovery held open.

It is the minimal reproduction of docs/decisions/0003-faust-recovery.md, and says what each consumer counted:

    python -m tests.faust_recovery 127.0.0.1:9092
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
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


class GoesOn(Consumer):
    """Ours, except that a recovery which the next rebalance has overtaken goes on, as in Faust."""

    goes_on = True


class Outcome(NamedTuple):
    """sent: records that Kafka acknowledged. gaps: (partition, offset expected, offset that came instead)."""

    sent: int
    counted: int
    gaps: list[tuple[int, int, int]]


class Session:
    """One life of a worker that counts each record of `topic` once: what its stored offset includes, it skips.

    overtaken: its recovery is, by a rebalance that begins when the state is restored, and hands the partitions out when
    that recovery has sought.
    """

    def __init__(
        self, bootstrap: str, topic: str, consumer: type[Consumer], *, held: bool, overtaken: bool = False
    ) -> None:
        self.topic, self._held, self._early = topic, held, 0
        self._overtaken, self._was_held = overtaken, False
        self._begun = self._ended = not overtaken
        self._revoked, self._seeks, self._paused, self._sought = (asyncio.Event() for _ in range(4))
        self._recovered, self._too_early = asyncio.Event(), asyncio.Event()
        self.last = dict.fromkeys(range(PARTITIONS), -1)
        self.counted = dict.fromkeys(range(PARTITIONS), 0)
        self.gaps: list[tuple[int, int, int]] = []
        self.app = _app(bootstrap, topic, _watched(consumer, self))
        self.app.when_ready = lambda: None if self.recovering else self._recovered.set()
        self._state = self.app.state_table(
            "state", PARTITIONS, age=lambda key, value: int(value.split()[0]), recovered=self._restore
        )
        if consumer is not Consumer:  # the changelog is read by record, and applied by the thousand, as in Faust
            self.app.fetching = replace(self.app.fetching, batched=frozenset({topic}))
            self._state.recovery_buffer_size = 1000

        if overtaken:
            self.app.on_rebalance_complete.connect(self._begin_rebalance)
            self._begin, self.app.tables.on_rebalance = self.app.tables.on_rebalance, self._handed_out

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

    @property
    def recovered(self) -> bool:
        """What is delivered from here on is counted at once."""
        return self._recovered.is_set()

    @property
    def recovering(self) -> bool:
        """The app does not know it where a recovery that was overtaken said that it is over."""
        return self.app.rebalancing or (self._overtaken and self._ended and not self._was_held)

    def early(self, records: int) -> None:
        """So many were read before recovery was over."""
        self._early += records
        if self._early >= _TOO_EARLY:
            self._too_early.set()

    async def _begin_rebalance(self, app: App, **_: Any) -> None:
        """The state is restored: sent where Faust's on_recovery_completed begins, which then goes on."""
        if not self._begun:
            self._begun, thread = True, app.consumer._thread
            thread.thread_loop.call_soon_threadsafe(thread._ensure_consumer()._coordinator.request_rejoin)
            await _soon(self._revoked)

    async def revoked(self) -> None:
        """Partitions were; they are handed out when this returns."""
        if self._begun and not self._ended:
            self._revoked.set()
            await _soon(self._seeks)

    async def seek(self, do: Callable[[], Awaitable[None]]) -> bool:
        """Whether it was overtaken: then it takes until the partitions are handed out, and paused."""
        if self._begun and not self._ended and not self._seeks.is_set():
            self._seeks.set()
            await _soon(self._paused)
            await do()
            self._ended = True
            self._sought.set()
            return True
        await do()
        return False

    async def _handed_out(self, *given: Any) -> None:
        """Partitions are, and paused; their recovery begins behind this."""
        if self._begun and not self._ended:
            self._paused.set()
            await _soon(self._sought)
            await asyncio.sleep(0.1)
        await self._begin(*given)

    async def hold(self) -> None:
        """Recovery has sought and is about to go on. It is held here until records were read too early, or a while."""
        self._early = 0
        self._too_early.clear()
        if self._held:
            await _soon(self._too_early)
            self._was_held = True


async def _soon(event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), _HELD_SECONDS)


def _app(bootstrap: str, topic: str, consumer: type[Consumer]) -> App:
    class Watching(Transport):
        Consumer = consumer

    class Watched(App):
        @property
        def overtaken(self) -> bool:
            return super().overtaken and not hasattr(consumer, "goes_on")

        def _new_transport(self) -> Transport:
            return Watching(self.conf.broker_consumer, self)

    fetching = Fetching(batched=frozenset({topic}), batch_records=BATCH, max_wait_ms=100, min_bytes=1)
    return Watched(topic, fetching=fetching, **faust_settings(StreamSettings(bootstrap=bootstrap)))


def _watched(consumer: type[Consumer], session: Session) -> type[Consumer]:
    """The consumer, telling the session what it reads in recovery, and held by it at the end of the seek."""

    class Watched(consumer):  # type: ignore[valid-type, misc]
        async def on_partitions_revoked(self, revoked: set[TP]) -> None:
            await super().on_partitions_revoked(revoked)
            await session.revoked()

        async def perform_seek(self) -> None:
            overtaken = await session.seek(super().perform_seek)
            if session.recovering and self.flow_active and not overtaken:
                await session.hold()

        async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109  # Faust's signature
            found = await super()._getmany(active_partitions, timeout)
            if session.recovering:  # what is not active now is dropped by Consumer.getmany
                session.early(sum(len(found[tp]) for tp in found if tp.topic == session.topic))
            return found

    return Watched


async def lived(bootstrap: str, consumer: type[Consumer], tries: int, *, overtaken: bool = False) -> Outcome:
    """A worker is started, stopped and started again, its recovery held up to `tries` times until records are missed.

    overtaken: and before it is held, a recovery is overtaken by a rebalance.

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
            session = Session(bootstrap, topic, consumer, held=held, overtaken=held and overtaken)
            starting = asyncio.create_task(session.app.start())
            try:
                await eventually(lambda: session.recovered, 20, "the worker to be ready")  # noqa: B023  # awaited here
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
    for consumer in (StockRecovery, LiveSet, GoesOn, Consumer):
        tries = 10 if consumer is not Consumer else 2
        outcome = await lived(bootstrap, consumer, tries, overtaken=consumer in (GoesOn, Consumer))
        print(f"{consumer.__name__:13} sent {outcome.sent}, counted {outcome.counted}, gaps {outcome.gaps}")


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
