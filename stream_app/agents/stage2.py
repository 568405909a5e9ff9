"""What a stage 2 does with a batch, whatever is merged: holes, what cannot be read, what is written before it acts.

The order that makes it exact: dead letters acknowledged -> parts written and acknowledged -> what follows from them ->
the next batch.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from contracts.dead_letters import DeadLetter
from contracts.errors import InvalidMessage, NewerFormat
from stream_app.agents.holes import Holes
from stream_app.agents.patience import Clock, Lost, until_done
from stream_app.agents.ports import Batch, Source, Store
from stream_app.agents.publishing import Publisher
from stream_app.errors import NotFollowed
from stream_app.telemetry import Telemetry
from stream_app.windowing.decoding import SourceRecord
from stream_app.windowing.merger import Records

log = logging.getLogger(__name__)
M = TypeVar("M")


class Stage2Agent(Generic[M]):
    """The agent of a topic of parts. topic: its name, for the log. cannot_go_on: ends the worker; with what to do."""

    def __init__(
        self,
        topic: str,
        source: Source,
        store: Store,
        publisher: Publisher,
        telemetry: Telemetry,
        clock: Clock,
        cannot_go_on: Callable[[str], None] = lambda words: None,
    ) -> None:
        self._topic, self._source, self._store = topic, source, store
        self._publisher, self._telemetry, self._clock = publisher, telemetry, clock
        self._cannot_go_on = cannot_go_on
        self._holes = Holes(topic, source, telemetry)
        self._mergers: dict[int, M] = {}
        self._following: dict[int, int] = {}
        self._known_to: dict[int, int] = {}

    def restore(self, partitions: Iterable[int]) -> None:
        """Take up the stored state of these partitions and forget all others. Raises InvalidMessage."""
        self._mergers.clear()
        self._following.clear()
        self._known_to.clear()
        for number in partitions:
            self._merger(number)

    async def handle(self, batch: Batch) -> None:
        """Take a batch in and do what is due. Returns when that is done or not ours any more. Never raises."""

        def failed(pause: float) -> None:
            self._mergers.pop(batch.partition, None)  # half done, perhaps: taken from the store again
            self._known_to.pop(batch.partition, None)
            if isinstance(error := sys.exception(), NewerFormat | NotFollowed):
                self._cannot_go_on(f"{self._topic}/{batch.partition}: {error}")
                return
            where = self._topic, batch.partition, batch.first_offset, batch.offset
            log.exception("%s/%s offsets %s to %s: not merged, next try in %g s", *where, pause)
            self._telemetry.retries.labels("merge").inc()

        async def read() -> None:
            await self._read(batch)

        if not await until_done(read, failed, lambda: self._source.stopping, self._clock):
            self._source.abandon(batch.partition)

    async def _read(self, batch: Batch) -> None:
        self._check(batch.epoch)
        number = batch.partition
        expected = self._following.get(number, self._source.began(number))
        if expected is not None and batch.first_offset > expected:
            if not await self._holes.passable(number, expected, batch.first_offset):
                raise Lost
            self._check(batch.epoch)
        merger = self._merger(number)
        if number not in self._known_to:
            self._known_to[number] = max(batch.offset + 1, self._source.end(number) or 0)
        records, letters = self._all_taken(merger, batch.records)
        await self._refuse(letters)
        await self._write(number, batch.epoch, records)
        await self._act(merger, number, batch.epoch)
        self._following[number] = batch.offset + 1

    def _is_past(self, record: SourceRecord, generation: int) -> bool:
        """Whether a heartbeat that lies there may be older than what is restored. generation: the one that it names.

        The state may have parts from anywhere in the log that there was when it was restored: a former owner had read
        on and not committed. And a worker that was stopped may go on and say what it meant to say long ago.
        """
        return record.offset < self._known_to.get(record.partition, 0) or generation < self._source.generation

    def _is_of_a_former_group(self, record: SourceRecord, generation: int) -> bool:
        """Whether a heartbeat was left by a group of this name that Kafka has lost: a deleted one, or lost offsets.

        Its generations began at 1 again, and everything is read from the log's beginning: obeyed, a higher one of then
        would fence off every heartbeat of now. It lies in what there was when this worker took the partition up. What
        comes behind that is of this group, which this worker may not have joined anew yet.
        """
        return record.offset < self._known_to.get(record.partition, 0) and generation > self._source.generation

    def _all_taken(self, merger: M, batch: Iterable[SourceRecord]) -> tuple[Records, list[DeadLetter]]:
        records: Records = []
        letters = []
        for record in batch:
            try:
                records += self._taken(merger, record)
            except NewerFormat:
                raise  # a dead letter would take rows out of a report that a later version can count
            except InvalidMessage as error:
                letters.append(DeadLetter.of(record, "unreadable", str(error)))
        return records, letters

    async def _refuse(self, letters: list[DeadLetter]) -> None:
        if letters:
            await self._publisher.dead_letters(letters)
            for letter in letters:
                log.error("%s: %s", letter.id, letter.detail)
                self._telemetry.dead_letters.labels(letter.reason).inc()

    async def _write(self, number: int, epoch: int, records: Records) -> None:
        """Durable before the batch is done: its offset may then be committed with nothing missing behind it.

        What is deleted is in what is kept from now on: it is there as long as that may be refused.
        """
        kept, gone = divided(records)
        await asyncio.gather(*self._put(number, epoch, kept))
        if gone:
            await asyncio.gather(*self._put(number, epoch, gone))

    def _put(self, number: int, epoch: int, records: Records) -> list[Awaitable[object]]:
        self._check(epoch)
        return [self._store.put(number, key, value) for key, value in records]

    def _merger(self, number: int) -> M:
        if number not in self._mergers:
            self._mergers[number] = self._restored(number)
        return self._mergers[number]

    def _check(self, epoch: int) -> None:
        if epoch != self._source.epoch:
            raise Lost

    @abstractmethod
    def _restored(self, number: int) -> M:
        """A partition's state as it is stored."""

    @abstractmethod
    def _taken(self, merger: M, record: SourceRecord) -> Records:
        """Take a record in; what to write. Raises InvalidMessage, NewerFormat."""

    @abstractmethod
    async def _act(self, merger: M, number: int, epoch: int) -> None:
        """Do what is due now."""


def divided(records: Records) -> tuple[Records, Records]:
    """What is to be acknowledged first, and what is deleted then; each in its order."""
    return [record for record in records if record[1] is not None], [record for record in records if record[1] is None]
