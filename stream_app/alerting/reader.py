"""Reads `drift-alerts` in the sink's own consumer group, hands records to lanes, commits what is finished."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from stream_app.alerting.lanes import Lanes, Record
from stream_app.alerting.telemetry import SinkTelemetry

_log = logging.getLogger(__name__)
_TICK_MS = 200
_COMMIT_SECONDS = 5.0
IN_HAND = 200
"""Records read ahead at most."""


class AlertReader(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """handle: as in Lanes. sink: its name. earlier: offsets of a partition that this group finished beyond its position
    (may raise KafkaError). now: seconds since the epoch, for the age of waiting alerts.
    """

    def __init__(
        self,
        sink: str,
        consumer: AIOKafkaConsumer,
        topic: str,
        handle: Callable[[Record, asyncio.Event], Awaitable[bool]],
        earlier: Callable[[TopicPartition], Awaitable[Collection[int]]],
        telemetry: SinkTelemetry,
        now: Callable[[], float],
        in_hand: int = IN_HAND,
    ) -> None:
        self._sink = sink
        self._consumer = consumer
        self._topic = topic
        self._handle = handle
        self._earlier = earlier
        self._telemetry = telemetry
        self._now = now
        self._in_hand = in_hand
        self._lanes: dict[TopicPartition, Lanes[Record]] = {}
        self._committed: dict[TopicPartition, tuple[int, str]] = {}
        self._trouble = False
        self._standing_by = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping` is set; then attempts under way end, and what is finished is committed."""
        self._consumer.subscribe([self._topic], listener=self)
        halting = asyncio.create_task(self._halt_when(stopping))
        try:
            while not stopping.is_set():
                await self._read()
                await self._commit(self._lanes)
                self._measure()
        finally:
            halting.cancel()
            await self._leave(list(self._lanes))

    async def _halt_when(self, stopping: asyncio.Event) -> None:
        """At once, not at the next tick: an attempt that began in between would be waited for."""
        await stopping.wait()
        for lanes in self._lanes.values():
            lanes.halt()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Another member takes over: it begins where this one has committed."""
        await self._leave([partition for partition in revoked if partition in self._lanes])

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Lanes are made by the first record. One that has nothing to read says so: it would look alive, and deaf."""
        if not set(assigned):
            if not self._standing_by:
                _log.info("another sink %s holds the alerts of this group; standing by", self._sink)
            self._standing_by = True
        elif self._standing_by:
            _log.info("sink %s takes over", self._sink)
            self._standing_by = False

    async def _read(self) -> None:
        room = self._in_hand - sum(lanes.in_hand for lanes in self._lanes.values())
        # Paused rather than not asked: a consumer that does not ask for minutes is taken for dead.
        if room <= 0:
            self._consumer.pause(*self._consumer.assignment())
        elif paused := self._consumer.paused():
            self._consumer.resume(*paused)
        try:
            batches = await self._consumer.getmany(timeout_ms=_TICK_MS, max_records=max(room, 1))
        except KafkaError as error:
            self._say(f"reading {self._topic}: {type(error).__name__}: {error}")
            await asyncio.sleep(_TICK_MS / 1000)
            return
        for partition, records in batches.items():
            if partition not in self._consumer.assignment():
                continue  # revoked between the fetch and here; the new owner reads them
            if partition not in self._lanes:
                self._lanes[partition] = Lanes(self._handle, await self._finished_before(partition))
            lanes = self._lanes[partition]
            for record in records:
                lanes.add(record)

    async def _finished_before(self, partition: TopicPartition) -> Collection[int]:
        """Without an answer, none: then alerts may come twice, which their ids tell."""
        try:
            return await asyncio.wait_for(self._earlier(partition), _COMMIT_SECONDS)
        except (KafkaError, TimeoutError) as error:
            self._say(f"reading what is delivered already: {type(error).__name__}: {error}".rstrip(": "))
            return ()

    async def _commit(self, partitions: Iterable[TopicPartition]) -> None:
        """A commit that fails is tried again at the next tick; until then a crash would repeat alerts."""
        reached = {p: (self._lanes[p].position, self._lanes[p].beyond) for p in partitions if p in self._lanes}
        due = {p: (at, beyond) for p, (at, beyond) in reached.items() if at is not None}
        due = {p: reach for p, reach in due.items() if self._committed.get(p) != reach}
        if not due:
            return
        try:
            # aiokafka itself would wait without end for a coordinator that is away
            await asyncio.wait_for(self._consumer.commit(due), _COMMIT_SECONDS)
        except (KafkaError, TimeoutError) as error:
            self._say(f"committing offsets: {type(error).__name__}: {error}".rstrip(": "))
            return
        self._committed |= due
        self._trouble = False

    async def _leave(self, partitions: list[TopicPartition]) -> None:
        await asyncio.gather(*(self._lanes[partition].stop() for partition in partitions))
        await self._commit(partitions)
        for partition in partitions:
            self._lanes.pop(partition, None)
            self._committed.pop(partition, None)

    def _measure(self) -> None:
        """Lag: the log's end, as the last fetch saw it, minus the position."""
        lag, oldest = 0, None
        for partition, lanes in self._lanes.items():
            end, position = self._consumer.highwater(partition), lanes.position
            lag += max(0, (end or 0) - (position or 0))
            if lanes.oldest is not None:
                oldest = min(oldest or lanes.oldest, lanes.oldest)
        self._telemetry.behind(lag, 0.0 if oldest is None else max(0.0, self._now() - oldest / 1000))

    def _say(self, trouble: str) -> None:
        """Once per outage."""
        if not self._trouble:
            _log.warning("%s; trying until it works", trouble)
        self._trouble = True
