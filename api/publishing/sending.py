"""Sending: a part of the outbox on its way to the broker, each partition's batches one after the other.

A batch that the broker refuses for its size is sent in halves, and these in halves, down to single events. What the
topic takes, whoever made it, is found that way without asking: to ask takes a right that a producer may lack. An event
that is refused alone is too large for its topic; all the others get there, once and in their order.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError

from api.outbox.segments import Record
from api.publishing.record_batch import RecordBatch
from contracts.topics import partition_of

TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
"""For max.message.bytes of the topic; for its segment.bytes."""


class Way(Protocol):
    """What is asked of a connection. A partition has one batch at a time on its way."""

    def begin(self, partition: int, batch: RecordBatch) -> Awaitable[asyncio.Future[Any]]:
        """Its future is done when all replicas have it, or raises KafkaError."""

    def uncount(self, partition: int, batch: RecordBatch) -> None:
        """The broker has counted nothing of a batch that it refused for its size."""


class _Begun(NamedTuple):
    """at: how many events of its partition came before it."""

    partition: int
    batch: RecordBatch
    at: int
    done: asyncio.Future[Any]


class Sending:
    """Of some events, in their order. lay: one batch of a few of them, which are of one partition.

    alone: those that are refused alone, as they were found.
    """

    def __init__(
        self, records: Sequence[Record], partitions: int, way: Way, lay: Callable[[Sequence[Record]], RecordBatch]
    ) -> None:
        self.alone: list[Record] = []
        self._records = records
        self._partitions = partitions
        self._way = way
        self._lay = lay
        self._begun: dict[int, _Begun] = {}
        self._at = Counter[int]()
        self._refused_bytes: int | None = None

    async def put(self, batches: Iterable[tuple[int, RecordBatch]]) -> None:
        """Begin with batches, each after its partition; one waits until the one before it is there. Raises KafkaError.

        After an error nothing more is to be put.
        """
        try:
            for partition, batch in batches:
                if (before := self._begun.get(partition)) is not None:
                    await self._end([before])
                done = await self._way.begin(partition, batch)
                self._begun[partition] = _Begun(partition, batch, self._at[partition], done)
                self._at[partition] += batch.count
        except BaseException:
            self._let_go()
            raise

    async def end(self) -> None:
        """Returns when all of them are there, but those that are refused alone. Raises KafkaError."""
        try:
            await self._end(list(self._begun.values()))
        except BaseException:
            self._let_go()
            raise

    async def _end(self, begun: Sequence[_Begun]) -> None:
        found = await asyncio.gather(*(one.done for one in begun), return_exceptions=True)
        refused = []
        for one, error in zip(begun, found, strict=True):
            del self._begun[one.partition]
            if isinstance(error, TOO_LARGE):
                refused.append(one)
            elif isinstance(error, BaseException):
                raise error
        for one in refused:
            await self._in_halves(one)

    async def _in_halves(self, one: _Begun) -> None:
        own = [record for record in self._records if partition_of(record.key, self._partitions) == one.partition]
        left = self._refused(own[one.at : one.at + one.batch.count], one.partition, one.batch)
        while left:
            part = self._promising(left.pop())
            if not part:
                continue
            batch = self._lay(part)
            try:
                await (await self._way.begin(one.partition, batch))
            except TOO_LARGE:
                left += self._refused(part, one.partition, batch)

    def _promising(self, part: Sequence[Record]) -> Sequence[Record]:
        """Without those that are as large as one that was refused alone a moment ago: they need not be asked about."""
        most = self._refused_bytes
        if most is None:
            return part
        promising = list[Record]()
        for record in part:
            (self.alone if self._lay([record]).bytes >= most else promising).append(record)
        return promising

    def _refused(self, part: Sequence[Record], partition: int, batch: RecordBatch) -> list[Sequence[Record]]:
        """What is to be sent instead, last first."""
        self._way.uncount(partition, batch)
        if len(part) == 1:
            self.alone.append(part[0])
            self._refused_bytes = min(batch.bytes, self._refused_bytes or batch.bytes)
            return []
        half = len(part) // 2
        return [part[half:], part[:half]]

    def _let_go(self) -> None:
        """Of what nobody waits for any more: its errors are nobody's."""
        for one in self._begun.values():
            one.done.cancel()
